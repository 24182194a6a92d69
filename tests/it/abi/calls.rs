//! One round trip per request, errors and panics included.

use std::sync::Arc;

use scvi_framework::{
    Error, Result,
    abi::{Fault, Plugin},
    anndata::{AnnData, DataFrame, Dense, Element, Mapping, Slot, Values},
    model::{DynModel, Event, Observer, OutputSpec, Settings, Setup, Silent, Sink},
    params::Args,
    saved::{ModelMeta, SavedModel},
    serde_json::{self, Value, json},
    tch,
    train::Ending,
};

use super::{
    echo, library,
    random::{OnDisk, Random},
};

pub fn args(value: Value) -> Args {
    value.as_object().unwrap().clone()
}

pub fn small() -> AnnData {
    AnnData::new(DataFrame::new(["a", "b"]), DataFrame::new(["g"]))
}

/// A sink and observer that keeps everything.
#[derive(Default)]
pub struct Kept {
    specs: Vec<OutputSpec>,
    blocks: Vec<Element>,
    events: Vec<Event>,
    full_after: Option<usize>,
    cancel_after: Option<usize>,
}

impl Kept {
    pub fn blocks(self) -> Vec<Element> {
        self.blocks
    }
}

impl Sink for Kept {
    fn begin(&mut self, spec: &OutputSpec) -> Result<()> {
        self.specs.push(spec.clone());
        Ok(())
    }
    fn rows(&mut self, block: Element) -> Result<()> {
        if self.full_after == Some(self.blocks.len()) {
            return Err(Error::Io {
                path: "out.npz".into(),
                action: "cannot write",
                source: std::io::ErrorKind::StorageFull.into(),
            });
        }
        self.blocks.push(block);
        Ok(())
    }
}

impl Observer for Kept {
    fn hear(&mut self, event: &Event) {
        self.events.push(event.clone());
    }
    fn cancelled(&self) -> bool {
        self.cancel_after.is_some_and(|n| self.events.len() >= n)
    }
}

#[test]
fn describe() {
    let description = echo().description();
    assert_eq!(description.name, "Echo");
    assert_eq!(description.setup[0].min, Some(0.1));
    assert_eq!(description.methods[1].name, "stash");
}

#[test]
fn every_element_comes_back_as_it_went() {
    let class = echo();
    for seed in 0..30 {
        let mut random = Random::new(seed);
        let (n, m) = [(5, 3), (0, 3), (5, 0), (1, 1)][seed as usize % 4];
        let mut adata = random.adata(n, m);
        let before = adata.clone();
        class.setup_anndata(&mut adata, &Setup::default()).unwrap();
        assert_echoed(&adata, &before, &format!("seed {seed}"));
    }
}

#[test]
fn so_do_modalities_of_modalities() {
    let class = echo();
    for seed in 0..12 {
        let mut mdata = Random::new(seed).mudata(3, 2);
        let before = mdata.clone();
        class.setup_anndata(&mut mdata, &Setup::default()).unwrap();
        assert_echoed(&mdata, &before, &format!("seed {seed}"));
    }
}

/// Everything is there as before, and a second time beside it.
#[track_caller]
pub fn assert_echoed(adata: &AnnData, before: &AnnData, what: &str) {
    let slots = [Slot::Layers, Slot::Obsm, Slot::Varm, Slot::Obsp, Slot::Varp, Slot::Obs];
    for slot in slots.into_iter().chain([Slot::Var, Slot::Uns]) {
        for (key, element) in before.mapping(slot).unwrap() {
            let back = adata.get(slot, &format!("{key} back")).unwrap();
            assert_same(back, element, &format!("{what}, {slot:?} {key:?}"));
            assert_eq!(adata.get(slot, key).unwrap(), element);
        }
    }
    let uns = |key: &str| adata.get(Slot::Uns, key).unwrap();
    assert_same(uns("X back"), before.x().unwrap(), "X");
    assert_same(uns("obs back"), &Element::DataFrame(before.obs().clone()), "obs");
    assert_same(uns("var back"), &Element::DataFrame(before.var().clone()), "var");
    let raw = before.raw().unwrap().clone();
    let parts = [
        ("x".to_owned(), raw.x),
        ("var".to_owned(), Element::DataFrame(raw.var)),
        ("varm".to_owned(), Element::Mapping(raw.varm)),
    ];
    let raw = Element::Mapping(parts.into_iter().collect::<Mapping>());
    assert_same(uns("raw back"), &raw, "raw");
    assert!(adata.modalities().keys().eq(before.modalities().keys()), "{what}");
    for (key, before) in before.modalities() {
        assert_echoed(adata.modality(key).unwrap(), before, &format!("{what}, modality {key:?}"));
    }
}

