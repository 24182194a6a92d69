//! The loss of a negative binomial by a fused kernel, as a tensor that autograd can go through.
//!
//! The kernel gives the loss of each cell and its slopes. Autograd meets the slopes as constants of a
//! sum that is linear in the parameters: that sum has the right gradient, and minus itself the right
//! value, zero.

use tch::Tensor;

use crate::kernels::{Counts, CountsSlopes};

/// Minus the log likelihood of each cell `[.., n_cells]`; `None` where the kernel does not fit.
pub(super) fn reconstruction_loss(counts: &Counts<'_>) -> Option<Tensor> {
    let parameters = [Some(counts.log_mu), Some(counts.log_theta), counts.zi_logits];
    if !parameters.into_iter().flatten().any(is_learnt) {
        return counts.loss();
    }
    if counts.log_mu.dim() != 2 {
        return None; // nothing is trained on several samples of a cell
    }
    let (loss, slopes) = tch::no_grad(|| counts.loss_and_slopes())?;
    let CountsSlopes { by_log_mu, by_log_theta, by_zi_logits } = slopes;
    let mut linear = row_dot(&by_log_mu, counts.log_mu);
    linear += match counts.log_theta.dim() {
        1 => by_log_theta.mv(counts.log_theta),
        _ => row_dot(&by_log_theta, counts.log_theta),
    };
    if let Some(zi_logits) = counts.zi_logits {
        linear += row_dot(&by_zi_logits, zi_logits);
    }
    Some(loss + (&linear - linear.detach()))
}

/// Whether autograd records what is done with a tensor: the tensor asks for it, and nobody forbids it.
fn is_learnt(tensor: &Tensor) -> bool {
    tensor.requires_grad() && tensor.view_as(tensor).requires_grad()
}

/// The inner product of each row: `[n, m]`, `[n, m]` to `[n]`.
fn row_dot(a: &Tensor, b: &Tensor) -> Tensor {
    a.unsqueeze(1).bmm(&b.unsqueeze(2)).flatten(0, -1)
}
