//! Fields and manager: what they write, remember, carry over and refuse.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::*;
use crate::{
    Error,
    anndata::{
        AnnData, Buffer, Categorical, DataFrame, Element, Mapping, Nullable, Raw, Sparse,
        SparseFormat,
    },
    data::{AnnDataManager, Registry},
    params::Args,
    registry_keys::{MANAGER_UUID, REGISTRY_KEYS, SCVI_UUID},
};

mod kinds;
mod modalities;
mod protocol;

const N: usize = 6;

fn small() -> AnnData {
    let obs = DataFrame::new((0..N).map(|i| format!("c{i}")));
    let mut adata = AnnData::new(obs, DataFrame::new(["g0", "g1", "g2"]));
    let counts: Vec<f32> = (0..N * 3).map(|i| (i % 5) as f32).collect();
    adata.set(Slot::X, "", Element::matrix(N, 3, counts).unwrap()).unwrap();
    let columns = [
        ("text", Element::strings(["b", "a", "b", "B", "a", "ä"])),
        ("ints", Element::vector(vec![3i64, 10, 3, -1, 10, 10])),
        ("floats", Element::vector(vec![2.5f64, 1.0, 1.0, 2.5, 2.5, 1.0])),
        ("bools", Element::vector(vec![true, false, true, true, false, false])),
        ("kinds", categorical(&[2, 0, 0, 2, 2, 0], &["z", "unused", "m"])),
        ("size", Element::vector(vec![1.0f32, 0.5, 2.0, 1.5, 1.0, 3.0])),
    ];
    for (name, column) in columns {
        adata.set(Slot::Obs, name, column).unwrap();
    }
    adata
}

fn categorical(codes: &[i8], categories: &[&str]) -> Element {
    let categories = Box::new(Element::strings(categories));
    Element::Categorical(Categorical { codes: codes.to_vec().into(), categories, ordered: false })
}

/// The fields of SCVI with every covariate given.
fn all_fields(
    batch: &str,
    labels: &str,
    cats: &[&str],
    conts: &[&str],
) -> Vec<Box<dyn AnnDataField>> {
    let owned = |keys: &[&str]| keys.iter().map(|&k| k.to_owned()).collect::<Vec<_>>();
    vec![
        LayerField::new(REGISTRY_KEYS.x, None).boxed(),
        CategoricalObsField::new(REGISTRY_KEYS.batch, Some(batch)).boxed(),
        CategoricalObsField::new(REGISTRY_KEYS.labels, Some(labels)).boxed(),
        NumericalObsField::new(REGISTRY_KEYS.size_factor, Some("size")).boxed(),
        CategoricalJointObsField::new(REGISTRY_KEYS.cat_covs, &owned(cats)).boxed(),
        NumericalJointObsField::new(REGISTRY_KEYS.cont_covs, &owned(conts)).boxed(),
    ]
}

/// The fields of SCVI with nothing given.
fn no_fields() -> Vec<Box<dyn AnnDataField>> {
    vec![
        LayerField::new(REGISTRY_KEYS.x, None).boxed(),
        CategoricalObsField::new(REGISTRY_KEYS.batch, None).boxed(),
        CategoricalObsField::new(REGISTRY_KEYS.labels, None).boxed(),
        NumericalObsField::new(REGISTRY_KEYS.size_factor, None).boxed(),
        CategoricalJointObsField::new(REGISTRY_KEYS.cat_covs, &[]).boxed(),
        NumericalJointObsField::new(REGISTRY_KEYS.cont_covs, &[]).boxed(),
    ]
}

fn register(fields: Vec<Box<dyn AnnDataField>>, adata: &mut AnnData) -> Result<AnnDataManager> {
    AnnDataManager::register(fields, "SCVI", Args::new(), adata)
}

fn batch_only(key: &str) -> Vec<Box<dyn AnnDataField>> {
    vec![CategoricalObsField::new(REGISTRY_KEYS.batch, Some(key)).boxed()]
}

