//! Finds plugins without running any of their code.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use scvi_framework::abi::Manifest;

use crate::error::{HostError, Result};

/// Folders given by the user, separated as in `PATH`.
pub const PLUGIN_PATH: &str = "SCVI_PLUGIN_PATH";

/// A plugin that this program can load.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its file.
    pub path: PathBuf,
    /// What it says about itself.
    pub manifest: Manifest,
}

/// A file that cannot serve as a plugin.
#[derive(Debug)]
pub struct Refused {
    /// The file or folder.
    pub path: PathBuf,
    /// Why not.
    pub reason: HostError,
}

/// What a search found.
#[derive(Debug, Default)]
pub struct Plugins {
    /// Those that can be loaded, in order of folder and file name.
    pub accepted: Vec<Found>,
    /// Those that cannot.
    pub refused: Vec<Refused>,
}

/// A folder to search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Folder {
    /// Named by the user: must be there, and libraries in it are meant as plugins.
    Given(PathBuf),
    /// One of the usual places: may be missing.
    Usual(PathBuf),
    /// Where cargo leaves what it builds: plugins are those named as such.
    Build(PathBuf),
}

impl Folder {
    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Given(path) | Self::Usual(path) | Self::Build(path) => path,
        }
    }
}

/// How the crates of plugins are named.
const PLUGIN_NAME: &str = "scvi_plugin_";

/// Where to look, in this order: `given`, `SCVI_PLUGIN_PATH`, `lib/scvi/plugins` beside the
/// program's folder, the program's own folder (where cargo leaves plugins), and the user's data
/// folder.
pub fn search_path(given: &[PathBuf]) -> Vec<Folder> {
    let listed = env::var_os(PLUGIN_PATH).unwrap_or_default();
    let listed = env::split_paths(&listed).filter(|path| !path.as_os_str().is_empty());
    let mut folders: Vec<Folder> = given.iter().cloned().chain(listed).map(Folder::Given).collect();
    if let Some(home) = env::current_exe().ok().as_deref().and_then(Path::parent) {
        folders.extend(home.parent().map(|up| Folder::Usual(up.join("lib/scvi/plugins"))));
        folders.push(Folder::Build(home.into()));
    }
    let data = env::var_os("XDG_DATA_HOME").map(PathBuf::from).or_else(|| {
        let home = env::home_dir()?;
        Some(home.join(".local/share"))
    });
    folders.extend(data.map(|data| Folder::Usual(data.join("scvi/plugins"))));
    folders
}

/// Reads the manifests of all libraries in `folders`. One that is broken stops no other.
pub fn discover(folders: &[Folder]) -> Plugins {
    let mut plugins = Plugins::default();
    let mut seen = Vec::new();
    for folder in folders {
        let path = match folder {
            Folder::Given(path) => path,
            Folder::Usual(path) | Folder::Build(path) if path.is_dir() => path,
            Folder::Usual(_) | Folder::Build(_) => continue,
        };
        let libraries = match libraries(path) {
            Ok(libraries) => libraries,
            Err(reason) => {
                plugins.refused.push(Refused { path: path.clone(), reason });
                continue;
            }
        };
        for library in libraries {
            if matches!(folder, Folder::Build(_)) && !named_as_plugin(&library) {
                continue;
            }
            let file = fs::canonicalize(&library).unwrap_or_else(|_| library.clone());
            if seen.contains(&file) {
                continue;
            }
            seen.push(file);
            match inspect(&library) {
                Ok(found) => plugins.accepted.push(found),
                Err(reason) => plugins.refused.push(Refused { path: library, reason }),
            }
        }
    }
    plugins
}

/// Reads what the file `path` says about itself, and whether this program can load it.
///
/// # Errors
/// Why it cannot serve as a plugin.
pub fn inspect(path: &Path) -> Result<Found> {
    let manifest = Manifest::read(path)?;
    manifest.check(path)?;
    for place in [Some(path), path.parent()].into_iter().flatten() {
        if world_writable(place) {
            return Err(HostError::WorldWritable { path: place.into() });
        }
    }
    Ok(Found { path: path.into(), manifest })
}

fn named_as_plugin(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.strip_prefix(env::consts::DLL_PREFIX).is_some_and(|n| n.starts_with(PLUGIN_NAME))
}

fn libraries(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |source| HostError::PluginFolder { path: folder.into(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension() == Some(OsStr::new(env::consts::DLL_EXTENSION)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(unix)]
fn world_writable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o002 != 0)
}

#[cfg(not(unix))]
fn world_writable(_: &Path) -> bool {
    false
}
