//! What a plugin says about itself, readable without loading it.
//!
//! The section `.scvi_manifest` of the library holds `SCVIPLUG`, the length as little-endian u32,
//! and that many bytes of JSON.

use std::{fs::File, path::Path};

use object::{FileKind, Object, ObjectSection};
use serde::{Deserialize, Serialize};

use super::{ABI_VERSION, LIBTORCH_VERSION, LoadError, TCH_VERSION};
use crate::fields::BUILT_IN;

pub(super) const MAGIC: &[u8; 8] = b"SCVIPLUG";
const SECTIONS: [&str; 3] = [".scvi_manifest", "__scvi_manifest", ".scvi"];

/// What a plugin says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Name of its crate.
    pub plugin: String,
    /// Version of its crate.
    pub version: String,
    /// Version of the boundary that it speaks.
    pub abi: u32,
    /// Version of the framework that it was built with.
    pub framework: String,
    /// Version of the `tch` crate that it was built with.
    pub tch: String,
    /// Version of libtorch that it was built for.
    pub libtorch: String,
    /// What it was built for, e.g. `x86_64-linux-gnu`.
    pub target: String,
    /// Its models.
    pub models: Vec<ManifestModel>,
    /// The kinds of fields that models of other plugins may use.
    #[serde(default)]
    pub fields: Vec<ManifestField>,
}

/// A kind of field of a plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestField {
    /// `BinnedObsField`
    pub kind: String,
    /// What it reads, and what its JSON takes.
    pub about: String,
}

/// A model of a plugin; its arguments and queries are known once it is loaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestModel {
    /// `SCVI`
    pub name: String,
    /// One sentence and the paper.
    pub about: String,
}

impl Manifest {
    /// Reads the manifest of the library `path`; no code of it runs.
    ///
    /// # Errors
    /// When the file cannot be read, is no library, is damaged, or has no manifest.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        Self::parse(path, &section(path)?)
    }

    pub(super) fn parse(path: &Path, section: &[u8]) -> Result<Self, LoadError> {
        let wrong = |reason: String| LoadError::Manifest { path: path.into(), reason };
        let json = section.strip_prefix(MAGIC).and_then(|rest| {
            let (len, rest) = rest.split_first_chunk::<4>()?;
            rest.get(..u32::from_le_bytes(*len) as usize)
        });
        let json = json.ok_or_else(|| wrong("it is cut short".into()))?;
        serde_json::from_slice(json).map_err(|e| {
            // A manifest of another interface may have other fields, but always these.
            let core = serde_json::from_slice::<Core>(json).ok();
            let refused = core.and_then(|core| core.check(path).err());
            refused.unwrap_or_else(|| wrong(e.to_string()))
        })
    }

    /// Whether this program can load the plugin.
    ///
    /// # Errors
    /// What it was built for, and what this program is.
    pub fn check(&self, path: &Path) -> Result<(), LoadError> {
        let (plugin, target) = (self.plugin.clone(), self.target.clone());
        Core { plugin, abi: self.abi, target }.check(path)?;
        if self.tch != TCH_VERSION || self.libtorch != LIBTORCH_VERSION {
            return Err(LoadError::Libtorch {
                path: path.into(),
                plugin: self.plugin.clone(),
                found: format!("{} (tch {})", self.libtorch, self.tch),
                expected: format!("{LIBTORCH_VERSION} (tch {TCH_VERSION})"),
            });
        }
        for (i, field) in self.fields.iter().enumerate() {
            let kind = &field.kind;
            let reason = if BUILT_IN.iter().any(|(built_in, _)| built_in == kind) {
                ", which is scvi-framework's own"
            } else if self.fields[..i].iter().any(|other| other.kind == *kind) {
                " twice"
            } else {
                continue;
            };
            let (path, plugin, kind) = (path.into(), self.plugin.clone(), kind.clone());
            return Err(LoadError::FieldKind { path, plugin, kind, reason });
        }
        Ok(())
    }
}

/// The fields that the manifest of every interface has.
#[derive(Deserialize)]
struct Core {
    plugin: String,
    abi: u32,
    target: String,
}

impl Core {
    fn check(self, path: &Path) -> Result<(), LoadError> {
        let (path, plugin) = (path.to_owned(), self.plugin);
        if self.target != target() {
            let (found, expected) = (self.target, target());
            return Err(LoadError::Target { path, plugin, found, expected });
        }
        if self.abi != ABI_VERSION {
            let (found, expected) = (self.abi, ABI_VERSION);
            return Err(LoadError::Abi { path, plugin, found, expected });
        }
        Ok(())
    }
}

/// What this program was built for.
pub fn target() -> String {
    let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
    format!("{arch}-{os}{}", super::export::ENVIRONMENT)
}

/// The bytes of the manifest's section.
pub(super) fn section(path: &Path) -> Result<Vec<u8>, LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: path.into(), source };
    let file = File::open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(LoadError::NotALibrary { path: path.into() });
    }
    // SAFETY: the map is read here and dropped; a file that shrinks meanwhile is the one hazard of
    // every mapped read, and libraries are mapped by the system in the same way.
    let bytes = unsafe { memmap2::Mmap::map(&file) }
        .map_err(|_| LoadError::NotALibrary { path: path.into() })?;
    let kind = FileKind::parse(&bytes[..]);
    if !matches!(
        kind,
        Ok(FileKind::Elf64
            | FileKind::Elf32
            | FileKind::MachO64
            | FileKind::MachO32
            | FileKind::Pe64)
    ) {
        return Err(LoadError::NotALibrary { path: path.into() });
    }
    let damaged =
        |e: object::Error| LoadError::Damaged { path: path.into(), reason: e.to_string() };
    let library = object::File::parse(&bytes[..]).map_err(damaged)?;
    for name in SECTIONS {
        let Some(section) = library.section_by_name(name) else { continue };
        return Ok(section.data().map_err(damaged)?.to_vec());
    }
    Err(LoadError::NoManifest { path: path.into() })
}