fn codes(adata: &AnnData, slot: Slot, key: &str) -> Vec<i64> {
    let Element::Dense(dense) = adata.get(slot, key).unwrap() else { panic!("codes are dense") };
    dense.values.to_i64().to_vec()
}

#[track_caller]
fn check_error(result: Result<impl std::fmt::Debug>, expected: &str) {
    assert_eq!(result.unwrap_err().to_string(), expected);
}

// --- what is written and remembered ---------------------------------------------------------

#[track_caller]
fn check_mapping(column: &str, mapping: Value, expected_codes: [i64; N]) {
    let mut adata = small();
    let manager = register(batch_only(column), &mut adata).unwrap();
    let state = manager.registry().state("batch").unwrap();
    let expected = json!({ "categorical_mapping": mapping, "original_key": column });
    assert_eq!(json!(state), expected);
    assert_eq!(codes(&adata, Slot::Obs, "_scvi_batch"), expected_codes);
    assert_eq!(manager.summary_stats().n_batch(), mapping.as_array().unwrap().len() as i64);
}

#[test]
fn categories_are_sorted_unless_the_column_has_an_order_of_its_own() {
    check_mapping("text", json!(["B", "a", "b", "ä"]), [2, 1, 2, 0, 1, 3]);
    check_mapping("ints", json!([-1, 3, 10]), [1, 2, 1, 0, 2, 2]);
    check_mapping("floats", json!([1.0, 2.5]), [1, 0, 0, 1, 1, 0]);
    check_mapping("bools", json!([false, true]), [1, 0, 1, 1, 0, 0]);
    check_mapping("kinds", json!(["z", "unused", "m"]), [2, 0, 0, 2, 2, 0]);
}

#[test]
fn an_absent_key_makes_one_category_or_an_empty_field() {
    let mut adata = small();
    let manager = register(no_fields(), &mut adata).unwrap();
    let found = json!(manager.registry());
    let parts = &found["field_registries"];
    assert_eq!(
        parts["batch"]["state_registry"],
        json!({ "categorical_mapping": [0], "original_key": "_scvi_batch" })
    );
    for (key, stats) in [
        ("size_factor", json!({})),
        ("extra_categorical_covs", json!({ "n_extra_categorical_covs": 0 })),
        ("extra_continuous_covs", json!({ "n_extra_continuous_covs": 0 })),
    ] {
        assert_eq!(parts[key]["data_registry"], json!({}), "{key}");
        assert_eq!(parts[key]["state_registry"], json!({}), "{key}");
        assert_eq!(parts[key]["summary_stats"], stats, "{key}");
    }
    assert_eq!(codes(&adata, Slot::Obs, "_scvi_batch"), [0; N]);
    assert!(adata.mapping(Slot::Obsm).unwrap().is_empty());
}

#[test]
fn codes_take_the_integers_that_pandas_takes() {
    for (n, dtype) in [(126, "int8"), (127, "int16"), (32_766, "int16"), (32_767, "int32")] {
        let obs = DataFrame::new((0..n).map(|i| i.to_string()));
        let mut adata = AnnData::new(obs, DataFrame::new(["g"]));
        let column = Element::vector((0..n as i64).collect::<Vec<_>>());
        adata.set(Slot::Obs, "batch", column).unwrap();
        register(batch_only("batch"), &mut adata).unwrap();
        let codes = adata.get(Slot::Obs, "_scvi_batch").unwrap();
        assert_eq!(codes.kind(), format!("dense {dtype} array"), "{n} categories");
    }
}

#[test]
fn registration_marks_the_data_set_and_keeps_its_identity() {
    let mut adata = small();
    let first = register(no_fields(), &mut adata).unwrap();
    let second = register(no_fields(), &mut adata).unwrap();
    let text = |key| match adata.get(Slot::Uns, key).unwrap() {
        Element::Scalar(crate::anndata::Scalar::String(text)) => text.clone(),
        other => panic!("{key} is {other:?}"),
    };
    assert_eq!(first.registry().scvi_uuid, second.registry().scvi_uuid);
    assert_eq!(text(SCVI_UUID), first.registry().scvi_uuid);
    assert_eq!(text(MANAGER_UUID), second.id.to_string());
}

