//! Our folder of a saved model: `model.safetensors` and `model.json`, and what the caller adds.
//!
//! A write never leaves half a model, wherever it is interrupted:
//! 1. everything is written to a hidden sibling of the folder ([`Staging`](super::Staging)), which vanishes on any
//!    error;
//! 2. every file in it is forced to disk, then every folder;
//! 3. it is renamed into place; a folder that is to be replaced changes places with it, in one step,
//!    and the parent is forced to disk;
//! 4. the replaced folder is deleted.
//!
//! A process that dies before 3 leaves the folder untouched, one that dies later the new one. What it
//! leaves of its sibling the next write deletes.
//!
//! Where two folders cannot change places (that takes Linux or macOS, and a file system of theirs),
//! step 3 is two: the old folder is renamed to `.NAME.replaced`, then the new one into place. A process
//! that dies between the two leaves no folder, but its predecessor complete: [`recover`], which reading
//! and writing begin with, puts that back. They wait for one that lives.

use std::{fs, io, path::Path};

use indexmap::IndexMap;
use serde_json::Value;

use super::{
    FORMAT_VERSION, ModelMeta, SavedModel, arrays,
    place::{Place, failed, is_missing, of_one_folder, sync_tree},
};
use crate::error::{Error, Result};

/// The file with everything but the weights.
pub const META: &str = "model.json";
/// The file with the weights.
pub const WEIGHTS: &str = "model.safetensors";
/// The file with the state of the optimiser: without it all is there but going on with the training.
pub const OPTIMIZER: &str = "optimizer.safetensors";
/// The data set beside a model that was saved with its data.
pub const ADATA: &str = "adata.h5ad";
/// Where the data set lies that a model was trained on.
pub const DATA: &str = "data.json";

/// Whether a folder that is there already is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overwrite {
    /// It stays, and is an error; an empty one is none.
    #[default]
    Refuse,
    /// It is replaced, if it holds nothing but a model.
    Replace,
}

/// Writes a model to the folder `dir`, whole or not at all.
///
/// # Errors
/// [`Error::OutputExists`], [`Error::OtherFiles`], or whatever the operating system refuses.
pub fn write(dir: &Path, saved: &SavedModel, overwrite: Overwrite) -> Result<()> {
    write_with(dir, saved, overwrite, |_| Ok(()))
}

/// Writes a model to the folder `dir`, together with what `extra` writes into the folder that it is
/// given, whole or not at all.
///
/// # Errors
/// Those of [`write()`], and those of `extra`.
pub fn write_with<E: From<Error>>(
    dir: &Path,
    saved: &SavedModel,
    overwrite: Overwrite,
    extra: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    replace(dir, "", overwrite, |staging| {
        write_files(staging, dir, saved)?;
        extra(staging)
    })
}

/// Writes the files of a model that is to be in `dir` into `staging`; errors name them by the place
/// where they will be.
pub(super) fn write_files(staging: &Path, dir: &Path, saved: &SavedModel) -> Result<()> {
    for (file, content) in [(WEIGHTS, &saved.weights), (OPTIMIZER, &saved.optimizer)] {
        if file == WEIGHTS || !content.is_empty() {
            let written = arrays::write(&staging.join(file), content);
            written.map_err(failed(&dir.join(file), "write"))?;
        }
    }
    let meta = serde_json::to_vec(&saved.meta).map_err(io::Error::from);
    let written = meta.and_then(|meta| fs::write(staging.join(META), meta));
    written.map_err(failed(&dir.join(META), "write"))
}

/// Puts a folder that `fill` fills in the place of `dir`, whole or not at all. Only the files of a
/// model whose names begin with `prefix` are replaced; where there is one, others stay.
pub(super) fn replace<E: From<Error>>(
    dir: &Path,
    prefix: &str,
    overwrite: Overwrite,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let place = Place::of(dir, prefix)?;
    place.recover()?;
    place.check_free(overwrite)?;
    let staging = place.staging()?;
    place.carry_over(staging.path())?;
    fill(staging.path())?;
    sync_tree(staging.path())?;
    Ok(place.install(staging, overwrite)?)
}

/// Reads a model from its folder; what only going on with its training needs is left there. While
/// another takes the folder's place, it is the one or the other.
///
/// # Errors
/// [`Error::NewerFormat`] when a later version wrote it, [`Error::SavedFile`] when a file is
/// damaged.
pub fn read(dir: &Path) -> Result<SavedModel> {
    of_one_folder(dir, || read_model(dir))
}

/// Reads a model from its folder, with all that going on with its training needs, if that is there.
///
/// # Errors
/// As [`read`].
pub fn read_with_optimizer(dir: &Path) -> Result<SavedModel> {
    let path = dir.join(OPTIMIZER);
    let expected = "the state of an optimiser in safetensors format";
    of_one_folder(dir, || {
        let saved = read_model(dir)?;
        if is_missing(&path) {
            return Ok(saved);
        }
        Ok(SavedModel { optimizer: arrays::read(&path, expected)?, ..saved })
    })
}

fn read_model(dir: &Path) -> Result<SavedModel> {
    let meta = read_meta(&dir.join(META))?;
    let weights = arrays::read(&dir.join(WEIGHTS), "the weights of a model in safetensors format")?;
    Ok(SavedModel { meta, weights, optimizer: IndexMap::new() })
}

/// Checks, before any work is done, that a model may be written to `dir`.
///
/// # Errors
/// As [`write_with`] when something is there that may not be replaced.
pub fn check(dir: &Path, overwrite: Overwrite) -> Result<()> {
    Place::of(dir, "")?.check_free(overwrite)
}

/// Puts back a folder whose replacement was interrupted before the new one was in place, and waits
/// for one that goes on. Does nothing in all other cases.
///
/// # Errors
/// When the folder cannot be renamed.
pub fn recover(dir: &Path) -> Result<()> {
    Place::of(dir, "")?.recover()
}

fn read_meta(path: &Path) -> Result<ModelMeta> {
    let bytes = fs::read(path).map_err(failed(path, "read"))?;
    let wrong = |e: serde_json::Error| Error::SavedFile {
        path: path.into(),
        expected: "the description of a saved model in JSON",
        found: format!("a file that is damaged or something else: {e}"),
    };
    let meta: Value = serde_json::from_slice(&bytes).map_err(wrong)?;
    match meta.get("format_version").and_then(Value::as_u64) {
        Some(found) if found > FORMAT_VERSION.into() => {
            Err(Error::NewerFormat { path: path.into(), found, known: FORMAT_VERSION })
        }
        _ => serde_json::from_value(meta).map_err(wrong),
    }
}
