//! Room beside an output, where it is written before it takes its place.

use std::{
    fs::{self, File},
    io,
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
        let unnamed = || io::Error::new(io::ErrorKind::InvalidInput, "the path names no file");
        let name = target.file_name().ok_or_else(unnamed)?.to_string_lossy();
        let parent = parent(target);
        let prefix = format!(".{name}.writing-");
        remove_abandoned(&parent, &prefix);
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777)); // less the umask
        let folder = builder.tempdir_in(&parent)?;
        let lock = lock(folder.path());
        Ok(Self { folder, _lock: lock })
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

/// A lock that nobody else has: it ends with the process, however that ends. None where the file
/// system has no locks.
fn lock(folder: &Path) -> Option<File> {
    let file = File::open(folder).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

/// Deletes what writers left that are no more. Only room is gained by it: what fails is left.
fn remove_abandoned(parent: &Path, prefix: &str) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix)
            && let Some(_lock) = lock(&entry.path())
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
