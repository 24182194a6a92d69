//! The affine map.

use tch::Tensor;

use super::{Init, Path};
use crate::error::Result;

/// `x Wᵀ + b`, with parameters `weight` `[n_out, n_in]` and `bias` `[n_out]`.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// Fresh parameters, uniform within `±1 / √n_in`.
    pub fn new(path: Path<'_>, n_in: i64, n_out: i64) -> Self {
        let init = Init::Uniform(1.0 / (n_in as f64).sqrt());
        Self {
            weight: path.param("weight", &[n_out, n_in], init),
            bias: path.param("bias", &[n_out], init),
        }
    }

    /// From `[.., n_in]` to `[.., n_out]`.
    ///
    /// # Errors
    /// When the last axis of `x` is not `n_in`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_linear(&self.weight, Some(&self.bias))?)
    }
}
