//! Adam, with its state in our hands.

use indexmap::IndexMap;
use tch::Tensor;

use super::{Optimizer, TrainParams};
use crate::{
    anndata::Dense,
    error::{Error, Result},
    kernels::{AdamStep, Moments},
    nn::{
        Trainable,
        convert::{to_dense, to_tensor},
    },
};

/// Decay rates of the first and second moment.
const BETAS: (f64, f64) = (0.9, 0.999);

#[derive(Debug)]
struct Slot {
    parameter: Trainable,
    moments: Moments,
    step: i32,
}

/// Adam (Kingma & Ba 2015), or AdamW (Loshchilov & Hutter 2019).
///
/// Parameters that never get a gradient are never touched, not even by weight decay; nor are entries
/// that are not to be trained: there are no gradients and no moments of them.
#[derive(Debug)]
pub struct Adam {
    slots: Vec<Slot>,
    /// Learning rate; may change between steps.
    pub lr: f64,
    eps: f64,
    weight_decay: f64,
    rule: Optimizer,
}

impl Adam {
    /// For these parameters, which share memory with the module's.
    ///
    /// # Errors
    /// When a parameter lacks entries that are to be trained.
    pub fn new(
        parameters: impl IntoIterator<Item = Trainable>,
        params: &TrainParams,
    ) -> Result<Self> {
        Ok(Self {
            slots: parameters.into_iter().map(Slot::new).collect::<Result<_>>()?,
            lr: params.lr,
            eps: params.eps,
            weight_decay: params.weight_decay,
            rule: params.optimizer,
        })
    }

    /// The gradient of a scalar by each parameter's trained entries, in their order; undefined tensors
    /// for parameters that it does not depend on.
    ///
    /// # Errors
    /// When nothing that the scalar depends on is a parameter.
    pub fn gradients(&self, loss: &Tensor) -> Result<Vec<Tensor>> {
        let parameters: Vec<&Tensor> =
            self.slots.iter().map(|slot| &slot.parameter.tensor).collect();
        let grads = Tensor::f_run_backward(&[loss], &parameters, false, false)?;
        let trained =
            self.slots.iter().zip(grads).map(|(slot, grad)| match &slot.parameter.entries {
                Some(entries) if grad.defined() => entries.of(&grad),
                _ => Ok(grad),
            });
        trained.collect()
    }

    /// Changes each parameter that has a gradient, by gradients in the order of parameters.
    ///
    /// # Errors
    /// When a gradient has another shape than what it is of.
    pub fn step(&mut self, grads: &[Tensor]) -> Result<()> {
        tch::no_grad(|| {
            let mut slots = self.slots.iter_mut().zip(grads).filter(|(_, grad)| grad.defined());
            slots.try_for_each(|(slot, grad)| {
                slot.update(grad, self.lr, self.eps, self.weight_decay, self.rule)
            })
        })
    }
}

/// Its state at rest.
impl Adam {
    /// Moments and numbers of steps under `NAME.exp_avg`, `NAME.exp_avg_sq` and `NAME.step`, as torch
    /// calls them; `names` are those of the parameters, in their order.
    ///
    /// # Errors
    /// When a moment cannot be read off its device.
    pub fn state_dict(&self, names: &[String]) -> Result<IndexMap<String, Dense>> {
        let mut state = IndexMap::new();
        for (name, slot) in names.iter().zip(&self.slots) {
            state.insert(format!("{name}.exp_avg"), to_dense(&slot.moments.mean)?);
            state.insert(format!("{name}.exp_avg_sq"), to_dense(&slot.moments.mean_square)?);
            let step = Dense { shape: vec![], values: vec![i64::from(slot.step)].into() };
            state.insert(format!("{name}.step"), step);
        }
        Ok(state)
    }

    /// Goes on from a state of the same parameters; from none, it begins.
    ///
    /// # Errors
    /// [`Error::StateDict`] when the state is of other parameters; [`Error::Shape`].
    pub fn load_state_dict(
        &mut self,
        names: &[String],
        state: &IndexMap<String, Dense>,
    ) -> Result<()> {
        if state.is_empty() {
            return Ok(());
        }
        for (name, slot) in names.iter().zip(&mut self.slots) {
            let part = |kind: &str| {
                let key = format!("{name}.{kind}");
                let missing = |key| Error::StateDict { missing: vec![key], unexpected: vec![] };
                state.get(&key).ok_or_else(|| missing(key))
            };
            let moment = |kind: &str, like: &Tensor| -> Result<Tensor> {
                let value = to_tensor(part(kind)?)?;
                if value.size() != like.size() {
                    let shape = |t: &Tensor| t.size().iter().map(|&n| n as usize).collect();
                    let (expected, found) = (shape(like), shape(&value));
                    return Err(Error::Shape {
                        what: format!("{kind} of `{name}`"),
                        expected,
                        found,
                    });
                }
                Ok(value.to_kind(like.kind()).to_device(like.device()))
            };
            let mean = moment("exp_avg", &slot.moments.mean)?;
            let mean_square = moment("exp_avg_sq", &slot.moments.mean_square)?;
            slot.moments = Moments { mean, mean_square };
            slot.step = part("step")?.values.to_f64().first().map_or(0, |&step| step as i32);
        }
        Ok(())
    }
}

