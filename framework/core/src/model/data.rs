//! What a module may know about the data when it is built.

use crate::{data::Registry, fields::SummaryStats, registry_keys::REGISTRY_KEYS};

/// The registered data, as far as they size a module.
#[derive(Debug)]
pub struct ModuleData<'a> {
    /// Fields and what they remember.
    pub registry: &'a Registry,
    /// Statistics of all fields.
    pub stats: SummaryStats,
    /// Mean and population variance of the log library size per batch, each `[n_batch]`; zeros and
    /// ones while a saved model is rebuilt, whose buffers replace them. `None` where the model is made
    /// without a data set.
    pub library_log_moments: Option<(Vec<f32>, Vec<f32>)>,
}

impl ModuleData<'_> {
    /// Whether the field `key` was given.
    pub fn has(&self, key: &str) -> bool {
        self.registry.data_registry().any(|(k, _)| k == key)
    }

    /// Categories of each further categorical covariate.
    pub fn n_cats_per_cov(&self) -> Vec<i64> {
        let state = self.registry.state(REGISTRY_KEYS.cat_covs);
        let counts = state.and_then(|s| s.0.get("n_cats_per_key")).and_then(|v| v.as_array());
        counts.into_iter().flatten().filter_map(serde_json::Value::as_i64).collect()
    }
}
