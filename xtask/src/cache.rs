//! The user's cache: what was fetched once, for all checkouts, out of `cargo clean`'s reach.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

/// `$SCVI_CACHE`, or `scvi-rs` in the user's cache folder.
///
/// # Errors
/// When neither is known.
pub fn folder() -> Result<PathBuf> {
    let given = |name: &str| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let folder = given("SCVI_CACHE")
        .or_else(|| given("XDG_CACHE_HOME").map(|p| p.join("scvi-rs")))
        .or_else(|| given("HOME").map(|p| p.join(".cache/scvi-rs")));
    match folder {
        Some(folder) => Ok(std::path::absolute(folder)?),
        None => bail!("neither HOME nor SCVI_CACHE is set: where may libtorch be kept (500 MB)?"),
    }
}

/// A new, empty folder beside `folder`, to be filled and then [`publish`]ed.
///
/// # Errors
/// When it cannot be made.
pub fn draft(folder: &Path) -> Result<PathBuf> {
    let mut name = folder.file_name().context("a cache folder has a name")?.to_owned();
    name.push(format!(".draft-{}", std::process::id()));
    let draft = folder.with_file_name(name);
    remove(&draft)?;
    create(&draft)?;
    Ok(draft)
}

/// Gives a filled draft its name. Where somebody else was faster, theirs stays.
///
/// # Errors
/// When it cannot be renamed.
pub fn publish(draft: &Path, folder: &Path, complete: impl Fn(&Path) -> bool) -> Result<()> {
    if complete(folder) {
        return remove(draft);
    }
    remove(folder)?;
    fs::rename(draft, folder).with_context(|| format!("{}: could not be made", folder.display()))
}

/// Makes a folder and those above it.
///
/// # Errors
/// When the system refuses.
pub fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)
        .with_context(|| format!("{}: folder could not be made", folder.display()))
}

/// Removes a folder with all that is in it, if it is there.
///
/// # Errors
/// When the system refuses.
pub fn remove(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder)
        .with_context(|| format!("{}: could not be removed", folder.display()))
}

/// Writes a small file.
///
/// # Errors
/// When the system refuses.
pub fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("{}: could not be written", path.display()))
}
