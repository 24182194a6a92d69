//! Registers data sets: runs the fields, keeps what they say, marks the data set.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;
use uuid::Uuid;

use super::{
    FieldRegistry, MinifiedDataType, Registry, RegistryView, SCVI_VERSION, check_counts_are_there,
    is_minified_field, minified,
};
use crate::{
    anndata::{AnnData, Dense, Element, Scalar, Slot},
    error::{Error, Result},
    fields::{AnnDataField, AttrLocation, FieldState, SummaryStats, Transfer, numbers},
    params::Args,
    registry_keys::{MANAGER_UUID, SCVI_UUID},
};

/// The registration of a data set: which fields, where, in which terms. It keeps the terms and not the
/// data; the data set says in `uns` which manager wrote to it last, and which data set it was then.
///
/// ```
/// use scvi_framework::{anndata::{AnnData, DataFrame, Element, Slot}, data::AnnDataManager};
/// use scvi_framework::fields::{AnnDataField, LayerField};
///
/// let mut adata = AnnData::new(DataFrame::new(["c1", "c2"]), DataFrame::new(["g1"]));
/// adata.set(Slot::X, "", Element::matrix(2, 1, vec![3.0f32, 0.0])?)?;
/// let fields = vec![LayerField::new("x", None).boxed()];
/// let manager = AnnDataManager::register_fields(fields, &mut adata)?;
/// assert_eq!(manager.summary_stats().n_cells(), 2);
/// # Ok::<_, scvi_framework::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AnnDataManager {
    /// Identity of this registration.
    pub id: Uuid,
    registry: Registry,
}

impl AnnDataManager {
    /// Registers a data set with `fields`: all are checked before any writes, and after an error the
    /// data set is as it was.
    ///
    /// # Errors
    /// What the fields refuse; two fields with one registry key or one summary statistic; a modality
    /// that is not there or has other cells.
    pub fn register_fields(
        fields: Vec<impl Into<Arc<dyn AnnDataField>>>,
        adata: &mut AnnData,
    ) -> Result<Self> {
        let registry = Registry {
            scvi_version: SCVI_VERSION.into(),
            model_name: None,
            setup_method_name: None,
            setup_args: None,
            field_registries: IndexMap::new(),
            scvi_uuid: String::new(),
        };
        let mut manager = Self::from_registry(registry);
        manager.register_new_fields(fields, adata)?;
        Ok(manager)
    }

    /// As [`register_fields`](Self::register_fields), by the set-up of a class of models with these
    /// arguments.
    ///
    /// # Errors
    /// As [`register_fields`](Self::register_fields).
    pub fn register(
        fields: Vec<impl Into<Arc<dyn AnnDataField>>>,
        model_name: &str,
        setup_args: Args,
        adata: &mut AnnData,
    ) -> Result<Self> {
        let mut manager = Self::register_fields(fields, adata)?;
        manager.registry.model_name = Some(model_name.into());
        manager.registry.setup_method_name = Some("setup_anndata".into());
        manager.registry.setup_args = Some(setup_args);
        Ok(manager)
    }

    /// From a registry, e.g. of a saved model, to carry it over to data sets.
    pub fn from_registry(registry: Registry) -> Self {
        Self { id: Uuid::new_v4(), registry }
    }

    /// From a saved registry; see [`Registry::from_saved`].
    ///
    /// # Errors
    /// Those of [`Registry::from_saved`].
    pub fn from_saved(
        fields: Vec<impl Into<Arc<dyn AnnDataField>>>,
        saved: &Value,
    ) -> Result<Self> {
        Ok(Self::from_registry(Registry::from_saved(fields, saved)?))
    }

    /// Adds fields to those that are registered, on the same data set; what is registered keeps its
    /// terms. The manager is another one then, so that data sets without the new fields are brought
    /// up to date by [`validate`](Self::validate). After an error nothing has changed.
    ///
    /// # Errors
    /// As [`register_fields`](Self::register_fields), and as [`validate`](Self::validate).
    pub fn register_new_fields(
        &mut self,
        fields: Vec<impl Into<Arc<dyn AnnDataField>>>,
        adata: &mut AnnData,
    ) -> Result<()> {
        let mut target = adata.clone().with_id(adata.id());
        if !self.registry.field_registries.is_empty() {
            self.bring_in(&mut target)?;
        }
        let fields: Vec<Arc<dyn AnnDataField>> = fields.into_iter().map(Into::into).collect();
        for field in fields.iter().filter(|field| field.location().is_some()) {
            check_paired(&**field, &target)?;
            field.validate_field(&target).map_err(|e| in_modality(&**field, e))?;
        }
        let mut registry = self.registry.clone();
        for field in fields {
            add(&mut registry, &field, &mut target, |target| field.register_field(target))?;
        }
        let id = Uuid::new_v4();
        mark(id, &mut registry, &mut target)?;
        (self.id, self.registry, *adata) = (id, registry, target);
        Ok(())
    }

