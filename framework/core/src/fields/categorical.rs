//! A categorical column per cell or gene: batch, labels, and the like.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    AnnDataField, AttrLocation, Axis, Category, FieldState, Obs, SummaryStats, Transfer, Var,
    axis::kinds,
    category::{Encoded, code_column},
    column::{EXTEND, encode_column, recode},
};
use crate::{anndata::AnnData, error::Result};

pub(super) const CATEGORICAL_MAPPING: &str = "categorical_mapping";
pub(super) const ORIGINAL_KEY: &str = "original_key";

/// A column with few distinct values, encoded as the column `_scvi_<registry key>` beside it.
/// Without a column all rows are of one category, 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct CategoricalField<A: Axis> {
    registry_key: String,
    attr_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mod_key: Option<String>,
    #[serde(skip)]
    axis: PhantomData<A>,
}

/// A categorical column of `obs`, e.g. the batch of each cell.
pub type CategoricalObsField = CategoricalField<Obs>;
/// A categorical column of `var`.
pub type CategoricalVarField = CategoricalField<Var>;

impl<A: Axis> CategoricalField<A> {
    /// The column of that name; all rows alike without a name.
    pub fn new(registry_key: &str, attr_key: Option<&str>) -> Self {
        let (registry_key, attr_key) = (registry_key.into(), attr_key.map(str::to_owned));
        Self { registry_key, attr_key, mod_key: None, axis: PhantomData }
    }

    /// The same in the modality `mod_key`.
    #[must_use]
    pub fn in_modality(self, mod_key: &str) -> Self {
        Self { mod_key: Some(mod_key.into()), ..self }
    }

    pub(super) fn original_key(&self) -> Option<&str> {
        self.attr_key.as_deref()
    }

    pub(super) fn mod_key(&self) -> Option<&str> {
        self.mod_key.as_deref()
    }

    /// The column in terms of its own categories; it may have no missing values.
    pub(super) fn encode(&self, adata: &AnnData) -> Result<Encoded> {
        let owner = adata.within(self.mod_key())?;
        match &self.attr_key {
            Some(key) => encode_column::<A>(owner, key),
            None => Ok(Encoded {
                categories: vec![Category::Int(0)],
                codes: vec![0; A::table(owner).n_rows()],
            }),
        }
    }

    fn code_key(&self) -> String {
        format!("_scvi_{}", self.registry_key)
    }

    fn code_place(&self) -> AttrLocation {
        let place = AttrLocation::new(A::COLUMNS, self.code_key());
        AttrLocation { mod_key: self.mod_key.clone(), ..place }
    }

    pub(super) fn write(
        &self,
        adata: &mut AnnData,
        codes: &[i64],
        known: &[Category],
    ) -> Result<FieldState> {
        let owner = adata.within_mut(self.mod_key())?;
        owner.set(A::COLUMNS, &self.code_key(), code_column(codes, known.len()))?;
        let original = self.attr_key.clone().unwrap_or_else(|| self.code_key());
        let state = [(CATEGORICAL_MAPPING, json!(known)), (ORIGINAL_KEY, json!(original))];
        Ok(state.into_iter().collect())
    }

    fn transfer(
        &self,
        state: &FieldState,
        target: &mut AnnData,
        how: Transfer,
    ) -> Result<FieldState> {
        let known: Vec<Category> = state.read(CATEGORICAL_MAPPING).unwrap_or_default();
        let key = self.attr_key.as_deref().unwrap_or_default();
        let mapped = recode::<A>(&self.encode(target)?, &known, key, how, EXTEND)?;
        self.write(target, &mapped.codes, &mapped.categories)
    }
}

kinds! {
    "CategoricalObsField" => CategoricalObsField, "CategoricalVarField" => CategoricalVarField;
    {
        fn registry_key(&self) -> &str {
            &self.registry_key
        }

        fn location(&self) -> Option<AttrLocation> {
            Some(self.code_place())
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
            self.transfer(state, target, how)
        }

        fn get_summary_stats(&self, state: &FieldState) -> SummaryStats {
            n_categories(&self.registry_key, state)
        }
    }
}

/// The one statistic of a categorical column.
pub(super) fn n_categories(registry_key: &str, state: &FieldState) -> SummaryStats {
    let known: Vec<Category> = state.read(CATEGORICAL_MAPPING).unwrap_or_default();
    SummaryStats::one(format!("n_{registry_key}"), known.len())
}
