//! `cargo xtask bench`: our speed and scvi-tools', side by side on this machine.
//!
//! Times of different machines say nothing, the ratio of two in one session does; so both run
//! here, in turns, with the same settings.

mod loader;
mod minified;
mod queries;
mod train;

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{cache, dist, process, python, workspace::Workspace};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Seconds per epoch and peak memory of training SCVI.
    Train(train::Args),
    /// Cells per second and peak memory of a pass in shuffled minibatches, in memory and from disk.
    Loader(loader::Args),
    /// Seconds and peak memory of each query.
    Queries(queries::Args),
    /// Size, opening and queries of a data set that was reduced to the posterior of its cells.
    Minified(minified::Args),
}

/// What all benches need.
struct Bench<'a> {
    workspace: &'a Workspace,
    /// The command.
    scvi: PathBuf,
    /// A Python with scvi-tools.
    python: PathBuf,
    /// Where data and results go.
    folder: PathBuf,
}

/// Sets up, builds a release and runs the bench asked for.
///
/// # Errors
/// When something cannot be fetched or built, or a run fails.
pub fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let dist = dist::build(workspace, "release")?;
    let python = match env::var_os("SCVI_BENCH_PYTHON") {
        Some(given) => PathBuf::from(given),
        None => python::environment(workspace)?,
    };
    let folder = workspace.target.join("bench");
    cache::create(&folder)?;
    let bench = Bench { workspace, scvi: dist.join("bin/scvi"), python, folder };
    match &args.what {
        What::Train(args) => train::run(&bench, args),
        What::Loader(args) => loader::run(&bench, args),
        What::Queries(args) => queries::run(&bench, args),
        What::Minified(args) => minified::run(&bench, args),
    }
}

impl Bench<'_> {
    /// One of the Python scripts beside ours, on `data`.
    fn script(&self, name: &str, data: &Path, threads: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(self.workspace.root.join("xtask/bench").join(name)).arg(data);
        // What OpenMP does before Python can set it.
        command.env("OMP_NUM_THREADS", threads);
        command
    }
}

/// Simulated counts with the covariates of the heart atlas tutorial.
fn heart_like(bench: &Bench<'_>) -> Result<PathBuf> {
    let data = bench.folder.join("counts.h5ad");
    let mut simulate = Command::new(&bench.scvi);
    simulate.args(["data", "synthetic"]).arg(&data).arg("--overwrite");
    simulate.args(["--n-obs=18641", "--n-vars=1200", "--density=0.16", "--seed=0"]);
    simulate.args(["--n-labels=11", "--n-donors=14", "--n-sources=4"]);
    process::run(&mut simulate)?;
    Ok(data)
}

/// Trains our model on these counts for some epochs and leaves it in `model`.
fn training(bench: &Bench<'_>, data: &Path, epochs: u32, threads: &str) -> Command {
    let mut command = Command::new(&bench.scvi);
    command.args(["train", "SCVI"]).arg(data).arg("--out").arg(bench.folder.join("model"));
    command.args(["--overwrite", "--quiet", "--no-progress", "--device=cpu", "--seed=0"]);
    command.args(["--categorical-covariate-keys=cell_source,donor"]);
    command.args(["--continuous-covariate-keys=percent_mito,percent_ribo"]);
    command.args(["--batch-size=128", "--max-epochs", &epochs.to_string()]);
    command.args(["--threads", threads]);
    command
}

fn heading(what: &str) {
    println!("{what:<28}{:>12}{:>14}{:>10}", "scvi-rs", "scvi-tools", "ratio");
}

fn median(mut values: Vec<f64>) -> Result<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().context("at least one round was run")
}