/// Registers with scvi-tools what `small` holds, and prints everything that it wrote.
const SCVI_TOOLS: &str = r#"
import json, sys, warnings
warnings.filterwarnings("ignore")
import anndata, numpy as np, pandas as pd, scvi
given = json.load(sys.stdin)
n = len(given["obs"]["text"])
obs = pd.DataFrame({k: v for k, v in given["obs"].items()}, index=[f"c{i}" for i in range(n)])
obs["kinds"] = pd.Categorical(obs["kinds"], categories=["z", "unused", "m"])
obs["size"] = obs["size"].astype("float32")
x = np.array(given["X"], dtype="float32").reshape(n, -1)
a = anndata.AnnData(x, obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(x.shape[1])]))
scvi.model.SCVI.setup_anndata(a, **given["setup"])
registry = scvi.model.SCVI(a).registry_
plain = lambda o: o.tolist() if isinstance(o, (np.ndarray, np.generic)) else str(o)
frame = lambda f: {c: [str(f[c].dtype), f[c].tolist()] for c in f.columns}
print(json.dumps({
    "field_registries": registry["field_registries"],
    "obs": frame(a.obs[[c for c in a.obs.columns if c.startswith("_scvi")]]),
    "obsm": {k: frame(v) for k, v in a.obsm.items()},
}, default=plain))
"#;

