//! Pairs of minibatches: of all cells, and of those with a label.

use std::collections::BTreeMap;

use rand_mt::Mt;

use super::{AnnDataLoader, ConcatBatches, ConcatDataLoader, LoaderOptions};
use crate::{
    anndata::AnnData,
    data::{Registry, labels::labels, permutation::shuffle},
    error::{Error, Result},
};

/// Pairs minibatches of all cells with minibatches of labelled cells, which are gone through as often
/// as it takes. Of the cells of each label some can be drawn, others each epoch.
#[derive(Debug)]
pub struct SemiSupervisedDataLoader {
    all: AnnDataLoader,
    /// The cells of each label, in the order of the labels' codes.
    by_label: Vec<Vec<usize>>,
    n_samples_per_label: Option<usize>,
    seed: u64,
}

impl SemiSupervisedDataLoader {
    /// A loader over the cells of `options` whose labels are registered with an unlabeled category.
    /// Of each label at most `n_samples_per_label` cells are drawn without replacement, all when
    /// `None`; `seed` and the number of the epoch fix which.
    ///
    /// # Errors
    /// Those of [`AnnDataLoader::new`]; when labels or their unlabeled category are not registered;
    /// when no cell has a label.
    pub fn new(
        adata: &AnnData,
        registry: &Registry,
        options: LoaderOptions,
        n_samples_per_label: Option<usize>,
        seed: u64,
    ) -> Result<Self> {
        let all = AnnDataLoader::new(adata, registry, options)?;
        let labels = labels(adata, registry)?;
        let mut by_label: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for &cell in all.indices.iter() {
            if let Some(label) = labels[cell] {
                by_label.entry(label).or_default().push(cell);
            }
        }
        if by_label.is_empty() {
            return Err(Error::Argument {
                name: "indices".into(),
                expected: "cells of which some have a label".into(),
                found: format!("{} unlabelled cells", all.n_cells()),
            });
        }
        let by_label = by_label.into_values().collect();
        Ok(Self { all, by_label, n_samples_per_label, seed })
    }

    /// The minibatches of epoch `epoch`, two at a time: of all cells, and of labelled ones.
    ///
    /// # Errors
    /// When the cells drawn do not fill a minibatch and small ones are left out.
    pub fn epoch(&self, epoch: usize) -> Result<ConcatBatches> {
        let labelled = self.all.with_indices(self.draw(epoch))?;
        Ok(ConcatDataLoader::of(vec![self.all.clone(), labelled])?.epoch(epoch))
    }

    /// The labelled cells of an epoch, label after label.
    fn draw(&self, epoch: usize) -> Vec<usize> {
        let Some(n_samples) = self.n_samples_per_label else { return self.by_label.concat() };
        const LABELS: u32 = 1; // another generator than that of the order
        let seed = [self.seed as u32, (self.seed >> 32) as u32, epoch as u32, LABELS];
        let mut random = Mt::new_with_key(seed);
        let mut drawn = Vec::new();
        for cells in &self.by_label {
            let mut cells = cells.clone();
            if cells.len() > n_samples {
                shuffle(&mut random, &mut cells);
                cells.truncate(n_samples);
            }
            drawn.extend(cells);
        }
        drawn
    }
}
