//! Writes a `model.pt` that scvi-tools 1.4.2 opens.

mod arrays;
mod model;
mod pickle;

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use zip::{ZipWriter, write::SimpleFileOptions};

use super::FILE;
use crate::{
    error::{Error, Result},
    saved::{
        SavedModel,
        folder::{self, Overwrite},
        numbers,
    },
};

/// Tensors begin at multiples of this, as PyTorch has them.
const ALIGNMENT: u16 = 64;

/// Writes a model to the folder `dir` as scvi-tools does, `prefix` before the name of its file, whole
/// or not at all. Files of other prefixes stay.
///
/// ```no_run
/// use std::path::Path;
///
/// use scvi_framework::saved::{self, folder::Overwrite, scvi_tools};
///
/// let saved = saved::read(Path::new("model"))?;
/// scvi_tools::write(Path::new("for_python"), &saved, None, Overwrite::Refuse)?;
/// // in Python: scvi.model.SCVI.load("for_python", adata)
/// # Ok::<_, scvi_framework::Error>(())
/// ```
///
/// # Errors
/// [`Error::OutputExists`], [`Error::OtherFiles`], [`Error::SavedFile`] for a weight of a dtype that
/// PyTorch does not keep, or whatever the operating system refuses.
pub fn write(
    dir: &Path,
    saved: &SavedModel,
    prefix: Option<&str>,
    overwrite: Overwrite,
) -> Result<()> {
    write_with(dir, saved, prefix, overwrite, |_| Ok(()))
}

/// Writes a model as [`write()`] does, together with what `extra` writes into the folder that it is
/// given.
///
/// # Errors
/// Those of [`write()`], and those of `extra`.
pub fn write_with<E: From<Error>>(
    dir: &Path,
    saved: &SavedModel,
    prefix: Option<&str>,
    overwrite: Overwrite,
    extra: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let prefix = prefix.unwrap_or_default();
    let name = format!("{prefix}{FILE}");
    let path = dir.join(&name);
    let wrong = |found| Error::SavedFile { path: path.clone(), expected: WRITABLE, found };
    let pickle = model::file(saved).map_err(wrong)?.pickle();
    folder::replace(dir, prefix, overwrite, |staging| {
        let file = File::create(staging.join(&name));
        let written = pickle.and_then(|pickle| write_archive(file?, &pickle, saved));
        written.map_err(|source| Error::Io { path, action: "write", source })?;
        extra(staging)
    })
}

const WRITABLE: &str = "weights of types that PyTorch keeps in files";

fn write_archive(file: File, pickle: &[u8], saved: &SavedModel) -> io::Result<()> {
    let mut archive = ZipWriter::new(io::BufWriter::new(file));
    let mut put = |name: &str, bytes: &[u8]| {
        let options = SimpleFileOptions::default()
            .with_alignment(ALIGNMENT)
            .large_file(bytes.len() >= u32::MAX as usize);
        archive.start_file(format!("model/{name}"), options)?;
        archive.write_all(bytes)
    };
    put("data.pkl", pickle)?;
    put("byteorder", b"little")?;
    for (i, dense) in saved.weights.values().enumerate() {
        put(&format!("data/{i}"), &numbers::encode(&dense.values))?;
    }
    put("version", b"3\n")?;
    archive.finish()?.into_inner()?;
    Ok(())
}
