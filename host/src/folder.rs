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

/// Writes a model, whole or not at all, with the path `file` of its data set and a `copy` of it.
///
/// # Errors
/// When the system refuses.
pub fn write(
    dir: &Path,
    model: &SavedModel,
    overwrite: Overwrite,
    file: &Path,
    copy: Option<&AnnData>,
) -> Result<()> {
    folder::write_with(dir, model, overwrite.into(), |staging| {
        if let Some(adata) = copy {
            files::write_h5ad(&staging.join(folder::ADATA), adata)?;
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
