//! Several categorical columns per cell or gene, as one tensor.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    AnnDataField, AttrLocation, Axis, Category, FieldState, Obs, SummaryStats, Transfer, Var,
    axis::kinds,
    category::code_column,
    column::{EXTEND, encode_column, recode},
    joint::Joint,
};
use crate::{
    anndata::{AnnData, Mapping},
    error::Result,
};

pub(super) const MAPPINGS: &str = "mappings";
pub(super) const FIELD_KEYS: &str = "field_keys";
const N_CATS_PER_KEY: &str = "n_cats_per_key";

/// Categorical columns, encoded as a table of codes `_scvi_<registry key>` in `obsm` or `varm`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct CategoricalJointField<A: Axis>(Joint<A>);

/// Categorical columns of `obs`, encoded in `obsm`.
pub type CategoricalJointObsField = CategoricalJointField<Obs>;
/// Categorical columns of `var`, encoded in `varm`.
pub type CategoricalJointVarField = CategoricalJointField<Var>;

impl<A: Axis> CategoricalJointField<A> {
    /// The columns of these names; an empty field without names.
    pub fn new(registry_key: &str, attr_keys: &[String]) -> Self {
        Self(Joint::new(registry_key, attr_keys))
    }

    /// The same in the modality `mod_key`.
    #[must_use]
    pub fn in_modality(self, mod_key: &str) -> Self {
        Self(self.0.in_modality(mod_key))
    }

    fn check(&self, adata: &AnnData) -> Result<()> {
        self.0.check_distinct()?;
        let owner = self.0.owner(adata)?;
        self.0.attr_keys.iter().try_for_each(|key| encode_column::<A>(owner, key).map(|_| ()))
    }

    fn register(&self, adata: &mut AnnData) -> Result<FieldState> {
        self.write(adata, |owner, key| {
            let encoded = encode_column::<A>(owner, key)?;
            Ok((encoded.categories, encoded.codes))
        })
    }

    fn transfer(
        &self,
        state: &FieldState,
        target: &mut AnnData,
        how: Transfer,
    ) -> Result<FieldState> {
        self.0.check_distinct()?;
        let known: IndexMap<String, Vec<Category>> = state.read(MAPPINGS).unwrap_or_default();
        self.write(target, |owner, key| {
            let known = known.get(key).map_or(&[][..], Vec::as_slice);
            let mapped = recode::<A>(&encode_column::<A>(owner, key)?, known, key, how, EXTEND)?;
            Ok((mapped.categories, mapped.codes))
        })
    }

    /// Encodes every column, with `code` from its name.
    fn write(
        &self,
        adata: &mut AnnData,
        code: impl Fn(&AnnData, &str) -> Result<(Vec<Category>, Vec<i64>)>,
    ) -> Result<FieldState> {
        let owner = self.0.owner(adata)?;
        let mut mappings = IndexMap::new();
        let mut columns = Mapping::new();
        for key in &self.0.attr_keys {
            let (categories, codes) = code(owner, key)?;
            columns.insert(key.clone(), code_column(&codes, categories.len()));
            mappings.insert(key, categories);
        }
        self.0.set_table(adata, columns)?;
        let n_cats: Vec<usize> = mappings.values().map(Vec::len).collect();
        Ok([
            (MAPPINGS, json!(mappings)),
            (FIELD_KEYS, json!(self.0.attr_keys)),
            (N_CATS_PER_KEY, json!(n_cats)),
        ]
        .into_iter()
        .collect())
    }
}

kinds! {
    "CategoricalJointObsField" => CategoricalJointObsField,
    "CategoricalJointVarField" => CategoricalJointVarField;
    {
        fn registry_key(&self) -> &str {
            &self.0.registry_key
        }

        fn location(&self) -> Option<AttrLocation> {
            self.0.location()
        }

        fn validate_field(&self, adata: &AnnData) -> Result<()> {
            self.check(adata)
        }

        fn register_field(&self, adata: &mut AnnData) -> Result<FieldState> {
            self.register(adata)
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
            self.0.n_columns(state, FIELD_KEYS)
        }
    }
}
