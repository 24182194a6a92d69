//! Minibatches, whoever makes them.

use super::{AnnDataLoader, Batch};
use crate::error::Result;

/// Minibatches to train on: of [`AnnDataLoader`], or of a caller whose data lie where no data set is,
/// e.g. in a database, or are more than one.
///
/// ```
/// use scvi_framework::{data::Minibatches, prelude::*};
///
/// /// A stream of cells, a thousand in each epoch.
/// struct Stream;
///
/// impl Minibatches for Stream {
///     fn n_cells(&self) -> usize {
///         1000
///     }
///     fn epoch(&self, epoch: usize) -> Box<dyn Iterator<Item = Result<Batch>> + '_> {
///         let minibatch = move |i: i64| {
///             let x = Tensor::full([100, 20], epoch as i64 + i, (Kind::Float, Device::Cpu));
///             Ok(Batch::new([(REGISTRY_KEYS.x.to_owned(), x)]))
///         };
///         Box::new((0..10).map(minibatch))
///     }
/// }
/// assert_eq!(Stream.epoch(0).count(), 10);
/// ```
pub trait Minibatches {
    /// Cells per epoch.
    fn n_cells(&self) -> usize;

    /// The minibatches of epoch `epoch`, from 0: in each, a tensor `[n_cells, n_features]` for every
    /// field of the model that was given, under its registry key; codes (batch, labels, further
    /// categorical covariates) int64, everything else float32.
    fn epoch(&self, epoch: usize) -> Box<dyn Iterator<Item = Result<Batch>> + '_>;
}

impl Minibatches for AnnDataLoader {
    fn n_cells(&self) -> usize {
        self.n_cells()
    }

    fn epoch(&self, epoch: usize) -> Box<dyn Iterator<Item = Result<Batch>> + '_> {
        Box::new(self.epoch(epoch))
    }
}

impl<B: Minibatches + ?Sized> Minibatches for &B {
    fn n_cells(&self) -> usize {
        (**self).n_cells()
    }

    fn epoch(&self, epoch: usize) -> Box<dyn Iterator<Item = Result<Batch>> + '_> {
        (**self).epoch(epoch)
    }
}

/// What a model is trained on in place of a data set.
pub struct DataModule<'a> {
    /// Cells to train on.
    pub train: &'a dyn Minibatches,
    /// Cells held out, if any.
    pub validation: Option<&'a dyn Minibatches>,
}

impl DataModule<'_> {
    /// Cells in all.
    pub fn n_obs(&self) -> usize {
        self.train.n_cells() + self.validation.map_or(0, |cells| cells.n_cells())
    }
}
