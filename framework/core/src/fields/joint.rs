//! What fields of several columns share: their names, and the table in which they are gathered.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::{AttrLocation, Axis, FieldState, SummaryStats};
use crate::{
    anndata::{AnnData, DataFrame, Element, Mapping},
    error::{Error, Result},
};

/// Columns that are gathered as the table `_scvi_<registry key>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct Joint<A: Axis> {
    pub(super) registry_key: String,
    pub(super) attr_keys: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mod_key: Option<String>,
    #[serde(skip)]
    axis: PhantomData<A>,
}

impl<A: Axis> Joint<A> {
    pub(super) fn new(registry_key: &str, attr_keys: &[String]) -> Self {
        let (registry_key, attr_keys) = (registry_key.into(), attr_keys.to_vec());
        Self { registry_key, attr_keys, mod_key: None, axis: PhantomData }
    }

    pub(super) fn in_modality(self, mod_key: &str) -> Self {
        Self { mod_key: Some(mod_key.into()), ..self }
    }

    /// What holds the columns: a modality, or the data set itself.
    pub(super) fn owner<'a>(&self, adata: &'a AnnData) -> Result<&'a AnnData> {
        adata.within(self.mod_key.as_deref())
    }

    fn table_key(&self) -> String {
        format!("_scvi_{}", self.registry_key)
    }

    /// Where the table goes; nowhere when it has no columns.
    pub(super) fn location(&self) -> Option<AttrLocation> {
        let place = AttrLocation::new(A::MATRICES, self.table_key());
        let place = AttrLocation { mod_key: self.mod_key.clone(), ..place };
        (!self.attr_keys.is_empty()).then_some(place)
    }

    /// Checks that no column is named twice.
    pub(super) fn check_distinct(&self) -> Result<()> {
        let mut keys = self.attr_keys.iter().enumerate();
        match keys.find(|(i, key)| self.attr_keys[..*i].contains(key)) {
            None => Ok(()),
            Some((_, key)) => Err(Error::Argument {
                name: self.registry_key.clone(),
                expected: "each column once".into(),
                found: format!("`{key}` twice"),
            }),
        }
    }

    /// Puts the table in its place.
    pub(super) fn set_table(&self, adata: &mut AnnData, columns: Mapping) -> Result<()> {
        let owner = adata.within_mut(self.mod_key.as_deref())?;
        let rows = A::table(owner);
        let (index, index_name) = (rows.index.clone(), rows.index_name.clone());
        let table = Element::DataFrame(DataFrame { index, index_name, columns });
        owner.set(A::MATRICES, &self.table_key(), table)
    }

    /// The one statistic: how many columns the state names under `key`.
    pub(super) fn n_columns(&self, state: &FieldState, key: &str) -> SummaryStats {
        let columns: Vec<String> = state.read(key).unwrap_or_default();
        SummaryStats::one(format!("n_{}", self.registry_key), columns.len())
    }
}
