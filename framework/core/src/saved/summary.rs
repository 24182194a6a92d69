//! A model in a few lines.

use serde_json::Value;

use super::ModelMeta;
use crate::params::Args;

/// Class, arguments, whether it was trained and whether its data set was minified.
pub(crate) fn summary_string(
    model: &str,
    params: &Args,
    is_trained: bool,
    is_minified: bool,
) -> String {
    let truth = |value: bool| if value { "True" } else { "False" };
    let plain = |value: &Value| match value {
        Value::String(word) => word.clone(),
        Value::Bool(value) => truth(*value).into(),
        Value::Null => "None".into(),
        other => other.to_string(),
    };
    let params = params.iter().map(|(name, value)| format!("{name}: {}", plain(value)));
    let params = params.collect::<Vec<_>>().join(", ");
    let status = if is_trained { "Trained" } else { "Not Trained" };
    format!(
        "{model} model with the following parameters:\n{params}.\nTraining status: {status}\n\
         Model's adata is minified?: {}",
        truth(is_minified)
    )
}

impl ModelMeta {
    /// Class, arguments, whether it was trained and whether its data set was minified, for people.
    pub fn summary_string(&self) -> String {
        let is_minified = self.is_minified();
        summary_string(&self.model_name, &self.init_params, self.is_trained, is_minified)
    }
}
