//! Examples that play a third party: packages outside the workspace.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::workspace::Workspace;

/// A package in `examples` that is no member of the workspace.
pub struct Standalone<'a> {
    workspace: &'a Workspace,
    manifest: PathBuf,
}

/// All of them, each with the workspace's `Cargo.lock`: equal versions of equal dependencies need not
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
        let lock = folder.join("Cargo.lock");
        fs::copy(workspace.root.join("Cargo.lock"), &lock)
            .with_context(|| format!("{}: could not be written", lock.display()))?;
        found.push(Standalone { workspace, manifest });
    }
    found.sort_by(|a, b| a.manifest.cmp(&b.manifest));
    Ok(found)
}

impl Standalone<'_> {
    /// A command of cargo on the package, which builds where the workspace builds.
    pub fn cargo(&self, verb: &str) -> Command {
        let mut cargo = self.workspace.cargo();
        cargo.arg(verb).arg("--manifest-path").arg(&self.manifest);
        cargo.env("CARGO_TARGET_DIR", &self.workspace.target);
        cargo
    }
}