#[test]
fn modalities_are_changed_in_place_and_new_ones_arrive() {
    let mut mdata = small();
    for key in ["rna", "protein"] {
        let mut modality = small();
        modality.set(Slot::Obs, "old", Element::strings(["x", "y"])).unwrap();
        let matrix = Dense { shape: vec![2, 1], values: vec![1i16, 2].into() };
        modality.set(Slot::X, "X", Element::Backed(Arc::new(OnDisk(matrix)))).unwrap();
        mdata.set_modality(key, modality);
    }
    let setup = args(json!({ "remove": "old", "move": "rna" }));
    let before = mdata.clone();
    echo().setup_anndata(&mut mdata, &Setup::from(&setup)).unwrap();
    assert!(mdata.modalities().keys().eq(["rna", "protein", "moved"]));
    for key in ["rna", "protein"] {
        let modality = mdata.modality(key).unwrap();
        assert!(modality.get(Slot::Obs, "old").is_err(), "{key}");
        assert!(modality.get(Slot::Obs, "old back").is_ok(), "{key}");
    }
    let moved = mdata.modality("moved").unwrap();
    assert_same(moved.x().unwrap(), before.modality("rna").unwrap().x().unwrap(), "moved");
    assert!(moved.get(Slot::Obs, "old back").is_ok());
}

/// Matrices on disk and what is not understood are the very same things; NaN equals NaN, bit by bit.
#[track_caller]
pub fn assert_same(found: &Element, expected: &Element, what: &str) {
    assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{what}");
    if let (Element::Backed(a), Element::Backed(b)) = (found, expected) {
        assert!(std::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b)), "{what}");
    }
}

#[test]
fn memory_is_not_copied() {
    let mut adata = small();
    let x = Element::matrix(2, 1, vec![1.0f32, 2.0]).unwrap();
    adata.set(Slot::X, "X", x.clone()).unwrap();
    echo().setup_anndata(&mut adata, &Setup::default()).unwrap();
    let start = |element: &Element| match element {
        Element::Dense(Dense { values: Values::Float32(b), .. }) => b.as_ptr(),
        other => panic!("{other:?}"),
    };
    assert_eq!(start(adata.get(Slot::Uns, "X back").unwrap()), start(&x));
}

#[test]
fn setup_returns_the_registry_with_fields_that_the_plugin_serves() {
    let mut adata = small();
    adata.set(Slot::Obs, "old", Element::strings(["x", "y"])).unwrap();
    let setup = args(json!({ "remove": "old", "rate": 0.1, "words": ["a", null] }));
    let registry = echo().setup_anndata(&mut adata, &Setup::from(&setup)).unwrap();
    assert!(adata.get(Slot::Obs, "old").is_err());
    assert!(adata.get(Slot::Obs, "old back").is_ok());
    assert_eq!(registry.setup_args, Some(setup));
    assert_eq!(registry.summary_stats().get("n_echo"), 3);
    let json = serde_json::to_value(&registry).unwrap();
    let field = &json["field_registries"]["echo"];
    let as_made = json!({ "field": "EchoField", "registry_key": "echo", "loudness": 0.1 });
    assert_eq!(field["field"], as_made);
    assert_eq!(field["state_registry"], json!({ "heard": ["x", 1, 0.1] }));
    let field = &registry.field_registries["echo"].field;
    assert_eq!(field.plugin(), Some(("scvi-echo".to_owned(), "0.1.0".to_owned())));
    field.validate_field(&adata).unwrap();
}

fn created() -> (Box<dyn DynModel>, AnnData) {
    let mut adata = small();
    let settings = Settings { seed: -7, device: "cpu".into(), threads: Some(2) };
    let class = echo();
    let model = class.create(&mut adata, &Setup::default(), &Args::new(), &settings).unwrap();
    (model, adata)
}

#[test]
fn create() {
    let (model, adata) = created();
    assert_eq!(model.class_name(), "Echo");
    assert_eq!(adata.get(Slot::Uns, "seed").unwrap(), &Element::vector(vec![-7i64]));
}

