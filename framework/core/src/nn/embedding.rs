//! Categories as vectors: learnt, or one-hot.

use tch::{Kind, Tensor};

use super::{Init, Layout, Path, Stretch};
use crate::error::Result;

/// A learnt vector per category, with parameter `weight` `[n_categories, n_dims]`.
#[derive(Debug)]
pub struct Embedding {
    weight: Tensor,
}

impl Embedding {
    /// Fresh vectors, standard normal.
    pub fn new(path: Path<'_>, n_categories: i64, n_dims: i64) -> Self {
        let weight = path.param("weight", &[n_categories, n_dims], Init::Normal);
        path.layout("weight", Layout::new(0, [Stretch::Categories(n_categories)]));
        Self { weight }
    }

    /// The vector of each code, from int64 `[n_cells, 1]` to `[n_cells, n_dims]`.
    ///
    /// # Errors
    /// When a code is not below `n_categories`.
    pub fn forward(&self, codes: &Tensor) -> Result<Tensor> {
        let codes = codes.f_squeeze_dim(-1)?.to_kind(Kind::Int64);
        Ok(Tensor::f_embedding(&self.weight, &codes, -1, false, false)?)
    }
}

/// One column per category, 1 in the column of the cell's code: from `[n_cells, 1]` to
/// `[n_cells, n_categories]` of `kind`.
///
/// # Errors
/// When a code is not below `n_categories`.
pub fn one_hot(codes: &Tensor, n_categories: i64, kind: Kind) -> Result<Tensor> {
    let codes = codes.f_squeeze_dim(-1)?.to_kind(Kind::Int64);
    Ok(codes.f_one_hot(n_categories)?.to_kind(kind))
}
