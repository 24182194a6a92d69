//! The model that scvi-tools trained on a part of pbmc4k, with its data set and its answers.

use std::path::{Path, PathBuf};

use scvi_framework::{
    anndata::AnnData,
    model::{Model, Settings},
    saved::scvi_tools,
};
use scvi_h5ad::ReadOptions;
use scvi_plugin_scvi::Scvi;

/// The model and its data set.
pub struct Trained {
    /// Where they lie, with what scvi-tools answered.
    pub folder: PathBuf,
    pub model: Model<Scvi>,
    pub adata: AnnData,
    /// The column of obs with the cell types.
    pub label: String,
}

impl Trained {
    /// `None`, said aloud, where the reference data are not at hand.
    pub fn open() -> Option<Self> {
        let Some(data) = std::env::var_os("SCVI_TEST_DATA") else {
            println!("skipped: SCVI_TEST_DATA is not set");
            return None;
        };
        let folder = Path::new(&data).join("reference/queries_pbmc4k");
        let saved = scvi_tools::read(&folder.join("model"), None).unwrap();
        let adata = scvi_h5ad::read(&folder.join("adata.h5ad"), ReadOptions::default()).unwrap();
        let label = adata.obs().columns.keys().find(|key| *key != "batch").unwrap().clone();
        let model = Model::load(saved, &Settings::default()).unwrap();
        Some(Self { folder, model, adata, label })
    }

    /// The model and the data set after `minify_adata()` of scvi-tools.
    pub fn minified(&self) -> (Model<Scvi>, AnnData) {
        let folder = self.folder.join("minified");
        let saved = scvi_tools::read(&folder, None).unwrap();
        let adata = scvi_h5ad::read(&folder.join("adata.h5ad"), ReadOptions::default()).unwrap();
        (Model::load(saved, &Settings::default()).unwrap(), adata)
    }
}