    /// The same terms without those of minified data sets, for cells that have their counts.
    #[must_use]
    pub fn for_full_data(&self) -> Self {
        let mut registry = self.registry.clone();
        registry.field_registries.retain(|key, _| !is_minified_field(key));
        Self::from_registry(registry)
    }

    /// Registers another data set in the terms of this one, e.g. with its category codes. After an
    /// error the target is as it was.
    ///
    /// # Errors
    /// When the target does not fit: other genes, categories that are not known here.
    pub fn transfer_fields(&self, target: &mut AnnData, how: Transfer) -> Result<Self> {
        let mut moved = self.clone();
        moved.id = Uuid::new_v4();
        moved.carry_over(target, how)?;
        Ok(moved)
    }

    /// Brings `adata` into the terms of this registration, unless it is in them already: when another
    /// manager wrote to it since, and when it is another data set, a copy among them. Categories that
    /// are not known are refused, and so are data sets without their counts where the terms do not know
    /// of minified ones. What was changed in place since it was registered is not noticed.
    ///
    /// # Errors
    /// As [`transfer_fields`](Self::transfer_fields).
    pub fn validate(&self, adata: &mut AnnData) -> Result<()> {
        if !self.registry.is_minified() {
            check_counts_are_there(adata)?;
        }
        self.bring_in(adata)
    }

    fn bring_in(&self, adata: &mut AnnData) -> Result<()> {
        if self.wrote_last(adata) {
            return Ok(());
        }
        self.clone().carry_over(adata, Transfer::default())
    }

    /// Registers `target` in the own terms, which become those that result.
    fn carry_over(&mut self, target: &mut AnnData, how: Transfer) -> Result<()> {
        let mut draft = target.clone().with_id(target.id());
        minified::take_newer_names(&mut draft, &self.registry)?;
        let is_minified = MinifiedDataType::of(&draft)?.is_some();
        let known = std::mem::take(&mut self.registry.field_registries);
        for (key, FieldRegistry { field, state_registry, .. }) in known {
            if is_minified_field(&key) && !is_minified {
                continue; // full data have their counts in place of a stored posterior
            }
            let transfer = |draft: &mut AnnData| field.transfer_field(&state_registry, draft, how);
            add(&mut self.registry, &field, &mut draft, transfer)?;
        }
        mark(self.id, &mut self.registry, &mut draft)?;
        *target = draft;
        Ok(())
    }

    /// Whether this registration wrote to `adata` last, and `adata` is no copy.
    fn wrote_last(&self, adata: &AnnData) -> bool {
        let says = |key, id: Uuid| match adata.get(Slot::Uns, key) {
            Ok(Element::Scalar(Scalar::String(text))) => *text == id.to_string(),
            _ => false,
        };
        says(MANAGER_UUID, self.id) && says(SCVI_UUID, adata.id())
    }

    /// # Errors
    /// [`Error::NotSetUp`] when it was not made by the set-up of `class`.
    pub(crate) fn check_class(&self, class: &str) -> Result<()> {
        let problem = match &self.registry.model_name {
            Some(name) if name == class => return Ok(()),
            Some(name) => format!("it was made by setup_anndata of {name}"),
            None => "it was made without a class of models".into(),
        };
        Err(Error::NotSetUp { what: "the manager", class: class.into(), problem })
    }

    /// What is known about the registered data set.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The same, taking it out.
    pub fn into_registry(self) -> Registry {
        self.registry
    }

    /// Which data set was registered.
    pub fn adata_uuid(&self) -> &str {
        &self.registry.scvi_uuid
    }

    /// Where each tensor lies, by registry key; empty fields are left out.
    pub fn data_registry(&self) -> IndexMap<&str, &AttrLocation> {
        self.registry.data_registry().collect()
    }

