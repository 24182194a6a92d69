//! The negative binomial distribution, plain and zero-inflated.
//!
//! | math | here | shape | meaning |
//! |---|---|---|---|
//! | `log mu` | `log_mu` | `[.., n_cells, n_vars]` | log mean |
//! | `log theta` | `log_theta` | `[n_vars]` or `[n_cells, n_vars]` | log inverse dispersion |
//! | `pi` | `zi_logits` | `[.., n_cells, n_vars]` | log odds of an extra zero |
//!
//! Everything is computed in log space: with `u = log mu - log theta`,
//! `log NB(0) = -theta softplus(u)`, and for `x > 0` there is
//! `x log sigmoid(u) + ln Γ(x + theta) - ln Γ(theta) - ln Γ(x + 1)` on top.
//! A mean of zero (`log mu = -inf`: a cell without counts) is nothing special.

use tch::{Kind, Tensor};

use super::{nonzero::NonZero, poisson::draw_poisson};
use crate::{error::Result, kernels::Counts};

/// Added to the mean where it meets a positive count, so that a mean of zero costs much, not all.
pub(crate) const EPSILON: f64 = 1e-8;

/// Counts with mean `mu` and variance `mu + mu² / theta`.
#[derive(Debug)]
pub struct NegativeBinomial {
    log_mu: Tensor,
    log_theta: Tensor,
}

impl NegativeBinomial {
    /// From log mean `[.., n_cells, n_vars]` and log inverse dispersion, of the same shape or
    /// `[n_vars]`.
    pub fn from_logs(log_mu: Tensor, log_theta: Tensor) -> Self {
        Self { log_mu, log_theta }
    }

    /// From mean `[.., n_cells, n_vars]` and inverse dispersion, of the same shape or `[n_vars]`.
    pub fn new(mu: &Tensor, theta: &Tensor) -> Self {
        Self::from_logs(log(mu), log(theta))
    }

    /// The same distribution at log mean `log_mu` `[.., n_cells, n_vars]`.
    #[must_use]
    pub fn at_log_rate(&self, log_mu: Tensor) -> Self {
        Self { log_mu, log_theta: self.log_theta.shallow_clone() }
    }

    /// Mean `[.., n_cells, n_vars]`.
    pub fn mean(&self) -> Tensor {
        self.log_mu.exp()
    }

    /// Inverse dispersion `[n_vars]` or `[n_cells, n_vars]`.
    pub fn theta(&self) -> Tensor {
        self.log_theta.exp()
    }

    /// A draw of counts `[.., n_cells, n_vars]`, from libtorch's generator: Poisson with a rate from a
    /// gamma distribution of shape `theta` and mean `mu`.
    ///
    /// # Errors
    /// When a parameter is not a number.
    pub fn sample(&self) -> Result<Tensor> {
        draw_poisson(&draw_gamma(&self.theta(), &self.mean())?)
    }

    /// Log probability of each count of `x` `[n_cells, n_vars]`; `[.., n_cells, n_vars]`.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn log_prob(&self, x: &Tensor) -> Result<Tensor> {
        let nonzero = NonZero::of(x)?;
        nonzero.add_to(&self.log_prob_zero()?, &self.log_prob_gain(&nonzero)?)
    }

    /// What a kernel needs to compute the loss of counts `[n_cells, n_vars]`.
    pub(super) fn explain<'a>(&'a self, x: &'a Tensor) -> Counts<'a> {
        Counts { x, log_mu: &self.log_mu, log_theta: &self.log_theta, zi_logits: None }
    }

    /// Log probability of zero counts `[.., n_cells, n_vars]`.
    fn log_prob_zero(&self) -> Result<Tensor> {
        let u = self.log_mu.f_sub(&self.log_theta)?;
        Ok(u.softplus() * -self.theta())
    }

    /// How much more likely than zero the positive counts are, as a difference of logarithms
    /// `[.., n_nonzero]`.
    fn log_prob_gain(&self, nonzero: &NonZero) -> Result<Tensor> {
        let x = &nonzero.x;
        let log_mu = nonzero.pick(&self.log_mu)?;
        let log_mu = log_mu.logaddexp(&log_mu.new_full([1], EPSILON.ln(), like(&log_mu)));
        let log_theta = nonzero.pick(&self.log_theta)?;
        let log_odds = (log_mu - &log_theta).log_sigmoid();
        let gamma = nonzero.pick_mapped(&self.log_theta, |r| r.exp().lgamma())?;
        Ok(x * log_odds + (x + log_theta.exp()).lgamma() - (gamma + (x + 1.0).lgamma()))
    }
}

