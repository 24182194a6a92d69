//! The suite finds what is wrong.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::{arguments, behaviour};
use crate::{
    Params,
    anndata::{AnnData, DType, Dense, Element, Slot},
    data::Registry,
    error::{Error, Result},
    fields::AnnDataField,
    model::{
        DynModel, DynModelClass, MethodDescription, ModelDescription, Observer, OutputSpec,
        Settings, Setup, Sink,
    },
    params::{Args, ParamKind, ParamSpec, Params as _},
    saved::{FORMAT_VERSION, ModelMeta, SavedModel},
    train::Ending,
};

#[derive(Clone, Debug, Params)]
struct Sound {
    /// A number with both ends.
    #[param(default = 0.5, min = 0, max = 1)]
    share: f64,
    /// A whole number, if given.
    #[param(min = 1)]
    n_layers: Option<i64>,
    /// Names.
    keys: Vec<String>,
    /// Whatever.
    anything: Option<Value>,
    /// A word.
    shape: crate::nn::LatentDistribution,
}

#[derive(Clone, Debug, Params)]
struct OutOfRange {
    /// Its default is too small.
    #[param(default = 0, min = 1)]
    n_hidden: i64,
}

/// Written by hand, and with everything wrong that the derive does not allow.
#[derive(Clone, Debug, Default)]
struct Careless;

impl crate::params::Params for Careless {
    fn specs() -> Vec<ParamSpec> {
        let (kind, help) = (ParamKind::Int, String::new());
        let (min, max, default) = (Some(1.0), None, json!(3));
        vec![ParamSpec { name: "nHidden".into(), kind, default, min, max, help }]
    }
    fn to_args(&self) -> Args {
        Args::from_iter([("nHidden".to_owned(), json!(4))])
    }
    fn set(&mut self, _: &str, _: &Value) -> bool {
        true
    }
    fn from_args(_: &Args) -> Result<Self> {
        Ok(Self)
    }
}

#[test]
fn a_sound_table_passes() {
    assert_eq!(arguments::check::<Sound>("init"), Vec::<String>::new());
    assert_eq!(Sound::specs().len(), 5);
}

#[test]
fn a_default_out_of_range_is_found() {
    let broken = arguments::check::<OutOfRange>("init").join("\n");
    let refusal = "argument `n_hidden`: expected a whole number of at least 1, found 0";
    assert_eq!(
        broken,
        format!(
            "init: defaults are refused: {refusal}\n\
             init: `n_hidden` refuses 0, which is valid: {refusal}"
        )
    );
}

#[test]
fn a_careless_table_is_found_out() {
    assert_eq!(
        arguments::check::<Careless>("init"),
        [
            "init: `nHidden` has no help text",
            "init: `nHidden` is not in snake case",
            "init: `nHidden` has one default in its table and another in `Default`",
            "init: `nHidden` takes 3 and makes 4 of it",
            "init: `nHidden` takes 1 and makes 4 of it",
            "init: `nHidden` takes 0; expected a whole number of at least 1",
            "init: `nHidden` takes {\"neither\":\"number, text nor list\"}; expected a whole number of \
             at least 1",
            "init: an unknown argument is taken and forgotten",
        ]
    );
}

/// A model that does everything wrong that can be done without libtorch.
struct Forgetful;

struct ForgetfulModel(usize);

impl ForgetfulModel {
    /// No two are alike.
    fn fresh() -> Box<dyn DynModel> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        Box::new(Self(MADE.fetch_add(1, Ordering::Relaxed)))
    }
}

impl DynModelClass for Forgetful {
    fn description(&self) -> ModelDescription {
        let (name, about, args) = ("get_numbers".to_owned(), "Numbers.".to_owned(), Vec::new());
        ModelDescription {
            name: "Forgetful".into(),
            about: String::new(),
            setup: Vec::new(),
            init: Vec::new(),
            train: Vec::new(),
            mapping: Vec::new(),
            minify: Vec::new(),
            methods: vec![MethodDescription { name, about, tables: false, args }],
        }
    }

