//! Train, show and query with a model that exists here only.

use std::{path::Path, sync::Arc};

use scvi_framework::{
    Error as FrameworkError, Result as FrameworkResult,
    anndata::{AnnData, DType, Element, Slot},
    data::Registry,
    fields::{AnnDataField, FieldState},
    model::{
        DynModel, DynModelClass, MethodDescription, ModelDescription, Observer, OutputSpec,
        Settings, Setup, Sink,
    },
    params::Args,
    saved::{FORMAT_VERSION, ModelMeta, SavedModel},
    serde_json::Value,
    train::Ending,
};
use scvi_h5ad::Backing;

use crate::{
    error::HostError,
    failure::Result,
    files, folder, parse,
    plan::Plan,
    session::{Catalogue, Listed, Session},
};

struct Toys;

#[derive(Clone)]
struct Toy {
    epochs: Vec<f64>,
}

impl Catalogue for Toys {
    fn listed(&self) -> Vec<Listed> {
        let [name, about, plugin, version] = ["Toy", "A toy.", "toys", "0.3.0"].map(String::from);
        vec![Listed { name, about, plugin, version }]
    }

    fn open(&self, _: &str) -> Result<Arc<dyn DynModelClass>, HostError> {
        Ok(Arc::new(Toy { epochs: vec![] }))
    }

    fn listed_fields(&self) -> Vec<Listed> {
        vec![]
    }

    fn field(&self, _: &Value, _: Option<FieldState>) -> Result<Arc<dyn AnnDataField>, HostError> {
        unreachable!("not asked for here")
    }
}

impl DynModelClass for Toy {
    fn description(&self) -> ModelDescription {
        let get = |name: &str| MethodDescription {
            name: name.into(),
            about: "Numbers.".into(),
            tables: false,
            args: vec![],
        };
        ModelDescription {
            name: "Toy".into(),
            about: "A toy.".into(),
            setup: vec![],
            init: vec![],
            train: vec![],
            mapping: vec![],
            minify: vec![],
            methods: vec![get("get_latent_representation")],
        }
    }

    fn setup_anndata(&self, _: &mut AnnData, _: &Setup<Args>) -> FrameworkResult<Registry> {
        unreachable!("not asked for here")
    }

    fn create(
        &self,
        adata: &mut AnnData,
        _: &Setup<Args>,
        _: &Args,
        _: &Settings,
    ) -> FrameworkResult<Box<dyn DynModel>> {
        adata.set(Slot::Obs, "_scvi_batch", Element::vector(vec![0i8; adata.n_obs()]))?;
        Ok(Box::new(self.clone()))
    }

    fn load(
        &self,
        _: SavedModel,
        _: &[Arc<dyn AnnDataField>],
        _: &Settings,
    ) -> FrameworkResult<Box<dyn DynModel>> {
        Ok(Box::new(self.clone()))
    }

    fn load_query_data(
        &self,
        _: &mut AnnData,
        _: SavedModel,
        _: &[Arc<dyn AnnDataField>],
        _: &Args,
        _: &Settings,
    ) -> FrameworkResult<Box<dyn DynModel>> {
        Ok(Box::new(self.clone()))
    }
}

impl DynModel for Toy {
    fn class_name(&self) -> &str {
        "Toy"
    }

    /// Fails after an epoch when the data set is called `bad`.
    fn train(
        &mut self,
        adata: &mut AnnData,
        _: &Args,
        _: &mut dyn Observer,
    ) -> FrameworkResult<Ending> {
        self.epochs.push(3.5);
        if adata.get(Slot::Obs, "bad").is_ok() {
            let (epoch, step, tensor) = (1, 7, "px_r".into());
            return Err(FrameworkError::NonFiniteLoss { epoch, step, tensor });
        }
        self.epochs.push(2.5);
        Ok(Ending::Complete)
    }

    fn query(
        &self,
        _: &str,
        adata: &mut AnnData,
        _: &Args,
        sink: &mut dyn Sink,
        _: &mut dyn Observer,
    ) -> FrameworkResult<()> {
        let n = adata.n_obs();
        adata.set(Slot::Obs, "_scvi_batch", Element::vector(vec![0i8; n]))?;
        sink.begin(&OutputSpec {
            name: "z".into(),
            shape: vec![n, 1],
            dtype: Some(DType::Float32),
            place: (Slot::Obsm, "X_toy".into()),
            columns: None,
        })?;
        sink.rows(Element::matrix(n, 1, vec![1.0f32; n])?)
    }

