//! Fields that were given to a model beside its own, as its saved state names them.

use serde_json::Value;

use super::ModelMeta;
use crate::{error::Error, fields::FieldState};

/// A field that was given to a model, at rest.
#[derive(Clone, Debug)]
pub struct GivenField<'a> {
    /// Its registry key.
    pub registry_key: &'a str,
    /// The field as JSON, with its kind.
    pub json: &'a Value,
    /// What it remembers; empty where it was left out.
    pub state: FieldState,
    /// Name and version of the plugin that served it; none for a kind of the framework, of the
    /// model's own plugin, or of a program.
    pub plugin: Option<&'a (String, String)>,
}

impl ModelMeta {
    /// The fields that were given beside the model's own.
    pub fn given(&self) -> impl Iterator<Item = GivenField<'_>> {
        self.given_fields.iter().map(|(registry_key, plugin)| {
            let saved = &self.registry["field_registries"][registry_key];
            GivenField {
                registry_key,
                json: &saved["field"],
                state: FieldState(saved["state_registry"].as_object().cloned().unwrap_or_default()),
                plugin: plugin.as_ref(),
            }
        })
    }
}

impl GivenField<'_> {
    /// The error for one whose kind nobody here knows, as `reason` says.
    pub fn missing(&self, reason: Error) -> Error {
        Error::MissingField {
            registry_key: self.registry_key.into(),
            plugin: self.plugin.cloned(),
            source: Box::new(reason),
        }
    }
}
