//! The models and fields that plugins bring, found once per run.

use std::{
    cell::OnceCell,
    path::{Path, PathBuf},
    sync::Arc,
};

use scvi_framework::{
    data::{Simulation, SyntheticIid},
    fields::{AnnDataField, FieldState},
    model::{DynModelClass, ModelDescription},
    params::{ParamSpec, Params},
    saved::{self, SavedModel},
    serde_json::Value,
};

use crate::{
    error::HostError,
    failure::{Error, Result},
    field_kinds::{FieldKinds, Server},
    parse::Describe,
    plugins::{Found, discover, search_path},
    registry::{Models, Origin},
};

/// A model or kind of field as its plugin's manifest lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// `SCVI`, `CategoricalObsField`
    pub name: String,
    /// What it is.
    pub about: String,
    /// The plugin's name.
    pub plugin: String,
    /// The plugin's version.
    pub version: String,
}

/// Where models and fields come from.
pub trait Catalogue {
    /// All models, without running any plugin's code.
    fn listed(&self) -> Vec<Listed>;

    /// The model of this name, in any case, its plugin loaded.
    ///
    /// # Errors
    /// When two plugins have it, or its plugin cannot be loaded.
    fn open(&self, name: &str) -> Result<Arc<dyn DynModelClass>, HostError>;

    /// All kinds of fields, without running any plugin's code.
    fn listed_fields(&self) -> Vec<Listed>;

    /// The field with this JSON, its plugin loaded; `state` is what it remembers, where that is known.
    ///
    /// # Errors
    /// When no plugin or several have its kind, or the kind does not take the JSON.
    fn field(
        &self,
        json: &Value,
        state: Option<FieldState>,
    ) -> Result<Arc<dyn AnnDataField>, HostError>;
}

impl Catalogue for (Models, FieldKinds) {
    fn listed(&self) -> Vec<Listed> {
        let listed = self.0.list().iter().map(|entry| {
            let (plugin, version) = match &entry.origin {
                Origin::Plugin(found) => made_by(found),
                Origin::Native(of) => native(of.package),
            };
            Listed { name: entry.name.clone(), about: entry.about.clone(), plugin, version }
        });
        listed.collect()
    }

    fn open(&self, name: &str) -> Result<Arc<dyn DynModelClass>, HostError> {
        self.0.open(name)
    }

    fn listed_fields(&self) -> Vec<Listed> {
        let listed = self.1.list().iter().map(|entry| {
            let (plugin, version) = match &entry.server {
                Server::Plugin(found) => made_by(found),
                Server::Native(of) => native(of.package),
                Server::Framework => native("scvi-framework"),
            };
            Listed { name: entry.kind.clone(), about: entry.about.clone(), plugin, version }
        });
        listed.collect()
    }

    fn field(
        &self,
        json: &Value,
        state: Option<FieldState>,
    ) -> Result<Arc<dyn AnnDataField>, HostError> {
        self.1.open(json, state)
    }
}

fn made_by(found: &Found) -> (String, String) {
    (found.manifest.plugin.clone(), found.manifest.version.clone())
}

fn native(package: &str) -> (String, String) {
    (package.into(), env!("CARGO_PKG_VERSION").into())
}

/// Finds the models and fields in these folders and the usual ones.
pub type Find = dyn Fn(&[PathBuf]) -> Box<dyn Catalogue>;

/// What one run of the program knows.
pub struct Session {
    find: Box<Find>,
    catalogue: OnceCell<Box<dyn Catalogue>>,
    saved: OnceCell<(PathBuf, SavedModel)>,
}

impl Default for Session {
    /// A session with the models and fields of all plugins and of this program.
    fn default() -> Self {
        Self::new(|dirs| {
            let plugins = discover(&search_path(dirs));
            let (models, fields) = (Models::new(&plugins), FieldKinds::new(&plugins));
            Box::new((models.with_native(), fields.with_native()))
        })
    }
}

impl Session {
    /// A session whose models and fields `find` brings, when they are asked for.
    pub fn new(find: impl Fn(&[PathBuf]) -> Box<dyn Catalogue> + 'static) -> Self {
        Self { find: Box::new(find), catalogue: OnceCell::new(), saved: OnceCell::new() }
    }

