//! Where things are, and what cargo knows about the packages.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;

/// This checkout.
pub struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub root: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
    /// The packages of the workspace.
    pub packages: Vec<Package>,
}

/// A package of the workspace.
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its folder, relative to the root.
    pub folder: PathBuf,
    /// File name of its shared library, if it makes one to be loaded by others.
    pub shared_library: Option<String>,
}

impl Workspace {
    /// The checkout that this program was built from.
    ///
    /// # Errors
    /// When cargo cannot read the manifests.
    pub fn here() -> Result<Self> {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = own.parent().context("xtask lies in the root folder")?.to_owned();
        let json =
            process::output(cargo(&root).args(["metadata", "--format-version", "1", "--no-deps"]))?;
        let metadata: Value = serde_json::from_str(&json)?;
        let target = PathBuf::from(text(&metadata["target_directory"])?);
        let listed = metadata["packages"].as_array().context("cargo metadata lists packages")?;
        let packages =
            listed.iter().map(|p| Package::from_json(p, &root)).collect::<Result<_>>()?;
        Ok(Self { root, target, packages })
    }

    /// Cargo, run in the root folder with the set-up's libtorch at hand.
    pub fn cargo(&self) -> Command {
        let mut command = cargo(&self.root);
        let library_path = self.deps().join("libtorch/lib");
        let inherited = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        let folders = std::iter::once(library_path).chain(std::env::split_paths(&inherited));
        if let Ok(joined) = std::env::join_paths(folders.filter(|f| f != OsStr::new(""))) {
            command.env("LD_LIBRARY_PATH", joined);
        }
        command
    }

    /// The folder in which the set-up puts links to what it fetched.
    pub fn deps(&self) -> PathBuf {
        self.root.join(".deps")
    }

    /// The packages in `folder` (`plugins`, `framework`, …).
    pub fn packages_in<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a Package> {
        self.packages.iter().filter(move |p| p.folder.starts_with(folder))
    }
}

impl Package {
    fn from_json(package: &Value, root: &Path) -> Result<Self> {
        let manifest = Path::new(text(&package["manifest_path"])?);
        let folder = manifest.parent().unwrap_or(manifest);
        let targets = package["targets"].as_array().into_iter().flatten();
        let is_shared = |target: &&Value| {
            target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|k| k == "cdylib"))
        };
        let shared_library = targets.into_iter().find(is_shared).map(|target| {
            let name = target["name"].as_str().unwrap_or_default().replace('-', "_");
            format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
        });
        Ok(Self {
            name: text(&package["name"])?.to_owned(),
            folder: folder.strip_prefix(root).unwrap_or(folder).to_owned(),
            shared_library,
        })
    }
}

fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().context("cargo metadata lacks a text that it used to have")
}
