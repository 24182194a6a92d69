//! Labels of which some say that the cell has none.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    AnnDataField, AttrLocation, CategoricalObsField, Category, FieldState, SummaryStats, Transfer,
    axis::Obs,
    categorical::{CATEGORICAL_MAPPING, n_categories},
    category::Encoded,
    column::recode,
};
use crate::{
    anndata::{AnnData, Element, Slot},
    error::Result,
};

const UNLABELED_CATEGORY: &str = "unlabeled_category";

/// A categorical column of `obs` in which one category stands for cells without a label. Its code is
/// the last one: it changes places with the last category, or is appended when it is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelsWithUnlabeledObsField {
    #[serde(flatten)]
    column: CategoricalObsField,
    unlabeled_category: Category,
}

impl LabelsWithUnlabeledObsField {
    /// The column of that name, where cells without a label are `unlabeled_category`; all cells of
    /// one label without a name.
    pub fn new(
        registry_key: &str,
        attr_key: Option<&str>,
        unlabeled_category: impl Into<Category>,
    ) -> Self {
        let column = CategoricalObsField::new(registry_key, attr_key);
        Self { column, unlabeled_category: unlabeled_category.into() }
    }

    /// The same in the modality `mod_key`.
    #[must_use]
    pub fn in_modality(self, mod_key: &str) -> Self {
        Self { column: self.column.in_modality(mod_key), ..self }
    }

    fn unlabeled_last(&self, mut categories: Vec<Category>) -> Vec<Category> {
        match categories.iter().position(|c| c.same(&self.unlabeled_category)) {
            Some(place) => {
                let last = categories.len() - 1;
                categories.swap(place, last);
            }
            None => categories.push(self.unlabeled_category.clone()),
        }
        categories
    }

    /// Encodes in terms of `known` and no others.
    fn write(
        &self,
        adata: &mut AnnData,
        encoded: &Encoded,
        known: Vec<Category>,
    ) -> Result<FieldState> {
        let known = self.unlabeled_last(known);
        let key = self.column.original_key().unwrap_or_default();
        let hint = "Labels are not extended: give these cells a known label, or the unlabeled one";
        let mapped = recode::<Obs>(encoded, &known, key, Transfer::default(), hint)?;
        let mut state = self.column.write(adata, &mapped.codes, &mapped.categories)?;
        state.0.insert(UNLABELED_CATEGORY.into(), json!(self.unlabeled_category));
        Ok(state)
    }

    /// Takes all cells for unlabeled where there is no column of labels.
    fn fill_missing(&self, adata: &mut AnnData) -> Result<()> {
        let owner = adata.within_mut(self.column.mod_key())?;
        match self.column.original_key() {
            Some(key) if owner.get(Slot::Obs, key).is_err() => {
                let column = constant(&self.unlabeled_category, owner.n_obs());
                owner.set(Slot::Obs, key, column)
            }
            _ => Ok(()),
        }
    }
}

#[typetag::serde]
impl AnnDataField for LabelsWithUnlabeledObsField {
    fn registry_key(&self) -> &str {
        self.column.registry_key()
    }

    fn location(&self) -> Option<AttrLocation> {
        self.column.location()
    }

    fn validate_field(&self, adata: &AnnData) -> Result<()> {
        self.column.validate_field(adata)
    }

    fn register_field(&self, adata: &mut AnnData) -> Result<FieldState> {
        let encoded = self.column.encode(adata)?;
        self.write(adata, &encoded, encoded.categories.clone())
    }

    fn transfer_field(
        &self,
        state: &FieldState,
        target: &mut AnnData,
        how: Transfer,
    ) -> Result<FieldState> {
        if how.allow_missing_labels {
            self.fill_missing(target)?;
        }
        let known = state.read(CATEGORICAL_MAPPING).unwrap_or_default();
        self.write(target, &self.column.encode(target)?, known)
    }

    fn get_summary_stats(&self, state: &FieldState) -> SummaryStats {
        n_categories(self.registry_key(), state)
    }
}

fn constant(value: &Category, n_rows: usize) -> Element {
    match value {
        Category::Bool(value) => Element::vector(vec![*value; n_rows]),
        Category::Int(value) => Element::vector(vec![*value; n_rows]),
        Category::Float(value) => Element::vector(vec![*value; n_rows]),
        Category::Text(value) => Element::strings(std::iter::repeat_n(value, n_rows)),
    }
}
