//! Saved models: what is kept, in our folder and in scvi-tools' file.

mod numbers;
pub mod scvi_tools;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{anndata::Dense, params::Args};

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
    /// Names of the genes, in the order of the weights.
    pub var_names: Vec<String>,
    /// Whether it was trained.
    pub is_trained: bool,
    /// Metric → one value per epoch.
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

/// A model at rest.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedModel {
    /// Everything but the weights.
    pub meta: ModelMeta,
    /// Parameters and buffers under scvi-tools' state_dict names.
    pub weights: IndexMap<String, Dense>,
}