fn saved(init: Value) -> SavedModel {
    let mut random = Random::new(1);
    let history = [0.1, f64::NAN, f64::INFINITY, -0.0, 1e-300, 1.0 / 3.0].to_vec();
    SavedModel {
        meta: ModelMeta {
            format_version: 1,
            model_name: "Echo".into(),
            plugin: None,
            init_params: args(init),
            registry: json!({ "any": [1, 0.1, null] }),
            given_fields: Default::default(),
            var_names: vec!["g".into()],
            is_trained: true,
            training: None,
            mapped: None,
            history: [("elbo_train".to_owned(), history)].into_iter().collect(),
            train_indices: vec![1, 0],
            validation_indices: vec![],
            test_indices: vec![5],
            notes: vec!["left out".into()],
        },
        weights: (0..20)
            .map(|i| (format!("w.{i}"), Dense { shape: vec![2, 3], values: random.values(6) }))
            .collect(),
        optimizer: [("w.0.step".to_owned(), Dense { shape: vec![], values: vec![7i64].into() })]
            .into(),
    }
}

#[test]
fn load_and_save() {
    let before = saved(json!({}));
    let model = echo().load(before.clone(), &[], &Settings::default()).unwrap();
    let after = model.save().unwrap();
    let plugin = ("scvi-echo".to_owned(), "0.1.0".to_owned());
    assert_eq!(after.meta.plugin, Some(plugin));
    assert_eq!(format!("{:?}", after.weights), format!("{:?}", before.weights));
    let bits = |m: &SavedModel| m.meta.history["elbo_train"].iter().map(|v| v.to_bits()).collect();
    let (found, expected): (Vec<u64>, Vec<u64>) = (bits(&after), bits(&before));
    assert_eq!(found, expected);
    let rest = |m: SavedModel| ModelMeta { history: Default::default(), plugin: None, ..m.meta };
    assert_eq!(rest(after), rest(before));
}

#[test]
fn train_tells_thinly_and_exactly() {
    let (mut model, mut adata) = created();
    let mut kept = Kept::default();
    let ending = model.train(&mut adata, &Args::new(), &mut kept).unwrap();
    assert_eq!(ending, Ending::Complete);
    let ends: Vec<(usize, f64)> = kept
        .events
        .iter()
        .filter_map(|e| match e {
            Event::Training { epoch, cells: 1000, loss, .. } => Some((*epoch, *loss)),
            _ => None,
        })
        .collect();
    assert_eq!(ends.len(), 3, "{:?}", kept.events);
    assert_eq!((ends[0], ends[1]), ((0, 1.0 / 3.0), (1, 0.25)));
    assert!(ends[2].1.is_nan());
    assert!(kept.events.len() < 3000, "nothing was held back");
    assert_eq!(adata.get(Slot::Uns, "steps").unwrap(), &Element::vector(vec![3000i64]));
}

#[test]
fn train_stops_when_told() {
    let (mut model, mut adata) = created();
    let mut kept = Kept { cancel_after: Some(1), ..Kept::default() };
    let ending = model.train(&mut adata, &Args::new(), &mut kept).unwrap();
    assert_eq!(ending, Ending::Cancelled);
    assert_eq!(adata.get(Slot::Uns, "steps").unwrap(), &Element::vector(vec![1i64]));
}

#[test]
fn query_pushes_blocks() {
    let (model, _) = created();
    let mut adata = Random::new(3).adata(4, 2);
    let (mut kept, mut heard) = (Kept::default(), Kept::default());
    model.query("blocks", &mut adata, &Args::new(), &mut kept, &mut heard).unwrap();
    let uns = adata.mapping(Slot::Uns).unwrap();
    assert!(kept.specs.iter().map(|s| &s.name).eq(uns.keys()));
    for (block, element) in kept.blocks.iter().zip(uns.values()) {
        assert_same(block, element, "block");
    }
    assert_eq!(heard.events, [Event::Note { text: "answering blocks".into() }]);
}

#[test]
fn a_full_disk_is_the_sinks_error_and_stays_it() {
    let (model, _) = created();
    let mut adata = Random::new(3).adata(4, 2);
    let mut kept = Kept { full_after: Some(1), ..Kept::default() };
    let error =
        model.query("blocks", &mut adata, &Args::new(), &mut kept, &mut Silent).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
    assert_eq!(kept.blocks.len(), 1);
}

#[test]
fn matrices_on_disk_are_read_by_rows_even_after_the_request() {
    let (model, _) = created();
    let mut adata = AnnData::new(DataFrame::new(["a", "b", "c"]), DataFrame::new(["g", "h"]));
    let matrix = Dense { shape: vec![3, 2], values: vec![1i16, 2, 3, 4, 5, 6].into() };
    adata.set(Slot::X, "X", Element::Backed(Arc::new(OnDisk(matrix.clone())))).unwrap();
    let mut sink = Kept::default();
    model.query("stash", &mut adata, &Args::new(), &mut sink, &mut Silent).unwrap();
    let mut later = small();
    model.query("late", &mut later, &Args::new(), &mut sink, &mut Silent).unwrap();
    let expected = Element::matrix(2, 2, vec![3i16, 4, 5, 6]).unwrap();
    assert_eq!(later.get(Slot::Uns, "late 0").unwrap(), &expected);
    assert_eq!(later.get(Slot::Uns, "whole 0").unwrap(), &Element::Dense(matrix));
}

