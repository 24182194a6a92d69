//! Our folder of a saved model: `model.safetensors` and `model.json`, and what the caller adds.
//!
//! A write never leaves half a model, wherever it is interrupted:
//! 1. everything is written to a hidden sibling of the folder ([`Staging`]), which vanishes on any
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
//! and writing begin with, puts that back.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use indexmap::IndexMap;
use safetensors::{Dtype, SafeTensorError, SafeTensors, View};
use serde_json::Value;

use super::{
    FORMAT_VERSION, ModelMeta, SavedModel, Staging,
    numbers::{self, ByteOrder},
    scvi_tools, staging,
};
use crate::{
    anndata::{DType, Dense},
    error::{Error, Result},
};

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
        // Errors name the files by the place where they will be.
        for (file, arrays) in [(WEIGHTS, &saved.weights), (OPTIMIZER, &saved.optimizer)] {
            if file == WEIGHTS || !arrays.is_empty() {
                let written = write_arrays(&staging.join(file), arrays);
                written.map_err(failed(&dir.join(file), "write"))?;
            }
        }
        let meta = serde_json::to_vec(&saved.meta).map_err(io::Error::from);
        let written = meta.and_then(|meta| fs::write(staging.join(META), meta));
        written.map_err(failed(&dir.join(META), "write"))?;
        extra(staging)
    })
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

/// Reads a model from its folder; what only going on with its training needs is left there.
///
/// # Errors
/// [`Error::NewerFormat`] when a later version wrote it, [`Error::SavedFile`] when a file is
/// damaged.
pub fn read(dir: &Path) -> Result<SavedModel> {
    recover(dir)?;
    let meta = read_meta(&dir.join(META))?;
    let weights = read_arrays(&dir.join(WEIGHTS), "the weights of a model in safetensors format")?;
    Ok(SavedModel { meta, weights, optimizer: IndexMap::new() })
}

/// Reads a model from its folder, with all that going on with its training needs, if that is there.
///
/// # Errors
/// As [`read`].
pub fn read_with_optimizer(dir: &Path) -> Result<SavedModel> {
    let saved = read(dir)?;
    let path = dir.join(OPTIMIZER);
    if is_missing(&path) {
        return Ok(saved);
    }
    let expected = "the state of an optimiser in safetensors format";
    Ok(SavedModel { optimizer: read_arrays(&path, expected)?, ..saved })
}

/// Checks, before any work is done, that a model may be written to `dir`.
///
/// # Errors
/// As [`write_with`] when something is there that may not be replaced.
pub fn check(dir: &Path, overwrite: Overwrite) -> Result<()> {
    Place::of(dir, "")?.check_free(overwrite)
}

/// Puts back a folder whose replacement was interrupted before the new one was in place. Does
/// nothing in all other cases.
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

// --- arrays --------------------------------------------------------------------------------

struct Array<'a>(&'a Dense);

impl View for Array<'_> {
    fn dtype(&self) -> Dtype {
        match self.0.values.dtype() {
            DType::Bool => Dtype::BOOL,
            DType::Int8 => Dtype::I8,
            DType::Int16 => Dtype::I16,
            DType::Int32 => Dtype::I32,
            DType::Int64 => Dtype::I64,
            DType::UInt8 => Dtype::U8,
            DType::UInt16 => Dtype::U16,
            DType::UInt32 => Dtype::U32,
            DType::UInt64 => Dtype::U64,
            DType::Float16 => Dtype::F16,
            DType::Float32 => Dtype::F32,
            DType::Float64 => Dtype::F64,
        }
    }
    fn shape(&self) -> &[usize] {
        &self.0.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        numbers::encode(&self.0.values).into()
    }
    fn data_len(&self) -> usize {
        self.0.values.len() * self.0.values.dtype().size()
    }
}

fn dtype(dtype: Dtype) -> Option<DType> {
    Some(match dtype {
        Dtype::BOOL => DType::Bool,
        Dtype::I8 => DType::Int8,
        Dtype::I16 => DType::Int16,
        Dtype::I32 => DType::Int32,
        Dtype::I64 => DType::Int64,
        Dtype::U8 => DType::UInt8,
        Dtype::U16 => DType::UInt16,
        Dtype::U32 => DType::UInt32,
        Dtype::U64 => DType::UInt64,
        Dtype::F16 => DType::Float16,
        Dtype::F32 => DType::Float32,
        Dtype::F64 => DType::Float64,
        _ => return None,
    })
}

fn write_arrays(path: &Path, arrays: &IndexMap<String, Dense>) -> io::Result<()> {
    let views = arrays.iter().map(|(name, dense)| (name, Array(dense)));
    safetensors::serialize_to_file(views, None, path).map_err(|e| match e {
        SafeTensorError::IoError(source) => source,
        other => io::Error::other(other.to_string()),
    })
}

fn read_arrays(path: &Path, expected: &'static str) -> Result<IndexMap<String, Dense>> {
    let bytes = fs::read(path).map_err(failed(path, "read"))?;
    let wrong = |found: String| Error::SavedFile { path: path.into(), expected, found };
    let file = SafeTensors::deserialize(&bytes).map_err(|e| wrong(format!("{e}")))?;
    let mut arrays = IndexMap::new();
    for (name, tensor) in file.iter() {
        let dtype = dtype(tensor.dtype());
        let dtype = dtype.ok_or_else(|| wrong(format!("`{name}` of type {:?}", tensor.dtype())))?;
        let values = numbers::decode(dtype, tensor.data(), ByteOrder::Little);
        arrays.insert(name.to_owned(), Dense { shape: tensor.shape().to_vec(), values });
    }
    arrays.sort_unstable_keys();
    Ok(arrays)
}