/// A negative binomial with extra zeros.
#[derive(Debug)]
pub struct ZeroInflatedNegativeBinomial {
    counts: NegativeBinomial,
    zi_logits: Tensor,
}

impl ZeroInflatedNegativeBinomial {
    /// From the distribution without extra zeros and the log odds of an extra zero
    /// `[.., n_cells, n_vars]`.
    pub fn new(counts: NegativeBinomial, zi_logits: Tensor) -> Self {
        Self { counts, zi_logits }
    }

    /// The distribution without extra zeros.
    pub fn counts(&self) -> &NegativeBinomial {
        &self.counts
    }

    /// Log odds of an extra zero `[.., n_cells, n_vars]`.
    pub fn zi_logits(&self) -> &Tensor {
        &self.zi_logits
    }

    /// A draw of counts, extra zeros included `[.., n_cells, n_vars]`, from libtorch's generator.
    ///
    /// # Errors
    /// When a parameter is not a number.
    pub fn sample(&self) -> Result<Tensor> {
        let kept = (-&self.zi_logits).sigmoid().f_bernoulli()?;
        Ok(self.counts.sample()? * kept)
    }

    /// What a kernel needs to compute the loss of counts `[n_cells, n_vars]`.
    pub(super) fn explain<'a>(&'a self, x: &'a Tensor) -> Counts<'a> {
        Counts { zi_logits: Some(&self.zi_logits), ..self.counts.explain(x) }
    }

    /// Mean, extra zeros included `[.., n_cells, n_vars]`.
    pub fn mean(&self) -> Tensor {
        (-&self.zi_logits).sigmoid() * self.counts.mean()
    }

    /// Log probability of each count of `x` `[n_cells, n_vars]`; `[.., n_cells, n_vars]`.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn log_prob(&self, x: &Tensor) -> Result<Tensor> {
        // Zero: log(sigmoid(pi) + sigmoid(-pi) NB(0)) = softplus(a) + log sigmoid(pi).
        // Positive: log sigmoid(-pi) + log NB(x) = a + log sigmoid(pi) + gain.
        let a = self.counts.log_prob_zero()?.f_sub(&self.zi_logits)?;
        let zero = a.softplus() + self.zi_logits.log_sigmoid();
        let nonzero = NonZero::of(x)?;
        let gain = nonzero.pick(&a)?.log_sigmoid() + self.counts.log_prob_gain(&nonzero)?;
        nonzero.add_to(&zero, &gain)
    }
}

/// What counts are Poisson around: draws of gamma distributions with shape `theta`, `[n_vars]` or
/// `[.., n_cells, n_vars]`, and this mean `[.., n_cells, n_vars]`, from libtorch's generator. None is
/// zero, as in scvi-tools.
///
/// # Errors
/// When a parameter is not a number.
pub(crate) fn draw_gamma(theta: &Tensor, mean: &Tensor) -> Result<Tensor> {
    let theta = theta.f_expand_as(mean)?;
    let gamma = theta.f_internal_standard_gamma()? / theta * mean;
    Ok(gamma.clamp_min(f64::from(f32::MIN_POSITIVE)))
}

/// The logarithm; at zero the least finite one, whose gradient is zero.
fn log(x: &Tensor) -> Tensor {
    x.clamp_min(f64::from(f32::MIN_POSITIVE)).log()
}

fn like(x: &Tensor) -> (Kind, tch::Device) {
    (x.kind(), x.device())
}
