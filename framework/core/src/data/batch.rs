//! One minibatch of registered tensors.

use indexmap::IndexMap;
use tch::{Device, Kind, Tensor};

use super::MinifiedDataType;
use crate::{
    distributions::Normal,
    error::{Error, Result},
    registry_keys::REGISTRY_KEYS,
};

/// A minibatch: one two-dimensional tensor per registered field, row `i` of each is the same cell.
#[derive(Debug)]
pub struct Batch {
    tensors: IndexMap<String, Tensor>,
}

impl Batch {
    /// From tensors by registry key, each `[n_cells, n_features]`.
    pub fn new(tensors: impl IntoIterator<Item = (String, Tensor)>) -> Self {
        Self { tensors: tensors.into_iter().collect() }
    }

    /// The tensor of field `key` `[n_cells, n_features]`, if the field was given.
    pub fn get(&self, key: &str) -> Option<&Tensor> {
        self.tensors.get(key)
    }

    /// The registry keys of its tensors.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The tensor of field `key` `[n_cells, n_features]`.
    ///
    /// # Errors
    /// When the model never registered it.
    pub fn require(&self, key: &str) -> Result<&Tensor> {
        self.get(key).ok_or_else(|| Error::MissingElement {
            slot: "minibatch",
            key: key.into(),
            present: self.tensors.keys().cloned().collect(),
        })
    }

    /// Counts, float32 `[n_cells, n_vars]`.
    ///
    /// # Errors
    /// When the model never registered them; [`Error::Minified`] when they are gone.
    pub fn x(&self) -> Result<&Tensor> {
        if self.get(REGISTRY_KEYS.x).is_none() && self.is_minified() {
            return Err(Error::Minified(MinifiedDataType::LatentPosterior.word()));
        }
        self.require(REGISTRY_KEYS.x)
    }

    /// Whether its cells come with the posterior that their data set was reduced to.
    pub fn is_minified(&self) -> bool {
        self.get(REGISTRY_KEYS.latent_qzm).is_some()
    }

    /// The posterior that the data set was reduced to, q(z|x) `[n_cells, n_latent]`.
    ///
    /// # Errors
    /// When the data set is not minified.
    pub fn latent_qz(&self) -> Result<Normal> {
        let mean = self.require(REGISTRY_KEYS.latent_qzm)?.shallow_clone();
        Ok(Normal::from_variance(mean, self.require(REGISTRY_KEYS.latent_qzv)?))
    }

    /// Total counts of the cells of a minified data set, float32 `[n_cells, 1]`.
    ///
    /// # Errors
    /// When the data set is not minified.
    pub fn observed_lib_size(&self) -> Result<&Tensor> {
        self.require(REGISTRY_KEYS.observed_lib_size)
    }

    /// Batch codes, int64 `[n_cells, 1]`.
    ///
    /// # Errors
    /// When the model never registered them.
    pub fn batch_index(&self) -> Result<&Tensor> {
        self.require(REGISTRY_KEYS.batch)
    }

    /// Label codes, int64 `[n_cells, 1]`.
    ///
    /// # Errors
    /// When the model never registered them.
    pub fn labels(&self) -> Result<&Tensor> {
        self.require(REGISTRY_KEYS.labels)
    }

    /// The same minibatch with another tensor `[n_cells, n_features]` for field `key`.
    #[must_use]
    pub fn with(&self, key: &str, tensor: Tensor) -> Self {
        let mut batch = self.shallow_clone();
        batch.tensors.insert(key.to_owned(), tensor);
        batch
    }

    /// The same minibatch, sharing memory.
    #[must_use]
    pub fn shallow_clone(&self) -> Self {
        Self::new(self.tensors.iter().map(|(k, t)| (k.clone(), t.shallow_clone())))
    }

    /// How many cells.
    pub fn n_cells(&self) -> i64 {
        self.tensors.values().next().map_or(0, |t| t.size()[0])
    }

    /// The same minibatch on another device, where sparse tensors become dense.
    pub fn to_device(&self, device: Device) -> Self {
        // What is dense stays as it is.
        let moved = |tensor: &Tensor| tensor.to_device(device).to_dense(None::<Kind>, false);
        Self::new(self.tensors.iter().map(|(key, tensor)| (key.clone(), moved(tensor))))
    }
}
