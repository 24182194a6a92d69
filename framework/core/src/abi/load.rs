//! Opens a plugin: manifest first, then the library, its layout, and its door.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use abi_stable::library::{AbiHeaderRef, LibraryError};

use super::{
    Manifest,
    door::DoorRef,
    foreign::{ForeignClass, Peer},
    manifest,
    messages::Fault,
    port::Port,
};
use serde_json::Value;

use crate::{
    error::Result,
    fields::{AnnDataField, FieldState},
    model::DynModelClass,
};

/// Why a file cannot serve as a plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say it")]
pub enum LoadError {
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: not a shared library", path.display())]
    NotALibrary { path: PathBuf },
    #[error("{}: a damaged or truncated library ({reason}); copy it again", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("{}: not a scvi plugin: a library without a manifest", path.display())]
    NoManifest { path: PathBuf },
    #[error("{}: its plugin manifest cannot be read: {reason}", path.display())]
    Manifest { path: PathBuf, reason: String },
    #[error(
        "{}: plugin `{plugin}` was built for {found}, this program runs on {expected}; \
         get the plugin for {expected}",
        path.display()
    )]
    Target { path: PathBuf, plugin: String, found: String, expected: String },
    #[error(
        "{}: plugin `{plugin}` speaks plugin interface {found}, this program speaks {expected}; \
         build the plugin again with this program's version of scvi-framework",
        path.display()
    )]
    Abi { path: PathBuf, plugin: String, found: u32, expected: u32 },
    #[error(
        "{}: plugin `{plugin}` was built for libtorch {found}, this program uses libtorch \
         {expected}; build the plugin again with this program's version of scvi-framework",
        path.display()
    )]
    Libtorch { path: PathBuf, plugin: String, found: String, expected: String },
    #[error(
        "{}: plugin `{plugin}` lists the field kind `{kind}`{reason}; its author has to rename or drop \
         one",
        path.display()
    )]
    FieldKind { path: PathBuf, plugin: String, kind: String, reason: &'static str },
    #[error("{}: plugin `{plugin}` cannot be loaded: {reason}", path.display())]
    Open { path: PathBuf, plugin: String, reason: String },
    #[error(
        "{}: plugin `{plugin}` lacks the symbol `{symbol}`; build it again with `export_plugin!`",
        path.display()
    )]
    MissingDoor { path: PathBuf, plugin: String, symbol: String },
    #[error(
        "{}: plugin `{plugin}` has an interface of another layout than this program's ({reason}); \
         build it again with this program's version of scvi-framework",
        path.display()
    )]
    Layout { path: PathBuf, plugin: String, reason: String },
    #[error("{}: plugin `{plugin}` was replaced while it was being loaded; try again", path.display())]
    Replaced { path: PathBuf, plugin: String },
}

impl LoadError {
    /// The user's, as long as the file was refused unopened.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Open { .. } | Self::MissingDoor { .. } | Self::Layout { .. } => Fault::Plugin,
            _ => Fault::User,
        }
    }
}

/// A loaded plugin. It stays in the process for ever, even when this is dropped.
#[derive(Debug)]
pub struct Plugin {
    manifest: Manifest,
    peer: Arc<Peer>,
}

impl Plugin {
    /// Loads the plugin `path`: its manifest is read and checked before any of its code runs.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(path: &Path) -> Result<Self> {
        let section = manifest::section(path)?;
        let manifest = Manifest::parse(path, &section)?;
        manifest.check(path)?;
        let door = open(path, &manifest)?;
        if !section.starts_with(door.manifest().as_slice()) {
            let (path, plugin) = (path.into(), manifest.plugin);
            return Err(LoadError::Replaced { path, plugin }.into());
        }
        let port = Port::new(door.open()()).ok_or_else(|| LoadError::Layout {
            path: path.into(),
            plugin: manifest.plugin.clone(),
            reason: "it answers nothing".into(),
        })?;
        let peer = Arc::new(Peer::new(manifest.plugin.clone(), manifest.version.clone(), port));
        Ok(Self { manifest, peer })
    }

    /// What it says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its models.
    ///
    /// # Errors
    /// When the plugin fails to say.
    pub fn classes(&self) -> Result<Vec<Arc<dyn DynModelClass>>> {
        let described = self.peer.describe()?.0.into_iter();
        Ok(described
            .map(|d| Arc::new(ForeignClass::new(self.peer.clone(), d)) as Arc<dyn DynModelClass>)
            .collect())
    }

    /// All kinds of fields that it knows, the framework's and those that it keeps to itself included.
    ///
    /// # Errors
    /// When the plugin fails to say.
    pub fn known_fields(&self) -> Result<Vec<String>> {
        Ok(self.peer.describe()?.1)
    }

    /// One of its fields, from the field's JSON; `state` is what it remembers, where that is known. The
    /// plugin does its work wherever it is used, in models of this program and of other plugins.
    ///
    /// # Errors
    /// When the plugin does not know its kind or does not take its JSON, or fails.
    pub fn field(&self, json: Value, state: Option<FieldState>) -> Result<Arc<dyn AnnDataField>> {
        self.peer.field(json, state)
    }
}

fn open(path: &Path, manifest: &Manifest) -> Result<DoorRef, LoadError> {
    let (path, plugin) = (path.to_owned(), manifest.plugin.clone());
    // A bare file name would be searched for in the system's folders.
    let absolute = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
    // SAFETY: constructors of the library run here; its manifest says that it is one of ours. The
    // handle is kept for ever, so nothing from it can dangle.
    let library = match unsafe { libloading::Library::new(absolute) } {
        Ok(library) => Box::leak(Box::new(library)),
        Err(e) => {
            return Err(LoadError::Open { path, plugin, reason: reason(&e) });
        }
    };
    let symbol = format!("scvi_door_{plugin}");
    // SAFETY: the symbol is made by `export_plugin!` alone and is a `LibHeader`, which begins with
    // the `AbiHeader` that `upgrade` checks first.
    let header = match unsafe { library.get::<AbiHeaderRef>(symbol.as_bytes()) } {
        Ok(header) => *header,
        Err(_) => return Err(LoadError::MissingDoor { path, plugin, symbol }),
    };
    let door = header.upgrade().and_then(|header| header.init_root_module::<DoorRef>());
    door.map_err(|e| LoadError::Layout { path, plugin, reason: brief(&e) })
}

/// What the system says, without the path that it repeats.
fn reason(error: &libloading::Error) -> String {
    let mut text = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        text = source.to_string();
    }
    match text.split_once(": undefined symbol: ") {
        Some((_, symbol)) => format!(
            "it needs `{}`, which neither libtorch nor the system has; build it again with this \
             program's version of scvi-framework",
            symbol.split([',', ' ']).next().unwrap_or(symbol).trim_end_matches(['`', '"'])
        ),
        None => text,
    }
}

/// abi_stable explains over pages; this is the kind of it.
fn brief(error: &LibraryError) -> String {
    match error {
        LibraryError::AbiInstability(_) => "types of the door differ".into(),
        LibraryError::IncompatibleVersionNumber { expected_version, actual_version, .. } => {
            format!("door of version {actual_version}, expected {expected_version}")
        }
        LibraryError::InvalidAbiHeader(_) => "made with another abi_stable".into(),
        LibraryError::InvalidCAbi { .. } => "other calling conventions".into(),
        LibraryError::RootModule { .. } => "it failed to open its door".into(),
        other => other.to_string().lines().next().unwrap_or_default().into(),
    }
}
