//! Fields of a plugin's registry: kept as their JSON, since only the plugin knows their kinds.

use std::sync::Mutex;

use indexmap::{IndexMap, IndexSet};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    anndata::AnnData,
    data::{FieldRegistry, Registry},
    error::{Error, Result},
    fields::{AnnDataField, AttrLocation, FieldState, SummaryStats, Transfer},
    params::Args,
};

#[derive(Deserialize)]
struct WireRegistry {
    scvi_version: String,
    model_name: Option<String>,
    setup_method_name: Option<String>,
    setup_args: Option<Args>,
    field_registries: IndexMap<String, WireField>,
    #[serde(rename = "_scvi_uuid")]
    scvi_uuid: String,
}

#[derive(Deserialize)]
struct WireField {
    #[serde(with = "crate::data::location")]
    data_registry: Option<AttrLocation>,
    state_registry: FieldState,
    summary_stats: SummaryStats,
    field: Map<String, Value>,
}

/// The registry that `plugin` sent.
///
/// # Errors
/// When it is none.
pub fn registry(json: Value, plugin: &str) -> Result<Registry> {
    let wire: WireRegistry = serde_json::from_value(json)
        .map_err(|e| Error::Message { expected: "a registry", reason: e.to_string() })?;
    let fields = wire.field_registries.into_iter().map(|(key, wire)| {
        let field = ForeignField {
            plugin: plugin.into(),
            tag: interned(wire.field.get("field").and_then(Value::as_str).unwrap_or_default()),
            body: wire.field.into_iter().filter(|(key, _)| key != "field").collect(),
            registry_key: key.clone(),
            location: wire.data_registry.clone(),
            stats: wire.summary_stats.clone(),
        };
        let registered = FieldRegistry {
            data_registry: wire.data_registry,
            state_registry: wire.state_registry,
            summary_stats: wire.summary_stats,
            field: std::sync::Arc::new(field),
        };
        (key, registered)
    });
    Ok(Registry {
        field_registries: fields.collect(),
        scvi_version: wire.scvi_version,
        model_name: wire.model_name,
        setup_method_name: wire.setup_method_name,
        setup_args: wire.setup_args,
        scvi_uuid: wire.scvi_uuid,
    })
}

/// Tags are few and live as long as the plugin, which is for ever.
fn interned(tag: &str) -> &'static str {
    static TAGS: Mutex<Option<IndexSet<&'static str>>> = Mutex::new(None);
    let mut tags = TAGS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let tags = tags.get_or_insert_default();
    if let Some(known) = tags.get(tag) {
        return known;
    }
    let leaked: &'static str = Box::leak(tag.to_owned().into_boxed_str());
    tags.insert(leaked);
    leaked
}

/// A field that only its plugin understands.
#[derive(Debug)]
struct ForeignField {
    plugin: String,
    tag: &'static str,
    body: Map<String, Value>,
    registry_key: String,
    location: Option<AttrLocation>,
    stats: SummaryStats,
}

impl Serialize for ForeignField {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.body.serialize(serializer)
    }
}

impl ForeignField {
    fn elsewhere(&self) -> Error {
        Error::ForeignField { field: self.tag.into(), plugin: self.plugin.clone() }
    }
}

// The attribute would register a kind of its own; this one takes the kind that its plugin gave.
impl AnnDataField for ForeignField {
    fn typetag_name(&self) -> &'static str {
        self.tag
    }

    fn typetag_deserialize(&self) {}

    fn registry_key(&self) -> &str {
        &self.registry_key
    }

    fn location(&self) -> Option<AttrLocation> {
        self.location.clone()
    }

    fn validate_field(&self, _: &AnnData) -> Result<()> {
        Err(self.elsewhere())
    }

    fn register_field(&self, _: &mut AnnData) -> Result<FieldState> {
        Err(self.elsewhere())
    }

    fn transfer_field(&self, _: &FieldState, _: &mut AnnData, _: Transfer) -> Result<FieldState> {
        Err(self.elsewhere())
    }

    fn get_summary_stats(&self, _: &FieldState) -> SummaryStats {
        self.stats.clone()
    }
}
