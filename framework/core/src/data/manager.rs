//! Registers data sets: runs the fields, keeps what they say, marks the data set.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;
use uuid::Uuid;

use super::{FieldRegistry, Registry, SCVI_VERSION};
use crate::{
    anndata::{AnnData, Element, Scalar, Slot},
    error::{Error, Result},
    fields::{AnnDataField, FieldState, SummaryStats, Transfer},
    params::Args,
    registry_keys::{MANAGER_UUID, SCVI_UUID},
};

/// The registration of one data set by one model.
///
/// ```
/// use scvi_framework::{anndata::{AnnData, DataFrame, Element, Slot}, data::AnnDataManager};
/// use scvi_framework::{fields::{AnnDataField, LayerField}, params::Args, registry_keys::REGISTRY_KEYS};
///
/// let mut adata = AnnData::new(DataFrame::new(["c1", "c2"]), DataFrame::new(["g1"]));
/// adata.set(Slot::X, "", Element::matrix(2, 1, vec![3.0f32, 0.0])?)?;
/// let fields = vec![LayerField::new(REGISTRY_KEYS.x, None).boxed()];
/// let manager = AnnDataManager::register(fields, "MyModel", Args::new(), &mut adata)?;
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
    /// What the fields refuse; two fields with one registry key or one summary statistic.
    pub fn register(
        fields: Vec<impl Into<Arc<dyn AnnDataField>>>,
        model_name: &str,
        setup_args: Args,
        adata: &mut AnnData,
    ) -> Result<Self> {
        let fields: Vec<Arc<dyn AnnDataField>> = fields.into_iter().map(Into::into).collect();
        let mut keys: Vec<&str> = Vec::new();
        for field in &fields {
            if keys.contains(&field.registry_key()) {
                return Err(Error::DuplicateField { key: field.registry_key().into() });
            }
            keys.push(field.registry_key());
        }
        let run =
            |field: &Arc<dyn AnnDataField>, target: &mut AnnData| field.register_field(target);
        Self::apply(fields, model_name, setup_args, adata, run)
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

    /// Registers another data set in the terms of this one, e.g. with its category codes. After an
    /// error the target is as it was.
    ///
    /// # Errors
    /// When the target does not fit: other genes, categories that are not known here.
    pub fn transfer_fields(&self, target: &mut AnnData, how: Transfer) -> Result<Self> {
        let all = &self.registry.field_registries;
        let fields = all.values().map(|f| f.field.clone()).collect();
        let (name, args) = (&self.registry.model_name, self.registry.setup_args.clone());
        Self::apply(fields, name, args, target, |field, target| {
            field.transfer_field(&all[field.registry_key()].state_registry, target, how)
        })
    }

    /// What is known about the registered data set.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The same, taking it out.
    pub fn into_registry(self) -> Registry {
        self.registry
    }

    /// The statistics of all fields together.
    pub fn summary_stats(&self) -> SummaryStats {
        self.registry.summary_stats()
    }

    fn apply(
        fields: Vec<Arc<dyn AnnDataField>>,
        model_name: &str,
        setup_args: Args,
        adata: &mut AnnData,
        run: impl Fn(&Arc<dyn AnnDataField>, &mut AnnData) -> Result<FieldState>,
    ) -> Result<Self> {
        let given = || fields.iter().filter(|f| f.location().is_some());
        given().try_for_each(|field| field.validate_field(adata))?;
        let mut target = adata.clone(); // shares memory; replaces `adata` when all went well
        let mut field_registries: IndexMap<String, FieldRegistry> = IndexMap::new();
        let mut stats: IndexMap<String, String> = IndexMap::new();
        for field in fields {
            let key = field.registry_key().to_owned();
            let data_registry = field.location();
            let state_registry = match data_registry {
                Some(_) => run(&field, &mut target)?,
                None => FieldState::default(),
            };
            let summary_stats = field.get_summary_stats(&state_registry);
            for stat in summary_stats.0.keys() {
                if let Some(other) = stats.insert(stat.clone(), key.clone()) {
                    let fields = [other, key];
                    return Err(Error::DuplicateStatistic { stat: stat.clone(), fields });
                }
            }
            let part = FieldRegistry { data_registry, state_registry, summary_stats, field };
            field_registries.insert(key, part);
        }
        let id = Uuid::new_v4();
        let scvi_uuid = match target.get(Slot::Uns, SCVI_UUID) {
            Ok(Element::Scalar(Scalar::String(uuid))) => uuid.clone(),
            _ => Uuid::new_v4().to_string(),
        };
        for (key, uuid) in [(SCVI_UUID, scvi_uuid.clone()), (MANAGER_UUID, id.to_string())] {
            target.set(Slot::Uns, key, Element::Scalar(Scalar::String(uuid)))?;
        }
        *adata = target;
        let registry = Registry {
            scvi_version: SCVI_VERSION.into(),
            model_name: model_name.into(),
            setup_method_name: "setup_anndata".into(),
            setup_args,
            field_registries,
            scvi_uuid,
        };
        Ok(Self { id, registry })
    }
}
