//! A model in a few lines.

use serde_json::Value;

use super::ModelMeta;
use crate::params::Args;

/// Class, arguments and whether it was trained.
pub(crate) fn summary_string(model: &str, params: &Args, is_trained: bool) -> String {
    let plain = |value: &Value| match value {
        Value::String(word) => word.clone(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Null => "None".into(),
        other => other.to_string(),
    };
    let params = params.iter().map(|(name, value)| format!("{name}: {}", plain(value)));
    let params = params.collect::<Vec<_>>().join(", ");
    let status = if is_trained { "Trained" } else { "Not Trained" };
    format!("{model} model with the following parameters:\n{params}.\nTraining status: {status}")
}

impl ModelMeta {
    /// Class, arguments and whether it was trained, for people.
    pub fn summary_string(&self) -> String {
        summary_string(&self.model_name, &self.init_params, self.is_trained)
    }
}
