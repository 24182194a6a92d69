//! The Poisson distribution.

use tch::Tensor;

use super::nonzero::NonZero;
use crate::error::{Error, Result};

/// Counts whose variance is their mean.
#[derive(Debug)]
pub struct Poisson {
    log_rate: Tensor,
}

impl Poisson {
    /// From log rate `[.., n_cells, n_vars]`; minus infinity is a rate of zero.
    pub fn from_log(log_rate: Tensor) -> Self {
        Self { log_rate }
    }

    /// Rate, which is mean and variance `[.., n_cells, n_vars]`.
    pub fn mean(&self) -> Tensor {
        self.log_rate.exp()
    }

    /// A draw of counts `[.., n_cells, n_vars]`, from libtorch's generator.
    ///
    /// # Errors
    /// When a rate is not a number.
    pub fn sample(&self) -> Result<Tensor> {
        draw_poisson(&self.mean())
    }

    /// Log probability of each count of `x` `[n_cells, n_vars]`; `[.., n_cells, n_vars]`.
    ///
    /// # Errors
    /// [`Error::NoCount`] when a value is negative or fractional; when the shapes do not fit.
    pub fn log_prob(&self, x: &Tensor) -> Result<Tensor> {
        let nonzero = NonZero::of(x)?;
        let counts = &nonzero.x;
        let is_wrong = counts.frac().not_equal(0.0).logical_or(&counts.less(0.0));
        if bool::try_from(is_wrong.any())? {
            let found = counts.masked_select(&is_wrong).double_value(&[0]);
            return Err(Error::NoCount { distribution: "Poisson", found });
        }
        let gain = counts * nonzero.pick(&self.log_rate)? - (counts + 1.0).lgamma();
        nonzero.add_to(&-self.mean(), &gain)
    }
}

/// Rates above are drawn as this one: libtorch's counts would overflow.
const LARGEST_RATE: f64 = 1e8;

/// Counts with these rates.
pub(super) fn draw_poisson(rate: &Tensor) -> Result<Tensor> {
    Ok(rate.clamp_max(LARGEST_RATE).f_poisson()?)
}
