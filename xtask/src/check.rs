//! `cargo xtask check`: what must hold before a change is taken, tests aside.

use anyhow::Result;

use crate::{licences, process, setup, standalone, workspace::Workspace};

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
    let fuzz = standalone::fuzz(workspace)?;
    for outside in standalone::examples(workspace)?.iter().chain([&fuzz]) {
        let mut clippy = outside.cargo("clippy");
        process::run(clippy.arg("--all-targets").args(DENY_WARNINGS))?;
        let mut format = outside.cargo("fmt");
        process::run(format.arg("--check"))?;
    }
    process::run(cargo().env("RUSTDOCFLAGS", "-D warnings").args([
        "doc",
        "--workspace",
        "--no-deps",
    ]))?;
    process::run(cargo().args(["test", "--package", "scvi-tests", "--test", "it", "tidy::"]))
}
