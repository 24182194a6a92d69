//! A model: a class, a registered data set's terms, a module and its parameters.

use std::sync::Arc;

use indexmap::IndexMap;

use super::{BaseModelClass, Mapped, ModuleData, Observer, Settings, Setup, setup, training};
use crate::{
    anndata::{AnnData, Dense},
    data::{
        AnnDataLoader, AnnDataManager, DataModule, LoaderOptions, Registry, Split,
        check_counts_are_there, library_log_moments,
    },
    error::{Error, Result},
    fields::AnnDataField,
    nn,
    params::Params,
    registry_keys::REGISTRY_KEYS,
    saved::{FORMAT_VERSION, ModelMeta, SavedModel, Training, scvi_tools},
    train::{Ending, History, Snapshot, TrainParams},
};

/// A model of class `M`. It keeps the terms in which data were registered, not the data: each call
/// names the data set, which is registered in the model's terms if it is another one.
pub struct Model<M: BaseModelClass> {
    pub(super) params: M::Params,
    pub(super) manager: AnnDataManager,
    pub(super) module: M::Module,
    pub(super) store: nn::Store,
    pub(super) settings: Settings,
    pub(super) var_names: Vec<String>,
    pub(super) is_trained: bool,
    pub(super) training: Option<Training>,
    pub(super) optimizer: IndexMap<String, Dense>,
    pub(super) history: History,
    pub(super) split: Split,
    pub(super) mapped: Option<Mapped>,
}

impl<M: BaseModelClass> Model<M> {
    /// Registers a data set with the fields of the model: `setup` is a reference to its arguments, or
    /// a [`Setup`] with fields of the user's own.
    ///
    /// # Errors
    /// When a field's data are missing or unusable, or a field cannot take the place of the model's.
    pub fn setup_anndata(
        adata: &mut AnnData,
        setup: impl Into<Setup<M::Setup>>,
    ) -> Result<AnnDataManager> {
        setup::register::<M>(adata, &setup.into())
    }

    /// A model with fresh parameters for a data set, which it registers as [`Model::setup_anndata`]
    /// does.
    ///
    /// # Errors
    /// When arguments or data are wrong.
    pub fn new(
        adata: &mut AnnData,
        setup: impl Into<Setup<M::Setup>>,
        params: &M::Params,
        settings: &Settings,
    ) -> Result<Self> {
        let manager = Self::setup_anndata(adata, setup)?;
        Self::with_manager(manager, adata, params, settings)
    }

    /// A model with fresh parameters for a data set that was set up before.
    ///
    /// # Errors
    /// [`Error::NotSetUp`] when the set-up was another class's; when arguments or data are wrong.
    pub fn with_manager(
        manager: AnnDataManager,
        adata: &mut AnnData,
        params: &M::Params,
        settings: &Settings,
    ) -> Result<Self> {
        manager.check_class(M::NAME)?;
        check_counts_are_there(adata)?;
        manager.validate(adata)?;
        let moments = library_log_moments(adata, manager.registry())?;
        let var_names = adata.var_names()?.iter().map(str::to_owned).collect();
        Self::fresh(manager, Some(moments), var_names, params, settings)
    }

    /// A model with fresh parameters and without a data set, to be trained on minibatches of the
    /// caller's own ([`Model::train_on`]). `registry` is of a data set of the same kind: of a part of
    /// the data, or written down ([`Registry::from_saved`]).
    ///
    /// # Errors
    /// [`Error::NotSetUp`] when the registry is another class's; [`Error::NoDataSet`] when a part of
    /// the module is computed from data; when arguments are wrong.
    pub fn from_registry(
        registry: Registry,
        params: &M::Params,
        settings: &Settings,
    ) -> Result<Self> {
        let manager = AnnDataManager::from_registry(registry);
        manager.check_class(M::NAME)?;
        let genes = manager.registry().state(REGISTRY_KEYS.x);
        let var_names = genes.and_then(|genes| genes.read("column_names")).unwrap_or_default();
        Self::fresh(manager, None, var_names, params, settings)
    }

    pub(super) fn fresh(
        manager: AnnDataManager,
        library_log_moments: Option<(Vec<f32>, Vec<f32>)>,
        var_names: Vec<String>,
        params: &M::Params,
        settings: &Settings,
    ) -> Result<Self> {
        settings.apply();
        let store = nn::Store::new(settings.device()?);
        let module = build::<M>(params, &manager, library_log_moments, &store)?;
        Ok(Self {
            params: params.clone(),
            manager,
            module,
            store,
            settings: settings.clone(),
            var_names,
            is_trained: false,
            training: None,
            optimizer: IndexMap::new(),
            history: History::new(),
            split: Split::default(),
            mapped: None,
        })
    }

    /// A model from its saved state.
    ///
    /// # Errors
    /// When the state is another class's, its weights do not fit its arguments, or it reads a field
    /// of a kind that this library does not know.
    pub fn load(saved: SavedModel, settings: &Settings) -> Result<Self> {
        Self::load_with(saved, &[], settings)
    }

