//! The terms in which a saved model registers data sets.

use std::path::Path;

use scvi_framework::{
    data::{AnnDataManager, Registry},
    fields::Transfer,
    model::Settings,
    saved::SavedModel,
    serde_json::Value,
};
use scvi_h5ad::Backing;

use crate::{failure::Result, files, session::Session};

/// The registry of the model saved in `dir`, or of the data set `adata` in its terms.
pub fn of(
    dir: &Path,
    saved: SavedModel,
    adata: Option<&Path>,
    session: &Session,
    settings: &Settings,
) -> Result<Registry> {
    let registry = with_fields(dir, saved, session, settings)?;
    let parts = registry["field_registries"].as_object().into_iter().flatten();
    let fields: Vec<Value> = parts.map(|(_, part)| part["field"].clone()).collect();
    let manager = AnnDataManager::from_saved(session.fields(&fields)?, &registry)?;
    let Some(file) = adata else { return Ok(manager.into_registry()) };
    let mut adata = files::read_h5ad(file, Backing::Disk)?;
    Ok(manager.transfer_fields(&mut adata, Transfer::default())?.into_registry())
}

/// A saved registry with its fields. scvi-tools writes none: the model's class knows them.
fn with_fields(
    dir: &Path,
    saved: SavedModel,
    session: &Session,
    settings: &Settings,
) -> Result<Value> {
    let mut parts = saved.meta.registry["field_registries"].as_object().into_iter().flatten();
    if parts.all(|(_, part)| part.get("field").is_some()) {
        return Ok(saved.meta.registry);
    }
    let (class, fields) = (session.class_of(dir, &saved)?, session.fields_of(dir, &saved)?);
    Ok(class.load(saved, &fields, settings)?.save()?.meta.registry)
}
