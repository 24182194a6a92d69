//! All models by name, from plugins and from this program; a plugin is loaded when a model of it is
//! opened.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use scvi_framework::{
    abi::{ModelRegistration, Plugin, native_models},
    model::DynModelClass,
    params::nearest,
};

use crate::{
    error::{HostError, Result},
    plugins::{Found, Plugins},
};

/// Where a model comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// Compiled into this program.
    Native(&'static ModelRegistration),
    /// A plugin's file.
    Plugin(Arc<Found>),
}

/// A model that can be opened.
#[derive(Clone, Debug)]
pub struct ModelEntry {
    /// `SCVI`
    pub name: String,
    /// One sentence and the paper.
    pub about: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// All models by name.
pub struct Models {
    entries: Vec<ModelEntry>,
    refused: usize,
    loaded: Mutex<HashMap<PathBuf, Vec<Arc<dyn DynModelClass>>>>,
}

impl Models {
    /// The models that the manifests of `plugins` list.
    pub fn new(plugins: &Plugins) -> Self {
        let entries = plugins.accepted.iter().flat_map(|found| {
            let shared = Arc::new(found.clone());
            found.manifest.models.iter().map(move |model| ModelEntry {
                name: model.name.clone(),
                about: model.about.clone(),
                origin: Origin::Plugin(shared.clone()),
            })
        });
        let mut models = Self {
            entries: entries.collect(),
            refused: plugins.refused.len(),
            loaded: Mutex::default(),
        };
        models.sort();
        models
    }

    /// Adds the models of plugins that are compiled into this program.
    #[must_use]
    pub fn with_native(mut self) -> Self {
        self.entries.extend(native_models().into_iter().map(|registration| ModelEntry {
            name: registration.name.into(),
            about: (registration.make)().description().about,
            origin: Origin::Native(registration),
        }));
        self.sort();
        self
    }

    fn sort(&mut self) {
        self.entries.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// All models in order of name; no plugin is loaded for this.
    pub fn list(&self) -> &[ModelEntry] {
        &self.entries
    }

    /// The model `name`, spelt in any case; loads its plugin.
    ///
    /// # Errors
    /// When there is none or more than one, or its plugin cannot be loaded.
    pub fn open(&self, name: &str) -> Result<Arc<dyn DynModelClass>> {
        let entry = self.find(name)?;
        match &entry.origin {
            Origin::Native(registration) => Ok((registration.make)()),
            Origin::Plugin(found) => self.load(&entry.name, found),
        }
    }

    fn find(&self, name: &str) -> Result<&ModelEntry> {
        let mut matching = self.entries.iter().filter(|e| e.name.eq_ignore_ascii_case(name));
        let first = matching.next().ok_or_else(|| self.unknown(name))?;
        let places: Vec<String> =
            std::iter::once(first).chain(matching).map(|e| e.origin.to_string()).collect();
        if places.len() > 1 {
            return Err(HostError::SeveralModels { name: first.name.clone(), places });
        }
        Ok(first)
    }

    fn unknown(&self, name: &str) -> HostError {
        let known: Vec<String> = self.entries.iter().map(|e| e.name.clone()).collect();
        let nearest = nearest(name, &known);
        HostError::UnknownModel { name: name.into(), nearest, known, refused: self.refused }
    }

    fn load(&self, name: &str, found: &Found) -> Result<Arc<dyn DynModelClass>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if !loaded.contains_key(&found.path) {
            let classes = Plugin::load(&found.path)?.classes()?;
            loaded.insert(found.path.clone(), classes);
        }
        let class = loaded[&found.path].iter().find(|class| class.description().name == name);
        class
            .cloned()
            .ok_or_else(|| HostError::ModelNotThere { name: name.into(), path: found.path.clone() })
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Native(registration) => write!(f, "this program ({})", registration.package),
            Self::Plugin(found) => write!(f, "{}", found.path.display()),
        }
    }
}
