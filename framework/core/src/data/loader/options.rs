//! Which cells come in which portions, and as what.

use indexmap::IndexMap;
use tch::Device;

use super::Order;
use crate::{
    anndata::DType,
    error::{Error, Result},
};

/// Rows of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Indices {
    /// By position, in this order, repeats allowed.
    Rows(Vec<usize>),
    /// Those where it is true; one entry per cell of the data set.
    Mask(Vec<bool>),
}

impl From<Vec<usize>> for Indices {
    fn from(rows: Vec<usize>) -> Self {
        Self::Rows(rows)
    }
}

impl From<Vec<bool>> for Indices {
    fn from(mask: Vec<bool>) -> Self {
        Self::Mask(mask)
    }
}

impl Indices {
    /// Positions in a data set of `n_obs` cells.
    ///
    /// # Errors
    /// When one is out of range, or the mask is of another length.
    pub fn positions(self, n_obs: usize) -> Result<Vec<usize>> {
        match self {
            Self::Rows(rows) => match rows.iter().find(|&&row| row >= n_obs) {
                Some(&index) => Err(Error::RowIndex { index, n_obs }),
                None => Ok(rows),
            },
            Self::Mask(mask) if mask.len() != n_obs => {
                let (expected, found) = (vec![n_obs], vec![mask.len()]);
                Err(Error::Shape { what: "mask of cells".into(), expected, found })
            }
            Self::Mask(mask) => Ok((0..n_obs).filter(|&row| mask[row]).collect()),
        }
    }
}

/// Which cells come in which portions, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoaderOptions {
    /// Rows of the data set; all of them when `None`.
    pub indices: Option<Indices>,
    /// Cells in a minibatch; [`LoaderOptions::WHOLE`] for all cells in one.
    pub batch_size: usize,
    /// In which order cells come.
    pub order: Order,
    /// Leave out a last minibatch that is smaller than the others.
    pub drop_last: bool,
    /// The registered tensors to load, each with its dtype: int32, int64, float32 or float64; a key
    /// without one has its default. All of them when `None`.
    pub data_and_attributes: Option<IndexMap<String, Option<DType>>>,
    /// Sparse elements become sparse CSR tensors, not dense ones.
    pub load_sparse_tensor: bool,
    /// The device to which the tensors of all cells asked for are moved once; minibatches are then
    /// selected there. They are dense.
    pub resident_on: Option<Device>,
}

impl LoaderOptions {
    /// The size of a minibatch that holds all cells.
    pub const WHOLE: usize = usize::MAX;
}

impl Default for LoaderOptions {
    fn default() -> Self {
        Self {
            indices: None,
            batch_size: 128,
            order: Order::Sequential,
            drop_last: false,
            data_and_attributes: None,
            load_sparse_tensor: false,
            resident_on: None,
        }
    }
}
