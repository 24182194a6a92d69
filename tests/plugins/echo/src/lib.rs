//! A model that sends everything back, and fails on request: the boundary's other end in tests.

use std::sync::{Arc, Mutex};

use indexmap::IndexMap;
use scvi_framework::{
    Error, Result,
    anndata::{AnnData, Backed, DType, DataFrame, Element, Mapping, Slot},
    data::{FieldRegistry, Registry},
    fields::{AnnDataField, AttrLocation, FieldState, SummaryStats, Transfer},
    model::{
        DynModel, DynModelClass, Event, MethodDescription, ModelDescription, Observer, OutputSpec,
        Settings, Setup, Sink,
    },
    params::{Args, ParamKind, ParamSpec},
    saved::SavedModel,
    serde_json::{Map, Value, json},
    tch,
    train::Ending,
    typetag,
};
use serde::{Deserialize, Serialize};

/// Matrices on disk that outlive their request.
static STASH: Mutex<Vec<Arc<dyn Backed>>> = Mutex::new(Vec::new());

/// Keeps its arguments.
#[derive(Debug)]
pub struct EchoClass;

/// Remembers what it was given.
#[derive(Debug)]
pub struct Echo {
    kept: Option<SavedModel>,
    init: Args,
}

/// A kind of field that nobody else knows. A loud one sends everything back, as the model does.
#[derive(Debug, Serialize, Deserialize)]
pub struct EchoField {
    #[serde(default = "echo_key")]
    registry_key: String,
    loudness: f64,
    /// The verb in which to fail, and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fails: Option<(String, String)>,
}

fn echo_key() -> String {
    "echo".into()
}

impl EchoField {
    fn fail_in(&self, verb: &str) -> Result<()> {
        match &self.fails {
            Some((asked, how)) if asked == verb => fail_as_asked(Some(how)),
            _ => Ok(()),
        }
    }
}

#[typetag::serde]
impl AnnDataField for EchoField {
    fn registry_key(&self) -> &str {
        &self.registry_key
    }
    fn location(&self) -> Option<AttrLocation> {
        Some(AttrLocation::x())
    }
    fn validate_field(&self, _: &AnnData) -> Result<()> {
        self.fail_in("validate")
    }
    fn register_field(&self, adata: &mut AnnData) -> Result<FieldState> {
        self.fail_in("register")?;
        if self.loudness > 1.0 {
            echo(adata)?;
        }
        Ok(FieldState(Map::from_iter([("heard".to_owned(), json!(["x", 1, 0.1]))])))
    }
    fn transfer_field(
        &self,
        state: &FieldState,
        adata: &mut AnnData,
        how: Transfer,
    ) -> Result<FieldState> {
        self.fail_in("transfer")?;
        adata.set(Slot::Uns, "transferred", Element::vector(vec![how.extend_categories]))?;
        let mut state = state.clone();
        state.0.insert("again".into(), true.into());
        Ok(state)
    }
    fn get_summary_stats(&self, state: &FieldState) -> SummaryStats {
        if self.fail_in("stats").is_err() {
            return SummaryStats::default();
        }
        SummaryStats::one(format!("n_{}", self.registry_key), 2 + state.0.len())
    }
}

fn fail_if_asked(args: &Args) -> Result<()> {
    fail_as_asked(args.get("fail").and_then(Value::as_str))
}

fn fail_as_asked(how: Option<&str>) -> Result<()> {
    match how {
        None => Ok(()),
        Some("panic") => panic!("asked to panic"),
        Some("torch") => {
            let a = tch::Tensor::zeros([2, 3], tch::kind::FLOAT_CPU);
            let _ = a.matmul(&a);
            Ok(())
        }
        Some("grad") => {
            std::mem::forget(tch::no_grad_guard());
            Ok(())
        }
        Some(_) => Err(Error::MissingElement {
            slot: "obs",
            key: "no such".into(),
            present: vec!["batch".into()],
        }),
    }
}

