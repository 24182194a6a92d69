//! What the command adds to a saved model's folder: the data set, or where it lies.

use std::{
    fs,
    path::{Path, PathBuf},
};

use scvi_framework::{
    anndata::AnnData,
    saved::{self, SavedModel, folder},
    serde_json::{self, Value, json},
};

use crate::{
    failure::{Error, Result},
    files,
    staged::Overwrite,
};

/// What of its data set is in a model's folder beside the path.
#[derive(Clone, Copy, Debug)]
pub enum DataSet<'a> {
    /// Nothing.
    Path,
    /// A copy.
    Copy(&'a AnnData),
    /// The copy that the folder to be replaced has.
    Stays,
}

/// The file that going on with a training needs.
pub const OPTIMIZER: &str = folder::OPTIMIZER;

/// Whether the model in `dir` has a copy of its data set beside it.
pub fn has_copy(dir: &Path) -> bool {
    dir.join(folder::ADATA).is_file()
}

/// Writes a model, whole or not at all, with the path `file` of its data set.
///
/// # Errors
/// When the system refuses.
pub fn write(
    dir: &Path,
    model: &SavedModel,
    overwrite: Overwrite,
    file: &Path,
    data: DataSet<'_>,
) -> Result<()> {
    folder::write_with(dir, model, overwrite.into(), |staging| {
        let copy = staging.join(folder::ADATA);
        match data {
            DataSet::Path => {}
            DataSet::Copy(adata) => files::write_h5ad(&copy, adata)?,
            DataSet::Stays => {
                let old = dir.join(folder::ADATA);
                let linked = fs::hard_link(&old, &copy);
                let written = linked.or_else(|_| fs::copy(&old, &copy).map(drop));
                written.map_err(|source| Error::Write { path: copy, source })?;
            }
        }
        let path = std::path::absolute(file).unwrap_or_else(|_| file.into());
        let origin = staging.join(folder::DATA);
        let written = fs::write(&origin, format!("{:#}\n", json!({ "path": path })));
        written.map_err(|source| Error::Write { path: origin, source })
    })
}

/// The data set for queries: the one named, else the copy in the folder, else the file that the
/// model was trained on.
///
/// # Errors
/// [`Error::NoData`] when there is none.
pub fn data_set(dir: &Path, named: Option<&Path>) -> Result<PathBuf> {
    if let Some(file) = named {
        return Ok(file.into());
    }
    let copy = saved::find(dir, None).map_or(dir.join(folder::ADATA), |found| found.adata());
    if copy.is_file() {
        return Ok(copy);
    }
    let text = fs::read(dir.join(folder::DATA)).unwrap_or_default();
    let origin: Value = serde_json::from_slice(&text).unwrap_or_default();
    let reason = match origin.get("path").and_then(Value::as_str).map(PathBuf::from) {
        Some(file) if file.is_file() => return Ok(file),
        Some(file) => {
            format!("the data set that the model was trained on, {}, is gone", file.display())
        }
        None => format!("{} does not say which data set the model was trained on", dir.display()),
    };
    Err(Error::NoData { reason })
}
