//! One step of Adam in one pass over memory.

use multiversion::multiversion;
use tch::Tensor;

use super::{
    memory::{floats, floats_mut},
    pool::{Parts, for_each},
};

/// The numbers of a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdamStep {
    /// Added to the gradient per unit of the parameter.
    pub l2: f64,
    /// What the parameter is multiplied by first.
    pub shrink: f64,
    /// Share of the gradient in the first moment.
    pub mean_share: f64,
    /// Share of its square in the second moment.
    pub square_share: f64,
    /// What the first moment is multiplied by: learning rate and correction for bias.
    pub rate: f64,
    /// What the root of the second moment is multiplied by: correction for bias.
    pub root_scale: f64,
    /// Added to that.
    pub eps: f64,
}

/// A parameter's first and second moment.
#[derive(Debug)]
pub(crate) struct Moments {
    pub mean: Tensor,
    pub mean_square: Tensor,
}

/// Values that a thread takes at a time.
const PART: usize = 1 << 14;

impl AdamStep {
    /// Changes `parameter` and its moments; `false`, and nothing was done, when one of the tensors is
    /// not float32, contiguous and in memory.
    pub fn apply(&self, parameter: &mut Tensor, grad: &Tensor, moments: &mut Moments) -> bool {
        // SAFETY: four tensors with storages of their own, which nobody else uses during the step.
        let slices = unsafe {
            (
                floats_mut(parameter),
                floats(grad),
                floats_mut(&mut moments.mean),
                floats_mut(&mut moments.mean_square),
            )
        };
        let (Some(parameter), Some(grad), Some(mean), Some(mean_square)) = slices else {
            return false;
        };
        let n_parts = parameter.len().div_ceil(PART);
        let [parameter, mean, mean_square] =
            [parameter, mean, mean_square].map(|slice| Parts::of(slice, PART));
        for_each(n_parts, |i| {
            // SAFETY: each part number comes once.
            let [p, m, v] = [&parameter, &mean, &mean_square].map(|s| unsafe { s.part(i) });
            update(self, p, &grad[i * PART..], m, v);
        });
        true
    }

    /// The same by libtorch's operators, for tensors of any kind, anywhere.
    pub fn apply_by_operators(&self, parameter: &mut Tensor, grad: &Tensor, moments: &mut Moments) {
        let Moments { mean, mean_square } = moments;
        let grad = grad + &*parameter * self.l2;
        let _ = mean.lerp_(&grad, self.mean_share);
        let _ = mean_square.lerp_(&grad.square(), self.square_share);
        let mut root = mean_square.sqrt();
        let _ = root.g_mul_scalar_(self.root_scale).g_add_scalar_(self.eps);
        let change = (&*mean / root) * self.rate;
        let _ = parameter.g_mul_scalar_(self.shrink).g_sub_(&change);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512dq", "x86_64+avx2"))]
fn update(step: &AdamStep, p: &mut [f32], grad: &[f32], m: &mut [f32], v: &mut [f32]) {
    let &AdamStep { l2, shrink, mean_share, square_share, rate, root_scale, eps } = step;
    let [l2, shrink, mean_share, square_share, rate, root_scale, eps] =
        [l2, shrink, mean_share, square_share, rate, root_scale, eps].map(|v| v as f32);
    for (((p, &g), m), v) in p.iter_mut().zip(grad).zip(m).zip(v) {
        let g = g + l2 * *p;
        *m += mean_share * (g - *m);
        *v += square_share * (g * g - *v);
        *p = *p * shrink - rate * *m / (v.sqrt() * root_scale + eps);
    }
}
