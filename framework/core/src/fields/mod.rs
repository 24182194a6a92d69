//! Fields: what a model reads from a data set, and where it lies.
//!
//! | kind | reads | writes |
//! |---|---|---|
//! | [`LayerField`] | the matrix of counts: X or a layer | |
//! | [`CategoricalObsField`], [`CategoricalVarField`] | a column with few distinct values | its codes, `_scvi_<key>` beside it |
//! | [`NumericalObsField`], [`NumericalVarField`] | a column of numbers | |
//! | [`CategoricalJointObsField`], [`CategoricalJointVarField`] | several such columns | a table of codes, `_scvi_<key>` in obsm or varm |
//! | [`NumericalJointObsField`], [`NumericalJointVarField`] | several columns of numbers | a table of them there |
//! | [`ObsmField`], [`VarmField`] | a matrix or table with a row per cell or gene | |
//! | [`LabelsWithUnlabeledObsField`] | labels, one of which stands for none | codes, that one being the last |
//! | [`ProteinObsmField`], [`ProteinLayerField`] | counts of proteins | |
//! | [`StringUnsField`] | a word about the data set | |
//!
//! Each has `in_modality`, for a data set of several kinds of measurement: it then reads and writes
//! in that modality. [`AnnDataField`] is the trait for kinds of one's own.

mod axis;
mod categorical;
mod categorical_joint;
mod category;
mod column;
mod joint;
mod kinds;
mod labels;
mod layer;
mod matrix;
mod numerical;
mod numerical_joint;
mod protein;
mod state_view;
mod string_uns;

use std::fmt::{self, Debug};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    anndata::{AnnData, Element, Slot},
    error::Result,
    table::Table,
};

pub use axis::{Axis, Obs, Var};
pub use categorical::{CategoricalField, CategoricalObsField, CategoricalVarField};
pub use categorical_joint::{
    CategoricalJointField, CategoricalJointObsField, CategoricalJointVarField,
};
pub use category::{Category, Encoded, encode};
pub(crate) use column::numbers;
pub use kinds::{BUILT_IN, from_json, kind_of};
pub(crate) use kinds::{KIND, known_kinds, knows};
pub use labels::LabelsWithUnlabeledObsField;
pub use layer::LayerField;
pub use matrix::{MatrixField, ObsmField, VarmField};
pub use numerical::{NumericalField, NumericalObsField, NumericalVarField};
pub use numerical_joint::{NumericalJointField, NumericalJointObsField, NumericalJointVarField};
pub use protein::{ProteinField, ProteinLayerField, ProteinObsmField};
use state_view::state_view;
pub use string_uns::StringUnsField;

/// Where the loader finds a field's tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttrLocation {
    /// The modality; none for the data set itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mod_key: Option<String>,
    /// The slot of the data set.
    pub attr_name: Slot,
    /// The element's name in it; none for `X`.
    pub attr_key: Option<String>,
}

impl AttrLocation {
    /// The element `key` of `slot`.
    pub fn new(slot: Slot, key: impl Into<String>) -> Self {
        Self { mod_key: None, attr_name: slot, attr_key: Some(key.into()) }
    }

    /// The main matrix.
    pub fn x() -> Self {
        Self { mod_key: None, attr_name: Slot::X, attr_key: None }
    }

    /// The same place in the modality `key`.
    #[must_use]
    pub fn in_modality(self, key: impl Into<String>) -> Self {
        Self { mod_key: Some(key.into()), ..self }
    }

    /// What is there in `adata`.
    ///
    /// # Errors
    /// [`Error::MissingElement`](crate::Error::MissingElement) or
    /// [`Error::NoModality`](crate::Error::NoModality), listing what is there.
    pub fn find<'a>(&self, adata: &'a AnnData) -> Result<&'a Element> {
        let owner = adata.within(self.mod_key.as_deref())?;
        owner.get(self.attr_name, self.attr_key.as_deref().unwrap_or_default())
    }
}

impl fmt::Display for AttrLocation {
    /// As scvi-tools prints it: `adata.obs['_scvi_batch']`, `mdata.mod['rna'].X`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.mod_key {
            Some(key) => write!(f, "mdata.mod['{key}'].{}", self.attr_name.name())?,
            None => write!(f, "adata.{}", self.attr_name.name())?,
        }
        self.attr_key.iter().try_for_each(|key| write!(f, "['{key}']"))
    }
}

/// What a field remembers about the data it was registered with, e.g. its categories.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FieldState(pub Map<String, Value>);

/// Numbers that size a model: `n_vars`, `n_batch`, …
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SummaryStats(pub IndexMap<String, i64>);

impl FieldState {
    /// What is remembered under `name`, if it is there and of type `T`.
    pub fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        T::deserialize(self.0.get(name)?).ok()
    }
}

