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
    /// Log mean `[.., n_cells, n_vars]`.
    pub log_mu: &'a Tensor,
    /// Log inverse dispersion `[n_vars]`, `[n_cells, n_vars]` or of the shape of `log_mu`.
    pub log_theta: &'a Tensor,
    /// Log odds of an extra zero, of the shape of `log_mu`; `None` without extra zeros.
    pub zi_logits: Option<&'a Tensor>,
}

/// How the loss changes with each parameter, each of the shape of `log_mu`.
#[derive(Debug)]
pub(crate) struct CountsSlopes {
    /// By `log_mu`.
    pub by_log_mu: Tensor,
    /// By `log_theta`, cell by cell.
    pub by_log_theta: Tensor,
    /// By `zi_logits`; empty without extra zeros.
    pub by_zi_logits: Tensor,
}

/// Cells that a thread takes at a time.
const CELLS: usize = 8;

impl Counts<'_> {
    /// Minus the log likelihood of each cell `[.., n_cells]`; `None` when a tensor is not float32,
    /// contiguous and in memory, the shapes do not fit, a count is negative, or the loss is not
    /// finite.
    pub fn loss(&self) -> Option<Tensor> {
        let mut loss = self.fresh_loss()?;
        self.fill(&mut loss, None)?;
        Some(loss)
    }

    /// The same, and its slopes.
    pub fn loss_and_slopes(&self) -> Option<(Tensor, CountsSlopes)> {
        let mut loss = self.fresh_loss()?;
        let zi_shape = self.zi_logits.map_or(vec![0], Tensor::size);
        let mut slopes = CountsSlopes {
            by_log_mu: fresh(&self.log_mu.size()),
            by_log_theta: fresh(&self.log_mu.size()),
            by_zi_logits: fresh(&zi_shape),
        };
        self.fill(&mut loss, Some(&mut slopes))?;
        Some((loss, slopes))
    }

    /// Room for the loss, when the shapes fit.
    fn fresh_loss(&self) -> Option<Tensor> {
        let (n_cells, n_vars) = self.x.size2().ok()?;
        let (shape, theta) = (self.log_mu.size(), self.log_theta.size());
        let fits = shape.ends_with(&[n_cells, n_vars]) && n_cells > 0 && n_vars > 0;
        let theta_fits = theta == [n_vars] || theta == [n_cells, n_vars] || theta == shape;
        let zi_fits = self.zi_logits.is_none_or(|t| t.size() == shape);
        (fits && theta_fits && zi_fits).then(|| fresh(&shape[..shape.len() - 1]))
    }

    fn fill(&self, loss: &mut Tensor, slopes: Option<&mut CountsSlopes>) -> Option<()> {
        let n_vars = self.x.size2().ok()?.1 as usize;
        // SAFETY: nobody writes to the inputs while this runs.
        let (x, log_mu, log_theta, zi_logits) = unsafe {
            let zi_logits = match self.zi_logits {
                Some(tensor) => Some(floats(tensor)?),
                None => None,
            };
            (floats(self.x)?, floats(self.log_mu)?, floats(self.log_theta)?, zi_logits)
        };
        // SAFETY: nobody knows the outputs yet.
        let (loss, slopes) = unsafe {
            let slopes = match slopes {
                Some(CountsSlopes { by_log_mu, by_log_theta, by_zi_logits }) => Some([
                    floats_mut(by_log_mu)?,
                    floats_mut(by_log_theta)?,
                    if zi_logits.is_some() { floats_mut(by_zi_logits)? } else { &mut [] },
                ]),
                None => None,
            };
            (floats_mut(loss)?, slopes)
        };
        let shared = (log_theta.len() == n_vars).then(|| Theta::of(log_theta));
        let n_tasks = loss.len().div_ceil(CELLS);
        let losses = Parts::of(&mut *loss, CELLS);
        let slopes = slopes.map(|slopes| slopes.map(|s| Parts::of(s, n_vars)));
        for_each(n_tasks, |task| {
            let mut scratch = Scratch::new(n_vars);
            let mut unwanted = slopes.is_none().then(|| [0; 3].map(|_| vec![0.0; n_vars]));
            // SAFETY: each task number comes once.
            let losses = unsafe { losses.part(task) };
            for (i, loss) in losses.iter_mut().enumerate() {
                let cell = task * CELLS + i;
                let row = |of: &[f32]| {
                    let start = cell * n_vars % of.len();
                    start..start + n_vars
                };
                let own; // dispersions of this cell
                let theta = match &shared {
                    Some(shared) => shared,
                    None => {
                        own = Theta::of(&log_theta[row(log_theta)]);
                        &own
                    }
                };
                let [by_log_mu, by_log_theta, by_zi_logits] = match (&slopes, &mut unwanted) {
                    // SAFETY: each cell comes once.
                    (Some(slopes), _) => slopes.each_ref().map(|s| unsafe { s.part(cell) }),
                    (None, Some(unwanted)) => unwanted.each_mut().map(Vec::as_mut_slice),
                    (None, None) => return,
                };
                let cell = Cell {
                    x: &x[row(x)],
                    log_mu: &log_mu[row(log_mu)],
                    theta,
                    zi_logits: zi_logits.map(|pi| &pi[row(pi)]),
                };
                *loss = cell.loss(Slopes { by_log_mu, by_log_theta, by_zi_logits }, &mut scratch);
            }
        });
        loss.iter().all(|loss| loss.is_finite()).then_some(())
    }
}

fn fresh(shape: &[i64]) -> Tensor {
    Tensor::empty(shape, (Kind::Float, Device::Cpu))
}
