//! All kinds of fields by name: the framework's own, those of plugins and of this program. A plugin
//! is loaded when a field of it is opened.

use std::{
    collections::HashMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use scvi_framework::{
    abi::{FieldRegistration, Plugin, native_fields},
    fields::{AnnDataField, BUILT_IN, FieldState, from_json, kind_of},
    params::nearest,
    serde_json::Value,
};

use crate::{
    error::{HostError, Result},
    plugins::{Found, Plugins},
};

/// Who does the work of a kind of field.
#[derive(Clone, Debug)]
pub enum Server {
    /// The framework, in every program and plugin.
    Framework,
    /// A crate compiled into this program.
    Native(&'static FieldRegistration),
    /// A plugin's file.
    Plugin(Arc<Found>),
}

/// A kind of field that can be opened.
#[derive(Clone, Debug)]
pub struct FieldEntry {
    /// `CategoricalObsField`
    pub kind: String,
    /// What it reads, and what its JSON takes.
    pub about: String,
    /// Who does its work.
    pub server: Server,
}

/// All kinds of fields by name.
pub struct FieldKinds {
    entries: Vec<FieldEntry>,
    refused: usize,
    loaded: Mutex<HashMap<PathBuf, Arc<Plugin>>>,
}

impl FieldKinds {
    /// The framework's own, and those that the manifests of `plugins` list.
    pub fn new(plugins: &Plugins) -> Self {
        let built_in = BUILT_IN.iter().map(|(kind, about)| FieldEntry {
            kind: (*kind).into(),
            about: (*about).into(),
            server: Server::Framework,
        });
        let listed = plugins.accepted.iter().flat_map(|found| {
            let shared = Arc::new(found.clone());
            found.manifest.fields.iter().map(move |field| FieldEntry {
                kind: field.kind.clone(),
                about: field.about.clone(),
                server: Server::Plugin(shared.clone()),
            })
        });
        let mut kinds = Self {
            entries: built_in.chain(listed).collect(),
            refused: plugins.refused.len(),
            loaded: Mutex::default(),
        };
        kinds.sort();
        kinds
    }

    /// Adds the kinds of plugins that are compiled into this program.
    #[must_use]
    pub fn with_native(mut self) -> Self {
        self.entries.extend(native_fields().into_iter().map(|registration| FieldEntry {
            kind: registration.kind.into(),
            about: registration.about.into(),
            server: Server::Native(registration),
        }));
        self.sort();
        self
    }

    fn sort(&mut self) {
        self.entries.sort_by(|a, b| a.kind.cmp(&b.kind));
    }

    /// All kinds in order of name; no plugin is loaded for this.
    pub fn list(&self) -> &[FieldEntry] {
        &self.entries
    }

    /// The field with this JSON, with its plugin loaded; `state` is what it remembers, where that is
    /// known.
    ///
    /// # Errors
    /// When no plugin or more than one has its kind, its plugin cannot be loaded, or the kind does not
    /// take the JSON.
    pub fn open(&self, json: &Value, state: Option<FieldState>) -> Result<Arc<dyn AnnDataField>> {
        let kind = kind_of(json)?;
        let Server::Plugin(found) = &self.find(kind)?.server else {
            return Ok(from_json(json)?.into());
        };
        let plugin = self.load(found)?;
        if !plugin.known_fields()?.iter().any(|known| known == kind) {
            return Err(HostError::FieldNotThere { kind: kind.into(), path: found.path.clone() });
        }
        Ok(plugin.field(json.clone(), state)?)
    }

    fn find(&self, kind: &str) -> Result<&FieldEntry> {
        let mut matching = self.entries.iter().filter(|entry| entry.kind == kind);
        let first = matching.next().ok_or_else(|| self.unknown(kind))?;
        let places: Vec<String> =
            std::iter::once(first).chain(matching).map(|e| e.server.to_string()).collect();
        if places.len() > 1 {
            return Err(HostError::SeveralFields { kind: kind.into(), places });
        }
        Ok(first)
    }

    fn unknown(&self, kind: &str) -> HostError {
        let known: Vec<String> = self.entries.iter().map(|entry| entry.kind.clone()).collect();
        let nearest = nearest(kind, &known);
        HostError::UnknownField { kind: kind.into(), nearest, known, refused: self.refused }
    }

    fn load(&self, found: &Found) -> Result<Arc<Plugin>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plugin) = loaded.get(&found.path) {
            return Ok(plugin.clone());
        }
        let plugin = Arc::new(Plugin::load(&found.path)?);
        loaded.insert(found.path.clone(), plugin.clone());
        Ok(plugin)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Framework => f.write_str("scvi-framework"),
            Self::Native(registration) => write!(f, "this program ({})", registration.package),
            Self::Plugin(found) => write!(f, "{}", found.path.display()),
        }
    }
}
