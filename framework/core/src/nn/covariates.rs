//! What is known about a cell beside its counts, as networks take it in.

use tch::Tensor;

use super::{Embedding, Path, fc_layers::spread};
use crate::{data::Batch, error::Result, model::ModuleData, registry_keys::REGISTRY_KEYS};

crate::choices! {
    /// How the batch of a cell goes in.
    pub enum BatchRepresentation {
        /// As a one-hot.
        #[default]
        OneHot = "one-hot",
        /// As a learnt vector.
        Embedding = "embedding",
    }
}

/// Batch, further categorical and continuous covariates. Continuous ones and the batch's vector are
/// appended to a network's input; categories are injected into its layers as one-hots.
#[derive(Debug)]
pub struct Covariates {
    batch_embedding: Option<Embedding>,
    n_cats: Vec<i64>,
    n_appended: i64,
}

impl Covariates {
    /// Those of the registered data. The batch is a one-hot, or with `embedding_dim` a learnt vector
    /// under `path / "_embeddings_dict" / "batch"`.
    pub fn new(path: &Path<'_>, data: &ModuleData<'_>, embedding_dim: Option<i64>) -> Self {
        let n_batch = data.stats.n_batch();
        let path = path / "_embeddings_dict" / REGISTRY_KEYS.batch;
        let batch_embedding = embedding_dim.map(|dim| Embedding::new(path, n_batch, dim));
        let one_hot_batch = embedding_dim.is_none().then_some(n_batch);
        let n_continuous = match data.has(REGISTRY_KEYS.cont_covs) {
            true => data.stats.get(&format!("n_{}", REGISTRY_KEYS.cont_covs)),
            false => 0,
        };
        Self {
            batch_embedding,
            n_cats: one_hot_batch.into_iter().chain(data.n_cats_per_cov()).collect(),
            n_appended: n_continuous + embedding_dim.unwrap_or(0),
        }
    }

    /// Categories of each covariate of [`Covariates::codes`].
    pub fn n_cats(&self) -> &[i64] {
        &self.n_cats
    }

    /// The vectors of batches; `None` where batches are one-hots.
    pub fn batch_embedding(&self) -> Option<&Embedding> {
        self.batch_embedding.as_ref()
    }

    /// How many columns [`Covariates::append_to`] adds.
    pub fn n_appended(&self) -> i64 {
        self.n_appended
    }

    /// `x` `[.., n_cells, n]` with continuous covariates and the batch's vector
    /// `[.., n_cells, n + n_appended]`.
    ///
    /// # Errors
    /// When the minibatch lacks one of them.
    pub fn append_to(&self, x: &Tensor, batch: &Batch) -> Result<Tensor> {
        if self.n_appended == 0 {
            return Ok(x.shallow_clone());
        }
        let mut parts = vec![x.shallow_clone()];
        if let Some(continuous) = batch.get(REGISTRY_KEYS.cont_covs) {
            parts.push(spread(&continuous.to_kind(x.kind()), x)?);
        }
        if let Some(embedding) = &self.batch_embedding {
            parts.push(spread(&embedding.forward(batch.batch_index()?)?, x)?);
        }
        Ok(Tensor::f_cat(&parts, -1)?)
    }

    /// Codes of the covariates that go in as one-hots, each `[n_cells, 1]`.
    ///
    /// # Errors
    /// When the minibatch lacks one of them.
    pub fn codes(&self, batch: &Batch) -> Result<Vec<Tensor>> {
        let mut codes = Vec::with_capacity(self.n_cats.len());
        if self.batch_embedding.is_none() {
            codes.push(batch.batch_index()?.shallow_clone());
        }
        if codes.len() < self.n_cats.len() {
            codes.extend(batch.require(REGISTRY_KEYS.cat_covs)?.f_split(1, 1)?);
        }
        Ok(codes)
    }
}
