//! `setup_anndata` of a model that takes a layer and a batch key.

use std::io::Write;

use anyhow::Result;
use scvi_framework::{
    anndata::{AnnData, Slot},
    data::{AnnDataManager, ManagerStore},
    fields::{AnnDataField, CategoricalObsField, LayerField},
    registry_keys::REGISTRY_KEYS,
    serde_json::json,
};

use crate::synthetic;

/// Registers what the model reads, and keeps the manager in the store of its class.
pub fn setup_anndata(
    store: &mut ManagerStore,
    adata: &mut AnnData,
    layer: Option<&str>,
    batch_key: Option<&str>,
) -> Result<()> {
    let args = [("layer".to_owned(), json!(layer)), ("batch_key".to_owned(), json!(batch_key))];
    let fields = vec![
        LayerField::new(REGISTRY_KEYS.x, layer).boxed(),
        CategoricalObsField::new(REGISTRY_KEYS.batch, batch_key).boxed(),
    ];
    let args = args.into_iter().collect();
    let manager = AnnDataManager::register(fields, "MyModel", args, adata)?;
    Ok(store.register_manager(manager)?)
}

pub fn run(out: &mut impl Write) -> Result<()> {
    let mut adata = synthetic(2)?;
    let counts = adata.get(Slot::X, "")?.clone();
    adata.set(Slot::Layers, "raw_counts", counts)?;
    let mut store = ManagerStore::new("MyModel");
    setup_anndata(&mut store, &mut adata, Some("raw_counts"), Some("batch"))?;
    write!(out, "{}", store.get_anndata_manager(&adata)?.view_registry())?;
    Ok(())
}
