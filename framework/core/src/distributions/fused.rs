//! The loss of a negative binomial by a fused kernel, as a tensor that autograd can go through.
//!
//! The kernel gives the loss of each cell and its slopes. Autograd meets the slopes as constants of a
//! sum that is linear in the parameters: that sum has the right gradient, and minus itself the right
//! value, zero.

use tch::Tensor;

use crate::kernels::{Counts, CountsLoss};

/// Minus the log likelihood of each cell `[n_cells]`; `None` where the kernel does not fit.
pub(super) fn reconstruction_loss(counts: &Counts<'_>) -> Option<Tensor> {
    let CountsLoss { loss, by_log_mu, by_log_theta, by_zi_logits } =
        tch::no_grad(|| counts.loss())?;
    let mut linear = row_dot(&by_log_mu, counts.log_mu);
    linear += match counts.log_theta.dim() {
        1 => by_log_theta.mv(counts.log_theta),
        _ => row_dot(&by_log_theta, counts.log_theta),
    };
    if let (Some(slopes), Some(zi_logits)) = (by_zi_logits, counts.zi_logits) {
        linear += row_dot(&slopes, zi_logits);
    }
    if !linear.requires_grad() {
        return Some(loss);
    }
    Some(loss + (&linear - linear.detach()))
}

/// The inner product of each row: `[n, m]`, `[n, m]` to `[n]`.
fn row_dot(a: &Tensor, b: &Tensor) -> Tensor {
    a.unsqueeze(1).bmm(&b.unsqueeze(2)).flatten(0, -1)
}
