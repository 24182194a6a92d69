//! Which cells have a label, where one category says that there is none.

use serde_json::Value;

use super::Registry;
use crate::{
    anndata::AnnData,
    error::{Error, Result},
    fields::numbers,
    registry_keys::REGISTRY_KEYS,
};

/// The label code of each cell; `None` for cells of the unlabeled category.
///
/// # Errors
/// When no labels are registered, or they were registered without an unlabeled category.
pub fn labels(adata: &AnnData, registry: &Registry) -> Result<Vec<Option<i64>>> {
    let location = registry.location(REGISTRY_KEYS.labels)?;
    let element = location.find(adata)?;
    let codes = numbers(element).ok_or_else(|| Error::Kind {
        what: location.to_string(),
        expected: "label codes".into(),
        found: element.kind(),
    })?;
    let unlabelled = unlabeled_code(registry)?;
    Ok(codes.into_iter().map(|code| code as i64).map(|c| (c != unlabelled).then_some(c)).collect())
}

fn unlabeled_code(registry: &Registry) -> Result<i64> {
    let missing = || Error::Kind {
        what: format!("registered `{}`", REGISTRY_KEYS.labels),
        expected: "an unlabeled category".into(),
        found: "none".into(),
    };
    let state = registry.state(REGISTRY_KEYS.labels).ok_or_else(missing)?;
    let category: Value = state.read("unlabeled_category").ok_or_else(missing)?;
    let known: Vec<Value> = state.read("categorical_mapping").ok_or_else(missing)?;
    let code = known.iter().position(|known| *known == category).ok_or_else(missing)?;
    Ok(code as i64)
}
