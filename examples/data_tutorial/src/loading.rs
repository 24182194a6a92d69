//! Registered data, minibatch by minibatch.

use std::io::Write;

use anyhow::{Context, Result};
use scvi_framework::{
    anndata::DType,
    data::{AnnDataLoader, LoaderOptions},
};

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

    // Each tensor as what it is asked for, and those only that are asked for.
    for asked in [vec![("x", DType::Int64), ("batch", DType::Float32)], vec![("x", DType::Float64)]]
    {
        let asked = asked.into_iter().map(|(key, dtype)| (key.into(), Some(dtype))).collect();
        let options = LoaderOptions {
            batch_size: 10,
            data_and_attributes: Some(asked),
            ..Default::default()
        };
        let loader = AnnDataLoader::new(&adata, manager.registry(), options)?;
        let batch = loader.iter().next().context("a data set with cells")??;
        let keys = batch.keys().map(|key| Ok((key, batch.require(key)?.kind())));
        writeln!(out, "{:?}", keys.collect::<Result<Vec<_>>>()?)?;
    }
    Ok(())
}
