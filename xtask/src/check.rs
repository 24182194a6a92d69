//! `cargo xtask check`: what must hold before a change is taken, tests aside.

use std::{fs, path::PathBuf};

use anyhow::Result;

use crate::{licences, process, setup, workspace::Workspace};

const DENY_WARNINGS: [&str; 3] = ["--", "-D", "warnings"];

/// Runs every check, cheapest first.
///
/// # Errors
/// At the first one that fails.
pub fn run(workspace: &Workspace) -> Result<()> {
    let cargo = || workspace.cargo();
    process::run(cargo().args(["fmt", "--all", "--check"]))?;
    licences::check(workspace)?;
    setup::ensure(workspace)?;
    process::run(cargo().args(["clippy", "--workspace", "--all-targets"]).args(DENY_WARNINGS))?;
    // Alone, so that no plugin lends the framework a feature of a dependency.
    for package in workspace.packages_in("framework") {
        process::run(cargo().args(["clippy", "--package", &package.name]).args(DENY_WARNINGS))?;
    }
    for manifest in standalone_examples(workspace)? {
        let manifest = manifest.display().to_string();
        let target = workspace.target.join("examples");
        process::run(
            cargo()
                .env("CARGO_TARGET_DIR", target)
                .args(["clippy", "--all-targets", "--manifest-path", &manifest])
                .args(DENY_WARNINGS),
        )?;
    }
    process::run(cargo().env("RUSTDOCFLAGS", "-D warnings").args([
        "doc",
        "--workspace",
        "--no-deps",
    ]))?;
    process::run(cargo().args(["test", "--package", "scvi-tests", "--test", "it", "tidy::"]))
}

/// Manifests of the examples that play a third party: packages outside the workspace.
fn standalone_examples(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let mut manifests = Vec::new();
    for entry in fs::read_dir(workspace.root.join("examples"))? {
        let folder = entry?.path();
        let is_member = workspace.packages.iter().any(|p| workspace.root.join(&p.folder) == folder);
        let manifest = folder.join("Cargo.toml");
        if manifest.exists() && !is_member {
            manifests.push(manifest);
        }
    }
    manifests.sort();
    Ok(manifests)
}
