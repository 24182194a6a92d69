//! Queries of a trained model.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Bench, heading, heart_like, median, training};
use crate::process;

/// Simulated counts in the shape of the heart atlas tutorial; each query in a process of its own,
/// and what it took there without start, reading and writing.
#[derive(clap::Args)]
pub struct Args {
    /// How many times each query is asked; medians count.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Threads of both.
    #[arg(long, default_value_t = 2)]
    threads: u32,
    /// Only this query, e.g. get-elbo.
    query: Option<String>,
}

/// A query with its arguments, and how many of the first cells it is about.
struct Ask {
    method: &'static str,
    args: &'static [&'static str],
    cells: Option<usize>,
    what: &'static str,
}

const ASKED: [Ask; 7] = [
    Ask { method: "get-latent-representation", args: &[], cells: None, what: "latent" },
    Ask { method: "get-normalized-expression", args: &[], cells: None, what: "expression" },
    Ask {
        method: "get-likelihood-parameters",
        args: &["--n-samples=3", "--give-mean"],
        cells: None,
        what: "likelihood, 3 samples",
    },
    Ask {
        method: "posterior-predictive-sample",
        args: &["--n-samples=5"],
        cells: Some(2_000),
        what: "predictive, 2,000 × 5",
    },
    Ask {
        method: "get-marginal-ll",
        args: &["--n-mc-samples=100"],
        cells: Some(500),
        what: "marginal ll, 500 × 100",
    },
    Ask {
        method: "differential-expression",
        args: &["--groupby=cell_type"],
        cells: None,
        what: "DE, 11 groups vs rest",
    },
    Ask {
        method: "get-feature-correlation-matrix",
        args: &[],
        cells: Some(2_000),
        what: "correlations, 2,000",
    },
];

/// Trains a model of each for an epoch, asks both in turns and prints what it cost.
///
/// # Errors
/// When a run fails.
pub fn run(bench: &Bench<'_>, args: &Args) -> Result<()> {
    ensure!(args.rounds > 0, "--rounds must be 1 or more");
    let data = heart_like(bench)?;
    let threads = args.threads.to_string();
    process::run(&mut training(bench, &data, 1, &threads))?;
    process::run(bench.script("queries.py", &data, &threads).args(["train", &threads]))?;

    let asked = ASKED.iter().filter(|ask| args.query.as_ref().is_none_or(|q| q == ask.method));
    let asked: Vec<&Ask> = asked.collect();
    ensure!(!asked.is_empty(), "no such query; there are {:?}", ASKED.map(|ask| ask.method));
    let mut rows = Vec::new();
    for ask in asked {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 1..=args.rounds {
            eprintln!("{}, round {round} of {}", ask.what, args.rounds);
            ours.push(our(bench, ask, &threads)?);
            let mut command = bench.script("queries.py", &data, &threads);
            theirs.push(their(command.args([ask.method, &threads]))?);
        }
        rows.push((ask.what, middle(&ours)?, middle(&theirs)?));
    }
    heading("query");
    for (what, ours, theirs) in rows {
        let ((a, mine), (b, others)) = (ours, theirs);
        println!("{:<28}{a:>12.2}{b:>14.2}{:>9.1}×", format!("{what}, s"), b / a);
        println!("{:<28}{mine:>12.0}{others:>14.0}{:>9.1}×", "  peak memory, MB", others / mine);
    }
    Ok(())
}

/// Seconds and megabytes.
type Figures = (f64, f64);

fn our(bench: &Bench<'_>, ask: &Ask, threads: &str) -> Result<Figures> {
    let ending = if ask.method == "differential-expression" { "csv" } else { "npz" };
    let mut command = Command::new(&bench.scvi);
    command.arg("query").arg(bench.folder.join("model")).arg(ask.method).args(ask.args);
    command.arg("--out").arg(bench.folder.join("answer").with_extension(ending));
    command.args(["--overwrite", "--verbose", "--no-progress", "--device=cpu", "--seed=0"]);
    command.args(["--threads", threads]);
    if let Some(n) = ask.cells {
        let rows: Vec<String> = (0..n).map(|row| row.to_string()).collect();
        command.arg("--indices").arg(rows.join(","));
    }
    let (cost, talk) = process::measure_talk(&mut command)?;
    let said = talk.lines().find_map(|line| line.split_once("answered in ")?.1.split_once(" s"));
    let (seconds, _) = said.with_context(|| format!("no time in {talk:?}"))?;
    Ok((seconds.parse()?, cost.memory as f64 / 1e6))
}

fn their(command: &mut Command) -> Result<Figures> {
    let (cost, said) = process::measure_output(command)?;
    let line = said.lines().last().unwrap_or_default();
    let figures: Value = serde_json::from_str(line).with_context(|| format!("found {line:?}"))?;
    let seconds = figures["seconds"].as_f64().context("seconds is a number")?;
    Ok((seconds, cost.memory as f64 / 1e6))
}

fn middle(runs: &[Figures]) -> Result<Figures> {
    let seconds = median(runs.iter().map(|run| run.0).collect())?;
    Ok((seconds, median(runs.iter().map(|run| run.1).collect())?))
}
