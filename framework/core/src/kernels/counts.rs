//! The loss of a minibatch of counts and its gradient, from tensors to tensors.

use tch::{Device, Kind, Tensor};

use super::{
    memory::{floats, floats_mut},
    negative_binomial::{Cell, Scratch, Slopes, Theta},
    pool::{Parts, for_each},
};

/// A minibatch of counts and a negative binomial, plain or zero-inflated, that is to explain them.
pub(crate) struct Counts<'a> {
    /// Counts `[n_cells, n_vars]`.
    pub x: &'a Tensor,
    /// Log mean, of the same shape.
    pub log_mu: &'a Tensor,
    /// Log inverse dispersion, of the same shape or `[n_vars]`.
    pub log_theta: &'a Tensor,
    /// Log odds of an extra zero, of the same shape; `None` without extra zeros.
    pub zi_logits: Option<&'a Tensor>,
}

/// The loss of each cell and its slopes, each `[n_cells, n_vars]`.
#[derive(Debug)]
pub(crate) struct CountsLoss {
    /// Minus the log likelihood `[n_cells]`.
    pub loss: Tensor,
    /// By `log_mu`.
    pub by_log_mu: Tensor,
    /// By `log_theta`, cell by cell.
    pub by_log_theta: Tensor,
    /// By `zi_logits`.
    pub by_zi_logits: Option<Tensor>,
}

/// Cells that a thread takes at a time.
const CELLS: usize = 8;

impl Counts<'_> {
    /// Computes it; `None` when a tensor is not float32, contiguous and in memory, the shapes differ,
    /// a count is negative, or the loss is not finite.
    pub fn loss(&self) -> Option<CountsLoss> {
        let (n_cells, n_vars) = self.x.size2().ok()?;
        let fits = |t: &Tensor| t.size() == [n_cells, n_vars];
        let theta_fits = fits(self.log_theta) || self.log_theta.size() == [n_vars];
        if !fits(self.log_mu) || !theta_fits || !self.zi_logits.is_none_or(fits) || n_vars == 0 {
            return None;
        }
        let fresh = |shape: &[i64]| Tensor::empty(shape, (Kind::Float, Device::Cpu));
        let mut out = CountsLoss {
            loss: fresh(&[n_cells]),
            by_log_mu: fresh(&[n_cells, n_vars]),
            by_log_theta: fresh(&[n_cells, n_vars]),
            by_zi_logits: self.zi_logits.map(|_| fresh(&[n_cells, n_vars])),
        };
        self.fill(&mut out, n_vars as usize)?;
        Some(out)
    }

    fn fill(&self, out: &mut CountsLoss, n_vars: usize) -> Option<()> {
        // SAFETY: nobody writes to the inputs while this runs.
        let (x, log_mu, log_theta, zi_logits) = unsafe {
            let zi_logits = match self.zi_logits {
                Some(tensor) => floats(tensor)?,
                None => &[],
            };
            (floats(self.x)?, floats(self.log_mu)?, floats(self.log_theta)?, zi_logits)
        };
        // SAFETY: nobody knows the outputs yet.
        let (loss, by_log_mu, by_log_theta, by_zi_logits) = unsafe {
            let by_zi_logits = match &mut out.by_zi_logits {
                Some(tensor) => floats_mut(tensor)?,
                None => &mut [],
            };
            let (by_mu, by_theta) = (&mut out.by_log_mu, &mut out.by_log_theta);
            (floats_mut(&mut out.loss)?, floats_mut(by_mu)?, floats_mut(by_theta)?, by_zi_logits)
        };
        let shared = (log_theta.len() == n_vars).then(|| Theta::of(log_theta));
        let n_tasks = loss.len().div_ceil(CELLS);
        let losses = Parts::of(&mut *loss, CELLS);
        let [by_log_mu, by_log_theta, by_zi_logits] =
            [by_log_mu, by_log_theta, by_zi_logits].map(|s| Parts::of(s, CELLS * n_vars));
        for_each(n_tasks, |task| {
            // SAFETY: each task number comes once.
            let (losses, by_log_mu, by_log_theta, by_zi_logits) = unsafe {
                let by_zi_logits = by_zi_logits.part(task);
                (losses.part(task), by_log_mu.part(task), by_log_theta.part(task), by_zi_logits)
            };
            let mut scratch = Scratch::new(n_vars);
            for (i, loss) in losses.iter_mut().enumerate() {
                let part = i * n_vars..(i + 1) * n_vars;
                let row = (task * CELLS + i) * n_vars..(task * CELLS + i + 1) * n_vars;
                let own; // dispersions of this cell
                let theta = match &shared {
                    Some(shared) => shared,
                    None => {
                        own = Theta::of(&log_theta[row.clone()]);
                        &own
                    }
                };
                let zi_logits = zi_logits.get(row.clone());
                let cell = Cell { x: &x[row.clone()], log_mu: &log_mu[row], theta, zi_logits };
                let slopes = Slopes {
                    by_log_mu: &mut by_log_mu[part.clone()],
                    by_log_theta: &mut by_log_theta[part.clone()],
                    by_zi_logits: by_zi_logits.get_mut(part).unwrap_or_default(),
                };
                *loss = cell.loss(slopes, &mut scratch);
            }
        });
        loss.iter().all(|loss| loss.is_finite()).then_some(())
    }
}
