//! A data set that was reduced to the posterior of its cells, beside the full one.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Bench, Comparison, HEART, median};
use crate::process;

/// The heart atlas tutorial's data set in shape: 18,641 cells, 1,200 genes, normalised values in X,
/// counts in a layer, all 26,662 genes in raw.
#[derive(clap::Args)]
pub struct Args {
    /// How many times the file is opened and each query asked here; medians count.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Threads of both.
    #[arg(long, default_value_t = 2)]
    threads: u32,
}

const ASKED: [&str; 3] =
    ["get-latent-representation", "get-normalized-expression", "get-likelihood-parameters"];

/// Trains for an epoch, minifies here and with scvi-tools, and prints sizes and seconds of both.
///
/// # Errors
/// When a run fails.
pub fn run(bench: &Bench<'_>, args: &Args) -> Result<()> {
    let threads = args.threads.to_string();
    let counts = HEART.simulate(bench)?;
    let (data, model) = (bench.folder.join("heart.h5ad"), bench.folder.join("heart-model"));
    let (small, theirs) = (bench.folder.join("heart-small"), bench.folder.join("heart-theirs"));
    process::run(bench.script("minified.py", &counts, &threads).arg("layout").arg(&data))?;
    process::run(
        scvi(bench, &threads)
            .args(["train", "SCVI"])
            .arg(&data)
            .arg("--out")
            .arg(&model)
            .args(["--layer=counts", "--max-epochs=1", "--quiet", "--overwrite"])
            .args(["--categorical-covariate-keys=cell_source,donor"])
            .args(["--continuous-covariate-keys=percent_mito,percent_ribo"]),
    )?;
    let mut minify = scvi(bench, &threads);
    process::run(minify.arg("minify").arg(&model).arg("--out").arg(&small).arg("--overwrite"))?;
    let mut convert = scvi(bench, &threads);
    process::run(convert.arg("convert").arg(&model).arg(&theirs).arg("--overwrite"))?;

    let mut script = bench.script("minified.py", &data, &threads);
    let said = process::output(script.arg("minify").arg(&theirs).arg(&threads))?;
    let theirs: Value = serde_json::from_str(said.lines().last().unwrap_or_default())?;
    let number = |value: &Value| value.as_f64().context("scvi-tools gives numbers");

    let mut opened = [Vec::new(), Vec::new()];
    let mut answered = Comparison::default();
    for method in ASKED {
        let mut seconds = [Vec::new(), Vec::new()];
        for _ in 0..args.rounds {
            for (i, dir) in [&model, &small].into_iter().enumerate() {
                let (read, answered) = ask(bench, dir, method, &threads)?;
                opened[i].push(read);
                seconds[i].push(answered);
            }
        }
        for (what, seconds) in ["full", "minified"].into_iter().zip(seconds) {
            let name = format!("{}, {what}, s", method.trim_start_matches("get-"));
            answered.seconds(&name, median(seconds)?, number(&theirs[what][method])?);
        }
    }
    let mut files = Comparison::default();
    let paths = [data, small.join("adata.h5ad")];
    for (i, (what, seconds)) in ["full", "minified"].into_iter().zip(opened).enumerate() {
        let (ours, size) = (fs::metadata(&paths[i])?.len() as f64, number(&theirs["bytes"][i])?);
        files.megabytes(&format!("{what}, MB"), ours / 1e6, size / 1e6);
        files.seconds("  opened, s", median(seconds)?, number(&theirs["opened"][i])?);
    }
    files.print("file");
    answered.print("query");
    Ok(())
}

fn scvi(bench: &Bench<'_>, threads: &str) -> Command {
    let mut command = Command::new(&bench.scvi);
    command.args(["--no-progress", "--device=cpu", "--seed=0", "--threads", threads]);
    command
}

/// Seconds of reading the data set and of answering.
fn ask(bench: &Bench<'_>, dir: &Path, method: &str, threads: &str) -> Result<(f64, f64)> {
    let mut command = scvi(bench, threads);
    command.arg("query").arg(dir).arg(method).arg("--out").arg(bench.folder.join("answer.npz"));
    command.args(["--overwrite", "--verbose"]);
    if method == "get-likelihood-parameters" {
        command.args(["--n-samples=3", "--give-mean"]);
    }
    let (_, talk) = process::measure_talk(&mut command)?;
    let after = |words: &str| -> Result<f64> {
        let mut lines = talk.lines();
        let said = lines.find_map(|line| line.split_once(words)?.1.split_once(" s"));
        let (seconds, _) = said.with_context(|| format!("no `{words}` in {talk:?}"))?;
        Ok(seconds.parse()?)
    };
    Ok((after("read in ")?, after("answered in ")?))
}