// --- places --------------------------------------------------------------------------------

/// Where a folder stands, and its hidden siblings.
struct Place {
    dir: PathBuf,
    parent: PathBuf,
    name: String,
    /// What names of the model's files begin with.
    prefix: String,
}

impl Place {
    fn of(dir: &Path, prefix: &str) -> Result<Self> {
        let mut dir: PathBuf = dir.components().collect(); // without a slash at the end
        if let Ok(target) = fs::read_link(&dir) {
            dir = dir.parent().unwrap_or(Path::new("")).join(target);
        }
        if dir.file_name().is_none() {
            let here = if dir.as_os_str().is_empty() { Path::new(".") } else { &dir };
            dir = fs::canonicalize(here).map_err(failed(here, "resolve"))?;
        }
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let parent = staging::parent(&dir);
        Ok(Self { dir, parent, name, prefix: prefix.into() })
    }

    fn replaced(&self) -> PathBuf {
        self.parent.join(format!(".{}.replaced", self.name))
    }

    fn staging(&self) -> Result<Staging> {
        fs::create_dir_all(&self.parent).map_err(failed(&self.parent, "create"))?;
        Staging::beside(&self.dir).map_err(failed(&self.parent, "write into"))
    }

    fn recover(&self) -> Result<()> {
        let replaced = self.replaced();
        if !is_missing(&self.dir) || is_missing(&replaced) {
            return Ok(());
        }
        fs::rename(&replaced, &self.dir).map_err(failed(&replaced, "put back"))
    }

    fn check_free(&self, overwrite: Overwrite) -> Result<()> {
        if is_missing(&self.dir) {
            return Ok(());
        }
        if !self.dir.is_dir() {
            return Err(Error::OutputExists { path: self.dir.clone() });
        }
        let present = file_names(&self.dir)?;
        let is_present = |name: &&str| present.contains(&format!("{}{name}", self.prefix));
        let is_model = [META, scvi_tools::FILE].iter().any(is_present);
        let is_own = |name: &String| (self.is_shared() || is_model) && self.is_own(name);
        let (own, others): (Vec<String>, Vec<String>) = present.iter().cloned().partition(is_own);
        let in_the_way = if self.is_shared() { &own } else { &present };
        if overwrite == Overwrite::Refuse && !in_the_way.is_empty() {
            let path = if self.is_shared() {
                self.dir.join(&own[own.len() - 1])
            } else {
                self.dir.clone()
            };
            return Err(Error::OutputExists { path });
        }
        match others.is_empty() || self.is_shared() {
            true => Ok(()),
            false => Err(Error::OtherFiles { path: self.dir.clone(), others }),
        }
    }

    /// Whether files of others may lie in the folder, and stay.
    fn is_shared(&self) -> bool {
        !self.prefix.is_empty()
    }

    /// Whether `name` is that of a file of the model.
    fn is_own(&self, name: &str) -> bool {
        let rest = name.strip_prefix(&self.prefix);
        rest.is_some_and(|name| {
            [META, WEIGHTS, OPTIMIZER, ADATA, DATA, scvi_tools::FILE].contains(&name)
        })
    }

    /// Gives the files that stay a name in `staging` too.
    fn carry_over(&self, staging: &Path) -> Result<()> {
        if is_missing(&self.dir) {
            return Ok(());
        }
        for name in file_names(&self.dir)?.iter().filter(|name| !self.is_own(name)) {
            let linked = fs::hard_link(self.dir.join(name), staging.join(name));
            linked.map_err(failed(&self.dir.join(name), "link to its new folder"))?;
        }
        Ok(())
    }

    fn install(&self, staging: Staging, overwrite: Overwrite) -> Result<()> {
        let has_old = !is_missing(&self.dir) && !file_names(&self.dir)?.is_empty();
        if has_old {
            self.check_free(overwrite)?; // it may have come while the new one was written
            if exchange(staging.path(), &self.dir).is_ok() {
                sync(&self.parent)?;
                let _ = remove(&self.replaced()); // of a process that died in two steps
                return Ok(()); // `staging` deletes the old model, which is there now
            }
        }
        self.install_in_two_steps(staging, has_old)
    }

    fn install_in_two_steps(&self, staging: Staging, has_old: bool) -> Result<()> {
        let replaced = self.replaced();
        if has_old {
            remove(&replaced)?;
            fs::rename(&self.dir, &replaced).map_err(failed(&self.dir, "move aside"))?;
        }
        if let Err(source) = fs::rename(staging.path(), &self.dir) {
            if has_old {
                self.recover()?;
            }
            return Err(failed(&self.dir, "move into place")(source));
        }
        staging.keep();
        sync(&self.parent)?;
        let _ = remove(&replaced); // the model is in place; the next write tries again
        Ok(())
    }
}

/// Has two folders change places in one step.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

fn is_missing(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|e| e.kind() == ErrorKind::NotFound)
}

fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(failed(dir, "delete")(e)),
        _ => Ok(()),
    }
}

/// Names of what a folder holds, sorted.
pub(super) fn file_names(dir: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(dir).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    let entries = entries.map_err(failed(dir, "list"))?;
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<String> = entries.into_iter().map(name).collect();
    names.sort();
    Ok(names)
}

fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(failed(path, "force to disk"))
}

/// Forces a folder to disk: files first, then the folder that names them.
fn sync_tree(dir: &Path) -> Result<()> {
    for name in file_names(dir)? {
        let path = dir.join(name);
        if path.is_dir() { sync_tree(&path)? } else { sync(&path)? }
    }
    sync(dir)
}

fn failed(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path, action, source }
}