    /// Looks for plugins in these folders too, unless that was done already.
    pub fn search(&self, plugin_dirs: &[PathBuf]) -> &dyn Catalogue {
        &**self.catalogue.get_or_init(|| (self.find)(plugin_dirs))
    }

    /// All models, without running any plugin's code.
    pub fn listed(&self) -> Vec<Listed> {
        self.search(&[]).listed()
    }

    /// The model `name`, spelt in any case.
    ///
    /// # Errors
    /// When there is none or several, or its plugin cannot be loaded.
    pub fn open(&self, name: &str) -> Result<Arc<dyn DynModelClass>> {
        Ok(self.search(&[]).open(name)?)
    }

    /// The class of the model saved in `dir`.
    ///
    /// # Errors
    /// As [`Session::open`], naming the plugin that wrote the model when there is none.
    pub fn class_of(&self, dir: &Path, saved: &SavedModel) -> Result<Arc<dyn DynModelClass>> {
        self.search(&[]).open(&saved.meta.model_name).map_err(|source| match source {
            HostError::UnknownModel { .. } => {
                let (dir, plugin) = (dir.into(), saved.meta.plugin.clone());
                Error::NoPlugin { dir, plugin, source: Box::new(source) }
            }
            other => other.into(),
        })
    }

    /// All kinds of fields, without running any plugin's code.
    pub fn listed_fields(&self) -> Vec<Listed> {
        self.search(&[]).listed_fields()
    }

    /// The fields with these JSONs.
    ///
    /// # Errors
    /// When one is of no kind known here or does not take its JSON, or its plugin cannot be loaded.
    pub fn fields(&self, json: &[Value]) -> Result<Vec<Arc<dyn AnnDataField>>> {
        json.iter().map(|json| Ok(self.search(&[]).field(json, None)?)).collect()
    }

    /// The fields that the model saved in `dir` was given beside its own.
    ///
    /// # Errors
    /// As [`Session::fields`], naming the plugin of a field where there is none.
    pub fn fields_of(&self, dir: &Path, saved: &SavedModel) -> Result<Vec<Arc<dyn AnnDataField>>> {
        let open = |given: saved::GivenField<'_>| {
            self.search(&[]).field(given.json, Some(given.state)).map_err(|source| match source {
                HostError::UnknownField { .. } => Error::NoFieldPlugin {
                    dir: dir.into(),
                    registry_key: given.registry_key.into(),
                    plugin: given.plugin.cloned(),
                    source: Box::new(source),
                },
                other => other.into(),
            })
        };
        saved.meta.given().map(open).collect()
    }

    /// Name and version of the plugin that has the model `name`.
    pub fn plugin_of(&self, name: &str) -> Option<(String, String)> {
        let found = self.listed().into_iter().find(|m| m.name == name)?;
        Some((found.plugin, found.version))
    }

    /// The model saved in `dir`, read once.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub fn saved(&self, dir: &Path) -> Result<SavedModel> {
        if let Some((_, model)) = self.saved.get().filter(|(read, _)| read == dir) {
            return Ok(model.clone());
        }
        let model = saved::read(dir)?;
        Ok(self.saved.get_or_init(|| (dir.into(), model)).1.clone())
    }
}

impl Describe for Session {
    fn model(&self, plugin_dirs: &[PathBuf], name: &str) -> Result<ModelDescription> {
        self.search(plugin_dirs);
        Ok(self.open(name)?.description())
    }

    fn saved(&self, plugin_dirs: &[PathBuf], dir: &Path) -> Result<ModelDescription> {
        self.search(plugin_dirs);
        let saved = Session::saved(self, dir)?;
        Ok(self.class_of(dir, &saved)?.description())
    }

    fn simulation(&self, iid: bool) -> Vec<ParamSpec> {
        let specs = if iid { SyntheticIid::specs() } else { Simulation::specs() };
        // `--seed` is everybody's.
        specs.into_iter().filter(|spec| spec.name != "seed").collect()
    }
}