    /// As [`Model::load`], with those of the saved model's given fields that others serve.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load_with(
        saved: SavedModel,
        lent: &[Arc<dyn AnnDataField>],
        settings: &Settings,
    ) -> Result<Self> {
        let meta = saved.meta;
        if meta.model_name != M::NAME {
            let (expected, found) = (M::NAME.into(), meta.model_name);
            return Err(Error::Kind { what: "saved model".into(), expected, found });
        }
        let setup_args = meta.registry.get("setup_args").and_then(|v| v.as_object());
        let mut setup_args = setup_args.cloned().unwrap_or_default();
        if meta.plugin.is_none() {
            setup_args = setup::known::<M>(Some(&setup_args));
        }
        let args = M::Setup::from_args(&setup_args)?;
        let params = M::Params::from_args(&meta.init_params)?;
        let fields = setup::saved::<M>(&args, &meta, lent)?;
        let registry = scvi_tools::completed(meta.registry, &meta.var_names);
        let manager = AnnDataManager::from_saved(fields, &registry)?;
        settings.apply();
        let store = nn::Store::new(settings.device()?);
        let n_batch = manager.summary_stats().n_batch().max(1) as usize;
        let moments = Some((vec![0.0; n_batch], vec![1.0; n_batch]));
        let module = build::<M>(&params, &manager, moments, &store)?;
        store.load(&saved.weights)?;
        settings.apply(); // the state of the generator does not depend on the initial weights
        let mut model = Self {
            params,
            manager,
            module,
            store,
            settings: settings.clone(),
            var_names: meta.var_names,
            is_trained: meta.is_trained,
            training: meta.training,
            optimizer: saved.optimizer,
            history: meta.history,
            split: Split {
                train: meta.train_indices,
                validation: meta.validation_indices,
                test: meta.test_indices,
                notes: Vec::new(),
            },
            mapped: None,
        };
        meta.mapped.map_or(Ok(()), |mapped| model.freeze(mapped))?;
        Ok(model)
    }

    /// Trains on a data set; history goes on where it was, the optimiser starts afresh. A training
    /// that is stopped leaves the model as it was after the last full epoch. Sets libtorch's generator
    /// at the beginning of each epoch, by seed and epoch.
    ///
    /// # Errors
    /// When arguments or data are wrong; [`Error::NonFiniteLoss`], the model then being in its last
    /// good state.
    pub fn train(
        &mut self,
        adata: &mut AnnData,
        params: &TrainParams,
        observer: &mut dyn Observer,
    ) -> Result<Ending> {
        training::train(self, adata, params, observer)
    }

    /// Goes on with the last training, of this model or of the one that it was loaded from, as if it
    /// had never stopped: the same bits, for the same device and threads. `params` are those of that
    /// training, but for `max_epochs` (as many as before when not given), `checkpoint_every`,
    /// `early_stopping` and `early_stopping_patience`; the seed is that training's.
    ///
    /// # Errors
    /// [`Error::NothingToResume`], [`Error::OtherTraining`], [`Error::OtherData`]; as
    /// [`Model::train`].
    pub fn resume(
        &mut self,
        adata: &mut AnnData,
        params: &TrainParams,
        observer: &mut dyn Observer,
    ) -> Result<Ending> {
        training::resume(self, adata, params, observer)
    }

    /// Trains on minibatches of the caller's own, in place of a data set; what `params` says of the
    /// split, of minibatches and of their order is the caller's affair then. Which rows they are of is
    /// not kept.
    ///
    /// # Errors
    /// As [`Model::train`]; what the minibatches fail with.
    pub fn train_on(
        &mut self,
        data: &DataModule<'_>,
        params: &TrainParams,
        observer: &mut dyn Observer,
    ) -> Result<Ending> {
        training::train_on(self, data, params, observer)
    }

    /// Everything worth keeping.
    ///
    /// # Errors
    /// When parameters cannot be read off their device.
    pub fn save(&self) -> Result<SavedModel> {
        let (meta, optimizer) = (self.meta()?, self.optimizer.clone());
        Ok(SavedModel { meta, weights: self.store.weights()?, optimizer })
    }

    /// Everything worth keeping of the model as it is in the middle of a training.
    pub(super) fn saved(&self, at: &Snapshot, training: Option<Training>) -> Result<SavedModel> {
        let (history, is_trained) = (at.history.clone(), true);
        let meta = ModelMeta { training, history, is_trained, ..self.meta()? };
        Ok(SavedModel { meta, weights: at.weights.clone(), optimizer: at.optimizer.clone() })
    }

    fn meta(&self) -> Result<ModelMeta> {
        let registry = self.manager.registry().to_json()?;
        Ok(ModelMeta {
            format_version: FORMAT_VERSION,
            model_name: M::NAME.into(),
            plugin: None,
            init_params: self.params.to_args(),
            registry,
            given_fields: setup::given::<M>(self.manager.registry())?,
            var_names: self.var_names.clone(),
            is_trained: self.is_trained,
            training: self.training.clone(),
            mapped: self.mapped.clone(),
            history: self.history.clone(),
            train_indices: self.split.train.clone(),
            validation_indices: self.split.validation.clone(),
            test_indices: self.split.test.clone(),
            notes: Vec::new(),
        })
    }

    /// Minibatches of a data set, which is registered in the model's terms unless it is so already.
    ///
    /// # Errors
    /// When the data do not fit the terms, e.g. an unseen category or other genes.
    pub fn loader(&self, adata: &mut AnnData, options: LoaderOptions) -> Result<AnnDataLoader> {
        self.manager.validate(adata)?;
        AnnDataLoader::new(adata, self.manager.registry(), options)
    }

    /// Refuses, for queries that mean nothing before training.
    ///
    /// # Errors
    /// [`Error::NotTrained`].
    pub fn require_trained(&self) -> Result<()> {
        if self.is_trained { Ok(()) } else { Err(Error::NotTrained(M::NAME)) }
    }
}

fn build<M: BaseModelClass>(
    params: &M::Params,
    manager: &AnnDataManager,
    library_log_moments: Option<(Vec<f32>, Vec<f32>)>,
    store: &nn::Store,
) -> Result<M::Module> {
    let registry = manager.registry();
    let data = ModuleData { registry, stats: registry.summary_stats(), library_log_moments };
    M::module(params, &data, &store.root())
}
