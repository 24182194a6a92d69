//! Adam, with its state in our hands.

use tch::Tensor;

use super::{Optimizer, TrainParams};

/// Decay rates of the first and second moment.
const BETAS: (f64, f64) = (0.9, 0.999);

#[derive(Debug)]
struct Slot {
    parameter: Tensor,
    mean: Tensor,
    mean_square: Tensor,
    step: i32,
}

/// Adam (Kingma & Ba 2015), or AdamW (Loshchilov & Hutter 2019).
///
/// Parameters that never get a gradient are never touched, not even by weight decay.
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
    pub fn new(parameters: impl IntoIterator<Item = Tensor>, params: &TrainParams) -> Self {
        let slot = |parameter: Tensor| Slot {
            mean: parameter.zeros_like().detach(),
            mean_square: parameter.zeros_like().detach(),
            parameter,
            step: 0,
        };
        Self {
            slots: parameters.into_iter().map(slot).collect(),
            lr: params.lr,
            eps: params.eps,
            weight_decay: params.weight_decay,
            rule: params.optimizer,
        }
    }

    /// Forgets the gradients.
    pub fn zero_grad(&mut self) {
        for slot in &mut self.slots {
            slot.parameter.zero_grad();
        }
    }

    /// Shortens the gradient as a whole to a norm of at most `max_norm`.
    pub fn clip_grad_norm(&self, max_norm: f64) {
        tch::no_grad(|| {
            let grads: Vec<Tensor> =
                self.slots.iter().map(|s| s.parameter.grad()).filter(Tensor::defined).collect();
            let norms: Vec<Tensor> = grads.iter().map(Tensor::norm).collect();
            if norms.is_empty() {
                return;
            }
            let norm = Tensor::stack(&norms, 0).norm();
            let factor = (max_norm / (norm + 1e-6)).clamp_max(1.0);
            for mut grad in grads {
                let _ = grad.g_mul_(&factor);
            }
        });
    }

    /// Changes each parameter that has a gradient.
    pub fn step(&mut self) {
        tch::no_grad(|| {
            for slot in &mut self.slots {
                let grad = slot.parameter.grad();
                if grad.defined() {
                    slot.update(grad, self.lr, self.eps, self.weight_decay, self.rule);
                }
            }
        });
    }
}

impl Slot {
    fn update(&mut self, grad: Tensor, lr: f64, eps: f64, weight_decay: f64, rule: Optimizer) {
        self.step += 1;
        let (beta1, beta2) = BETAS;
        let grad = match rule {
            Optimizer::Adam if weight_decay > 0.0 => grad + &self.parameter * weight_decay,
            Optimizer::Adam => grad,
            Optimizer::AdamW => {
                let _ = self.parameter.g_mul_scalar_(1.0 - lr * weight_decay);
                grad
            }
        };
        let _ = self.mean.lerp_(&grad, 1.0 - beta1);
        let _ = self.mean_square.lerp_(&grad.square(), 1.0 - beta2);
        let bias1 = 1.0 - beta1.powi(self.step);
        let bias2 = 1.0 - beta2.powi(self.step);
        let mut denominator = self.mean_square.sqrt();
        let _ = denominator.g_mul_scalar_(1.0 / bias2.sqrt()).g_add_scalar_(eps);
        let change = (&self.mean / denominator) * (lr / bias1);
        let _ = self.parameter.g_sub_(&change);
    }
}

#[cfg(test)]
mod tests {
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
        let start = [0.5, -2.0, 3.0];
        let used = Tensor::from_slice(&start).set_requires_grad(true);
        let unused = Tensor::from_slice(&[7.0f64]).set_requires_grad(true);
        let mut adam = Adam::new([used.shallow_clone(), unused.shallow_clone()], &params);
        let factors = [1.0, -0.3, 2.0, 0.01];
        for f in factors {
            adam.zero_grad();
            (&used * f).sum(None).backward();
            adam.step();
        }
        for (i, p) in start.iter().enumerate() {
            let expected = reference(*p, &factors, &params);
            assert!((used.double_value(&[i as i64]) - expected).abs() < 1e-12, "entry {i}");
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
        let p = Tensor::from_slice(&[1.0, 1.0]).set_requires_grad(true);
        let adam = Adam::new([p.shallow_clone()], &TrainParams::default());
        (&p * Tensor::from_slice(&[3.0, 4.0])).sum(None).backward();
        adam.clip_grad_norm(10.0);
        assert!((p.grad().norm().double_value(&[]) - 5.0).abs() < 1e-9);
        adam.clip_grad_norm(1.0);
        assert!((p.grad().norm().double_value(&[]) - 1.0).abs() < 1e-5);
    }
}
