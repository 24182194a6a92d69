//! A categorical column per cell: batch, labels, and the like.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    AnnDataField, AttrLocation, Category, FieldState, SummaryStats, Transfer,
    category::{Encoded, Mapped, code_column, encode},
    numerical_obs::bad_values,
};
use crate::{
    anndata::{AnnData, Slot},
    error::{Error, Result},
};

const CATEGORICAL_MAPPING: &str = "categorical_mapping";
const ORIGINAL_KEY: &str = "original_key";

/// A column of `obs` with few distinct values, encoded as `obs["_scvi_<registry key>"]`. Without a
/// column all cells are of one category, 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CategoricalObsField {
    registry_key: String,
    attr_key: Option<String>,
}

impl CategoricalObsField {
    /// The column of that name; all cells alike without a name.
    pub fn new(registry_key: &str, attr_key: Option<&str>) -> Self {
        Self { registry_key: registry_key.into(), attr_key: attr_key.map(str::to_owned) }
    }

    fn code_key(&self) -> String {
        format!("_scvi_{}", self.registry_key)
    }

    fn encode(&self, adata: &AnnData) -> Result<Encoded> {
        match &self.attr_key {
            Some(key) => encode_obs(adata, key),
            None => {
                Ok(Encoded { categories: vec![Category::Int(0)], codes: vec![0; adata.n_obs()] })
            }
        }
    }

    fn write(&self, adata: &mut AnnData, codes: &[i64], known: &[Category]) -> Result<FieldState> {
        adata.set(Slot::Obs, &self.code_key(), code_column(codes, known.len()))?;
        let original = self.attr_key.clone().unwrap_or_else(|| self.code_key());
        let state = [(CATEGORICAL_MAPPING, json!(known)), (ORIGINAL_KEY, json!(original))];
        Ok(state.into_iter().collect())
    }
}

#[typetag::serde]
impl AnnDataField for CategoricalObsField {
    fn registry_key(&self) -> &str {
        &self.registry_key
    }

    fn location(&self) -> Option<AttrLocation> {
        Some(AttrLocation::new(Slot::Obs, self.code_key()))
    }

    fn validate_field(&self, adata: &AnnData) -> Result<()> {
        self.encode(adata).map(|_| ())
    }

    fn register_field(&self, adata: &mut AnnData) -> Result<FieldState> {
        let Encoded { categories, codes } = self.encode(adata)?;
        self.write(adata, &codes, &categories)
    }

    fn transfer_field(
        &self,
        state: &FieldState,
        target: &mut AnnData,
        how: Transfer,
    ) -> Result<FieldState> {
        let known: Vec<Category> = state.read(CATEGORICAL_MAPPING).unwrap_or_default();
        let key = self.attr_key.as_deref().unwrap_or_default();
        let mapped = recode(self.encode(target)?, &known, key, how)?;
        self.write(target, &mapped.codes, &mapped.categories)
    }

    fn get_summary_stats(&self, state: &FieldState) -> SummaryStats {
        let known: Vec<Category> = state.read(CATEGORICAL_MAPPING).unwrap_or_default();
        SummaryStats::one(format!("n_{}", self.registry_key), known.len())
    }
}

/// Encodes the column `key` of `obs`, which may have no missing values.
pub(super) fn encode_obs(adata: &AnnData, key: &str) -> Result<Encoded> {
    let encoded = encode(adata.get(Slot::Obs, key)?, &format!("obs column `{key}`"))?;
    let missing = encoded.missing();
    if missing.is_empty() {
        return Ok(encoded);
    }
    let hint = "give them a category of their own, or drop these cells";
    Err(bad_values(adata, key, "no value (NaN)", &missing, hint))
}

/// Recodes the column `key` to the categories `known`, appending others if allowed.
pub(super) fn recode(
    encoded: Encoded,
    known: &[Category],
    key: &str,
    how: Transfer,
) -> Result<Mapped> {
    let mapped = encoded.in_terms_of(known);
    if mapped.unseen.is_empty() || how.extend_categories {
        return Ok(mapped);
    }
    Err(Error::UnseenCategories {
        key: key.into(),
        unseen: mapped.unseen.iter().map(Category::json).collect(),
        n_cells: mapped.n_unseen_cells,
        known: known.iter().map(Category::json).collect(),
    })
}
