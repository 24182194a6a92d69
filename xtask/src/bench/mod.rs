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
    /// Seconds and peak memory of start, training, each query and the loader, in one run.
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
struct Counts {
    name: &'static str,
    n_obs: usize,
    n_vars: usize,
    /// Share of counts that are not zero.
    density: f64,
}

/// The size of that tutorial.
const HEART: Counts = Counts { name: "counts", n_obs: 18_641, n_vars: 1_200, density: 0.16 };
/// A size at which memory counts.
const LARGE: Counts = Counts { name: "large", n_obs: 100_000, n_vars: 2_000, density: 0.13 };

impl Counts {
    fn path(&self, bench: &Bench<'_>) -> PathBuf {
        bench.folder.join(self.name).with_extension("h5ad")
    }

    fn simulate(&self, bench: &Bench<'_>) -> Result<PathBuf> {
        let data = self.path(bench);
        let mut simulate = Command::new(&bench.scvi);
        simulate.args(["data", "synthetic"]).arg(&data).arg("--overwrite");
        let numbers = [("n-obs", self.n_obs), ("n-vars", self.n_vars)];
        simulate.args(numbers.map(|(name, n)| format!("--{name}={n}")));
        simulate.args([format!("--density={}", self.density), "--seed=0".into()]);
        simulate.args(["--n-labels=11", "--n-donors=14", "--n-sources=4"]);
        process::run(&mut simulate)?;
        Ok(data)
    }
}

/// Where our model of these data lies; scvi-tools' is beside it.
fn model_of(data: &Path) -> PathBuf {
    data.with_extension("model")
}

/// Figures of both, line by line.
#[derive(Default)]
struct Comparison(Vec<String>);

impl Comparison {
    /// Less is better.
    fn seconds(&mut self, what: &str, ours: f64, theirs: f64) {
        self.add(what, [ours, theirs], theirs / ours, 3);
    }

    /// Less is better.
    fn megabytes(&mut self, what: &str, ours: f64, theirs: f64) {
        self.add(what, [ours, theirs], theirs / ours, 1);
    }

    /// So many per second: more is better.
    fn rate(&mut self, what: &str, ours: f64, theirs: f64) {
        self.add(what, [ours, theirs], ours / theirs, 0);
    }

    fn add(&mut self, what: &str, [ours, theirs]: [f64; 2], ratio: f64, digits: usize) {
        self.0.push(format!("{what:<36}{ours:>12.digits$}{theirs:>14.digits$}{ratio:>9.1}×"));
    }

    fn print(&self, what: &str) {
        println!("{what:<36}{:>12}{:>14}{:>10}", "scvi-rs", "scvi-tools", "ratio");
        self.0.iter().for_each(|line| println!("{line}"));
    }
}

fn median(mut values: Vec<f64>) -> Result<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().context("at least one round was run")
}
