//! Any file or folder that holds a data set, told apart by its content.

use std::path::Path;

use scvi_framework::anndata::AnnData;

use crate::{
    error::{Error, Result},
    loom, multimodal,
    node::Node,
    open,
    read::{Backing, data_set},
    tenx,
};

/// What holds a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// anndata's own.
    H5ad,
    /// mudata's: several modalities.
    H5mu,
    /// A file of Cell Ranger 2.
    TenxV2,
    /// A file of Cell Ranger 3 or later.
    TenxV3,
    /// A folder of Cell Ranger, or the matrix in it.
    TenxMtx,
    /// loompy's.
    Loom,
}

/// Which features are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Features {
    /// All: genes, proteins, guides, peaks.
    #[default]
    All,
    /// Those that count transcripts; where nothing says what a feature is, all.
    GeneExpression,
}

/// What to take of files that hold more than one data set.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The genome; needed for files of Cell Ranger 2 that hold several.
    pub genome: Option<String>,
    /// Which features are taken from files of 10x.
    pub features: Features,
}

/// A data set, and where it came from.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The data set.
    pub adata: AnnData,
    /// What it was read from.
    pub source: Source,
    /// Features whose names occur before and were given a number, as scanpy does for folders.
    pub renamed: usize,
}

impl Source {
    /// What `path` is.
    ///
    /// # Errors
    /// When there is nothing, it cannot be read, or it is of no known kind.
    pub fn of(path: &Path) -> Result<Self> {
        if tenx_folder(path)? {
            return Ok(Self::TenxMtx);
        }
        Self::of_hdf5(&open::root(path).map_err(other_kind)?)
    }

    /// Its name, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::H5ad => "an .h5ad file",
            Self::H5mu => "an .h5mu file",
            Self::TenxV2 => "a 10x file (Cell Ranger 2)",
            Self::TenxV3 => "a 10x file",
            Self::TenxMtx => "a 10x folder",
            Self::Loom => "a .loom file",
        }
    }

    /// Whose format it is, for messages.
    pub fn writer(self) -> &'static str {
        match self {
            Self::H5ad => "anndata",
            Self::H5mu => "mudata",
            Self::TenxV2 | Self::TenxV3 | Self::TenxMtx => "Cell Ranger",
            Self::Loom => "loompy",
        }
    }

    fn of_hdf5(root: &Node) -> Result<Self> {
        let names = root.names()?;
        let has = |name: &str| names.iter().any(|n| n == name);
        if multimodal::is_here(root)? {
            return Ok(Self::H5mu);
        }
        if has("obs") && has("var") {
            return Ok(Self::H5ad);
        }
        if loom::is_here(root)? {
            return Ok(Self::Loom);
        }
        if tenx::h5::is_v3(root)? {
            return Ok(Self::TenxV3);
        }
        if !tenx::h5::genomes(root)?.is_empty() {
            return Ok(Self::TenxV2);
        }
        let members = if names.is_empty() { "nothing".into() } else { names.join(", ") };
        let found = format!("HDF5 with {members} in it");
        Err(Error::UnknownKind { path: root.at.path(), found })
    }
}

/// Reads the data set at `path`, whatever kind of file or folder that is.
///
/// # Errors
/// When it is of no known kind, incomplete or damaged, or when an option asks for what is not there.
pub fn import(path: &Path, options: &ImportOptions) -> Result<Imported> {
    if tenx_folder(path)? {
        let (adata, renamed) = tenx::mtx::read(path)?;
        let adata = tenx::select(path, adata, options)?;
        return Ok(Imported { adata, source: Source::TenxMtx, renamed });
    }
    let root = open::root(path).map_err(other_kind)?;
    let source = Source::of_hdf5(&root)?;
    let adata = match source {
        Source::H5mu => multimodal::read(&root, Backing::Memory)?,
        Source::Loom => loom::read(&root)?,
        Source::TenxV3 => tenx::select(path, tenx::h5::v3(&root)?, options)?,
        Source::TenxV2 => {
            let adata = tenx::h5::v2(&root, options.genome.as_deref())?;
            tenx::select(path, adata, options)?
        }
        _ => data_set(&root, "anndata", Backing::Memory)?,
    };
    Ok(Imported { adata, source, renamed: 0 })
}

/// Whether `path` is a 10x folder or a matrix; a folder of anything else is an error.
fn tenx_folder(path: &Path) -> Result<bool> {
    let is_here = tenx::mtx::is_here(path)?;
    if !is_here && path.is_dir() {
        let found = "a folder without matrix.mtx or matrix.mtx.gz".into();
        return Err(Error::UnknownKind { path: path.to_owned(), found });
    }
    Ok(is_here)
}

fn other_kind(error: Error) -> Error {
    match error {
        Error::NotHdf5 { path, found } => Error::UnknownKind { path, found },
        other => other,
    }
}
