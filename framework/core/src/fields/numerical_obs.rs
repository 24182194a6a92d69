//! A column of numbers per cell.

use serde::{Deserialize, Serialize};

use super::{AnnDataField, AttrLocation, FieldState, SummaryStats, Transfer};
use crate::{
    anndata::{AnnData, Element, Slot},
    error::{Error, Result},
};

/// An optional column of numbers in `obs`, read where it is, e.g. a size factor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumericalObsField {
    registry_key: String,
    attr_key: Option<String>,
}

impl NumericalObsField {
    /// The column of that name; an empty field without a name.
    pub fn new(registry_key: &str, attr_key: Option<&str>) -> Self {
        Self { registry_key: registry_key.into(), attr_key: attr_key.map(str::to_owned) }
    }
}

#[typetag::serde]
impl AnnDataField for NumericalObsField {
    fn registry_key(&self) -> &str {
        &self.registry_key
    }

    fn location(&self) -> Option<AttrLocation> {
        Some(AttrLocation::new(Slot::Obs, self.attr_key.as_ref()?))
    }

    fn validate_field(&self, adata: &AnnData) -> Result<()> {
        self.attr_key.iter().try_for_each(|key| check_numbers(adata, key))
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
        self.register_field(target)
    }

    fn get_summary_stats(&self, _: &FieldState) -> SummaryStats {
        SummaryStats::default()
    }
}

/// Checks that the column `key` of `obs` holds finite numbers.
pub(super) fn check_numbers(adata: &AnnData, key: &str) -> Result<()> {
    let column = adata.get(Slot::Obs, key)?;
    let bad: Vec<usize> = match numbers(column) {
        Some(numbers) => (0..numbers.len()).filter(|&i| !numbers[i].is_finite()).collect(),
        None => {
            return Err(Error::Kind {
                what: format!("obs column `{key}`"),
                expected: "numbers".into(),
                found: column.kind(),
            });
        }
    };
    if bad.is_empty() {
        return Ok(());
    }
    let hint = "fill in the values, drop these cells, or leave the column out";
    Err(bad_values(adata, key, "no finite number", &bad, hint))
}

/// A column as numbers, NaN where missing; `None` when it holds something else.
pub(crate) fn numbers(column: &Element) -> Option<Vec<f64>> {
    match column {
        Element::Dense(dense) => Some(dense.values.to_f64()),
        Element::Nullable(nullable) => {
            let values = numbers(&nullable.values)?.into_iter();
            Some(values.zip(&*nullable.mask).map(|(v, &m)| if m { f64::NAN } else { v }).collect())
        }
        _ => None,
    }
}

/// The error for the rows `bad` of a column.
pub(super) fn bad_values(
    adata: &AnnData,
    key: &str,
    wrong: &'static str,
    bad: &[usize],
    hint: &'static str,
) -> Error {
    const NAMED: usize = 5;
    let name = |&i: &usize| adata.obs_names().map_or(i.to_string(), |names| names.get(i).into());
    Error::BadValues {
        key: key.into(),
        n_bad: bad.len(),
        n_obs: adata.n_obs(),
        wrong,
        cells: bad.iter().take(NAMED).map(name).collect(),
        hint,
    }
}
