//! What a model says about itself: its terms, how it was trained, where it computes.

use indexmap::IndexMap;
use serde_json::Value;
use tch::Device;

use super::{BaseModelClass, Model, Settings};
use crate::{
    anndata::{AnnData, Element},
    data::{AnnDataManager, Registry, RegistryView, SetupView},
    error::{Error, Result},
    fields::{FieldState, SummaryStats, Transfer},
    params::Params,
    saved::summary_string,
};

/// The terms in which data sets are registered.
impl<M: BaseModelClass> Model<M> {
    /// The manager of these terms.
    pub fn adata_manager(&self) -> &AnnDataManager {
        &self.manager
    }

    /// The terms themselves, as saved with the model.
    pub fn registry(&self) -> &Registry {
        self.manager.registry()
    }

    /// Statistics of all fields.
    pub fn summary_stats(&self) -> SummaryStats {
        self.manager.summary_stats()
    }

    /// What the field `registry_key` remembers.
    ///
    /// # Errors
    /// [`Error::MissingElement`], listing the fields.
    pub fn get_state_registry(&self, registry_key: &str) -> Result<&FieldState> {
        self.manager.get_state_registry(registry_key)
    }

    /// What `setup_anndata` was given as `setup_arg`; null where that is nothing.
    ///
    /// # Errors
    /// [`Error::MissingElement`], listing the arguments.
    pub fn get_setup_arg(&self, setup_arg: &str) -> Result<&Value> {
        let args = self.registry().setup_args.as_ref();
        args.and_then(|args| args.get(setup_arg)).ok_or_else(|| Error::MissingElement {
            slot: "setup_args",
            key: setup_arg.into(),
            present: args.into_iter().flat_map(|args| args.keys().cloned()).collect(),
        })
    }

    /// Names of the genes, in the order of the weights.
    pub fn get_var_names(&self) -> &[String] {
        &self.var_names
    }

    /// What `adata` holds where the field `registry_key` is registered, columns as `[n_cells, 1]`;
    /// the data set is registered in the model's terms unless it is so already.
    ///
    /// # Errors
    /// When there is no such field, or the data do not fit the terms.
    pub fn get_from_registry(&self, adata: &mut AnnData, registry_key: &str) -> Result<Element> {
        self.registry().location(registry_key)?;
        self.manager.validate(adata)?;
        self.manager.get_from_registry(adata, registry_key)
    }

    /// Registers `target` in the model's terms, extended as `how` allows: a manager of these.
    ///
    /// # Errors
    /// As [`AnnDataManager::transfer_fields`].
    pub fn transfer_fields(&self, target: &mut AnnData, how: Transfer) -> Result<AnnDataManager> {
        self.manager.transfer_fields(target, how)
    }

    /// The set-up as tables: of the data set that the model was made for, or of `adata`, registered in
    /// the model's terms.
    ///
    /// # Errors
    /// When the data do not fit the terms.
    pub fn view_anndata_setup(&self, adata: Option<&mut AnnData>) -> Result<RegistryView> {
        match adata {
            None => Ok(self.manager.view_registry()),
            Some(adata) => {
                let manager = self.manager.transfer_fields(adata, Transfer::default())?;
                Ok(manager.view_registry())
            }
        }
    }

    /// The arguments of the set-up; `None` when fields were registered without any.
    pub fn view_setup_method_args(&self) -> Option<SetupView> {
        self.registry().view_setup_method_args()
    }
}

/// How it was trained.
impl<M: BaseModelClass> Model<M> {
    /// Its arguments, whether it was trained and whether its data set was minified, for people.
    pub fn summary_string(&self) -> String {
        summary_string(M::NAME, &self.params.to_args(), self.is_trained, self.is_minified())
    }

    /// Metric → one value per epoch.
    pub fn history(&self) -> &IndexMap<String, Vec<f64>> {
        &self.history
    }

    /// Whether it was trained.
    pub fn is_trained(&self) -> bool {
        self.is_trained
    }

    /// Rows of the data set that it was trained on.
    pub fn train_indices(&self) -> &[usize] {
        &self.split.train
    }

    /// Rows that were held out to validate.
    pub fn validation_indices(&self) -> &[usize] {
        &self.split.validation
    }

    /// Rows that training never saw.
    pub fn test_indices(&self) -> &[usize] {
        &self.split.test
    }
}

/// Where it computes.
impl<M: BaseModelClass> Model<M> {
    /// The computational part.
    pub fn module(&self) -> &M::Module {
        &self.module
    }

    /// Where its parameters are.
    pub fn device(&self) -> Device {
        self.store.device()
    }

    /// Moves its parameters to the device of this name, as in [`Settings::device`].
    ///
    /// # Errors
    /// [`Error::Argument`] for a name that is none, or a GPU that is not there.
    pub fn to_device(&mut self, device: &str) -> Result<()> {
        let settings = Settings { device: device.into(), ..self.settings.clone() };
        self.store.to_device(settings.device()?)?;
        self.settings = settings;
        Ok(())
    }
}
