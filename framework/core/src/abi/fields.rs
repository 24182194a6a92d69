//! Fields whose work is done on the other side, as ordinary fields.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

use indexmap::{IndexMap, IndexSet};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::field_job::{FieldJob, FieldReply};
use crate::{
    anndata::AnnData,
    data::{FieldRegistry, Registry},
    error::{Error, Result},
    fields::{
        AnnDataField, AttrLocation, FieldState, KIND, SummaryStats, Transfer, from_json, kind_of,
        knows,
    },
    params::Args,
};

/// Whoever does the work of one field.
pub trait FieldServer: Debug + Send + Sync {
    /// Does it, on a data set where the job needs one.
    ///
    /// # Errors
    /// What the field refuses; or when its plugin fails.
    fn work(&self, job: FieldJob, adata: Option<&mut AnnData>) -> Result<FieldReply>;
}

/// A field that crosses: what it is, and the number under which its lender knows it.
#[derive(Debug, Serialize, Deserialize)]
pub struct WireField {
    pub id: usize,
    field: Value,
    registry_key: String,
    location: Option<AttrLocation>,
    plugin: Option<(String, String)>,
}

impl WireField {
    /// The field that its lender knows as `id`.
    ///
    /// # Errors
    /// When it has no JSON.
    pub fn new(id: usize, field: &dyn AnnDataField) -> Result<Self> {
        let json = serde_json::to_value(field).map_err(|e| Error::FieldJson {
            kind: field.typetag_name().into(),
            reason: e.to_string(),
        })?;
        Ok(Self {
            id,
            field: json,
            registry_key: field.registry_key().into(),
            location: field.location(),
            plugin: field.plugin(),
        })
    }

    /// The field itself: of this library, when its kind is known here, and else one whose work
    /// `server` does.
    ///
    /// # Errors
    /// When the JSON is not what its kind takes.
    pub fn open(self, server: impl FieldServer + 'static) -> Result<Arc<dyn AnnDataField>> {
        if knows(kind_of(&self.field)?) {
            return from_json(&self.field).map(Arc::from);
        }
        Ok(Arc::new(ForeignField::new(server, self)?))
    }
}

/// A field of a kind that only the other side knows. It is written as it was read.
#[derive(Debug)]
pub struct ForeignField {
    server: Box<dyn FieldServer>,
    kind: &'static str,
    body: Map<String, Value>,
    registry_key: String,
    location: Option<AttrLocation>,
    plugin: Option<(String, String)>,
    /// A state and its statistics, as told last.
    told: Mutex<Option<(FieldState, SummaryStats)>>,
}

impl ForeignField {
    fn new(server: impl FieldServer + 'static, wire: WireField) -> Result<Self> {
        let kind = interned(kind_of(&wire.field)?);
        let mut body = wire.field.as_object().cloned().unwrap_or_default();
        body.shift_remove(KIND);
        let WireField { registry_key, location, plugin, .. } = wire;
        let (server, told) = (Box::new(server), Mutex::default());
        Ok(Self { server, kind, body, registry_key, location, plugin, told })
    }

    /// The field with this JSON, described by `server`, which belongs to `plugin`; so are the
    /// statistics of `state`, where one is known.
    ///
    /// # Errors
    /// When the JSON is not what its kind takes, or the plugin fails.
    pub fn described(
        server: impl FieldServer + 'static,
        field: Value,
        plugin: (String, String),
        state: Option<FieldState>,
    ) -> Result<Self> {
        kind_of(&field)?;
        let reply = server.work(FieldJob::Describe { state: state.clone() }, None)?;
        let FieldReply::Described { registry_key, location, stats } = reply else {
            return Err(unexpected("a description of the field", &reply));
        };
        let wire = WireField { id: 0, field, registry_key, location, plugin: Some(plugin) };
        let field = Self::new(server, wire)?;
        *field.told() = state.zip(stats);
        Ok(field)
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Option<(FieldState, SummaryStats)>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn registered(&self, job: FieldJob, adata: &mut AnnData) -> Result<FieldState> {
        match self.server.work(job, Some(adata))? {
            FieldReply::Registered { state, stats } => {
                *self.told() = Some((state.clone(), stats));
                Ok(state)
            }
            other => Err(unexpected("the state of the field", &other)),
        }
    }
}

fn unexpected(expected: &'static str, reply: &FieldReply) -> Error {
    Error::Message { expected, reason: format!("{reply:?}") }
}

impl Serialize for ForeignField {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.body.serialize(serializer)
    }
}