fn scvi_tools(given: &Value) -> Option<Value> {
    let python = crate::reference_python::with("scvi")?;
    let mut command = Command::new(python);
    command.args(["-c", SCVI_TOOLS]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    Some(serde_json::from_str(text.lines().last().unwrap()).unwrap())
}

fn column_json(column: &Element) -> Value {
    let Element::Dense(dense) = column else { panic!("written columns are dense") };
    let dtype = dense.values.dtype().name();
    let values = match dtype.starts_with("float") {
        true => json!(dense.values.to_f64()),
        false => json!(dense.values.to_i64().to_vec()),
    };
    json!([dtype, values])
}

fn frame_json(columns: &Mapping) -> Value {
    columns.iter().map(|(name, column)| (name.clone(), column_json(column))).collect()
}

#[test]
fn registers_as_scvi_tools_does() {
    let mut adata = small();
    let given = json!({
        "X": (0..N * 3).map(|i| i % 5).collect::<Vec<_>>(),
        "obs": {
            "text": ["b", "a", "b", "B", "a", "ä"], "ints": [3, 10, 3, -1, 10, 10],
            "floats": [2.5, 1.0, 1.0, 2.5, 2.5, 1.0],
            "bools": [true, false, true, true, false, false],
            "kinds": ["m", "z", "z", "m", "m", "z"], "size": [1.0, 0.5, 2.0, 1.5, 1.0, 3.0],
        },
        "setup": {
            "batch_key": "kinds", "labels_key": "text", "size_factor_key": "size",
            "categorical_covariate_keys": ["ints", "bools", "floats"],
            "continuous_covariate_keys": ["size", "floats"],
        },
    });
    let Some(expected) = scvi_tools(&given) else { return };
    let fields = all_fields("kinds", "text", &["ints", "bools", "floats"], &["size", "floats"]);
    let manager = register(fields, &mut adata).unwrap();

    let mut parts = json!(manager.registry())["field_registries"].clone();
    for part in parts.as_object_mut().unwrap().values_mut() {
        part.as_object_mut().unwrap().shift_remove("field").expect("a field has its tag");
    }
    assert_eq!(parts, expected["field_registries"]);
    let order = |v: &Value| v.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(order(&parts), order(&expected["field_registries"]));

    let is_ours = |name: &str| name.starts_with("_scvi");
    let written = adata.mapping(Slot::Obs).unwrap().iter().filter(|(name, _)| is_ours(name));
    let written: Mapping = written.map(|(k, v)| (k.clone(), v.clone())).collect();
    assert_eq!(frame_json(&written), expected["obs"]);
    let obsm = adata.mapping(Slot::Obsm).unwrap().iter().map(|(name, table)| {
        let Element::DataFrame(table) = table else { panic!("joint fields write tables") };
        assert_eq!(table.index, adata.obs().index);
        (name.clone(), frame_json(&table.columns))
    });
    assert_eq!(obsm.collect::<Value>(), expected["obsm"]);
}

// --- what is refused --------------------------------------------------------------------------

#[test]
fn unusable_columns_are_refused() {
    let mut adata = small();
    let float = vec![1.0f64, f64::NAN, 2.0, f64::INFINITY, 1.0, f64::NAN];
    adata.set(Slot::Obs, "holes", Element::vector(float)).unwrap();
    adata.set(Slot::Obs, "gaps", categorical(&[0, -1, 0, 0, -1, 0], &["x"])).unwrap();
    let nullable = Nullable {
        values: Box::new(Element::vector(vec![1i64; N])),
        mask: Buffer::from(vec![false, false, false, false, false, true]),
    };
    adata.set(Slot::Obs, "nullable", Element::Nullable(nullable)).unwrap();
    let mut check = |field: Box<dyn AnnDataField>, expected: &str| {
        let before = adata.clone();
        check_error(register(vec![field], &mut adata), expected);
        for slot in [Slot::Obs, Slot::Obsm, Slot::Uns] {
            let names = |a: &AnnData| a.mapping(slot).unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(&adata), names(&before));
        }
    };
    let present = "text, ints, floats, bools, kinds, size, holes, gaps, nullable";
    let batch = |key| CategoricalObsField::new("batch", Some(key)).boxed();
    check(batch("bach"), &format!("obs has no `bach`; present: {present}"));
    let advice = "give them a category of their own, or drop them";
    check(
        batch("gaps"),
        &format!("obs column `gaps`: 2 of 6 cells have no value (NaN), first c1, c4; {advice}"),
    );
    check(
        batch("nullable"),
        &format!("obs column `nullable`: 1 of 6 cells have no value (NaN), first c5; {advice}"),
    );
    let conts = |key: &str| NumericalJointObsField::new("cont", &[key.to_owned()]).boxed();
    check(
        conts("holes"),
        "obs column `holes`: 3 of 6 cells have no finite number, first c1, c3, c5; fill in the \
         values, drop these rows, or leave the column out",
    );
    check(
        CategoricalJointObsField::new("cats", &["text".into(), "ints".into(), "text".into()])
            .boxed(),
        "argument `cats`: expected each column once, found `text` twice",
    );
    check(conts("text"), "obs column `text`: expected numbers, found string array");
    check(
        NumericalObsField::new("size_factor", Some("kinds")).boxed(),
        "obs column `kinds`: expected numbers, found categorical of string array",
    );
}

#[test]
fn two_fields_may_not_share_a_key_or_a_statistic() {
    let twice = || CategoricalObsField::new("batch", None).boxed();
    check_error(
        register(vec![twice(), twice()], &mut small()),
        "two fields are registered as `batch`; each needs a registry key of its own",
    );
    // The layer's `n_vars` is a statistic of its own; another key of that name collides.
    let fields =
        vec![LayerField::new("X", None).boxed(), CategoricalObsField::new("vars", None).boxed()];
    check_error(
        register(fields, &mut small()),
        "fields `X` and `vars` both give the summary statistic `n_vars`",
    );
}

fn with_x(x: Element) -> AnnData {
    let mut adata = small();
    adata.set(Slot::X, "", x).unwrap();
    adata
}

fn logged() -> Element {
    Element::matrix(N, 3, (0..N * 3).map(|i| (i as f32).ln_1p()).collect::<Vec<_>>()).unwrap()
}

fn counts() -> Element {
    Element::matrix(N, 3, vec![1u16; N * 3]).unwrap()
}

#[track_caller]
fn check_counts(adata: &AnnData, layer: Option<&str>, expected: &str) {
    check_error(LayerField::new("X", layer).validate_field(adata), expected);
}

