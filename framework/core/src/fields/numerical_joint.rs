//! Several columns of numbers per cell, as one tensor.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    AnnDataField, AttrLocation, FieldState, SummaryStats, Transfer, numerical_obs::check_numbers,
};
use crate::{
    anndata::{AnnData, DataFrame, Element, Mapping, Slot},
    error::{Error, Result},
};

/// Columns of numbers in `obs`, gathered as a table in `obsm["_scvi_<registry key>"]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumericalJointObsField {
    registry_key: String,
    attr_keys: Vec<String>,
}

impl NumericalJointObsField {
    /// The columns of these names; an empty field without names.
    pub fn new(registry_key: &str, attr_keys: &[String]) -> Self {
        Self { registry_key: registry_key.into(), attr_keys: attr_keys.to_vec() }
    }
}

#[typetag::serde]
impl AnnDataField for NumericalJointObsField {
    fn registry_key(&self) -> &str {
        &self.registry_key
    }

    fn location(&self) -> Option<AttrLocation> {
        joint_location(&self.registry_key, &self.attr_keys)
    }

    fn validate_field(&self, adata: &AnnData) -> Result<()> {
        check_distinct(&self.registry_key, &self.attr_keys)?;
        self.attr_keys.iter().try_for_each(|key| check_numbers(adata, key))
    }

    fn register_field(&self, adata: &mut AnnData) -> Result<FieldState> {
        let mut columns = Mapping::new();
        for key in &self.attr_keys {
            columns.insert(key.clone(), adata.get(Slot::Obs, key)?.clone());
        }
        set_table(adata, &self.registry_key, columns)?;
        Ok([("columns", json!(self.attr_keys))].into_iter().collect())
    }

    fn transfer_field(
        &self,
        _: &FieldState,
        target: &mut AnnData,
        _: Transfer,
    ) -> Result<FieldState> {
        self.register_field(target)
    }

    fn get_summary_stats(&self, state: &FieldState) -> SummaryStats {
        let columns: Vec<String> = state.read("columns").unwrap_or_default();
        SummaryStats::one(format!("n_{}", self.registry_key), columns.len())
    }
}

/// Where a joint field puts its table; nowhere when it has no columns.
pub(super) fn joint_location(registry_key: &str, attr_keys: &[String]) -> Option<AttrLocation> {
    let place = || AttrLocation::new(Slot::Obsm, format!("_scvi_{registry_key}"));
    (!attr_keys.is_empty()).then(place)
}

/// Checks that no column is named twice.
pub(super) fn check_distinct(registry_key: &str, attr_keys: &[String]) -> Result<()> {
    match attr_keys.iter().enumerate().find(|(i, key)| attr_keys[..*i].contains(key)) {
        None => Ok(()),
        Some((_, key)) => Err(Error::Argument {
            name: registry_key.into(),
            expected: "each column once".into(),
            found: format!("`{key}` twice"),
        }),
    }
}

/// Puts a joint field's table in its place.
pub(super) fn set_table(adata: &mut AnnData, registry_key: &str, columns: Mapping) -> Result<()> {
    let (index, index_name) = (adata.obs().index.clone(), adata.obs().index_name.clone());
    let table = DataFrame { index, index_name, columns };
    adata.set(Slot::Obsm, &format!("_scvi_{registry_key}"), Element::DataFrame(table))
}
