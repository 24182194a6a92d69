//! `cargo xtask test`: all tests, with what they compare to.

use std::{env, path::PathBuf, process::Command};

use anyhow::Result;

use crate::{process, python, setup, standalone, workspace::Workspace};

#[derive(clap::Args)]
pub struct Args {
    /// Skip the tests that compare with Python packages, and do not fetch these.
    #[arg(long)]
    no_python: bool,
    /// Run only tests whose names contain this.
    filter: Option<String>,
}

/// Sets up, builds everything, runs unit, integration and documentation tests, and those of the
/// examples outside the workspace.
///
/// # Errors
/// When something cannot be fetched or built, or a test fails.
pub fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    setup::ensure(workspace)?;
    let python = reference_python(workspace, args)?;
    if env::var_os("SCVI_TEST_DATA").is_none() {
        eprintln!("SCVI_TEST_DATA is not set: tests on real data and reference cases are skipped");
    }
    let cargo = || {
        let mut cargo = workspace.cargo();
        // Tests run side by side, one per core; more threads in each would only spin.
        cargo.env("OMP_NUM_THREADS", "1");
        match &python {
            Some(python) => cargo.env("SCVI_TEST_PYTHON", python),
            None => cargo.env_remove("SCVI_TEST_PYTHON"),
        };
        cargo
    };

    // Some tests run the command and load the plugins' libraries, as users do.
    process::run(cargo().args(["build", "--workspace"]))?;
    let has_nextest = process::works(cargo().args(["nextest", "--version"]));
    let mut tests = cargo();
    match has_nextest {
        true => tests.args(["nextest", "run", "--workspace"]),
        false => tests.args(["test", "--workspace", "--lib", "--bins", "--tests"]),
    };
    process::run(tests.args(&args.filter))?;
    process::run(cargo().args(["test", "--workspace", "--doc"]).args(&args.filter))?;
    for example in standalone::examples(workspace)? {
        process::run(example.cargo("test").env("OMP_NUM_THREADS", "1").args(&args.filter))?;
    }
    Ok(())
}

/// The interpreter for tests that compare with Python packages.
fn reference_python(workspace: &Workspace, args: &Args) -> Result<Option<PathBuf>> {
    if args.no_python {
        eprintln!("--no-python: tests that compare with Python packages are skipped");
        return Ok(None);
    }
    if let Some(given) = env::var_os("SCVI_TEST_PYTHON") {
        let given = PathBuf::from(given);
        let needs = "import anndata, awkward, scanpy, h5py, hdf5plugin, loompy, mudata\n\
                     import importlib.metadata as installed; installed.version('scvi-tools')";
        process::output(Command::new(&given).args(["-c", needs]))?;
        return Ok(Some(given));
    }
    python::environment(workspace).map(Some)
}