    fn minify_adata(
        &mut self,
        _: &mut AnnData,
        _: &Args,
        _: &mut dyn Observer,
    ) -> FrameworkResult<()> {
        Err(FrameworkError::MinifiedUnsupported("Toy"))
    }

    fn save(&self) -> FrameworkResult<SavedModel> {
        let meta = ModelMeta {
            format_version: FORMAT_VERSION,
            model_name: "Toy".into(),
            plugin: None,
            init_params: Args::new(),
            registry: Value::Object(Args::new()),
            given_fields: Default::default(),
            var_names: vec!["g".into()],
            is_trained: true,
            training: None,
            mapped: None,
            history: [("elbo_train".to_owned(), self.epochs.clone())].into_iter().collect(),
            train_indices: vec![],
            validation_indices: vec![],
            test_indices: vec![],
            notes: vec![],
        };
        Ok(SavedModel { meta, weights: Default::default(), optimizer: Default::default() })
    }
}

fn scvi(words: &[&str]) -> Result<()> {
    let session = Session::new(|_| Box::new(Toys));
    let argv: Vec<_> = ["scvi", "-q"].iter().chain(words).map(Into::into).collect();
    super::run(&Plan::of(parse::parse(&argv, &session)?)?, &session)
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        scvi(&["data", "synthetic", "--iid", "--batch-size", "4", &place.at("a.h5ad")]).unwrap();
        place
    }

    fn at(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}

#[test]
fn a_model_is_trained_saved_and_asked() {
    let place = Place::new();
    let (data, model, out) = (place.at("a.h5ad"), place.at("m"), place.at("l.h5ad"));
    scvi(&["train", "Toy", &data, "--out", &model]).unwrap();
    assert_eq!(folder::data_set(Path::new(&model), None).unwrap(), Path::new(&data));
    scvi(&["query", &model, "get-latent-representation", "--out", &out]).unwrap();
    let answered = files::read_h5ad(Path::new(&out), Backing::Memory).unwrap();
    answered.get(Slot::Obsm, "X_toy").unwrap();
    assert!(answered.get(Slot::Obs, "_scvi_batch").is_err());
    let again = scvi(&["query", &model, "get-latent-representation", "--out", &out]).unwrap_err();
    assert_eq!(again.to_string(), format!("{out} exists already; --overwrite replaces it"));
    let again = scvi(&["train", "Toy", &data, "--out", &model]).unwrap_err();
    assert_eq!(again.to_string(), format!("{model} exists already; --overwrite replaces it"));
    scvi(&["train", "Toy", &data, "--out", &model, "--overwrite", "--save-anndata"]).unwrap();
    std::fs::remove_file(&data).unwrap();
    scvi(&["query", &model, "get-latent-representation", "--out", &out, "--overwrite"]).unwrap();
}

#[test]
fn a_data_set_that_is_gone_is_named() {
    let place = Place::new();
    let (data, model) = (place.at("a.h5ad"), place.at("m"));
    scvi(&["train", "Toy", &data, "--out", &model]).unwrap();
    std::fs::remove_file(&data).unwrap();
    let failed = scvi(&["query", &model, "get-latent-representation", "--out", "-"]).unwrap_err();
    let message = format!(
        "the data set that the model was trained on, {data}, is gone; give the data set with \
         --adata FILE"
    );
    assert_eq!((failed.to_string(), failed.exit_code()), (message, 1));
}

#[test]
fn what_training_reached_before_it_failed_is_kept() {
    let place = Place::new();
    let (data, model) = (place.at("a.h5ad"), place.at("m"));
    let mut adata = files::read_h5ad(Path::new(&data), Backing::Memory).unwrap();
    let n = adata.n_obs();
    adata.set(Slot::Obs, "bad", Element::vector(vec![true; n])).unwrap();
    files::write_h5ad(Path::new(&data), &adata).unwrap();
    let failed = scvi(&["train", "Toy", &data, "--out", &model]).unwrap_err();
    let message = failed.to_string();
    assert!(message.starts_with("the loss is not finite in epoch 1, step 7"), "{message}");
    assert!(message.ends_with(&format!("the last good state is kept in {model}")), "{message}");
    assert_eq!(failed.exit_code(), 1);
    let saved = scvi_framework::saved::read(Path::new(&model)).unwrap();
    assert_eq!(saved.meta.history["elbo_train"], [3.5]);
    assert_eq!(saved.meta.plugin, Some(("toys".into(), "0.3.0".into())));
}
