//! Training SCVI.

use std::{path::Path, process::Command};

use anyhow::{Result, ensure};

use super::{Bench, Comparison, HEART, median, model_of};
use crate::process::{self, Cost};

/// 18,641 cells × 1,200 genes, 4 sources, 14 donors, 2 continuous covariates, batches of 128.
#[derive(clap::Args)]
pub struct Args {
    /// Epochs by which the longer of two runs is longer; the difference of the runs counts.
    #[arg(long, default_value_t = 5)]
    pub epochs: u32,
    /// How many times each run is repeated; medians count.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Threads of both.
    #[arg(long, default_value_t = 2)]
    pub threads: u32,
}

/// Simulates the data, trains in turns and prints what it cost.
///
/// # Errors
/// When a run fails.
pub fn run(bench: &Bench<'_>, args: &Args) -> Result<()> {
    ensure!(args.epochs > 0 && args.rounds > 0, "--epochs and --rounds must be 1 or more");
    let data = HEART.simulate(bench)?;
    let mut figures = Comparison::default();
    compare(bench, args, &data, "", &mut figures)?;
    figures.print("train, batch 128");
    Ok(())
}

/// Trains in turns on `data`, leaves a model of each beside them and notes what it cost.
///
/// # Errors
/// When a run fails.
pub fn compare(
    bench: &Bench<'_>,
    args: &Args,
    data: &Path,
    what: &str,
    figures: &mut Comparison,
) -> Result<()> {
    let threads = args.threads.to_string();
    let ours = |epochs| process::measure(&mut training(bench, data, epochs, &threads));
    let theirs = |epochs: u32| {
        let mut command = bench.script("train.py", data, &threads);
        process::measure(command.args([&epochs.to_string(), &threads]))
    };
    let (mut our_runs, mut their_runs) = (Runs::default(), Runs::default());
    for round in 1..=args.rounds {
        eprintln!("training{what}, round {round} of {}", args.rounds);
        our_runs.short.push(ours(1)?);
        their_runs.short.push(theirs(1)?);
        our_runs.long.push(ours(1 + args.epochs)?);
        their_runs.long.push(theirs(1 + args.epochs)?);
    }
    let ours = our_runs.summary(args.epochs)?;
    let theirs = their_runs.summary(args.epochs)?;
    figures.seconds(&format!("training{what}, s per epoch"), ours.epoch, theirs.epoch);
    figures.seconds("  start and one epoch, s", ours.start, theirs.start);
    figures.megabytes("  peak memory, MB", ours.memory, theirs.memory);
    Ok(())
}

/// Trains our model for some epochs and leaves it beside the data.
fn training(bench: &Bench<'_>, data: &Path, epochs: u32, threads: &str) -> Command {
    let mut command = Command::new(&bench.scvi);
    command.args(["train", "SCVI"]).arg(data).arg("--out").arg(model_of(data));
    command.args(["--overwrite", "--quiet", "--no-progress", "--device=cpu", "--seed=0"]);
    command.args(["--categorical-covariate-keys=cell_source,donor"]);
    command.args(["--continuous-covariate-keys=percent_mito,percent_ribo"]);
    command.args(["--batch-size=128", "--max-epochs", &epochs.to_string()]);
    command.args(["--threads", threads]);
    command
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
