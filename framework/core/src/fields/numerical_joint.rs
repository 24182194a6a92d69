//! Several columns of numbers per cell or gene, as one tensor.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    AnnDataField, AttrLocation, Axis, FieldState, Obs, SummaryStats, Transfer, Var, axis::kinds,
    column::check_numbers, joint::Joint,
};
use crate::{
    anndata::{AnnData, Mapping},
    error::Result,
};

pub(super) const COLUMNS: &str = "columns";

/// Columns of numbers, gathered as a table `_scvi_<registry key>` in `obsm` or `varm`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct NumericalJointField<A: Axis>(Joint<A>);

/// Columns of numbers in `obs`, gathered in `obsm`.
pub type NumericalJointObsField = NumericalJointField<Obs>;
/// Columns of numbers in `var`, gathered in `varm`.
pub type NumericalJointVarField = NumericalJointField<Var>;

impl<A: Axis> NumericalJointField<A> {
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
        self.0.attr_keys.iter().try_for_each(|key| check_numbers::<A>(owner, key))
    }

    fn write(&self, adata: &mut AnnData) -> Result<FieldState> {
        let owner = self.0.owner(adata)?;
        let column = |key: &String| Ok((key.clone(), owner.get(A::COLUMNS, key)?.clone()));
        let columns = self.0.attr_keys.iter().map(column).collect::<Result<Mapping>>()?;
        self.0.set_table(adata, columns)?;
        Ok([(COLUMNS, json!(self.0.attr_keys))].into_iter().collect())
    }
}

kinds! {
    "NumericalJointObsField" => NumericalJointObsField,
    "NumericalJointVarField" => NumericalJointVarField;
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
            self.write(adata)
        }

        fn transfer_field(
            &self,
            _: &FieldState,
            target: &mut AnnData,
            _: Transfer,
        ) -> Result<FieldState> {
            self.check(target)?;
            self.write(target)
        }

        fn get_summary_stats(&self, state: &FieldState) -> SummaryStats {
            self.0.n_columns(state, COLUMNS)
        }
    }
}
