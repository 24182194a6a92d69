//! Output files that appear whole or not at all.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use scvi_framework::saved::{Staging, folder, staging::parent};
use tempfile::Builder;

use crate::failure::{Error, Result};

/// Whether something that is there may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// No: that is an error.
    Refuse,
    /// Yes.
    Replace,
}

impl From<Overwrite> for folder::Overwrite {
    fn from(overwrite: Overwrite) -> Self {
        match overwrite {
            Overwrite::Refuse => Self::Refuse,
            Overwrite::Replace => Self::Replace,
        }
    }
}

impl From<bool> for Overwrite {
    fn from(replace: bool) -> Self {
        if replace { Self::Replace } else { Self::Refuse }
    }
}

/// Checks, before any work is done, that `path` can be written later.
///
/// # Errors
/// When it is there already and may not be replaced, or its folder is missing or closed.
pub fn check(path: &Path, overwrite: Overwrite) -> Result<()> {
    if path.exists() && overwrite == Overwrite::Refuse {
        return Err(Error::Exists { path: path.into() });
    }
    if path.file_name().is_none() {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "that is no name");
        return Err(Error::Write { path: path.into(), source });
    }
    let parent = parent(path);
    if !parent.is_dir() {
        return Err(Error::NoFolder { path: path.into(), parent });
    }
    let probe = Builder::new().prefix(".scvi-").tempfile_in(&parent);
    probe.map(drop).map_err(|source| Error::Write { path: path.into(), source })
}

/// As [`check`], for a file: a folder of that name is never replaced.
///
/// # Errors
/// As [`check`].
pub fn check_file(path: &Path, overwrite: Overwrite) -> Result<()> {
    if path.is_dir() {
        let source = io::Error::from(io::ErrorKind::IsADirectory);
        return Err(Error::Write { path: path.into(), source });
    }
    check(path, overwrite)
}

/// As [`check`], for a model's folder: only a saved model or an empty folder is ever replaced.
///
/// # Errors
/// As [`check`], and when the folder holds anything else.
pub fn check_model(path: &Path, overwrite: Overwrite) -> Result<()> {
    check(path, overwrite)?;
    Ok(folder::check(path, overwrite.into())?)
}

/// The name of a file while it is written.
const PART: &str = "part";

/// A file being written beside the place where it will be.
#[derive(Debug)]
pub struct Staged {
    room: Staging,
    file: File,
    target: PathBuf,
}

impl Staged {
    /// A new file for `target`.
    ///
    /// # Errors
    /// When the folder is missing or closed.
    pub fn create(target: &Path) -> Result<Self> {
        let room = Staging::beside(target);
        let made = room.and_then(|room| Ok((File::create(room.path().join(PART))?, room)));
        let (file, room) = made.map_err(|source| Error::Write { path: target.into(), source })?;
        Ok(Self { room, file, target: target.into() })
    }

    /// The open file.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn commit(self) -> Result<()> {
        let failed = |source| Error::Write { path: self.target.clone(), source };
        self.file.sync_all().map_err(failed)?;
        self.room.install_file(Path::new(PART), &self.target).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_there_is_refused_with_its_name() -> Result<()> {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("m");
        check_model(&out, Overwrite::Refuse)?;
        fs::create_dir(&out).unwrap();
        let message = check_model(&out, Overwrite::Refuse).unwrap_err().to_string();
        assert_eq!(message, format!("{} exists already; --overwrite replaces it", out.display()));
        check_model(&out, Overwrite::Replace)?;
        fs::write(out.join("thesis.txt"), "…").unwrap();
        let message = check_model(&out, Overwrite::Replace).unwrap_err().to_string();
        assert!(message.contains("holds more than a saved model: thesis.txt"), "{message}");
        fs::rename(out.join("thesis.txt"), out.join("model.json")).unwrap();
        check_model(&out, Overwrite::Replace)
    }

    #[test]
    fn a_missing_folder_is_named() {
        let message = check(Path::new("/no/such/m"), Overwrite::Refuse).unwrap_err().to_string();
        assert_eq!(message, "cannot write /no/such/m: there is no folder /no/such");
    }

    #[test]
    fn nothing_appears_before_commit() -> Result<()> {
        use std::io::Write;
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.csv");
        let mut staged = Staged::create(&target)?;
        staged.file().write_all(b"1").unwrap();
        assert!(!target.exists());
        staged.commit()?;
        assert_eq!(fs::read(&target).unwrap(), b"1");
        drop(Staged::create(&target)?);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        Ok(())
    }
}
