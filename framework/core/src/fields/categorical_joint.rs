//! Several categorical columns per cell, as one tensor.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    AnnDataField, AttrLocation, Category, FieldState, SummaryStats, Transfer,
    categorical_obs::{encode_obs, recode},
    category::code_column,
    numerical_joint::{check_distinct, joint_location, set_table},
};
use crate::{
    anndata::{AnnData, Mapping},
    error::Result,
};

const MAPPINGS: &str = "mappings";
const FIELD_KEYS: &str = "field_keys";
const N_CATS_PER_KEY: &str = "n_cats_per_key";

/// Categorical columns of `obs`, encoded as a table of codes in `obsm["_scvi_<registry key>"]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CategoricalJointObsField {
    registry_key: String,
    attr_keys: Vec<String>,
}

impl CategoricalJointObsField {
    /// The columns of these names; an empty field without names.
    pub fn new(registry_key: &str, attr_keys: &[String]) -> Self {
        Self { registry_key: registry_key.into(), attr_keys: attr_keys.to_vec() }
    }

    /// Encodes every column, with `code` from its name.
    fn write(
        &self,
        adata: &mut AnnData,
        code: impl Fn(&AnnData, &str) -> Result<(Vec<Category>, Vec<i64>)>,
    ) -> Result<FieldState> {
        let mut mappings = IndexMap::new();
        let mut columns = Mapping::new();
        for key in &self.attr_keys {
            let (categories, codes) = code(adata, key)?;
            columns.insert(key.clone(), code_column(&codes, categories.len()));
            mappings.insert(key, categories);
        }
        set_table(adata, &self.registry_key, columns)?;
        let n_cats: Vec<usize> = mappings.values().map(Vec::len).collect();
        Ok([
            (MAPPINGS, json!(mappings)),
            (FIELD_KEYS, json!(self.attr_keys)),
            (N_CATS_PER_KEY, json!(n_cats)),
        ]
        .into_iter()
        .collect())
    }
}

#[typetag::serde]
impl AnnDataField for CategoricalJointObsField {
    fn registry_key(&self) -> &str {
        &self.registry_key
    }

    fn location(&self) -> Option<AttrLocation> {
        joint_location(&self.registry_key, &self.attr_keys)
    }

    fn validate_field(&self, adata: &AnnData) -> Result<()> {
        check_distinct(&self.registry_key, &self.attr_keys)?;
        self.attr_keys.iter().try_for_each(|key| encode_obs(adata, key).map(|_| ()))
    }

    fn register_field(&self, adata: &mut AnnData) -> Result<FieldState> {
        self.write(adata, |adata, key| {
            let encoded = encode_obs(adata, key)?;
            Ok((encoded.categories, encoded.codes))
        })
    }

    fn transfer_field(
        &self,
        state: &FieldState,
        target: &mut AnnData,
        how: Transfer,
    ) -> Result<FieldState> {
        let known: IndexMap<String, Vec<Category>> = state.read(MAPPINGS).unwrap_or_default();
        self.write(target, |adata, key| {
            let known = known.get(key).map_or(&[][..], Vec::as_slice);
            let mapped = recode(encode_obs(adata, key)?, known, key, how)?;
            Ok((mapped.categories, mapped.codes))
        })
    }

    fn get_summary_stats(&self, state: &FieldState) -> SummaryStats {
        let keys: Vec<String> = state.read(FIELD_KEYS).unwrap_or_default();
        SummaryStats::one(format!("n_{}", self.registry_key), keys.len())
    }
}