#[test]
fn what_is_no_counts_is_refused_and_counts_elsewhere_are_named() {
    let found = "X holds no counts: 17 of 18 stored values are fractional and look log-normalised; \
                 first 0.6931471824645996 in cell `c0`, gene `g1`";
    let mut adata = with_x(logged());
    let go_on = "give raw counts, or --allow-noncounts to use these values as they are";
    check_counts(&adata, None, &format!("{found}; {go_on}"));
    LayerField::new("X", None).allow_noncounts(true).validate_field(&adata).unwrap();

    let raw = Raw { x: counts(), var: adata.var().clone(), varm: Mapping::new() };
    adata.set_raw(Some(raw));
    let from_raw = "raw holds counts: put them into a layer (in Python: adata.layers[\"counts\"] = \
                    adata.raw[:, adata.var_names].X) and use --layer counts";
    check_counts(&adata, None, &format!("{found}; {from_raw}"));
    adata.set(Slot::Layers, "scaled", logged()).unwrap();
    adata.set(Slot::Layers, "umis", counts()).unwrap();
    let from_layer = "layers[\"umis\"] holds counts: use --layer umis";
    check_counts(&adata, None, &format!("{found}; {from_layer}"));
    check_counts(&adata, Some("cuonts"), "layers has no `cuonts`; present: scaled, umis");
    adata.set(Slot::X, "", counts()).unwrap();
    let in_layer = found.replacen('X', "layers[\"scaled\"]", 1);
    check_counts(&adata, Some("scaled"), &format!("{in_layer}; X holds counts: leave --layer out"));
}

#[test]
fn the_first_value_that_is_no_count_is_located_in_every_layout() {
    let (data, at) = (vec![4.0f64, -1.0, f64::NAN, 0.5], vec![1i32, 2, 0, 1]);
    let sparse = |format, ends: Vec<i64>| {
        let parts = (data.clone().into(), at.clone().into(), ends.into());
        Element::Sparse(Sparse::new(format, [N, 3], parts.0, parts.1, parts.2).unwrap())
    };
    let wrong = "X holds no counts: 3 of 4 stored values are missing or infinite or negative or \
                 fractional; first -1";
    let advice = "repair or drop these cells or genes";
    let csr = with_x(sparse(SparseFormat::Csr, vec![0, 0, 2, 2, 4, 4, 4]));
    check_counts(&csr, None, &format!("{wrong} in cell `c1`, gene `g2`; {advice}"));
    let csc = with_x(sparse(SparseFormat::Csc, vec![0, 0, 3, 4]));
    check_counts(&csc, None, &format!("{wrong} in cell `c2`, gene `g1`; {advice}"));
    let allowed = LayerField::new("X", None).allow_noncounts(true).validate_field(&csc);
    assert!(matches!(allowed, Err(Error::NotCounts { .. })), "NaN never passes");
    let text = Element::strings(["x"; N * 3]);
    let Element::Strings(text) = text else { unreachable!() };
    let text = with_x(Element::Strings(text.reshape(vec![N, 3]).unwrap()));
    check_counts(&text, None, "X: expected a matrix of numbers, found string array");
}

#[test]
fn a_data_set_without_x_says_which_layers_it_has() {
    let mut adata = small();
    adata.remove(Slot::X, "");
    adata.set(Slot::Layers, "counts", counts()).unwrap();
    check_counts(&adata, None, "the data set has no X; layers: counts; name one with --layer");
}

// --- carrying over ----------------------------------------------------------------------------

fn with_column(column: Element) -> AnnData {
    let mut adata = small();
    adata.set(Slot::Obs, "col", column).unwrap();
    adata
}

#[track_caller]
fn check_unseen(source: Element, target: Element, message: &str, mapping: Value, codes_: [i64; N]) {
    let manager = register(batch_only("col"), &mut with_column(source)).unwrap();
    let mut adata = with_column(target);
    let refused = manager.transfer_fields(&mut adata, Transfer::default());
    let advice = "Cannot transfer setup without `extend_categories = True`";
    check_error(refused, &format!("obs column `col`: {message}. {advice}"));
    assert!(adata.get(Slot::Obs, "_scvi_batch").is_err());
    let how = Transfer { extend_categories: true, ..Default::default() };
    let extended = manager.transfer_fields(&mut adata, how).unwrap();
    let state = extended.registry().state("batch").unwrap();
    assert_eq!(state.0["categorical_mapping"], mapping);
    assert_eq!(codes(&adata, Slot::Obs, "_scvi_batch"), codes_);
}