    fn setup_anndata(&self, _: &mut AnnData, _: &Setup<Args>) -> Result<Registry> {
        Err(Error::Poisoned)
    }

    fn create(
        &self,
        _: &mut AnnData,
        setup: &Setup<Args>,
        _: &Args,
        _: &Settings,
    ) -> Result<Box<dyn DynModel>> {
        if setup.args.is_empty() { Err(Error::Poisoned) } else { Ok(ForgetfulModel::fresh()) }
    }

    fn load(
        &self,
        _: SavedModel,
        _: &[Arc<dyn AnnDataField>],
        _: &Settings,
    ) -> Result<Box<dyn DynModel>> {
        Ok(ForgetfulModel::fresh())
    }

    fn load_query_data(
        &self,
        _: &mut AnnData,
        _: SavedModel,
        _: &[Arc<dyn AnnDataField>],
        _: &Args,
        _: &Settings,
    ) -> Result<Box<dyn DynModel>> {
        Ok(ForgetfulModel::fresh())
    }
}

impl DynModel for ForgetfulModel {
    fn class_name(&self) -> &str {
        "Forgetful"
    }

    fn train(&mut self, _: &mut AnnData, _: &Args, _: &mut dyn Observer) -> Result<Ending> {
        Ok(Ending::Complete)
    }

    fn query(
        &self,
        _: &str,
        _: &mut AnnData,
        _: &Args,
        sink: &mut dyn Sink,
        _: &mut dyn Observer,
    ) -> Result<()> {
        sink.begin(&OutputSpec {
            name: "numbers".into(),
            shape: vec![5],
            dtype: Some(DType::Float64),
            place: (Slot::Obs, "numbers".into()),
            columns: None,
        })?;
        sink.rows(Element::vector(vec![self.0 as f64, f64::NAN]))
    }

    fn minify_adata(&mut self, _: &mut AnnData, _: &Args, _: &mut dyn Observer) -> Result<()> {
        Err(Error::MinifiedUnsupported("Forgetful"))
    }

    fn save(&self) -> Result<SavedModel> {
        let weight = Dense { shape: vec![1], values: vec![self.0 as f32].into() };
        Ok(SavedModel {
            meta: ModelMeta {
                format_version: FORMAT_VERSION,
                model_name: "Forgetful".into(),
                plugin: None,
                init_params: Args::new(),
                registry: json!({}),
                given_fields: IndexMap::new(),
                var_names: Vec::new(),
                is_trained: true,
                training: None,
                mapped: None,
                history: IndexMap::from([("elbo_train".to_owned(), vec![f64::INFINITY; 2])]),
                train_indices: Vec::new(),
                validation_indices: Vec::new(),
                test_indices: Vec::new(),
                notes: Vec::new(),
            },
            weights: IndexMap::from([("weight".to_owned(), weight)]),
            optimizer: IndexMap::new(),
        })
    }
}

#[test]
fn a_model_that_does_everything_wrong_is_found_out() {
    let setup = Args::from_iter([("batch_key".to_owned(), json!("batch"))]);
    let broken = behaviour::check(&Forgetful, &setup).join("\n");
    for expected in [
        "the history has no `kl_local_train`",
        "history `elbo_train` after 2 epochs is [inf, inf]",
        "the same seed gives other weights",
        "values of weights change by loading",
        "query `get_numbers` answers otherwise after loading",
        "result `numbers` of query `get_numbers` has 2 rows, and 5 were announced",
        "result `numbers` of query `get_numbers` has values that are not finite",
        "without setup argument `batch_key` it neither trains nor asks for it by name: the model \
         crashed earlier",
    ] {
        assert!(broken.contains(expected), "`{expected}` is not in:\n{broken}");
    }
}
