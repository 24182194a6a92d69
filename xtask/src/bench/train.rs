//! Training SCVI.

use anyhow::{Result, ensure};

use super::{Bench, heading, heart_like, median, training};
use crate::process::{self, Cost};

/// 18,641 cells × 1,200 genes, 4 sources, 14 donors, 2 continuous covariates, batches of 128.
#[derive(clap::Args)]
pub struct Args {
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

/// Simulates the data, trains in turns and prints what it cost.
///
/// # Errors
/// When a run fails.
pub fn run(bench: &Bench<'_>, args: &Args) -> Result<()> {
    ensure!(args.epochs > 0 && args.rounds > 0, "--epochs and --rounds must be 1 or more");
    let data = heart_like(bench)?;
    let threads = args.threads.to_string();
    let ours = |epochs| process::measure(&mut training(bench, &data, epochs, &threads));
    let theirs = |epochs: u32| {
        let mut command = bench.script("train.py", &data, &threads);
        process::measure(command.args([&epochs.to_string(), &threads]))
    };

    let (mut our_runs, mut their_runs) = (Runs::default(), Runs::default());
    for round in 1..=args.rounds {
        eprintln!("round {round} of {}", args.rounds);
        our_runs.short.push(ours(1)?);
        their_runs.short.push(theirs(1)?);
        our_runs.long.push(ours(1 + args.epochs)?);
        their_runs.long.push(theirs(1 + args.epochs)?);
    }
    let ours = our_runs.summary(args.epochs)?;
    let theirs = their_runs.summary(args.epochs)?;
    heading("train, batch 128");
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
