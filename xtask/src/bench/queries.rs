//! All that scvi-tools is to be beaten at, in one run.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Bench, Comparison, HEART, LARGE, loader, median, model_of, train};
use crate::process;

/// Simulated counts in the shape of the heart atlas tutorial, and 100,000 cells × 2,000 genes: start,
/// training, each query in a process of its own, and the loader. What a query took is without start
/// and reading; ours writes its answer.
#[derive(clap::Args)]
pub struct Args {
    /// How many times each is done; medians count.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Threads of both.
    #[arg(long, default_value_t = 2)]
    threads: u32,
    /// Only this query, e.g. get-marginal-ll, and the training that it needs.
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

/// How many of these are asked of the large data set.
const LARGELY: usize = 2;

/// Trains a model of each, asks both in turns and prints what it cost.
///
/// # Errors
/// When a run fails.
pub fn run(bench: &Bench<'_>, args: &Args) -> Result<()> {
    ensure!(args.rounds > 0, "--rounds must be 1 or more");
    let is_asked = |ask: &&Ask| args.query.as_ref().is_none_or(|query| query == ask.method);
    let known = ASKED.iter().any(|ask| is_asked(&ask));
    ensure!(known, "no such query; there are {:?}", ASKED.map(|ask| ask.method));
    let whole = args.query.is_none();
    let mut figures = Comparison::default();
    if whole {
        start(bench, args, &mut figures)?;
    }
    for (counts, size, asked) in
        [(HEART, "", &ASKED[..]), (LARGE, ", 100,000 cells", &ASKED[..LARGELY])]
    {
        let asked: Vec<&Ask> = asked.iter().filter(is_asked).collect();
        if asked.is_empty() {
            continue;
        }
        let data = counts.simulate(bench)?;
        let training = train::Args { epochs: 2, rounds: args.rounds, threads: args.threads };
        train::compare(bench, &training, &data, size, &mut figures)?;
        for ask in asked {
            let what = format!("{}{size}", ask.what);
            compare(bench, args, &data, ask, &what, &mut figures)?;
        }
    }
    if whole {
        let pass = loader::Args {
            n_obs: LARGE.n_obs,
            n_vars: LARGE.n_vars,
            density: LARGE.density,
            their_cells: 20_000,
            rounds: args.rounds,
            threads: args.threads,
        };
        loader::compare(bench, &pass, &LARGE.path(bench), &mut figures)?;
    }
    figures.print("");
    Ok(())
}

/// From nothing to the first word.
fn start(bench: &Bench<'_>, args: &Args, figures: &mut Comparison) -> Result<()> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        let cost = process::measure(Command::new(&bench.scvi).args(["models", "list"]))?;
        ours.push((cost.time.as_secs_f64(), cost.memory as f64 / 1e6));
        let cost = process::measure(Command::new(&bench.python).args(["-c", "import scvi"]))?;
        theirs.push((cost.time.as_secs_f64(), cost.memory as f64 / 1e6));
    }
    note("start", middle(&ours)?, middle(&theirs)?, figures);
    Ok(())
}

fn compare(
    bench: &Bench<'_>,
    args: &Args,
    data: &Path,
    ask: &Ask,
    what: &str,
    figures: &mut Comparison,
) -> Result<()> {
    let threads = args.threads.to_string();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        eprintln!("{what}, round {round} of {}", args.rounds);
        ours.push(our(bench, data, ask, &threads)?);
        let mut command = bench.script("queries.py", data, &threads);
        theirs.push(their(command.args([ask.method, &threads]))?);
    }
    note(what, middle(&ours)?, middle(&theirs)?, figures);
    Ok(())
}

fn note(what: &str, ours: Figures, theirs: Figures, figures: &mut Comparison) {
    figures.seconds(&format!("{what}, s"), ours.0, theirs.0);
    figures.megabytes("  peak memory, MB", ours.1, theirs.1);
}

/// Seconds and megabytes.
type Figures = (f64, f64);

fn our(bench: &Bench<'_>, data: &Path, ask: &Ask, threads: &str) -> Result<Figures> {
    let ending = if ask.method == "differential-expression" { "csv" } else { "npz" };
    let mut command = Command::new(&bench.scvi);
    command.arg("query").arg(model_of(data)).arg(ask.method).args(ask.args);
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
