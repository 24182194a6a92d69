//! `cargo xtask demo`: from nothing to a picture of a latent space.

use std::{path::PathBuf, process::Command, time::Instant};

use anyhow::{Result, ensure};

use crate::{cache, dist, process, workspace::Workspace};

/// Cells, genes, batches and cell types of the simulated data.
const SIMULATED: [&str; 4] = ["--n-obs=5000", "--n-vars=1000", "--n-batches=3", "--n-labels=6"];

/// Cells in the picture, which many look at from afar.
const MAX_CELLS: &str = "--max-cells=1500";

/// Where the simulator writes what it simulated.
const SIMULATED_KEYS: (&str, &str) = ("batch", "cell_type");

#[derive(clap::Args)]
pub struct Args {
    /// Counts to train on, instead of simulated ones.
    #[arg(long, value_name = "FILE.h5ad")]
    adata: Option<PathBuf>,
    /// The column of `obs` that names the batches.
    #[arg(long, value_name = "COLUMN")]
    batch_key: Option<String>,
    /// The column of `obs` that names the cell types; only the picture and the table use it.
    #[arg(long, value_name = "COLUMN")]
    labels_key: Option<String>,
    /// The layer that holds the counts, when X does not.
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
    /// Passes over the data.
    #[arg(long, default_value_t = 60)]
    max_epochs: u32,
    /// Where everything goes [default: target/demo].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Sets up, builds, simulates, trains, asks for the latent space, measures it and draws it.
///
/// # Errors
/// When one of these fails.
pub fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    ensure!(
        args.adata.is_some() || (args.batch_key.is_none() && args.labels_key.is_none()),
        "--batch-key and --labels-key name columns of a file: give it by --adata FILE.h5ad"
    );
    if let Some(file) = &args.adata {
        ensure!(file.exists(), "--adata: {} not found", file.display());
    }
    let dist = dist::build(workspace, "release")?;
    process::run(workspace.cargo().args(["build", "--release", "--package", "scvi-demo"]))?;

    let start = Instant::now();
    let out = args.out.clone().unwrap_or_else(|| workspace.target.join("demo"));
    cache::create(&out)?;
    let scvi = || Command::new(dist.join("bin/scvi"));
    let (adata, batch_key, labels_key) = match &args.adata {
        Some(file) => (file.clone(), args.batch_key.clone(), args.labels_key.clone()),
        None => {
            let file = out.join("counts.h5ad");
            let mut simulate = scvi();
            simulate.args(["data", "synthetic"]).arg(&file).args(SIMULATED).arg("--overwrite");
            process::run(&mut simulate)?;
            let (batch, labels) = SIMULATED_KEYS;
            (file, Some(batch.to_owned()), Some(labels.to_owned()))
        }
    };

    let (model, latent) = (out.join("model"), out.join("latent.h5ad"));
    let mut train = scvi();
    train.args(["train", "SCVI"]).arg(&adata).arg("--out").arg(&model);
    train.args(["--overwrite", "--max-epochs", &args.max_epochs.to_string()]);
    train.args(option("--batch-key", &batch_key)).args(option("--layer", &args.layer));
    process::run(&mut train)?;

    let mut query = scvi();
    query.arg("query").arg(&model).arg("get-latent-representation");
    query.arg("--adata").arg(&adata).arg("--out").arg(&latent).arg("--overwrite");
    process::run(&mut query)?;

    let (measured, picture) = (out.join("measured.h5ad"), out.join("latent.svg"));
    let mut measure = Command::new(workspace.target.join("release/scvi-demo"));
    measure.arg(&latent).arg("--measured").arg(&measured);
    measure.args(option("--batch-key", &batch_key)).args(option("--labels-key", &labels_key));
    measure.args(option("--layer", &args.layer));
    process::run(&mut measure)?;

    let mut plot = scvi();
    plot.arg("plot").arg(&model).args(["latent", "--beside", "X_pca"]).arg(MAX_CELLS);
    plot.arg("--adata").arg(&measured).arg("--out").arg(&picture).arg("--overwrite");
    let colors: Vec<String> = [&batch_key, &labels_key].into_iter().flatten().cloned().collect();
    if !colors.is_empty() {
        plot.args(["--color", &colors.join(",")]);
    }
    process::run(&mut plot)?;

    println!("trained, measured and drawn in {:.0} s\n", start.elapsed().as_secs_f64());
    let places = [
        ("counts", &adata),
        ("model", &model),
        ("latent space, obsm[\"X_scVI\"]", &latent),
        ("picture", &picture),
        ("command", &dist.join("bin/scvi")),
    ];
    for (what, path) in places {
        println!("{what:<30} {}", path.display());
    }
    Ok(())
}

fn option(name: &str, value: &Option<String>) -> Vec<String> {
    value.iter().flat_map(|value| [name.to_owned(), value.clone()]).collect()
}
