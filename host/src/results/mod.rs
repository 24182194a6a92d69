//! Where answers go: the data set, a table, or named arrays.

mod collect;
mod dataset;
mod npz;
mod table;

use std::path::{Path, PathBuf};

use scvi_framework::{
    anndata::AnnData,
    model::{OutputSpec, Sink},
};

pub use collect::{Collector, Content, Gathered};

use crate::{
    failure::{Error, Result},
    plan::Format,
};

/// A kind of output, with its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The data set with the answer in it.
    H5ad(PathBuf),
    /// A table, values apart by this character.
    Table(PathBuf, char),
    /// Arrays under their Python names.
    Npz(PathBuf),
    /// A table on standard output.
    Stdout,
}

impl Output {
    /// The kind that the ending of `path` says.
    ///
    /// # Errors
    /// [`Error::Ending`] for any other.
    pub fn of(path: &Path) -> Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self::Stdout);
        }
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match ending.as_str() {
            "h5ad" => Ok(Self::H5ad(path.into())),
            "csv" => Ok(Self::Table(path.into(), ',')),
            "tsv" => Ok(Self::Table(path.into(), '\t')),
            "npz" => Ok(Self::Npz(path.into())),
            _ => Err(Error::Ending {
                path: path.into(),
                expected: "one of .h5ad, .csv, .tsv, .npz, or - for standard output",
            }),
        }
    }

    /// The file, unless it is standard output.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::H5ad(path) | Self::Table(path, _) | Self::Npz(path) => Some(path),
            Self::Stdout => None,
        }
    }

    /// Begins to take the answer about `adata`, or about its rows `asked` where not about all.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn open(
        &self,
        adata: &AnnData,
        asked: Option<Vec<usize>>,
        format: Format,
    ) -> Result<Box<dyn Answer>> {
        let names = || table::Names::of(adata, asked);
        Ok(match self {
            Self::H5ad(path) => Box::new(dataset::DataSet::new(path, adata)),
            Self::Table(path, separator) => {
                Box::new(table::Table::new(Some(path), *separator, names()))
            }
            Self::Npz(path) => Box::new(npz::Npz::create(path)?),
            Self::Stdout if format == Format::Json => Box::new(table::Json::new(names())),
            Self::Stdout => Box::new(table::Table::new(None, '\t', names())),
        })
    }
}

/// A sink that can be closed: nothing is in its place before.
pub trait Answer {
    /// Where the job puts its results.
    fn sink(&mut self) -> &mut dyn Sink;

    /// Writes what is left, puts the file in its place and says what was written where.
    ///
    /// # Errors
    /// When the results do not fit the kind of output, or the disk is full.
    fn finish(self: Box<Self>) -> Result<Vec<String>>;

    /// Writes what came of an interrupted job, where a part is of use: whole blocks of a table. Says
    /// nothing when nothing was written.
    ///
    /// # Errors
    /// As [`Answer::finish`].
    fn rescue(self: Box<Self>) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

/// `obsm['X_scVI'] (10849 × 10)`
pub fn title(spec: &OutputSpec) -> String {
    let (slot, key) = &spec.place;
    let place = if spec.place.0.name() == "X" {
        "X".to_owned()
    } else {
        format!("{}['{key}']", slot.name())
    };
    format!("{place}{}", dimensions(spec))
}

/// ` (10849 × 10)`; nothing for a single number.
pub fn dimensions(spec: &OutputSpec) -> String {
    if spec.shape.is_empty() {
        return String::new();
    }
    let axes: Vec<String> = spec.shape.iter().map(ToString::to_string).collect();
    format!(" ({})", axes.join(" × "))
}

#[cfg(test)]
mod tests;