impl<V: Into<Value>> FromIterator<(&'static str, V)> for FieldState {
    fn from_iter<I: IntoIterator<Item = (&'static str, V)>>(entries: I) -> Self {
        Self(entries.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
    }
}

impl SummaryStats {
    /// One statistic.
    pub fn one(name: impl Into<String>, value: usize) -> Self {
        Self(IndexMap::from([(name.into(), value as i64)]))
    }
    /// The statistic `name`; 0 when no field gives it.
    pub fn get(&self, name: &str) -> i64 {
        self.0.get(name).copied().unwrap_or(0)
    }
    /// Genes.
    pub fn n_vars(&self) -> i64 {
        self.get("n_vars")
    }
    /// Cells.
    pub fn n_cells(&self) -> i64 {
        self.get("n_cells")
    }
    /// Batches.
    pub fn n_batch(&self) -> i64 {
        self.get("n_batch")
    }
    /// Labels.
    pub fn n_labels(&self) -> i64 {
        self.get("n_labels")
    }
}

/// How a registration is carried over to another data set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Append categories that the source did not know, in place of refusing them.
    pub extend_categories: bool,
    /// Take a missing column of labels for cells without a label, in place of refusing it.
    pub allow_missing_labels: bool,
}

/// A kind of data that models can read: finds it, checks it, encodes it and remembers how.
///
/// A crate may add its own and use it in the fields of its models; listed in
/// [`export_fields!`](crate::export_fields), models of all other plugins can read it too. It is
/// written into saved models as JSON with the name of its type, so that two kinds must not share one.
///
/// ```
/// use scvi_framework::{
///     anndata::{AnnData, Slot},
///     fields::{AttrLocation, FieldState, Transfer},
///     prelude::*,
///     serde::{Deserialize, Serialize},
///     typetag,
/// };
///
/// /// Where each cell lies on a slide, from obsm.
/// #[derive(Debug, Serialize, Deserialize)]
/// #[serde(crate = "scvi_framework::serde")]
/// struct PositionField {
///     key: String,
/// }
///
/// #[typetag::serde]
/// impl AnnDataField for PositionField {
///     fn registry_key(&self) -> &str {
///         "position"
///     }
///     fn location(&self) -> Option<AttrLocation> {
///         Some(AttrLocation::new(Slot::Obsm, &self.key))
///     }
///     fn validate_field(&self, adata: &AnnData) -> Result<()> {
///         adata.get(Slot::Obsm, &self.key).map(|_| ())
///     }
///     fn register_field(&self, _: &mut AnnData) -> Result<FieldState> {
///         Ok(FieldState::default()) // nothing to encode, nothing to remember
///     }
///     fn transfer_field(
///         &self,
///         _: &FieldState,
///         target: &mut AnnData,
///         _: Transfer,
///     ) -> Result<FieldState> {
///         self.validate_field(target)?;
///         self.register_field(target)
///     }
///     fn get_summary_stats(&self, _: &FieldState) -> SummaryStats {
///         SummaryStats::default()
///     }
/// }
///
/// let field = PositionField { key: "spatial".into() }.boxed();
/// let json = scvi_framework::serde_json::to_string(&field)?;
/// assert_eq!(json, r#"{"field":"PositionField","key":"spatial"}"#);
/// # Ok::<_, scvi_framework::serde_json::Error>(())
/// ```
#[typetag::serde(tag = "field")]
pub trait AnnDataField: Debug + Send + Sync {
    /// The name under which the tensor reaches the module.
    fn registry_key(&self) -> &str;

    /// Where the loader finds the tensor after registration; `None` for an optional field that was
    /// not given.
    fn location(&self) -> Option<AttrLocation>;

    /// Checks that the data are there and usable.
    ///
    /// # Errors
    /// Says what is missing or wrong, and what is there.
    fn validate_field(&self, adata: &AnnData) -> Result<()>;

    /// Prepares the data (encodes categories, gathers columns) and says what must be remembered.
    ///
    /// # Errors
    /// When the data cannot be encoded.
    fn register_field(&self, adata: &mut AnnData) -> Result<FieldState>;

    /// Checks another data set and prepares it in the terms of `state`.
    ///
    /// # Errors
    /// When the target does not fit, e.g. has categories that `state` lacks.
    fn transfer_field(
        &self,
        state: &FieldState,
        target: &mut AnnData,
        how: Transfer,
    ) -> Result<FieldState>;

    /// Statistics of the field, a function of the state alone.
    fn get_summary_stats(&self, state: &FieldState) -> SummaryStats;

    /// The state for people, a function of the state alone: categories and their codes, or the
    /// columns that were gathered; nothing for states of other shapes.
    fn view_state_registry(&self, state: &FieldState) -> Option<Table> {
        state_view(self.registry_key(), &self.location()?, state)
    }

    /// Name and version of the plugin that does the field's work; none for a field of this library.
    fn plugin(&self) -> Option<(String, String)> {
        None
    }

    /// As a trait object.
    fn boxed(self) -> Box<dyn AnnDataField>
    where
        Self: Sized + 'static,
    {
        Box::new(self)
    }
}

#[cfg(test)]
mod tests;
