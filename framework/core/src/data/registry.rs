//! What is known about a registered data set, as saved with a model.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::{
    fields::{AnnDataField, AttrLocation, FieldState, SummaryStats},
    params::Args,
};

/// One field's part of the registry.
#[derive(Debug, Serialize, Deserialize)]
pub struct FieldRegistry {
    /// Where the tensor lies; `None` for an optional field that was not given.
    pub data_registry: Option<AttrLocation>,
    /// What the field remembers.
    pub state_registry: FieldState,
    /// What the state amounts to.
    pub summary_stats: SummaryStats,
    /// The field itself, tagged with its kind.
    pub field: Box<dyn AnnDataField>,
}

/// What is known about a registered data set: which fields, where, in which terms.
#[derive(Debug, Serialize, Deserialize)]
pub struct Registry {
    /// The version of scvi-tools whose format this is.
    pub scvi_version: String,
    /// The model class that set the data up.
    pub model_name: String,
    /// Its set-up function.
    pub setup_method_name: String,
    /// The arguments of the set-up.
    pub setup_args: Args,
    /// Registry key → field, in order of registration.
    pub field_registries: IndexMap<String, FieldRegistry>,
    /// The identity of the data set.
    #[serde(rename = "_scvi_uuid")]
    pub scvi_uuid: String,
}

impl Registry {
    /// The statistics of all fields together.
    pub fn summary_stats(&self) -> SummaryStats {
        let all = self.field_registries.values();
        SummaryStats(all.flat_map(|f| f.summary_stats.0.clone()).collect())
    }

    /// Where each tensor lies; empty fields are left out.
    pub fn data_registry(&self) -> impl Iterator<Item = (&str, &AttrLocation)> {
        let all = self.field_registries.iter();
        all.filter_map(|(key, f)| Some((key.as_str(), f.data_registry.as_ref()?)))
    }

    /// What the field `key` remembers.
    pub fn state(&self, key: &str) -> Option<&FieldState> {
        self.field_registries.get(key).map(|f| &f.state_registry)
    }
}
