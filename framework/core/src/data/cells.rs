//! The cells that a model is asked about.

use super::{AnnDataLoader, AnnDataManager, LoaderOptions, Minibatches, Order};
use crate::{
    anndata::AnnData,
    error::{Error, Result},
};

/// Cells to ask a model about: those of a data set, or [`Given`] ones.
pub trait Cells {
    /// All cells or those at `indices`, in that order, in minibatches of at most `batch_size` in the
    /// terms of `manager`.
    ///
    /// # Errors
    /// When the cells do not fit the terms, or cannot be chosen by index.
    fn minibatches(
        &mut self,
        manager: &AnnDataManager,
        indices: Option<&[usize]>,
        batch_size: usize,
    ) -> Result<Box<dyn Minibatches + '_>>;
}

impl Cells for AnnData {
    fn minibatches(
        &mut self,
        manager: &AnnDataManager,
        indices: Option<&[usize]>,
        batch_size: usize,
    ) -> Result<Box<dyn Minibatches + '_>> {
        manager.validate(self)?;
        let indices = indices.map(|rows| rows.to_vec().into());
        let order = Order::Sequential;
        let options = LoaderOptions { indices, batch_size, order, ..Default::default() };
        Ok(Box::new(AnnDataLoader::new(self, manager.registry(), options)?))
    }
}

/// The cells of one epoch of somebody's minibatches, in their order and sizes.
pub struct Given<'a>(pub &'a dyn Minibatches);

impl Cells for Given<'_> {
    fn minibatches(
        &mut self,
        _: &AnnDataManager,
        indices: Option<&[usize]>,
        _: usize,
    ) -> Result<Box<dyn Minibatches + '_>> {
        if let Some(rows) = indices {
            return Err(Error::Argument {
                name: "indices".into(),
                expected: "none where minibatches are given: they say which cells".into(),
                found: format!("{} rows", rows.len()),
            });
        }
        Ok(Box::new(self.0))
    }
}