/// Puts a copy of every element beside it, as `<name> back`, in every modality too.
fn echo(adata: &mut AnnData) -> Result<()> {
    let modalities: Vec<String> = adata.modalities().keys().cloned().collect();
    for key in modalities {
        echo(adata.modality_mut(&key)?)?;
    }
    if let Some(x) = adata.x().cloned() {
        adata.set(Slot::Uns, "X back", x)?;
    }
    let tables: [(&str, DataFrame); 2] =
        [("obs back", adata.obs().clone()), ("var back", adata.var().clone())];
    for slot in [
        Slot::Layers,
        Slot::Obs,
        Slot::Var,
        Slot::Obsm,
        Slot::Varm,
        Slot::Obsp,
        Slot::Varp,
        Slot::Uns,
    ] {
        let all: Mapping = adata.mapping(slot).cloned().unwrap_or_default();
        for (key, element) in all {
            adata.set(slot, &format!("{key} back"), element)?;
        }
    }
    for (name, table) in tables {
        adata.set(Slot::Uns, name, Element::DataFrame(table))?;
    }
    if let Some(raw) = adata.raw().cloned() {
        let parts = [
            ("x".to_owned(), raw.x),
            ("var".to_owned(), Element::DataFrame(raw.var)),
            ("varm".to_owned(), Element::Mapping(raw.varm)),
        ];
        adata.set(Slot::Uns, "raw back", Element::Mapping(parts.into_iter().collect()))?;
    }
    Ok(())
}

impl DynModelClass for EchoClass {
    fn description(&self) -> ModelDescription {
        let spec = |name: &str| ParamSpec {
            name: name.into(),
            kind: ParamKind::Choice(vec!["panic".into(), "torch".into(), "user".into()]),
            default: Value::Null,
            min: Some(0.1),
            max: None,
            help: "How to fail.".into(),
        };
        let method = |name: &str| MethodDescription {
            name: name.into(),
            about: "Answers.".into(),
            tables: false,
            args: vec![spec("fail")],
        };
        ModelDescription {
            name: "Echo".into(),
            about: "Sends \"everything\" back".into(),
            setup: vec![spec("fail"), spec("remove")],
            init: vec![spec("fail")],
            train: vec![spec("fail")],
            mapping: vec![spec("fail")],
            minify: vec![spec("fail")],
            methods: vec![method("blocks"), method("stash")],
        }
    }

    fn setup_anndata(&self, adata: &mut AnnData, setup: &Setup<Args>) -> Result<Registry> {
        echo(adata)?;
        let text = |key: &str| setup.args.get(key).and_then(Value::as_str);
        if let Some(key) = text("remove") {
            adata.remove(Slot::Obs, key);
            for modality in adata.modalities().keys().cloned().collect::<Vec<_>>() {
                adata.modality_mut(&modality)?.remove(Slot::Obs, key);
            }
        }
        if let Some(key) = text("move") {
            let moved = adata.modality(key)?.clone();
            adata.set_modality("moved", moved);
        }
        fail_if_asked(&setup.args)?;
        let own = EchoField { registry_key: echo_key(), loudness: 0.1, fails: None };
        let own: Arc<dyn AnnDataField> = Arc::new(own);
        let mut field_registries = IndexMap::new();
        for field in setup.fields.iter().chain([&own]) {
            field.validate_field(adata)?;
            let state = field.register_field(adata)?;
            let part = FieldRegistry {
                data_registry: field.location(),
                summary_stats: field.get_summary_stats(&state),
                state_registry: state,
                field: field.clone(),
            };
            field_registries.insert(field.registry_key().to_owned(), part);
        }
        Ok(Registry {
            scvi_version: "1.4.2".into(),
            model_name: Some("Echo".into()),
            setup_method_name: Some("setup_anndata".into()),
            setup_args: Some(setup.args.clone()),
            field_registries,
            scvi_uuid: "one".into(),
        })
    }

    fn create(
        &self,
        adata: &mut AnnData,
        setup: &Setup<Args>,
        init: &Args,
        settings: &Settings,
    ) -> Result<Box<dyn DynModel>> {
        adata.set(Slot::Uns, "seed", Element::vector(vec![settings.seed]))?;
        fail_if_asked(&setup.args)?;
        fail_if_asked(init)?;
        Ok(Box::new(Echo { kept: None, init: init.clone() }))
    }