// The attribute would register a kind of its own; this one takes the kind that its plugin gave.
impl AnnDataField for ForeignField {
    fn typetag_name(&self) -> &'static str {
        self.kind
    }

    fn typetag_deserialize(&self) {}

    fn registry_key(&self) -> &str {
        &self.registry_key
    }

    fn location(&self) -> Option<AttrLocation> {
        self.location.clone()
    }

    fn validate_field(&self, adata: &AnnData) -> Result<()> {
        // A copy shares memory, and what is changed in it is changed nowhere else.
        self.server.work(FieldJob::Validate, Some(&mut adata.clone())).map(|_| ())
    }

    fn register_field(&self, adata: &mut AnnData) -> Result<FieldState> {
        self.registered(FieldJob::Register, adata)
    }

    fn transfer_field(
        &self,
        state: &FieldState,
        target: &mut AnnData,
        how: Transfer,
    ) -> Result<FieldState> {
        self.registered(FieldJob::Transfer { state: state.clone(), how }, target)
    }

    /// Those told with the state. Of a state that came from elsewhere they are asked for; a plugin
    /// that fails then has none to give.
    fn get_summary_stats(&self, state: &FieldState) -> SummaryStats {
        if let Some((known, stats)) = &*self.told()
            && known == state
        {
            return stats.clone();
        }
        match self.server.work(FieldJob::Describe { state: Some(state.clone()) }, None) {
            Ok(FieldReply::Described { stats, .. }) => stats.unwrap_or_default(),
            _ => SummaryStats::default(),
        }
    }

    fn plugin(&self) -> Option<(String, String)> {
        self.plugin.clone()
    }
}

#[derive(Deserialize)]
struct WireRegistry {
    scvi_version: String,
    model_name: Option<String>,
    setup_method_name: Option<String>,
    setup_args: Option<Args>,
    field_registries: IndexMap<String, WireFieldRegistry>,
    #[serde(rename = "_scvi_uuid")]
    scvi_uuid: String,
}

#[derive(Deserialize)]
struct WireFieldRegistry {
    #[serde(with = "crate::data::location")]
    data_registry: Option<AttrLocation>,
    state_registry: FieldState,
    summary_stats: SummaryStats,
    field: Value,
}

/// The registry that a plugin sent. Its fields are those that were `lent` to it, those of kinds known
/// here, and of all others `open` makes one from its JSON and state.
///
/// # Errors
/// When it is none.
pub fn registry(
    json: Value,
    lent: &[Arc<dyn AnnDataField>],
    open: impl Fn(Value, FieldState) -> Result<Arc<dyn AnnDataField>>,
) -> Result<Registry> {
    let wire: WireRegistry = serde_json::from_value(json)
        .map_err(|e| Error::Message { expected: "a registry", reason: e.to_string() })?;
    let mut field_registries = IndexMap::new();
    for (key, wire) in wire.field_registries {
        let WireFieldRegistry { data_registry, state_registry, summary_stats, field } = wire;
        let field = match lent.iter().find(|lent| lent.registry_key() == key) {
            Some(lent) => lent.clone(),
            None if knows(kind_of(&field)?) => from_json(&field)?.into(),
            None => open(field, state_registry.clone())?,
        };
        let part = FieldRegistry { data_registry, state_registry, summary_stats, field };
        field_registries.insert(key, part);
    }
    Ok(Registry {
        field_registries,
        scvi_version: wire.scvi_version,
        model_name: wire.model_name,
        setup_method_name: wire.setup_method_name,
        setup_args: wire.setup_args,
        scvi_uuid: wire.scvi_uuid,
    })
}

/// Kinds are few and live as long as their plugin, which is for ever.
fn interned(kind: &str) -> &'static str {
    static KINDS: Mutex<Option<IndexSet<&'static str>>> = Mutex::new(None);
    let mut kinds = KINDS.lock().unwrap_or_else(PoisonError::into_inner);
    let kinds = kinds.get_or_insert_default();
    if let Some(known) = kinds.get(kind) {
        return known;
    }
    let leaked: &'static str = Box::leak(kind.to_owned().into_boxed_str());
    kinds.insert(leaked);
    leaked
}