/// Shortens gradients as a whole to a norm of at most `max_norm`.
pub fn clip_grad_norm(grads: &[Tensor], max_norm: f64) {
    tch::no_grad(|| {
        let grads = || grads.iter().filter(|grad| grad.defined());
        let norms: Vec<Tensor> = grads().map(Tensor::norm).collect();
        if norms.is_empty() {
            return;
        }
        let norm = Tensor::stack(&norms, 0).norm();
        let factor = (max_norm / (norm + 1e-6)).clamp_max(1.0);
        for grad in grads() {
            let _ = grad.shallow_clone().g_mul_(&factor);
        }
    });
}

/// Brings each entry of the gradients to a size of at most `max`.
pub fn clip_grad_value(grads: &[Tensor], max: f64) {
    tch::no_grad(|| {
        for grad in grads.iter().filter(|grad| grad.defined()) {
            let _ = grad.shallow_clone().clamp_(-max, max);
        }
    });
}

impl Slot {
    fn new(parameter: Trainable) -> Result<Self> {
        let zeros = parameter.tensor.detach().zeros_like();
        let mean = match &parameter.entries {
            Some(entries) => entries.of(&zeros)?,
            None => zeros,
        };
        let moments = Moments { mean_square: mean.zeros_like(), mean };
        Ok(Slot { parameter, moments, step: 0 })
    }

    fn update(
        &mut self,
        grad: &Tensor,
        lr: f64,
        eps: f64,
        weight_decay: f64,
        rule: Optimizer,
    ) -> Result<()> {
        self.step += 1;
        let (beta1, beta2) = BETAS;
        let (l2, shrink) = match rule {
            Optimizer::Adam => (weight_decay, 1.0),
            Optimizer::AdamW => (0.0, 1.0 - lr * weight_decay),
        };
        let step = AdamStep {
            l2,
            shrink,
            mean_share: 1.0 - beta1,
            square_share: 1.0 - beta2,
            rate: lr / (1.0 - beta1.powi(self.step)),
            root_scale: 1.0 / (1.0 - beta2.powi(self.step)).sqrt(),
            eps,
        };
        let Trainable { tensor, entries } = &mut self.parameter;
        let mut trained = match entries {
            Some(entries) => entries.of(tensor)?,
            None => tensor.shallow_clone(),
        };
        if !step.apply(&mut trained, grad, &mut self.moments) {
            step.apply_by_operators(&mut trained, grad, &mut self.moments);
        }
        match entries {
            Some(entries) => entries.put(tensor, &trained),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    /// The same rule on one number in float64.
    fn reference(mut p: f64, grads: &[f64], params: &TrainParams) -> f64 {
        let (mut m, mut v) = (0.0, 0.0);
        for (i, g) in grads.iter().enumerate() {
            let t = i as i32 + 1;
            let mut g = *g;
            match params.optimizer {
                Optimizer::Adam => g += params.weight_decay * p,
                Optimizer::AdamW => p -= params.lr * params.weight_decay * p,
            }
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            let (m_hat, v_hat): (f64, f64) =
                (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
            p -= params.lr * m_hat / (v_hat.sqrt() + params.eps);
        }
        p
    }

    #[track_caller]
    fn check(params: TrainParams) {
        check_kind(&params, Kind::Double, 1e-12); // libtorch's operators
        check_kind(&params, Kind::Float, 1e-6); // the kernel
    }

    #[track_caller]
    fn check_kind(params: &TrainParams, kind: Kind, precision: f64) {
        let start = [0.5, -2.0, 3.0];
        let used = Tensor::from_slice(&start).to_kind(kind).set_requires_grad(true);
        let unused = Tensor::from_slice(&[7.0]).to_kind(kind).set_requires_grad(true);
        let all = |tensor: &Tensor| Trainable { tensor: tensor.shallow_clone(), entries: None };
        let mut adam = Adam::new([all(&used), all(&unused)], params).unwrap();
        let factors = [1.0, -0.3, 2.0, 0.01];
        for f in factors {
            let grads = adam.gradients(&(&used * f).sum(None)).unwrap();
            adam.step(&grads).unwrap();
        }
        for (i, p) in start.iter().enumerate() {
            let expected = reference(*p, &factors, params);
            assert!(
                (used.double_value(&[i as i64]) - expected).abs() < precision,
                "{kind:?}, entry {i}"
            );
        }
        assert_eq!(unused.double_value(&[0]), 7.0, "no gradient, no change");
    }

    #[test]
    fn steps_equal_the_rule() {
        check(TrainParams::default());
        check(TrainParams { weight_decay: 0.1, lr: 0.05, eps: 1e-8, ..Default::default() });
        check(TrainParams { weight_decay: 0.1, optimizer: Optimizer::AdamW, ..Default::default() });
    }

    #[test]
    fn long_gradients_are_shortened_short_ones_kept() {
        let grads = [Tensor::from_slice(&[3.0, 0.0]), Tensor::new(), Tensor::from_slice(&[4.0])];
        let norm = || grads[0].norm().double_value(&[]).hypot(grads[2].norm().double_value(&[]));
        clip_grad_norm(&grads, 10.0);
        assert!((norm() - 5.0).abs() < 1e-9);
        clip_grad_norm(&grads, 1.0);
        assert!((norm() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn large_entries_of_gradients_are_cut_small_ones_kept() {
        let grads = [Tensor::from_slice(&[3.0, -0.5]), Tensor::new(), Tensor::from_slice(&[-4.0])];
        clip_grad_value(&grads, 1.0);
        assert_eq!(Vec::<f64>::try_from(&grads[0]).unwrap(), [1.0, -0.5]);
        assert_eq!(Vec::<f64>::try_from(&grads[2]).unwrap(), [-1.0]);
    }
}
