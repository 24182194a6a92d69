//! Data sets from and to files.

use std::path::Path;

use scvi_framework::anndata::AnnData;
use scvi_h5ad::{Backing, ReadOptions, WriteOptions};

use crate::failure::Result;

/// Reads a data set.
///
/// # Errors
/// When the file is missing, is no `.h5ad`, or is damaged.
pub fn read_h5ad(path: &Path) -> Result<AnnData> {
    open_h5ad(path, Backing::Memory)
}

/// Reads a data set, its matrices where they are asked to be.
///
/// # Errors
/// As [`read_h5ad`].
pub fn open_h5ad(path: &Path, backed: Backing) -> Result<AnnData> {
    Ok(scvi_h5ad::read(path, ReadOptions { backed })?)
}

/// Writes a data set, whole or not at all.
///
/// # Errors
/// When the system refuses.
pub fn write_h5ad(path: &Path, adata: &AnnData) -> Result<()> {
    Ok(scvi_h5ad::write(path, adata, WriteOptions::default())?)
}
