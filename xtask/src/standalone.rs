//! Packages outside the workspace: examples that play a third party, and what is fuzzed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::workspace::Workspace;

/// A package that is no member of the workspace.
pub struct Standalone<'a> {
    workspace: &'a Workspace,
    manifest: PathBuf,
}

/// All examples, each with the workspace's `Cargo.lock`: equal versions of equal dependencies need not
/// be built twice.
///
/// # Errors
/// When the folder cannot be read or the lock file not be written.
pub fn examples(workspace: &Workspace) -> Result<Vec<Standalone<'_>>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(workspace.root.join("examples"))? {
        let folder = entry?.path();
        let is_member = workspace.packages.iter().any(|p| workspace.root.join(&p.folder) == folder);
        let manifest = folder.join("Cargo.toml");
        if is_member || !manifest.exists() {
            continue;
        }
        found.push(Standalone::new(workspace, &folder)?);
    }
    found.sort_by(|a, b| a.manifest.cmp(&b.manifest));
    Ok(found)
}

/// The package of what is fuzzed, with the same lock file. Without instruments it is to be checked
/// only, because its builds lie where instrumented ones do.
///
/// # Errors
/// When the lock file cannot be written.
pub fn fuzz(workspace: &Workspace) -> Result<Standalone<'_>> {
    Standalone::new(workspace, &workspace.root.join("tests/fuzz"))
}

impl<'a> Standalone<'a> {
    fn new(workspace: &'a Workspace, folder: &Path) -> Result<Self> {
        let lock = folder.join("Cargo.lock");
        fs::copy(workspace.root.join("Cargo.lock"), &lock)
            .with_context(|| format!("{}: could not be written", lock.display()))?;
        Ok(Self { workspace, manifest: folder.join("Cargo.toml") })
    }

    /// A command of cargo on the package, which builds where the workspace builds.
    pub fn cargo(&self, verb: &str) -> Command {
        let mut cargo = self.workspace.cargo();
        cargo.arg(verb).arg("--manifest-path").arg(&self.manifest);
        cargo.env("CARGO_TARGET_DIR", &self.workspace.target);
        cargo
    }
}
