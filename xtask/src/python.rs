//! Python: fetches wheels in the set-up, and runs reference programs in tests and benches.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{cache, process, workspace::Workspace};

/// A Python 3 with pip, from the path.
pub struct Python(&'static str);

impl Python {
    /// Finds it.
    ///
    /// # Errors
    /// Says what is missing and how to get it.
    pub fn find() -> Result<Self> {
        let is_python3 = |name: &&str| {
            let program = "import sys; sys.exit(sys.version_info < (3, 8))";
            process::works(Command::new(name).args(["-c", program]))
        };
        let Some(name) = ["python3", "python"].into_iter().find(is_python3) else {
            bail!(
                "Python 3 is missing (`python3`); it fetches libtorch and cmake, once.\n\
                 Debian and Ubuntu: sudo apt-get install python3 python3-pip python3-venv\n\
                 Fedora:            sudo dnf install python3 python3-pip"
            );
        };
        ensure!(
            process::works(Command::new(name).args(["-m", "pip", "--version"])),
            "`{name}` has no pip; it fetches libtorch and cmake, once.\n\
             Debian and Ubuntu: sudo apt-get install python3-pip\n\
             elsewhere:         {name} -m ensurepip --user"
        );
        Ok(Self(name))
    }

    /// Downloads the wheel of one pinned line of a requirements file; its hash is checked, and a
    /// wheel that is already there is not fetched again.
    ///
    /// # Errors
    /// When pip fails.
    pub fn download(&self, requirement: &str, into: &Path) -> Result<()> {
        let file = into.join("requirement.txt");
        cache::write(&file, requirement)?;
        // The newest platform first; older pips do not work out the others themselves.
        let platforms =
            ["2_28", "2_25", "2_17"].map(|v| format!("--platform=manylinux_{v}_x86_64"));
        process::follow(
            pip(self.0)
                .args(["download", "--no-deps", "--require-hashes", "--only-binary=:all:"])
                .args(["--python-version=3.11", "--implementation=cp", "--abi=cp311"])
                .args(platforms)
                .arg("--platform=manylinux2014_x86_64")
                .args(["--no-cache-dir", "--retries=5"])
                .arg("--dest")
                .arg(into)
                .arg("--requirement")
                .arg(&file),
        )
    }

    /// Unpacks members of all wheels in a folder by `prefix=target` rules.
    ///
    /// # Errors
    /// When a wheel is damaged, the disk is full, or a rule matches nothing.
    pub fn unpack(&self, wheels: &Path, into: &Path, rules: &[&str]) -> Result<()> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/unpack.py");
        process::output(Command::new(self.0).arg(script).arg(wheels).arg(into).args(rules))?;
        Ok(())
    }
}

/// The interpreter of an environment with exactly the packages that tests and benches compare with,
/// made in the user's cache at first use.
///
/// # Errors
/// When this Python is too old, cannot make environments, or pip fails.
pub fn environment(workspace: &Workspace) -> Result<PathBuf> {
    let requirements = &requirements(&workspace.root.join("tests/requirements.txt"))?;
    let folder = cache::folder()?.join(format!("python-{:016x}", fingerprint(requirements)));
    let python = folder.join("bin/python");
    let complete = |folder: &Path| {
        folder.join("complete").exists()
            && process::works(Command::new(folder.join("bin/python")).arg("--version"))
    };
    if complete(&folder) {
        return Ok(python);
    }
    let base = Python::find()?;
    let enough = "import sys; sys.exit(sys.version_info < (3, 11))";
    ensure!(
        process::works(Command::new(base.0).args(["-c", enough])),
        "`{}` is older than 3.11, which the reference packages need",
        base.0
    );
    eprintln!("making the Python environment {} (5 GB, once)", folder.display());
    let draft = cache::draft(&folder)?;
    let made = process::output(Command::new(base.0).args(["-m", "venv"]).arg(&draft));
    made.context("Debian and Ubuntu: sudo apt-get install python3-venv")?;
    let list = draft.join("requirements.txt");
    cache::write(&list, requirements)?;
    let own = draft.join("bin/python");
    // The list is whole; resolving would add what only a GPU needs.
    let mut install = pip(&own);
    install.args(["install", "--quiet", "--no-cache-dir", "--no-deps", "--requirement"]);
    process::follow(install.arg(&list))
        .context("is there a network? The same command again starts where this one stopped")?;
    cache::write(&draft.join("complete"), "")?;
    cache::publish(&draft, &folder, complete)?;
    Ok(python)
}

fn pip(python: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "--disable-pip-version-check"]);
    // Newer pips resume a broken download; older ones ignore the variable.
    command.env("PIP_RESUME_RETRIES", "5");
    command
}

/// FNV-1a: the same in every build of this program, as names of folders must be.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn requirements(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("{}: could not be read", path.display()))
}
