//! The affine map.

use tch::Tensor;

use super::{Init, Layout, Path, Stretch};
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

    /// As [`Linear::new`], of `n_in` features and of one-hots of so many categories each.
    pub fn with_one_hots(path: Path<'_>, n_in: i64, n_cats: &[i64], n_out: i64) -> Self {
        let one_hots = n_cats.iter().map(|&n| Stretch::OneHot(n));
        let stretches: Vec<_> = std::iter::once(Stretch::Fixed(n_in)).chain(one_hots).collect();
        let layout = Layout::new(1, stretches);
        let linear = Self::new(path.clone(), layout.width(), n_out);
        path.layout("weight", layout);
        linear
    }

    /// From `[.., n_in]` to `[.., n_out]`.
    ///
    /// # Errors
    /// When the last axis of `x` is not `n_in`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_linear(&self.weight, Some(&self.bias))?)
    }

    /// From `[.., n_cells, n_in]` and one-hots `[n_cells, n_categories]` to `[.., n_cells, n_out]`.
    /// What a category adds is added by itself, so that it is the same to the last bit whatever other
    /// categories there are.
    ///
    /// # Errors
    /// When a shape does not fit.
    pub fn forward_with(&self, x: &Tensor, one_hots: &[Tensor]) -> Result<Tensor> {
        let width = |part: &Tensor| part.size().last().copied().unwrap_or(0);
        let widths: Vec<i64> = std::iter::once(x).chain(one_hots).map(width).collect();
        let columns = self.weight.f_split_with_sizes(&widths, 1)?;
        // Where it lies in memory decides in which order a product is summed.
        let features = columns[0].f_contiguous()?;
        let mut h = x.f_linear(&features, Some(&self.bias))?;
        for (one_hot, columns) in one_hots.iter().zip(&columns[1..]) {
            h += one_hot.f_linear(columns, None::<&Tensor>)?;
        }
        Ok(h)
    }
}
