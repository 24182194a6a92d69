//! Dependencies come under licences that let anybody use the binaries.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{files, process, workspace::Workspace};

/// Licences that ask for no more than a notice; MPL-2.0 also for changes to its own files.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Packages whose manifests name a licence file instead, with what that file says.
const READ_BY_HAND: &[(&str, &str)] = &[("hdf5-metno-src", "BSD-3-Clause")];

/// Checks the licence of every package that the workspace depends on, on this platform.
///
/// # Errors
/// Names each package whose licence is not allowed; also when Cargo.lock is not up to date.
pub fn check(workspace: &Workspace) -> Result<()> {
    let packages = packages(workspace)?;
    let refused: Vec<String> = packages.iter().filter_map(refusal).collect();
    ensure!(
        refused.is_empty(),
        "dependencies under licences that are not on the list of xtask/src/licences.rs:\n{}",
        refused.join("\n")
    );
    eprintln!("licences of {} packages: allowed", packages.len());
    Ok(())
}

/// The licence files of all dependencies and of what they bundle, each with its place below
/// `<name>-<version>/`: whoever hands on the binaries must hand on these.
///
/// # Errors
/// When cargo does not know the dependencies, or a folder of theirs cannot be read.
pub fn texts(workspace: &Workspace) -> Result<Vec<(PathBuf, PathBuf)>> {
    let mut texts = Vec::new();
    for package in packages(workspace)?.iter().filter(|package| !package["source"].is_null()) {
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        let folder =
            Path::new(text("manifest_path")).parent().context("a manifest has a folder")?;
        let name = PathBuf::from(format!("{}-{}", text("name"), text("version")));
        for file in files::below(folder)?.into_iter().filter(|file| is_text(file)) {
            texts.push((name.join(file.strip_prefix(folder)?), file.clone()));
        }
    }
    Ok(texts)
}

/// A line for each dependency: some bring no licence file, but all say which licence it is.
///
/// # Errors
/// When cargo does not know the dependencies.
pub fn table(workspace: &Workspace) -> Result<String> {
    let packages = packages(workspace)?;
    let dependencies = packages.iter().filter(|package| !package["source"].is_null());
    let lines = dependencies.map(|package| {
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        let (name, version, repository) = (text("name"), text("version"), text("repository"));
        let licence = licence(package).unwrap_or_default();
        format!("{name} {version}: {licence}, {repository}\n")
    });
    Ok(lines.collect())
}

fn is_text(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
    let is_source =
        [".RS", ".C", ".H", ".PY", ".CMAKE"].iter().any(|ending| name.ends_with(ending));
    ["LICENSE", "LICENCE", "COPYING", "NOTICE"].iter().any(|word| name.starts_with(word))
        && !is_source
}

/// The workspace's packages and all that they depend on, as cargo describes them.
fn packages(workspace: &Workspace) -> Result<Vec<Value>> {
    let json = process::output(workspace.cargo().args([
        "metadata",
        "--format-version=1",
        "--locked",
        "--filter-platform=x86_64-unknown-linux-gnu",
    ]))?;
    let mut metadata: Value = serde_json::from_str(&json)?;
    let Value::Array(packages) = metadata["packages"].take() else {
        bail!("cargo metadata lists no packages");
    };
    Ok(packages)
}

fn refusal(package: &Value) -> Option<String> {
    let name = package["name"].as_str().unwrap_or_default();
    let licence = licence(package).unwrap_or("(none given)");
    (!is_allowed(licence)).then(|| format!("  {name}: {licence}"))
}

fn licence(package: &Value) -> Option<&str> {
    let by_hand = READ_BY_HAND.iter().find(|(name, _)| package["name"] == **name);
    package["license"].as_str().or(by_hand.map(|(_, licence)| *licence))
}

/// Whether an SPDX expression can be satisfied by allowed licences; `/` is an old way to write OR.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any_of(&mut rest) == Some(true) && rest.is_empty()
}

/// `a OR b OR …`; OR binds loosest. `None` when it is no expression.
fn any_of(words: &mut &[&str]) -> Option<bool> {
    let mut allowed = all_of(words)?;
    while take(words, "OR") {
        allowed |= all_of(words)?;
    }
    Some(allowed)
}

/// `a AND b AND …`
fn all_of(words: &mut &[&str]) -> Option<bool> {
    let mut allowed = one(words)?;
    while take(words, "AND") {
        allowed &= one(words)?;
    }
    Some(allowed)
}

/// A licence, one with an exception, or an expression in brackets.
fn one(words: &mut &[&str]) -> Option<bool> {
    if take(words, "(") {
        let allowed = any_of(words)?;
        return take(words, ")").then_some(allowed);
    }
    let (licence, rest) = words.split_first()?;
    *words = rest;
    if !take(words, "WITH") {
        return Some(ALLOWED.contains(licence));
    }
    let (exception, rest) = words.split_first()?;
    *words = rest;
    // An exception only adds permissions.
    let whole = format!("{licence} WITH {exception}");
    Some(ALLOWED.contains(&whole.as_str()) || ALLOWED.contains(licence))
}

fn take(words: &mut &[&str], word: &str) -> bool {
    let Some((first, rest)) = words.split_first() else { return false };
    if *first == word {
        *words = rest;
    }
    *first == word
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{is_allowed, is_text};

    #[test]
    fn expressions_are_read_with_their_precedence() {
        for allowed in [
            "MIT",
            "MIT/Apache-2.0",
            "MIT OR GPL-3.0",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "GPL-2.0 AND GPL-3.0 OR ISC",
            "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
        ] {
            assert!(is_allowed(allowed), "{allowed}");
        }
        for refused in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC", "MIT ISC", "(none given)"]
        {
            assert!(!is_allowed(refused), "{refused}");
        }
    }

    #[test]
    fn licence_texts_are_known_by_their_names() {
        for name in ["LICENSE", "a/LICENSE-MIT", "COPYING.txt", "NOTICE", "Licence.md"] {
            assert!(is_text(Path::new(name)), "{name}");
        }
        for name in ["README.md", "licences.rs", "license.py", "src/COPY"] {
            assert!(!is_text(Path::new(name)), "{name}");
        }
    }
}
