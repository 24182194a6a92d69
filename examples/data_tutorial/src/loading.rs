//! Registered data, minibatch by minibatch.

use std::io::Write;

use anyhow::{Context, Result};
use scvi_framework::data::{AnnDataLoader, LoaderOptions};

use crate::{recording::registered, synthetic};

pub fn run(out: &mut impl Write) -> Result<()> {
    let mut adata = synthetic(2)?;
    let manager = registered(&mut adata)?;
    let options = LoaderOptions { batch_size: 10, ..Default::default() };
    let loader = AnnDataLoader::new(&adata, manager.registry(), options)?;

    let batch = loader.iter().next().context("a data set with cells")??;
    let keys: Vec<&str> = manager.data_registry().keys().copied().collect();
    writeln!(out, "{:?}\n{keys:?}", batch.keys().collect::<Vec<_>>())?;
    let (x, codes) = (batch.require("x")?, batch.require("batch")?);
    // Cells by genes, and one code per cell: the batch of the first ten, as an integer.
    writeln!(
        out,
        "{:?}\n{:?}\n{:?}",
        x.size(),
        codes.size(),
        Vec::<i64>::try_from(&codes.view(-1))?
    )?;
    Ok(())
}
