//! Room beside an output, where it is written before it takes its place.

use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// A hidden folder beside an output, `.NAME.writing-` and a few letters, which vanishes with this value.
///
/// It is locked for as long as its writer lives. What a process leaves that is killed is not: the next
/// writer of the same output deletes it.
#[derive(Debug)]
pub struct Staging {
    folder: TempDir,
    _lock: Option<File>,
}

impl Staging {
    /// A new one for `target`.
    ///
    /// # Errors
    /// When the target has no name, or its folder is missing or closed.
    pub fn beside(target: &Path) -> io::Result<Self> {
        if target.file_name().is_none() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "the path names no file"));
        }
        remove_abandoned(target);
        let prefix = prefix(target);
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777)); // less the umask
        loop {
            let folder = builder.tempdir_in(parent(target))?;
            let lock = File::open(folder.path()).ok().filter(|file| file.lock().is_ok());
            if folder.path().exists() {
                return Ok(Self { folder, _lock: lock });
            } // another writer took it for abandoned before it was locked
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts the file `name`, written here, in its place; what is there already is replaced.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn install_file(self, name: &Path, target: &Path) -> io::Result<()> {
        fs::rename(self.path().join(name), target)
    }

    /// The folder itself has another place and name now: nothing is deleted.
    pub(super) fn keep(self) {
        let _ = self.folder.keep();
    }
}

/// The folder in which `path` is.
pub fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.into(),
        _ => ".".into(),
    }
}

/// Whether somebody writes `target` at this time.
pub(super) fn has_writer(target: &Path) -> bool {
    of_writers(target).any(|folder| {
        let locked = File::open(folder).map(|file| file.try_lock_shared());
        matches!(locked, Ok(Err(TryLockError::WouldBlock)))
    })
}

/// Deletes what writers of `target` left that are no more. Only room is gained by it: what fails is
/// left.
fn remove_abandoned(target: &Path) {
    for folder in of_writers(target) {
        if let Ok(file) = File::open(&folder)
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// The folders in which `target` is or was written.
fn of_writers(target: &Path) -> impl Iterator<Item = PathBuf> {
    let start = prefix(target);
    let entries = fs::read_dir(parent(target)).into_iter().flatten().flatten();
    entries
        .filter(move |entry| entry.file_name().to_string_lossy().starts_with(&start))
        .map(|entry| entry.path())
}

/// What the names of these folders begin with.
fn prefix(target: &Path) -> String {
    format!(".{}.writing-", target.file_name().unwrap_or_default().to_string_lossy())
}
