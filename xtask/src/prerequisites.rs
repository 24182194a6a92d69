//! What a machine must have before anything can be built.

use std::{env, ffi::OsString, process::Command};

use anyhow::{Result, bail, ensure};

use crate::process;

/// Checks the platform and the compilers; names everything that is missing at once.
///
/// # Errors
/// Says what is missing and how to get it.
pub fn check() -> Result<()> {
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "this platform is {} on {}; the set-up knows Linux on x86_64 only",
        env::consts::OS,
        env::consts::ARCH,
    );
    let tools =
        [("a C compiler", "CC", "cc"), ("a C++ compiler", "CXX", "c++"), ("make", "MAKE", "make")];
    let missing: Vec<String> = tools
        .into_iter()
        .filter_map(|(what, variable, default)| {
            let program = env::var_os(variable).unwrap_or_else(|| OsString::from(default));
            // CC may carry arguments or a wrapper; its first word decides.
            let first = program.to_string_lossy().split(' ').next().unwrap_or(default).to_owned();
            let works = process::works(Command::new(&first).arg("--version"));
            (!works).then(|| format!("{what} (`{first}`)"))
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "missing on this machine: {}.\n\
         Debian and Ubuntu: sudo apt-get install build-essential\n\
         Fedora:            sudo dnf install gcc gcc-c++ make\n\
         conda:             conda install -c conda-forge compilers make",
        missing.join(", "),
    )
}