    /// What the field `key` remembers.
    ///
    /// # Errors
    /// [`Error::MissingElement`], listing the fields.
    pub fn get_state_registry(&self, key: &str) -> Result<&FieldState> {
        self.registry.state(key).ok_or_else(|| Error::MissingElement {
            slot: "registry",
            key: key.into(),
            present: self.registry.field_registries.keys().cloned().collect(),
        })
    }

    /// The statistics of all fields together.
    pub fn summary_stats(&self) -> SummaryStats {
        self.registry.summary_stats()
    }

    /// What `adata` holds where the field `key` is registered; columns as matrices `[n, 1]`.
    ///
    /// # Errors
    /// When there is no such field or nothing in its place.
    pub fn get_from_registry(&self, adata: &AnnData, key: &str) -> Result<Element> {
        let place = self.registry.location(key)?;
        let element = place.find(adata)?.clone();
        if !matches!(place.attr_name, Slot::Obs | Slot::Var) {
            return Ok(element);
        }
        Ok(match element {
            Element::Dense(Dense { shape, values }) => {
                Element::Dense(Dense { shape: vec![shape[0], 1], values })
            }
            column => match numbers(&column) {
                Some(numbers) => Element::matrix(numbers.len(), 1, numbers)?,
                None => column,
            },
        })
    }

    /// Changes arguments of the set-up as they stand in the registry.
    pub fn update_setup_method_args(&mut self, args: Args) {
        self.registry.setup_args.get_or_insert_default().extend(args);
    }

    /// The registry as tables for people.
    pub fn view_registry(&self) -> RegistryView {
        self.registry.view()
    }
}

/// Runs a field on `target`, by `run`, and adds what comes of it to `registry`.
fn add(
    registry: &mut Registry,
    field: &Arc<dyn AnnDataField>,
    target: &mut AnnData,
    run: impl FnOnce(&mut AnnData) -> Result<FieldState>,
) -> Result<()> {
    let (key, data_registry) = (field.registry_key().to_owned(), field.location());
    if registry.field_registries.contains_key(&key) {
        return Err(Error::DuplicateField { key });
    }
    let state_registry = match data_registry {
        Some(_) => {
            check_paired(&**field, target)?;
            run(target).map_err(|e| in_modality(&**field, e))?
        }
        None => FieldState::default(),
    };
    let summary_stats = field.get_summary_stats(&state_registry);
    for stat in summary_stats.0.keys() {
        let mut others = registry.field_registries.iter();
        if let Some((other, _)) = others.find(|(_, f)| f.summary_stats.0.contains_key(stat)) {
            let fields = [other.clone(), key];
            return Err(Error::DuplicateStatistic { stat: stat.clone(), fields });
        }
    }
    let part = FieldRegistry { data_registry, state_registry, summary_stats, field: field.clone() };
    registry.field_registries.insert(key, part);
    Ok(())
}

/// Checks that the modality of a field, if it has one, is there with the cells of the data set.
fn check_paired(field: &dyn AnnDataField, adata: &AnnData) -> Result<()> {
    let Some(key) = field.location().and_then(|place| place.mod_key) else { return Ok(()) };
    let (names, own) = (adata.obs_names()?, adata.modality(&key)?.obs_names()?);
    if names == own {
        return Ok(());
    }
    let found = match names.iter().zip(own.iter()).position(|(a, b)| a != b) {
        Some(i) if names.len() == own.len() => {
            format!("`{}` in place of `{}` at position {i}", own.get(i), names.get(i))
        }
        _ => own.len().to_string(),
    };
    Err(Error::Unpaired { modality: key, n_obs: names.len(), found })
}

/// Names the modality of a field that failed in one.
fn in_modality(field: &dyn AnnDataField, source: Error) -> Error {
    match field.location().and_then(|place| place.mod_key) {
        Some(modality) => Error::InModality { modality, source: Box::new(source) },
        None => source,
    }
}

/// Writes into the data set which it is and which manager wrote last.
fn mark(id: Uuid, registry: &mut Registry, target: &mut AnnData) -> Result<()> {
    registry.scvi_uuid = target.id().to_string();
    for (key, uuid) in [(SCVI_UUID, registry.scvi_uuid.clone()), (MANAGER_UUID, id.to_string())] {
        target.set(Slot::Uns, key, Element::Scalar(Scalar::String(uuid)))?;
    }
    Ok(())
}