#[track_caller]
pub fn check_failure<T>(outcome: Result<T>, fault: Fault, expected: &str) {
    let error = outcome.err().unwrap();
    assert_eq!(error.fault(), fault, "{error}");
    assert!(error.to_string().starts_with(expected), "{error}\n!= {expected}");
}

const PANIC: &str = "asked to panic (tests/plugins/echo/src/lib.rs:";

fn crashed(verb: &str) -> String {
    format!("plugin `scvi-echo` crashed in `{verb}`: {PANIC}")
}

#[test]
fn errors_of_the_user_arrive_word_for_word() {
    let fail = args(json!({ "fail": "user" }));
    let text = "obs has no `no such`; present: batch";
    let mut adata = small();
    adata.set(Slot::Obs, "kept", Element::strings(["x", "y"])).unwrap();
    check_failure(
        echo().setup_anndata(&mut adata, &Setup::from(&fail)).map(drop),
        Fault::User,
        text,
    );
    assert!(adata.get(Slot::Obs, "kept").is_ok());
    let (mut model, mut adata) = created();
    check_failure(model.train(&mut adata, &fail, &mut Silent), Fault::User, text);
    model.train(&mut adata, &Args::new(), &mut Silent).unwrap();
    check_failure(
        model.save().map(drop),
        Fault::User,
        "argument `model`: expected one that was loaded, found a new one",
    );
}

#[test]
fn a_panic_in_any_verb_is_an_error() {
    let (class, fail, none) = (echo(), args(json!({ "fail": "panic" })), Args::new());
    let settings = Settings::default();
    let mut adata = small();
    let outcome = class.setup_anndata(&mut adata, &Setup::from(&fail)).map(drop);
    check_failure(outcome, Fault::Plugin, &crashed("setup_anndata"));
    let outcome = class.create(&mut adata, &Setup::default(), &fail, &settings).map(drop);
    check_failure(outcome, Fault::Plugin, &crashed("create"));
    let outcome = class.load(saved(json!({ "fail": "panic" })), &[], &settings).map(drop);
    check_failure(outcome, Fault::Plugin, &crashed("load"));

    let (mut model, mut adata) = created();
    let outcome = model.train(&mut adata, &fail, &mut Silent);
    check_failure(outcome, Fault::Plugin, &crashed("train"));
    let (model, mut adata) = created();
    let outcome = model.query("blocks", &mut adata, &fail, &mut Kept::default(), &mut Silent);
    check_failure(outcome, Fault::Plugin, &crashed("query"));
    let again = model.query("blocks", &mut adata, &none, &mut Kept::default(), &mut Silent);
    let lost = "plugin `scvi-echo` failed in `query`: the model crashed earlier";
    check_failure(again, Fault::Plugin, lost);

    let model = class.load(saved(json!({ "panic_in": "save" })), &[], &settings).unwrap();
    check_failure(model.save().map(drop), Fault::Plugin, &crashed("save"));
    drop(class.load(saved(json!({ "panic_in": "drop" })), &[], &settings).unwrap());
    class.setup_anndata(&mut small(), &Setup::default()).unwrap();

    let hostile = Plugin::load(&library("hostile")).unwrap();
    let expected = "plugin `scvi-hostile` crashed in `describe`: it never describes itself (";
    check_failure(hostile.classes().map(drop), Fault::Plugin, expected);
}

#[test]
fn a_panic_of_libtorch_is_told_without_its_call_stack() {
    let fail = args(json!({ "fail": "torch" }));
    let error = echo().setup_anndata(&mut small(), &Setup::from(&fail)).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"), "{text}");
    assert!(!text.contains("frame #"), "{text}");
}

#[test]
fn grad_mode_is_given_back_as_it_was() {
    let fail = args(json!({ "fail": "grad" }));
    echo().setup_anndata(&mut small(), &Setup::from(&fail)).unwrap();
    let w = tch::Tensor::ones([1], tch::kind::FLOAT_CPU).set_requires_grad(true);
    assert!((&w * 2.0).requires_grad());
    let _guard = tch::no_grad_guard();
    echo().setup_anndata(&mut small(), &Setup::default()).unwrap();
    assert!(!(&w * 2.0).requires_grad());
}
