//! Where a saved model lies, and who wrote it.

use std::path::{Path, PathBuf};

use super::{
    SavedModel, folder,
    place::{file_names, of_one_folder},
    scvi_tools,
};
use crate::error::{Error, Result};

/// Who wrote a saved model, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// This library.
    Ours,
    /// scvi-tools 0.15 or later.
    ScviTools,
    /// scvi-tools before 0.15, whose files do not say of which class the model is.
    Legacy,
}

/// A saved model that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Who wrote it.
    pub layout: Layout,
    /// The folder.
    pub dir: PathBuf,
    /// What the names of its files begin with.
    pub prefix: String,
    /// The file by which it was found.
    file: String,
}

/// Looks for the model in this place: a folder, or one of a model's files. Where a folder holds one
/// model only, its prefix need not be given.
///
/// # Errors
/// [`Error::NoSavedModel`] with what is there instead; [`Error::SeveralModels`].
pub fn find(path: &Path, prefix: Option<&str>) -> Result<Found> {
    if path.is_file() {
        return Ok(named(path));
    }
    of_one_folder(path, || in_folder(path, prefix))
}

fn in_folder(path: &Path, prefix: Option<&str>) -> Result<Found> {
    let present = file_names(path)?;
    let of = |layout, end: &'static str| {
        present.iter().filter_map(move |name| {
            let own = name.strip_suffix(end).filter(|own| prefix.is_none_or(|p| p == *own))?;
            let (dir, file) = (path.to_owned(), name.clone());
            Some(Found { layout, dir, prefix: own.to_owned(), file })
        })
    };
    let ours = of(Layout::Ours, folder::META).filter(|found| found.prefix.is_empty());
    let legacy = of(Layout::Legacy, scvi_tools::LEGACY_FILE);
    let found: Vec<Found> =
        ours.chain(of(Layout::ScviTools, scvi_tools::FILE)).chain(legacy).collect();
    let plain = found.iter().find(|found| found.prefix.is_empty());
    match (plain, &found[..]) {
        (Some(one), _) | (_, [one]) => Ok(one.clone()),
        (_, []) => Err(Error::NoSavedModel { path: path.into(), present }),
        (_, several) => {
            let files = several.iter().map(|found| found.file.clone()).collect();
            Err(Error::SeveralModels { path: path.into(), files })
        }
    }
}

/// The model of which this is a file.
fn named(path: &Path) -> Found {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let dir = path.parent().unwrap_or(Path::new("")).to_owned();
    let (layout, end) = match &*file {
        name if name.ends_with(scvi_tools::LEGACY_FILE) => {
            (Layout::Legacy, scvi_tools::LEGACY_FILE)
        }
        name if name == folder::META => (Layout::Ours, folder::META),
        _ => (Layout::ScviTools, scvi_tools::FILE),
    };
    let prefix = file.strip_suffix(end).unwrap_or_default().to_owned();
    Found { layout, dir, prefix, file }
}

impl Found {
    /// Where its data set lies, if it was saved with one.
    pub fn adata(&self) -> PathBuf {
        self.dir.join(format!("{}{}", self.prefix, folder::ADATA))
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`Error::LegacyModel`] where it does not say of which class it is; those of [`folder::read`] and
    /// [`scvi_tools::read`].
    pub fn read(&self) -> Result<SavedModel> {
        let path = self.dir.join(&self.file);
        match self.layout {
            Layout::Ours => folder::read(&self.dir),
            Layout::ScviTools => of_one_folder(&self.dir, || scvi_tools::read(&path, None)),
            Layout::Legacy => Err(Error::LegacyModel { path: self.dir.clone() }),
        }
    }

    /// Reads it, the class being `model_name` where the files do not say it.
    ///
    /// # Errors
    /// Those of [`Found::read`] and [`scvi_tools::read_legacy`].
    pub fn read_as(&self, model_name: &str) -> Result<SavedModel> {
        match self.layout {
            Layout::Legacy => of_one_folder(&self.dir, || {
                scvi_tools::read_legacy(&self.dir, Some(&self.prefix), model_name)
            }),
            _ => self.read(),
        }
    }
}
