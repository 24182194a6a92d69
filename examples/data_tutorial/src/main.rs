//! The data handling tutorial of scvi-tools as one program: what is recorded when a data set is
//! registered, how fields do it, how minibatches are loaded, and how a model sets a data set up.
//!
//! `cargo run -p scvi-data-tutorial`

use std::io::{self, Write};

use anyhow::Result;
use scvi_framework::{
    anndata::AnnData,
    data::{SyntheticIid, synthetic_iid},
};

mod fields;
mod loading;
mod recording;
mod regression;
mod setup;

fn main() -> Result<()> {
    let out = &mut io::stdout().lock();
    writeln!(out, "# Recording AnnData state with object registration\n")?;
    recording::run(out)?;
    writeln!(out, "\n# AnnDataManager and AnnDataFields\n")?;
    fields::run(out)?;
    writeln!(out, "\n# AnnDataLoader\n")?;
    loading::run(out)?;
    writeln!(out, "\n# Using the DataLoader\n")?;
    regression::run(out)?;
    writeln!(out, "\n# scvi-tools data registration\n")?;
    setup::run(out)
}

/// 200 cells in each of so many batches, 100 genes, 100 proteins.
fn synthetic(n_batches: usize) -> Result<AnnData> {
    let size = SyntheticIid { n_batches, n_regions: 0, ..Default::default() };
    Ok(synthetic_iid(&size)?)
}

#[cfg(test)]
mod tests;