#[test]
fn unseen_categories_are_refused_or_appended_in_order() {
    check_unseen(
        Element::strings(["b", "b", "b", "b", "b", "a"]),
        Element::strings(["z", "b", "c", "c", "a", ""]),
        "categories \"\", \"c\", \"z\" (4 cells) not found in source registry, which has \"a\", \"b\"",
        json!(["a", "b", "", "c", "z"]),
        [4, 1, 3, 3, 0, 2],
    );
    // Falsy values are categories like others.
    check_unseen(
        Element::vector(vec![1i64; N]),
        Element::vector(vec![0i64, 1, 1, 1, 1, 1]),
        "category 0 (1 cells) not found in source registry, which has 1",
        json!([1, 0]),
        [1, 0, 0, 0, 0, 0],
    );
    check_unseen(
        Element::vector(vec![true; N]),
        Element::vector(vec![false, true, true, true, true, true]),
        "category false (1 cells) not found in source registry, which has true",
        json!([true, false]),
        [1, 0, 0, 0, 0, 0],
    );
    // Text is no number.
    check_unseen(
        Element::vector(vec![1i64; N]),
        Element::strings(["1"; N]),
        "category \"1\" (6 cells) not found in source registry, which has 1",
        json!([1, "1"]),
        [1; N],
    );
}

#[test]
fn known_categories_keep_their_codes_whatever_the_target_looks_like() {
    let source = Element::vector(vec![1i64, 2, 3, 3, 3, 3]);
    let manager = register(batch_only("col"), &mut with_column(source)).unwrap();
    let mut floats = with_column(Element::vector(vec![3.0f64, 3.0, 1.0, 1.0, 1.0, 1.0]));
    manager.transfer_fields(&mut floats, Transfer::default()).unwrap();
    assert_eq!(codes(&floats, Slot::Obs, "_scvi_batch"), [2, 2, 0, 0, 0, 0]);

    let kinds = categorical(&[0, 0, 0, 1, 1, 1], &["a", "b"]);
    let manager = register(batch_only("col"), &mut with_column(kinds)).unwrap();
    // Categories that do not occur are not asked for.
    let mut other = with_column(categorical(&[2, 0, 2, 2, 2, 2], &["b", "new", "a"]));
    let moved = manager.transfer_fields(&mut other, Transfer::default()).unwrap();
    assert_eq!(codes(&other, Slot::Obs, "_scvi_batch"), [0, 1, 0, 0, 0, 0]);
    assert_eq!(moved.summary_stats().n_batch(), 2);
}

#[test]
fn joint_categories_are_carried_over_column_by_column() {
    let fields = || {
        let keys = ["text".to_owned(), "ints".to_owned()];
        vec![CategoricalJointObsField::new("extra_categorical_covs", &keys).boxed()]
    };
    let manager = register(fields(), &mut small()).unwrap();
    let mut target = small();
    target.set(Slot::Obs, "ints", Element::vector(vec![10i64, 7, 3, -1, 7, 7])).unwrap();
    check_error(
        manager.transfer_fields(&mut target, Transfer::default()),
        "obs column `ints`: category 7 (3 cells) not found in source registry, which has -1, 3, 10. \
         Cannot transfer setup without `extend_categories = True`",
    );
    let how = Transfer { extend_categories: true, ..Default::default() };
    let moved = manager.transfer_fields(&mut target, how).unwrap();
    let state = moved.registry().state("extra_categorical_covs").unwrap();
    assert_eq!(state.0["mappings"]["ints"], json!([-1, 3, 10, 7]));
    assert_eq!(state.0["n_cats_per_key"], json!([4, 4]));
    let Element::DataFrame(table) = target.get(Slot::Obsm, "_scvi_extra_categorical_covs").unwrap()
    else {
        panic!("a table")
    };
    assert_eq!(column_json(&table.columns["ints"]), json!(["int8", [2, 3, 1, 0, 3, 3]]));
}

