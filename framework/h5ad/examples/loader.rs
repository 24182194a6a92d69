//! One pass over a data set in shuffled minibatches: `loader FILE.h5ad memory|backed [CELLS]`.
//!
//! Prints cells per second as JSON; what is read and registered before is not counted.

use std::{env, error::Error, path::Path, time::Instant};

use scvi_framework::{
    data::{AnnDataLoader, AnnDataManager, LoaderOptions, Order},
    fields::{AnnDataField, CategoricalObsField, LayerField},
    params::Args,
    registry_keys::REGISTRY_KEYS,
};
use scvi_h5ad::{Backing, ReadOptions, read};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().collect();
    let (file, backed, n_cells) = match words.get(1..).unwrap_or_default() {
        [file, place] => (file, backing(place)?, None),
        [file, place, n_cells] => (file, backing(place)?, Some(n_cells.parse()?)),
        _ => return Err("usage: loader FILE.h5ad memory|backed [CELLS]".into()),
    };
    let mut adata = read(Path::new(file), ReadOptions { backed })?;
    let fields = vec![
        LayerField::new(REGISTRY_KEYS.x, None).boxed(),
        CategoricalObsField::new(REGISTRY_KEYS.batch, Some("batch")).boxed(),
    ];
    let manager = AnnDataManager::register(fields, "loader", Args::new(), &mut adata)?;
    let order = match backed {
        Backing::Memory => Order::Shuffled { seed: 0 },
        Backing::Disk => Order::ShuffledInBlocks { seed: 0 },
    };
    let options = LoaderOptions { order, ..Default::default() };
    let loader = AnnDataLoader::new(&adata, manager.registry(), options)?;

    let n_batches = n_cells.unwrap_or(usize::MAX).div_ceil(LoaderOptions::default().batch_size);
    let (start, mut loaded) = (Instant::now(), 0);
    for batch in loader.iter().take(n_batches) {
        loaded += batch?.n_cells();
    }
    let seconds = start.elapsed().as_secs_f64();
    let rate = loaded as f64 / seconds;
    println!(r#"{{"cells": {loaded}, "seconds": {seconds:.3}, "cells_per_second": {rate:.0}}}"#);
    Ok(())
}

fn backing(word: &str) -> Result<Backing, String> {
    match word {
        "memory" => Ok(Backing::Memory),
        "backed" => Ok(Backing::Disk),
        other => Err(format!("expected memory or backed, found {other}")),
    }
}
