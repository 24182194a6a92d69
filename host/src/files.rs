//! Data sets from and to files.

use std::path::Path;

use scvi_framework::anndata::AnnData;
use scvi_h5ad::{Backing, ReadOptions, Source, WriteOptions};

use crate::failure::{Error, Result};

/// Reads a data set, its matrices where they are asked to be.
///
/// # Errors
/// When the file is missing or damaged; when it is no `.h5ad`, with the command that makes one of it
/// where there is one.
pub fn read_h5ad(path: &Path, backed: Backing) -> Result<AnnData> {
    match scvi_h5ad::read(path, ReadOptions { backed }) {
        Ok(adata) if adata.modalities().is_empty() => Ok(adata),
        Ok(adata) => Err(convertible(path, Source::H5mu, adata.modalities().keys().cloned())),
        Err(error) => Err(match Source::of(path) {
            Ok(Source::H5ad | Source::H5mu) | Err(_) => error.into(),
            Ok(other) => convertible(path, other, []),
        }),
    }
}

fn convertible(path: &Path, source: Source, modalities: impl IntoIterator<Item = String>) -> Error {
    let modalities = modalities.into_iter().collect();
    Error::Convertible { path: path.into(), what: source.name(), modalities }
}

/// Writes a data set, whole or not at all.
///
/// # Errors
/// When the system refuses.
pub fn write_h5ad(path: &Path, adata: &AnnData) -> Result<()> {
    Ok(scvi_h5ad::write(path, adata, WriteOptions::default())?)
}
