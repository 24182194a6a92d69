//! A column of numbers per cell or gene.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::{
    AnnDataField, AttrLocation, Axis, FieldState, Obs, SummaryStats, Transfer, Var, axis::kinds,
    column::check_numbers,
};
use crate::{anndata::AnnData, error::Result};

/// An optional column of numbers, read where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct NumericalField<A: Axis> {
    registry_key: String,
    attr_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mod_key: Option<String>,
    #[serde(skip)]
    axis: PhantomData<A>,
}

/// A column of numbers in `obs`, e.g. a size factor.
pub type NumericalObsField = NumericalField<Obs>;
/// A column of numbers in `var`.
pub type NumericalVarField = NumericalField<Var>;

impl<A: Axis> NumericalField<A> {
    /// The column of that name; an empty field without a name.
    pub fn new(registry_key: &str, attr_key: Option<&str>) -> Self {
        let (registry_key, attr_key) = (registry_key.into(), attr_key.map(str::to_owned));
        Self { registry_key, attr_key, mod_key: None, axis: PhantomData }
    }

    /// The same in the modality `mod_key`.
    #[must_use]
    pub fn in_modality(self, mod_key: &str) -> Self {
        Self { mod_key: Some(mod_key.into()), ..self }
    }

    fn place(&self) -> Option<AttrLocation> {
        let place = AttrLocation::new(A::COLUMNS, self.attr_key.as_ref()?);
        Some(AttrLocation { mod_key: self.mod_key.clone(), ..place })
    }

    fn check(&self, adata: &AnnData) -> Result<()> {
        let owner = adata.within(self.mod_key.as_deref())?;
        self.attr_key.iter().try_for_each(|key| check_numbers::<A>(owner, key))
    }
}

kinds! {
    "NumericalObsField" => NumericalObsField, "NumericalVarField" => NumericalVarField;
    {
        fn registry_key(&self) -> &str {
            &self.registry_key
        }

        fn location(&self) -> Option<AttrLocation> {
            self.place()
        }

        fn validate_field(&self, adata: &AnnData) -> Result<()> {
            self.check(adata)
        }

        fn register_field(&self, _: &mut AnnData) -> Result<FieldState> {
            Ok(FieldState::default())
        }

        fn transfer_field(
            &self,
            _: &FieldState,
            target: &mut AnnData,
            _: Transfer,
        ) -> Result<FieldState> {
            self.check(target)?;
            Ok(FieldState::default())
        }

        fn get_summary_stats(&self, _: &FieldState) -> SummaryStats {
            SummaryStats::default()
        }
    }
}
