//! Loading minibatches.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Bench, Comparison, median};
use crate::process;

/// Simulated counts, made once and kept; one pass in shuffled minibatches of 128.
#[derive(clap::Args)]
pub struct Args {
    /// Cells.
    #[arg(long, default_value_t = 1_000_000)]
    pub n_obs: usize,
    /// Genes.
    #[arg(long, default_value_t = 2_000)]
    pub n_vars: usize,
    /// Share of counts that are not zero.
    #[arg(long, default_value_t = 0.05)]
    pub density: f64,
    /// Cells after which scvi-tools is stopped when it reads from disk, which it does cell by cell.
    #[arg(long, default_value_t = 200_000)]
    pub their_cells: usize,
    /// How many times each run is repeated; medians count.
    #[arg(long, default_value_t = 1)]
    pub rounds: usize,
    /// Threads of both.
    #[arg(long, default_value_t = 2)]
    pub threads: u32,
}

/// Simulates the data unless they are there, loads them in turns and prints what it cost.
///
/// # Errors
/// When a run fails.
pub fn run(bench: &Bench<'_>, args: &Args) -> Result<()> {
    ensure!(args.rounds > 0, "--rounds must be 1 or more");
    let data = simulate(bench, args)?;
    let mut figures = Comparison::default();
    compare(bench, args, &data, &mut figures)?;
    figures.print("loader, batch 128");
    Ok(())
}

/// Loads `data` in turns and notes what it cost.
///
/// # Errors
/// When a run fails.
pub fn compare(
    bench: &Bench<'_>,
    args: &Args,
    data: &Path,
    figures: &mut Comparison,
) -> Result<()> {
    let mut build = bench.workspace.cargo();
    build.args(["build", "--release", "--package", "scvi-h5ad", "--example", "loader"]);
    process::run(&mut build)?;
    let loader = bench.workspace.target.join("release/examples/loader");
    let threads = args.threads.to_string();
    for (place, their_cells) in [("memory", args.n_obs), ("backed", args.their_cells)] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 1..=args.rounds {
            eprintln!("loader, {place}, round {round} of {}", args.rounds);
            let mut command = Command::new(&loader);
            command.arg(data).arg(place).env("OMP_NUM_THREADS", &threads);
            ours.push(pass(&mut command)?);
            let mut command = bench.script("loader.py", data, &threads);
            theirs.push(pass(command.args([place, &their_cells.to_string()]))?);
        }
        let (ours, theirs) = (summary(&ours)?, summary(&theirs)?);
        figures.rate(&format!("loader, {place}, cells per second"), ours.rate, theirs.rate);
        figures.megabytes("  peak memory, MB", ours.memory, theirs.memory);
    }
    Ok(())
}

/// What one pass was like.
#[derive(Clone, Copy)]
struct Pass {
    /// Cells per second.
    rate: f64,
    /// Peak of the whole process in MB.
    memory: f64,
}

fn pass(command: &mut Command) -> Result<Pass> {
    let (cost, said) = process::measure_output(command)?;
    let line = said.lines().last().unwrap_or_default();
    let figures: Value = serde_json::from_str(line).with_context(|| format!("found {line:?}"))?;
    let rate = figures["cells_per_second"].as_f64().context("cells_per_second is a number")?;
    Ok(Pass { rate, memory: cost.memory as f64 / 1e6 })
}

fn summary(passes: &[Pass]) -> Result<Pass> {
    let rate = median(passes.iter().map(|pass| pass.rate).collect())?;
    Ok(Pass { rate, memory: median(passes.iter().map(|pass| pass.memory).collect())? })
}

fn simulate(bench: &Bench<'_>, args: &Args) -> Result<PathBuf> {
    let Args { n_obs, n_vars, density, .. } = args;
    let data = bench.folder.join(format!("loader-{n_obs}-{n_vars}-{density}.h5ad"));
    if !data.exists() {
        let mut simulate = Command::new(&bench.scvi);
        simulate.args(["data", "synthetic"]).arg(&data);
        simulate.args(["--n-obs", &n_obs.to_string(), "--n-vars", &n_vars.to_string()]);
        simulate.args(["--density", &density.to_string(), "--seed=0"]);
        process::run(&mut simulate)?;
    }
    Ok(data)
}
