//! The normal distribution.

use std::f64::consts::TAU;

use tch::Tensor;

use crate::{error::Result, model::Ctx};

/// Independent normal distributions, e.g. `q(z|x)` `[n_cells, n_latent]`.
#[derive(Debug)]
pub struct Normal {
    loc: Tensor,
    scale: Tensor,
}

impl Normal {
    /// From means and standard deviations, of shapes that broadcast.
    pub fn new(loc: Tensor, scale: Tensor) -> Self {
        Self { loc, scale }
    }

    /// From means and variances, of shapes that broadcast.
    pub fn from_variance(loc: Tensor, variance: &Tensor) -> Self {
        Self { loc, scale: variance.sqrt() }
    }

    /// The same distributions, sharing memory.
    #[must_use]
    pub fn shallow_clone(&self) -> Self {
        Self { loc: self.loc.shallow_clone(), scale: self.scale.shallow_clone() }
    }

    /// Means.
    pub fn mean(&self) -> &Tensor {
        &self.loc
    }

    /// Standard deviations.
    pub fn scale(&self) -> &Tensor {
        &self.scale
    }

    /// Variances.
    pub fn variance(&self) -> Tensor {
        self.scale.square()
    }

    /// One draw, differentiable in mean and standard deviation; noise from `ctx`.
    pub fn rsample(&self, ctx: &Ctx<'_>) -> Tensor {
        &self.loc + &self.scale * ctx.noise.randn_like(&self.loc)
    }

    /// `n_samples` draws, noise from `ctx` `[n_samples, ..]`.
    pub fn rsample_n(&self, ctx: &Ctx<'_>, n_samples: i64) -> Tensor {
        let mut shape = self.loc.size();
        shape.insert(0, n_samples);
        let loc = self.loc.expand(shape, false);
        &loc + &self.scale * ctx.noise.randn_like(&loc)
    }

    /// One draw, from libtorch's generator.
    ///
    /// # Errors
    /// When the shapes do not broadcast.
    pub fn sample(&self) -> Result<Tensor> {
        Ok(self.loc.f_add(&(&self.scale * self.loc.randn_like()))?)
    }

    /// Log density of each value.
    ///
    /// # Errors
    /// When `x` does not broadcast against the distribution.
    pub fn log_prob(&self, x: &Tensor) -> Result<Tensor> {
        let z = x.f_sub(&self.loc)?.f_div(&self.scale)?;
        Ok(-0.5 * z.square() - self.scale.log() - 0.5 * TAU.ln())
    }

    /// KL divergence from the standard normal, summed over the last axis `[n_cells]`.
    pub fn kl_from_standard_normal(&self) -> Tensor {
        let variance = self.variance();
        let twice = &variance + self.loc.square() - variance.log() - 1.0;
        0.5 * sum_last(&twice)
    }

    /// KL divergence from `prior`, summed over the last axis `[n_cells]`.
    ///
    /// # Errors
    /// When the shapes do not broadcast.
    pub fn kl_from(&self, prior: &Normal) -> Result<Tensor> {
        let ratio = self.scale.f_div(&prior.scale)?.square();
        let shift = self.loc.f_sub(&prior.loc)?.f_div(&prior.scale)?.square();
        Ok(0.5 * sum_last(&(&ratio + shift - ratio.log() - 1.0)))
    }
}

fn sum_last(x: &Tensor) -> Tensor {
    x.sum_dim_intlist(-1, false, None)
}
