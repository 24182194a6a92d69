//! Saved models: what is kept, in our folder and in scvi-tools' file.

mod arrays;
mod find;
pub mod folder;
mod given;
mod history;
mod numbers;
mod place;
pub mod scvi_tools;
pub mod staging;
mod summary;
#[cfg(test)]
mod tests;

use std::path::Path;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use find::{Found, Layout, find};
pub use given::GivenField;
pub use staging::Staging;
pub(crate) use summary::summary_string;

use crate::{
    anndata::Dense,
    data::SetupView,
    error::Result,
    model::Mapped,
    params::Args,
    registry_keys::REGISTRY_KEYS,
    train::{Ending, TrainerState},
};

/// The version of our folder that this library writes.
pub const FORMAT_VERSION: u32 = 1;

/// Everything about a model but its weights: `model.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelMeta {
    /// Version of the folder's layout.
    pub format_version: u32,
    /// `SCVI`
    pub model_name: String,
    /// Name and version of the plugin that made it; none when scvi-tools did.
    pub plugin: Option<(String, String)>,
    /// Arguments of the constructor.
    pub init_params: Args,
    /// The registry, as [`crate::data::Registry`] writes it; from scvi-tools without fields.
    pub registry: Value,
    /// Fields that were given beside the model's own: registry key → name and version of the plugin
    /// that serves it, see [`GivenField::plugin`].
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub given_fields: IndexMap<String, Option<(String, String)>>,
    /// Names of the genes, in the order of the weights.
    pub var_names: Vec<String>,
    /// Whether it was trained.
    pub is_trained: bool,
    /// The last training; none where that is not recorded, as by scvi-tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Training>,
    /// How it came out of a reference model; none when it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapped: Option<Mapped>,
    /// Metric → one value per epoch.
    #[serde(with = "history")]
    pub history: IndexMap<String, Vec<f64>>,
    /// Rows used for training.
    pub train_indices: Vec<usize>,
    /// Rows held out while training.
    pub validation_indices: Vec<usize>,
    /// Rows never used.
    pub test_indices: Vec<usize>,
    /// Things that the reader of the file left out, for the user to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl ModelMeta {
    /// Whether the model knows of minified data sets, beside full ones.
    pub fn is_minified(&self) -> bool {
        self.registry["field_registries"].get(REGISTRY_KEYS.minify_type).is_some()
    }
}

/// How a model was trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Arguments of `train`, with `max_epochs` as it was chosen.
    pub args: Args,
    /// How it came to its end; none while it goes on, and when it failed and the last good state was
    /// kept.
    pub ending: Option<Ending>,
    /// Where it is; none where that is not recorded. With [`SavedModel::optimizer`] it can go on from
    /// there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TrainerState>,
}

/// A model at rest.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedModel {
    /// Everything but the weights.
    pub meta: ModelMeta,
    /// Parameters and buffers under scvi-tools' state_dict names.
    pub weights: IndexMap<String, Dense>,
    /// Moments and steps of the optimiser ([`Adam::state_dict`](crate::train::Adam::state_dict));
    /// empty where they were not kept or not read.
    pub optimizer: IndexMap<String, Dense>,
}

/// The registry of the model in this place, whoever wrote it; see [`read`].
///
/// # Errors
/// Those of [`read`].
pub fn load_registry(path: &Path) -> Result<Value> {
    Ok(read(path)?.meta.registry)
}

/// The arguments with which the data set of the model in this place was set up; `None` when fields
/// were registered without any. See [`read`].
///
/// # Errors
/// Those of [`read`].
pub fn view_setup_args(path: &Path) -> Result<Option<SetupView>> {
    Ok(SetupView::of(&load_registry(path)?))
}

/// Reads a model from its folder, whoever wrote it: this library or scvi-tools. One of its files may
/// also be named itself, and the names of scvi-tools' files may begin with a prefix. See [`find`] for
/// folders with several models.
///
/// # Errors
/// Those of [`find`] and [`Found::read`].
pub fn read(path: &Path) -> Result<SavedModel> {
    place::of_one_folder(path, || find(path, None)?.read())
}
