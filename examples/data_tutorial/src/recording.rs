//! The registry of a data set: where data lie, in which terms, and what that amounts to.

use std::io::Write;

use anyhow::{Context, Result};
use scvi_framework::{
    anndata::AnnData,
    data::AnnDataManager,
    fields::{AnnDataField, CategoricalObsField, LayerField},
    serde_json::json,
};

use crate::synthetic;

/// Counts from X and the batch of each cell.
pub fn registered(adata: &mut AnnData) -> Result<AnnDataManager> {
    let fields = vec![
        LayerField::new("x", None).boxed(),
        CategoricalObsField::new("batch", Some("batch")).boxed(),
    ];
    Ok(AnnDataManager::register_fields(fields, adata)?)
}

pub fn run(out: &mut impl Write) -> Result<()> {
    let mut adata = synthetic(2)?;
    let manager = registered(&mut adata)?;
    let registry = json!(manager.registry());
    let keys: Vec<&String> = registry.as_object().context("a registry")?.keys().collect();
    writeln!(out, "{keys:?}\n\n{}", manager.view_registry())?;

    writeln!(out, "## Data registry\n")?;
    let data_registry = manager.data_registry();
    writeln!(out, "{}\n{}\n", json!(data_registry), json!(data_registry["batch"]))?;

    writeln!(out, "## State registries\n")?;
    let state = manager.get_state_registry("batch")?;
    let mapping: Vec<String> = state.read("categorical_mapping").unwrap_or_default();
    let original_key: String = state.read("original_key").unwrap_or_default();
    writeln!(out, "Categorical mapping: {mapping:?}\nOriginal key: {original_key}\n")?;

    writeln!(out, "## Summary stats\n\n{}", json!(manager.summary_stats()))?;
    Ok(())
}
