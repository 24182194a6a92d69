//! What is known about a registered data set, as saved with a model.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    anndata::{AnnData, Element},
    error::{Error, Result},
    fields::{AnnDataField, AttrLocation, FieldState, SummaryStats},
    params::Args,
    registry_keys::REGISTRY_KEYS,
};

/// The version of scvi-tools whose registry format is written.
pub const SCVI_VERSION: &str = "1.4.2";

/// One field's part of the registry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FieldRegistry {
    /// Where the tensor lies; `None` for an optional field that was not given.
    #[serde(with = "location")]
    pub data_registry: Option<AttrLocation>,
    /// What the field remembers.
    pub state_registry: FieldState,
    /// What the state amounts to.
    pub summary_stats: SummaryStats,
    /// The field itself, tagged with its kind.
    pub field: Arc<dyn AnnDataField>,
}

/// What is known about a registered data set: which fields, where, in which terms.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registry {
    /// The version of scvi-tools whose format this is.
    pub scvi_version: String,
    /// The model class that set the data up; none when fields were registered without one.
    pub model_name: Option<String>,
    /// Its set-up function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup_method_name: Option<String>,
    /// The arguments of the set-up.
    pub setup_args: Option<Args>,
    /// Registry key → field, in order of registration.
    pub field_registries: IndexMap<String, FieldRegistry>,
    /// The identity of the data set.
    #[serde(rename = "_scvi_uuid")]
    pub scvi_uuid: String,
}

/// A registry as other writers leave it: fields are not named, some parts may be absent.
#[derive(Deserialize)]
struct SavedRegistry {
    scvi_version: Option<String>,
    model_name: Option<String>,
    setup_method_name: Option<String>,
    setup_args: Option<Args>,
    field_registries: IndexMap<String, SavedField>,
    #[serde(rename = "_scvi_uuid")]
    scvi_uuid: Option<String>,
}

#[derive(Deserialize)]
struct SavedField {
    #[serde(default)]
    state_registry: FieldState,
}

impl Registry {
    /// Rebuilds a registry from JSON that may not name its fields (scvi-tools writes none), by
    /// pairing each saved state with the model's own field of the same key. Saved fields that the
    /// model does not read are left out.
    ///
    /// # Errors
    /// When the JSON is no registry, or lacks a field that the model needs.
    pub fn from_saved(
        fields: Vec<impl Into<Arc<dyn AnnDataField>>>,
        saved: &Value,
    ) -> Result<Self> {
        let mut saved = SavedRegistry::deserialize(saved).map_err(|e| Error::Kind {
            what: "saved registry".into(),
            expected: "scvi_version, model_name, setup_args and field_registries".into(),
            found: e.to_string(),
        })?;
        let present: Vec<String> = saved.field_registries.keys().cloned().collect();
        let mut field_registries = IndexMap::new();
        for field in fields {
            let field: Arc<dyn AnnDataField> = field.into();
            let key = field.registry_key().to_owned();
            let data_registry = field.location();
            let state_registry = match saved.field_registries.swap_remove(&key) {
                Some(found) if data_registry.is_some() => found.state_registry,
                _ if data_registry.is_none() => FieldState::default(),
                _ => return Err(Error::MissingElement { slot: "saved registry", key, present }),
            };
            let summary_stats = field.get_summary_stats(&state_registry);
            let part = FieldRegistry { data_registry, state_registry, summary_stats, field };
            field_registries.insert(key, part);
        }
        // Data sets that were carried over by scvi-tools do not say by what method.
        let by_method = saved.model_name.as_ref().map(|_| "setup_anndata".to_owned());
        Ok(Self {
            scvi_version: saved.scvi_version.unwrap_or_else(|| SCVI_VERSION.into()),
            model_name: saved.model_name,
            setup_method_name: saved.setup_method_name.or(by_method),
            setup_args: saved.setup_args,
            field_registries,
            scvi_uuid: saved.scvi_uuid.unwrap_or_default(),
        })
    }

    /// As it is saved.
    ///
    /// # Errors
    /// When a field cannot be written as JSON.
    pub fn to_json(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(|e| Error::Kind {
            what: "registry".into(),
            expected: "something that JSON can hold".into(),
            found: e.to_string(),
        })
    }

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

    /// Where the tensor of field `key` lies.
    ///
    /// # Errors
    /// [`Error::MissingElement`], listing the fields that were given.
    pub fn location(&self, key: &str) -> Result<&AttrLocation> {
        let found = self.data_registry().find(|(k, _)| *k == key).map(|(_, location)| location);
        found.ok_or_else(|| Error::MissingElement {
            slot: "registry",
            key: key.into(),
            present: self.data_registry().map(|(k, _)| k.to_owned()).collect(),
        })
    }

    /// Whether it knows of minified data sets, beside full ones.
    pub fn is_minified(&self) -> bool {
        self.field_registries.contains_key(REGISTRY_KEYS.minify_type)
    }

    /// Whether a registered matrix of `adata` has been left on disk.
    pub fn on_disk(&self, adata: &AnnData) -> bool {
        self.data_registry().any(|(_, place)| matches!(place.find(adata), Ok(Element::Backed(_))))
    }

    /// What the field `key` remembers.
    pub fn state(&self, key: &str) -> Option<&FieldState> {
        self.field_registries.get(key).map(|f| &f.state_registry)
    }
}

/// Where an empty field lies is written `{}`.
pub(crate) mod location {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::{anndata::Slot, fields::AttrLocation};

    #[derive(Deserialize)]
    struct Partial {
        #[serde(default)]
        mod_key: Option<String>,
        attr_name: Option<Slot>,
        attr_key: Option<String>,
    }

    pub fn serialize<S: Serializer>(
        location: &Option<AttrLocation>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match location {
            Some(location) => location.serialize(serializer),
            None => serializer.collect_map(std::iter::empty::<(&str, &str)>()),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<AttrLocation>, D::Error> {
        let Partial { mod_key, attr_name, attr_key } = Partial::deserialize(deserializer)?;
        Ok(attr_name.map(|attr_name| AttrLocation { mod_key, attr_name, attr_key }))
    }
}
