//! Where a model's folder stands, and how another takes its place.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use same_file::Handle;

use super::{
    Staging,
    folder::{ADATA, DATA, META, OPTIMIZER, Overwrite, WEIGHTS},
    scvi_tools, staging,
};
use crate::error::{Error, Result};

/// Where a folder stands, and its hidden siblings.
pub(super) struct Place {
    /// The folder itself.
    pub(super) dir: PathBuf,
    parent: PathBuf,
    name: String,
    /// What names of the model's files begin with.
    prefix: String,
}

impl Place {
    pub(super) fn of(dir: &Path, prefix: &str) -> Result<Self> {
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

    pub(super) fn staging(&self) -> Result<Staging> {
        fs::create_dir_all(&self.parent).map_err(failed(&self.parent, "create"))?;
        Staging::beside(&self.dir).map_err(failed(&self.parent, "write into"))
    }

    /// Puts back what a writer moved aside before it died. One that lives is waited for: it is about to
    /// put the new folder there.
    pub(super) fn recover(&self) -> Result<()> {
        while is_missing(&self.dir) && !is_missing(&self.replaced()) {
            if !staging::has_writer(&self.dir) {
                return self.put_back();
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn put_back(&self) -> Result<()> {
        let replaced = self.replaced();
        match fs::rename(&replaced, &self.dir) {
            Err(source) if is_missing(&self.dir) => Err(failed(&replaced, "put back")(source)),
            _ => Ok(()), // another process may have been faster
        }
    }

    pub(super) fn check_free(&self, overwrite: Overwrite) -> Result<()> {
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
    pub(super) fn carry_over(&self, staging: &Path) -> Result<()> {
        if is_missing(&self.dir) {
            return Ok(());
        }
        for name in file_names(&self.dir)?.iter().filter(|name| !self.is_own(name)) {
            let linked = fs::hard_link(self.dir.join(name), staging.join(name));
            linked.map_err(failed(&self.dir.join(name), "link to its new folder"))?;
        }
        Ok(())
    }

    pub(super) fn install(&self, staging: Staging, overwrite: Overwrite) -> Result<()> {
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

    pub(super) fn install_in_two_steps(&self, staging: Staging, has_old: bool) -> Result<()> {
        let replaced = self.replaced();
        if has_old {
            remove(&replaced)?;
            fs::rename(&self.dir, &replaced).map_err(failed(&self.dir, "move aside"))?;
        }
        if let Err(source) = fs::rename(staging.path(), &self.dir) {
            if has_old {
                self.put_back()?;
            }
            return Err(failed(&self.dir, "move into place")(source));
        }
        staging.keep();
        sync(&self.parent)?;
        let _ = remove(&replaced); // the model is in place; the next write tries again
        Ok(())
    }
}

/// What is read while no other folder takes the place of `dir`.
pub(super) fn of_one_folder<T>(dir: &Path, read: impl Fn() -> Result<T>) -> Result<T> {
    loop {
        // As long as it is open, no other folder is taken for it.
        let before = Handle::from_path(dir).ok();
        Place::of(dir, "")?.recover()?;
        let found = read();
        if before == Handle::from_path(dir).ok() {
            return found;
        }
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

/// Whether nothing is there, not even a link.
pub(super) fn is_missing(path: &Path) -> bool {
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
pub(super) fn sync_tree(dir: &Path) -> Result<()> {
    for name in file_names(dir)? {
        let path = dir.join(name);
        if path.is_dir() { sync_tree(&path)? } else { sync(&path)? }
    }
    sync(dir)
}

/// What was done where, for an error of the operating system.
pub(super) fn failed(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path, action, source }
}
