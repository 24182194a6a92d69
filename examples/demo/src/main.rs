//! Measures what a model did to batches and cell types.
//!
//! Reads a data set with a latent space in `obsm`, compares it with principal components of the
//! normalised counts, prints a table, and writes the cells measured with these components, so that
//! `scvi plot` can draw both.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use scvi_framework::{
    anndata::{AnnData, Element, Slot},
    nn::convert::to_tensor,
    tch::{self, Kind, Tensor},
};

mod counts;
mod groups;
mod neighbours;

use groups::Groups;
use neighbours::Neighbours;

/// Neighbours that count for purity.
const N_NEIGHBOURS: i64 = 15;

/// Principal components that stand for the data before the model.
const N_COMPONENTS: i64 = 30;

/// Cells beyond this number are measured by a sample of them.
const MAX_CELLS: usize = 20_000;

/// Batch and cell-type purity of neighbourhoods before and after a model.
#[derive(Parser)]
struct Args {
    /// The data set with counts and a latent space.
    adata: PathBuf,
    /// The latent space in obsm.
    #[arg(long, default_value = "X_scVI", value_name = "KEY")]
    latent: String,
    /// The column of obs that names the batches.
    #[arg(long, value_name = "COLUMN")]
    batch_key: Option<String>,
    /// The column of obs that names the cell types.
    #[arg(long, value_name = "COLUMN")]
    labels_key: Option<String>,
    /// The layer that holds the counts, when X does not.
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
    /// Where the cells measured go, with their principal components as X_pca.
    #[arg(long, default_value = "measured.h5ad", value_name = "FILE.h5ad")]
    measured: PathBuf,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let adata = scvi_h5ad::read(&args.adata, scvi_h5ad::ReadOptions::default())?;
    let _no_grad = tch::no_grad_guard();

    let cells = sample(adata.n_obs());
    let slot = if args.layer.is_some() { Slot::Layers } else { Slot::X };
    let counts = adata.get(slot, args.layer.as_deref().unwrap_or_default())?;
    let before = counts::principal_components(counts, &cells, N_COMPONENTS)?;
    let after = latent(&adata, &args.latent, &cells)?;
    ensure!(
        cells.len() > N_NEIGHBOURS as usize,
        "{}: expected more than {N_NEIGHBOURS} cells, found {}",
        args.adata.display(),
        cells.len()
    );
    let near_before = Neighbours::of(&before, N_NEIGHBOURS)?;
    let near_after = Neighbours::of(&after, N_NEIGHBOURS)?;

    let mut groups = Vec::new();
    for (title, key) in [("batch", &args.batch_key), ("cell type", &args.labels_key)] {
        let Some(key) = key else { continue };
        let column = adata.obs().column("obs", key)?;
        groups.push(Groups::read(title, column, &cells).with_context(|| format!("obs[{key:?}]"))?);
    }

    println!("purity of the {N_NEIGHBOURS} nearest neighbours, {} cells\n", cells.len());
    println!("{:<12}{:>16}{:>16}{:>16}", "", "before (PCA)", "after (model)", "fully mixed");
    for group in &groups {
        let (b, a) = (group.purity(&near_before), group.purity(&near_after));
        println!("{:<12}{b:>16.3}{a:>16.3}{:>16.3}", group.title, group.chance());
    }
    println!();

    let mut measured = AnnData::new(adata.obs().take_rows(&cells)?, adata.var().clone());
    measured.set(slot, args.layer.as_deref().unwrap_or_default(), counts.take_rows(&cells)?)?;
    let n_components = before.size()[1] as usize;
    let components = Vec::<f32>::try_from(before.reshape([-1]))?;
    let components = Element::matrix(cells.len(), n_components, components)?;
    measured.set(Slot::Obsm, "X_pca", components)?;
    scvi_h5ad::write(&args.measured, &measured, scvi_h5ad::WriteOptions::default())?;
    Ok(())
}

/// All cells, or evenly spread ones.
fn sample(n_obs: usize) -> Vec<usize> {
    let n = n_obs.min(MAX_CELLS);
    (0..n).map(|i| i * n_obs / n).collect()
}

/// Rows `cells` of the latent space, float32. // [n_cells, n_latent]
fn latent(adata: &AnnData, key: &str, cells: &[usize]) -> Result<Tensor> {
    let element = adata.get(Slot::Obsm, key)?;
    let Element::Dense(dense) = element else {
        anyhow::bail!("obsm[{key:?}]: expected a dense array, found {}", element.kind());
    };
    let rows: Vec<i64> = cells.iter().map(|&i| i as i64).collect();
    let rows = Tensor::from_slice(&rows);
    Ok(to_tensor(dense)?.to_kind(Kind::Float).index_select(0, &rows))
}
