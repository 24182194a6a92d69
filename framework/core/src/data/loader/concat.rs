//! Several loaders side by side.

use super::{AnnDataLoader, Batches, Indices, LoaderOptions};
use crate::{
    anndata::AnnData,
    data::{Batch, Registry},
    error::{Error, Result},
};

/// Zips the minibatches of several groups of cells. An epoch is as long as that of the largest group;
/// the others are gone through again, in the same order, as often as it takes.
#[derive(Debug)]
pub struct ConcatDataLoader {
    loaders: Vec<AnnDataLoader>,
}

impl ConcatDataLoader {
    /// A loader over each of `indices_list`, all with the same options, whose own indices are not
    /// used.
    ///
    /// # Errors
    /// Those of [`AnnDataLoader::new`]; when there is no group, or a group has no minibatch.
    pub fn new(
        adata: &AnnData,
        registry: &Registry,
        indices_list: Vec<Indices>,
        options: LoaderOptions,
    ) -> Result<Self> {
        let n_obs = adata.n_obs();
        let groups = indices_list.into_iter().map(|indices| indices.positions(n_obs));
        let groups = groups.collect::<Result<Vec<_>>>()?;
        let all = Some(groups.concat().into());
        let base = AnnDataLoader::new(adata, registry, LoaderOptions { indices: all, ..options })?;
        let loaders = groups.into_iter().map(|group| base.with_indices(group));
        Self::of(loaders.collect::<Result<_>>()?)
    }

    /// Zips loaders.
    ///
    /// # Errors
    /// When there is none, or one has no minibatch.
    pub fn of(loaders: Vec<AnnDataLoader>) -> Result<Self> {
        let wrong = |found: String| Error::Argument {
            name: "indices_list".into(),
            expected: "groups of cells with a minibatch each".into(),
            found,
        };
        if loaders.is_empty() {
            return Err(wrong("no group".into()));
        }
        if let Some(i) = loaders.iter().position(|loader| loader.n_batches() == 0) {
            return Err(wrong(format!("{} cells in group {i}", loaders[i].n_cells())));
        }
        Ok(Self { loaders })
    }

    /// Minibatches of each group per epoch.
    pub fn n_batches(&self) -> usize {
        self.loaders.iter().map(AnnDataLoader::n_batches).max().unwrap_or(0)
    }

    /// The minibatches of epoch `epoch`, one of each group at a time, in the order of the groups.
    pub fn epoch(&self, epoch: usize) -> ConcatBatches {
        let begun =
            self.loaders.iter().map(|loader| (loader.clone(), loader.epoch(epoch))).collect();
        ConcatBatches { begun, epoch, left: self.n_batches() }
    }
}

/// The minibatches of an epoch, one of each group at a time; an error ends them.
#[derive(Debug)]
pub struct ConcatBatches {
    begun: Vec<(AnnDataLoader, Batches)>,
    epoch: usize,
    left: usize,
}

impl Iterator for ConcatBatches {
    type Item = Result<Vec<Batch>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let epoch = self.epoch;
        let side_by_side = self.begun.iter_mut().map(|(loader, batches)| {
            if batches.len() == 0 {
                *batches = loader.epoch(epoch);
            }
            batches.next()
        });
        let batches: Result<Vec<Batch>> = side_by_side.collect::<Option<_>>()?;
        if batches.is_err() {
            self.left = 0;
        }
        Some(batches)
    }
}
