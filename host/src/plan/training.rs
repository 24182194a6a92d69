//! What to train, on what, and where the model goes.

use std::path::PathBuf;

use scvi_framework::{params::Args, serde_json::Value};
use scvi_h5ad::Backing;

use crate::staged::Overwrite;

/// What to train on what.
#[derive(Debug)]
pub struct Train {
    /// The model.
    pub model: String,
    /// How it is trained, on what.
    pub training: Training,
    /// Anew, or on from there.
    pub start: Start,
    /// Arguments of `setup_anndata`.
    pub setup: Args,
    /// Fields beside the model's.
    pub fields: Vec<Value>,
    /// Arguments of the constructor.
    pub init: Args,
}

/// What to map onto which reference.
#[derive(Debug)]
pub struct MapQuery {
    /// The reference model.
    pub dir: PathBuf,
    /// How the model is trained, on which query.
    pub training: Training,
    /// Whether its folder may be replaced.
    pub overwrite: Overwrite,
    /// Arguments of `load_query_data`.
    pub mapping: Args,
}

/// What a training is of, and what becomes of the model.
#[derive(Clone, Debug)]
pub struct Training {
    /// The data set.
    pub file: PathBuf,
    /// Where its matrices are kept.
    pub backed: Backing,
    /// Folder for the model.
    pub out: PathBuf,
    /// Whether the data set goes along.
    pub keep: KeepData,
    /// Arguments of `train`.
    pub args: Args,
}

/// Where a training starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// From its beginning; what is in the folder may be replaced or not.
    Afresh(Overwrite),
    /// Where the one in the folder stopped.
    Resume {
        /// The seed, when given.
        seed: Option<i64>,
    },
}

/// What of the data set is kept with a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepData {
    /// Where it lies.
    Path,
    /// A copy.
    Copy,
}

impl KeepData {
    pub(super) fn of(save_anndata: bool) -> Self {
        if save_anndata { Self::Copy } else { Self::Path }
    }
}