fn with_genes(names: &[&str]) -> AnnData {
    let obs = DataFrame::new(["c0"]);
    let mut adata = AnnData::new(obs, DataFrame::new(names));
    let x = Element::matrix(1, names.len(), vec![1.0f32; names.len()]).unwrap();
    adata.set(Slot::X, "", x).unwrap();
    adata
}

#[test]
fn other_genes_are_refused() {
    let fields = vec![LayerField::new("X", None).boxed()];
    let manager = register(fields, &mut with_genes(&["a", "b", "c"])).unwrap();
    let check = |names: &[&str], expected: &str| {
        let refused = manager.transfer_fields(&mut with_genes(names), Transfer::default());
        check_error(refused, &format!("the genes are not the model's: {expected}"));
    };
    check(
        &["a", "c", "b"],
        "the same 3 genes in another order; at position 1 the model has `b`, the data `c`; reorder \
         them: adata[:, var_names of the model]",
    );
    check(
        &["a", "b"],
        "expected 3 genes, found 2; 2 of the model's are among them, `c` for one is not; give the \
         genes that the model was trained on, in its order",
    );
    check(
        &["a", "x", "y"],
        "expected 3 genes, found 3; 1 of the model's are among them, `b` for one is not; give the \
         genes that the model was trained on, in its order",
    );
    check(
        &["d", "c", "b", "a"],
        "expected 3 genes, found 4; 3 of the model's are among them; keep the model's genes alone, \
         in its order: adata[:, var_names of the model]",
    );
    let moved = manager.transfer_fields(&mut with_genes(&["a", "b", "c"]), Transfer::default());
    assert_eq!(moved.unwrap().summary_stats().n_vars(), 3);
}

// --- saved registries ---------------------------------------------------------------------------

#[test]
fn a_registry_comes_back_from_json_with_its_fields() {
    let fields = all_fields("text", "kinds", &["ints"], &["floats"]);
    let manager = register(fields, &mut small()).unwrap();
    let json = serde_json::to_string(manager.registry()).unwrap();
    let back: Registry = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), json);
    assert_eq!(back.data_registry().count(), 6);
    let tags = json!(back)["field_registries"]["batch"]["field"].clone();
    assert_eq!(
        tags,
        json!({ "field": "CategoricalObsField", "registry_key": "batch", "attr_key": "text" })
    );
}

#[test]
fn a_registry_without_fields_is_paired_with_those_of_the_model() {
    let manager = register(all_fields("text", "kinds", &["ints"], &[]), &mut small()).unwrap();
    let mut saved = json!(manager.registry());
    saved.as_object_mut().unwrap().shift_remove("setup_method_name");
    for part in saved["field_registries"].as_object_mut().unwrap().values_mut() {
        part.as_object_mut().unwrap().shift_remove("field");
    }
    let fields = || all_fields("text", "kinds", &["ints"], &[]);
    let back = AnnDataManager::from_saved(fields(), &saved).unwrap();
    assert_eq!(back.summary_stats(), manager.summary_stats());
    assert_eq!(json!(back.registry()), json!(manager.registry()));
    let mut target = small();
    target.set(Slot::Obs, "text", Element::strings(["b"; N])).unwrap();
    back.transfer_fields(&mut target, Transfer::default()).unwrap();
    assert_eq!(codes(&target, Slot::Obs, "_scvi_batch"), [2; N]);

    saved["field_registries"].as_object_mut().unwrap().shift_remove("labels");
    check_error(
        Registry::from_saved(fields(), &saved),
        "saved registry has no `labels`; present: X, batch, size_factor, extra_categorical_covs, \
         extra_continuous_covs",
    );
    check_error(
        Registry::from_saved(fields(), &json!({ "scvi_version": "1.4.2" })),
        "saved registry: expected scvi_version, model_name, setup_args and field_registries, found \
         missing field `field_registries`",
    );
}
