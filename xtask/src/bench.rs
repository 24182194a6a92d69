//! `cargo xtask bench`: our speed and scvi-tools', side by side on this machine.
//!
//! Times of different machines say nothing, the ratio of two in one session does; so both run
//! here, in turns, with the same settings.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::{
    cache, dist,
    process::{self, Cost},
    python,
    workspace::Workspace,
};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Seconds per epoch and peak memory of training SCVI.
    Train(Train),
}

/// 18,641 cells × 1,200 genes, 4 sources, 14 donors, 2 continuous covariates, batches of 128.
#[derive(clap::Args)]
struct Train {
    /// Epochs by which the longer of two runs is longer; the difference of the runs counts.
    #[arg(long, default_value_t = 5)]
    epochs: u32,
    /// How many times each run is repeated; medians count.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Threads of both.
    #[arg(long, default_value_t = 2)]
    threads: u32,
}

/// Sets up, builds a release, simulates the data and runs the bench asked for.
///
/// # Errors
/// When something cannot be fetched or built, or a run fails.
pub fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let dist = dist::build(workspace, "release")?;
    let python = match env::var_os("SCVI_BENCH_PYTHON") {
        Some(given) => PathBuf::from(given),
        None => {
            let list = workspace.root.join("xtask/requirements-bench.txt");
            python::environment("python-bench", &python::requirements(&list)?)?
        }
    };
    let scvi = dist.join("bin/scvi");
    let folder = workspace.target.join("bench");
    cache::create(&folder)?;
    let scripts = workspace.root.join("xtask/bench");
    match &args.what {
        What::Train(settings) => {
            let data = simulate(&scvi, &folder)?;
            train(settings, &scvi, &python, &scripts, &data, &folder)
        }
    }
}

/// Simulated counts with the covariates of the heart atlas tutorial.
fn simulate(scvi: &Path, folder: &Path) -> Result<PathBuf> {
    let data = folder.join("counts.h5ad");
    let mut simulate = Command::new(scvi);
    simulate.args(["data", "synthetic"]).arg(&data).arg("--overwrite");
    simulate.args(["--n-obs=18641", "--n-vars=1200", "--density=0.16", "--seed=0"]);
    simulate.args(["--n-labels=11", "--n-donors=14", "--n-sources=4"]);
    process::run(&mut simulate)?;
    Ok(data)
}

fn train(
    settings: &Train,
    scvi: &Path,
    python: &Path,
    scripts: &Path,
    data: &Path,
    folder: &Path,
) -> Result<()> {
    ensure!(settings.epochs > 0 && settings.rounds > 0, "--epochs and --rounds must be 1 or more");
    let threads = settings.threads.to_string();
    let ours = |epochs: u32| {
        let mut command = Command::new(scvi);
        command.args(["train", "SCVI"]).arg(data).arg("--out").arg(folder.join("model"));
        command.args(["--overwrite", "--quiet", "--no-progress", "--device=cpu", "--seed=0"]);
        command.args(["--categorical-covariate-keys=cell_source,donor"]);
        command.args(["--continuous-covariate-keys=percent_mito,percent_ribo"]);
        command.args(["--batch-size=128", "--max-epochs", &epochs.to_string()]);
        command.args(["--threads", &threads]);
        process::measure(&mut command)
    };
    let theirs = |epochs: u32| {
        let mut command = Command::new(python);
        command.arg(scripts.join("train.py")).arg(data);
        command.args([&epochs.to_string(), &threads]);
        // What OpenMP does before Python can set it.
        command.env("OMP_NUM_THREADS", &threads);
        process::measure(&mut command)
    };

    let (mut our_runs, mut their_runs) = (Runs::default(), Runs::default());
    for round in 1..=settings.rounds {
        eprintln!("round {round} of {}", settings.rounds);
        our_runs.short.push(ours(1)?);
        their_runs.short.push(theirs(1)?);
        our_runs.long.push(ours(1 + settings.epochs)?);
        their_runs.long.push(theirs(1 + settings.epochs)?);
    }
    let ours = our_runs.summary(settings.epochs)?;
    let theirs = their_runs.summary(settings.epochs)?;
    println!("{:<28}{:>12}{:>14}{:>10}", "train, batch 128", "scvi-rs", "scvi-tools", "ratio");
    for (what, a, b) in [
        ("seconds per epoch", ours.epoch, theirs.epoch),
        ("start and one epoch, seconds", ours.start, theirs.start),
        ("peak memory, MB", ours.memory, theirs.memory),
    ] {
        println!("{what:<28}{a:>12.2}{b:>14.2}{:>9.1}×", b / a);
    }
    Ok(())
}

#[derive(Default)]
struct Runs {
    short: Vec<Cost>,
    long: Vec<Cost>,
}

struct Summary {
    epoch: f64,
    start: f64,
    memory: f64,
}

impl Runs {
    fn summary(&self, epochs: u32) -> Result<Summary> {
        let seconds = |runs: &[Cost]| median(runs.iter().map(|r| r.time.as_secs_f64()).collect());
        let (short, long) = (seconds(&self.short)?, seconds(&self.long)?);
        let memory = median(self.long.iter().map(|r| r.memory as f64 / 1e6).collect())?;
        Ok(Summary { epoch: (long - short) / f64::from(epochs), start: short, memory })
    }
}

fn median(mut values: Vec<f64>) -> Result<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().context("at least one round was run")
}