    fn load(
        &self,
        saved: SavedModel,
        _: &[Arc<dyn AnnDataField>],
        _: &Settings,
    ) -> Result<Box<dyn DynModel>> {
        let init = saved.meta.init_params.clone();
        fail_if_asked(&init)?;
        Ok(Box::new(Echo { kept: Some(saved), init }))
    }

    fn load_query_data(
        &self,
        adata: &mut AnnData,
        reference: SavedModel,
        lent: &[Arc<dyn AnnDataField>],
        args: &Args,
        settings: &Settings,
    ) -> Result<Box<dyn DynModel>> {
        echo(adata)?;
        fail_if_asked(args)?;
        self.load(reference, lent, settings)
    }
}

impl Echo {
    fn asked(&self, verb: &str) -> bool {
        self.init.get("panic_in").and_then(Value::as_str) == Some(verb)
    }
}

impl DynModel for Echo {
    fn class_name(&self) -> &str {
        "Echo"
    }

    fn train(
        &mut self,
        adata: &mut AnnData,
        args: &Args,
        observer: &mut dyn Observer,
    ) -> Result<Ending> {
        let (max_epochs, n_cells) = (3, 1000);
        let (mut steps, mut ending) = (0i64, Ending::Complete);
        'epochs: for epoch in 0..max_epochs {
            for cells in 1..=n_cells {
                let loss = if epoch == 2 { f64::NAN } else { 1.0 / (epoch as f64 + 3.0) };
                observer.hear(&Event::Training { epoch, max_epochs, cells, n_cells, loss });
                steps += 1;
                if observer.cancelled() {
                    ending = Ending::Cancelled;
                    break 'epochs;
                }
            }
        }
        adata.set(Slot::Uns, "steps", Element::vector(vec![steps]))?;
        fail_if_asked(args)?;
        Ok(ending)
    }

    fn query(
        &self,
        method: &str,
        adata: &mut AnnData,
        args: &Args,
        sink: &mut dyn Sink,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        observer.hear(&Event::Note { text: format!("answering {method}") });
        fail_if_asked(args)?;
        match method {
            "blocks" => {
                for (name, element) in adata.mapping(Slot::Uns).cloned().unwrap_or_default() {
                    sink.begin(&OutputSpec {
                        name: name.clone(),
                        shape: element.shape(),
                        dtype: Some(DType::Float32),
                        place: (Slot::Uns, name),
                        columns: None,
                    })?;
                    sink.rows(element)?;
                }
            }
            "stash" => {
                if let Element::Backed(matrix) = adata.get(Slot::X, "X")? {
                    STASH.lock().expect("nobody panics here").push(matrix.clone());
                }
            }
            _ => {
                for (i, matrix) in STASH.lock().expect("nor here").iter().enumerate() {
                    adata.set(Slot::Uns, &format!("late {i}"), matrix.rows(1..3)?)?;
                    // Its home is another request: it has to be read here.
                    adata.set(Slot::Uns, &format!("whole {i}"), Element::Backed(matrix.clone()))?;
                }
            }
        }
        Ok(())
    }

    /// Takes out `raw`.
    fn minify_adata(
        &mut self,
        adata: &mut AnnData,
        args: &Args,
        _: &mut dyn Observer,
    ) -> Result<()> {
        adata.set_raw(None);
        fail_if_asked(args)
    }

    fn save(&self) -> Result<SavedModel> {
        assert!(!self.asked("save"), "asked to panic");
        self.kept.clone().ok_or(Error::Argument {
            name: "model".into(),
            expected: "one that was loaded".into(),
            found: "a new one".into(),
        })
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        assert!(!self.asked("drop"), "asked to panic");
    }
}

scvi_framework::export_models! {
    "Echo", "Sends \"everything\" back" => Arc::new(EchoClass),
    fields: [EchoField => "Hears: registry_key, loudness"]
}
