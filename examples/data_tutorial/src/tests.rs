//! Every block of the tutorial, with its numbers.

use std::{env, fs, path::Path};

use scvi_framework::{
    anndata::{AnnData, Element, Slot},
    data::{AnnDataLoader, AnnDataManager, LoaderOptions, ManagerStore},
    fields::Transfer,
    serde_json::{Value, json},
};

use super::*;

fn registered(n_batches: usize) -> (AnnData, AnnDataManager) {
    let mut adata = synthetic(n_batches).unwrap();
    let manager = recording::registered(&mut adata).unwrap();
    (adata, manager)
}

/// What a section prints is what `tables/NAME.txt` holds; `SCVI_UPDATE_SNAPSHOTS=1` writes it anew.
#[track_caller]
fn check_printed(name: &str, section: impl Fn(&mut Vec<u8>) -> Result<()>) {
    let mut printed = Vec::new();
    section(&mut printed).unwrap();
    let printed = String::from_utf8(printed).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/tables/{name}.txt"));
    if env::var_os("SCVI_UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &printed).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    assert!(printed == expected, "{}\nis not what it was; now:\n{printed}", path.display());
}

#[test]
fn the_tables_are_those_of_the_tutorial() {
    check_printed("recording", recording::run);
    check_printed("fields", fields::run);
    check_printed("loading", loading::run);
    check_printed("setup", setup::run);
}

#[test]
fn a_registry_has_five_keys() {
    let (_, manager) = registered(2);
    let registry = json!(manager.registry());
    let keys: Vec<&String> = registry.as_object().unwrap().keys().collect();
    let expected = ["scvi_version", "model_name", "setup_args", "field_registries", "_scvi_uuid"];
    assert_eq!(keys, expected);
    let part = registry["field_registries"]["batch"].as_object().unwrap();
    for key in ["data_registry", "state_registry", "summary_stats"] {
        assert!(part.contains_key(key), "{key}");
    }
}

#[test]
fn the_data_registry_says_where_data_lie() {
    let (adata, manager) = registered(2);
    let expected = json!({
        "x": { "attr_name": "X", "attr_key": null },
        "batch": { "attr_name": "obs", "attr_key": "_scvi_batch" }
    });
    assert_eq!(json!(manager.data_registry()), expected);
    assert_eq!(manager.get_from_registry(&adata, "x").unwrap().shape(), [400, 100]);
    assert_eq!(manager.get_from_registry(&adata, "batch").unwrap().shape(), [400, 1]);
}

#[test]
fn the_state_registry_holds_the_categories_in_order_of_their_codes() {
    let (_, manager) = registered(2);
    let state = manager.get_state_registry("batch").unwrap();
    let expected =
        json!({ "categorical_mapping": ["batch_0", "batch_1"], "original_key": "batch" });
    assert_eq!(json!(state), expected);
}

#[test]
fn summary_stats_come_in_the_order_of_the_tutorial() {
    let (_, manager) = registered(2);
    let stats = manager.summary_stats();
    let stats: Vec<(&str, i64)> = stats.0.iter().map(|(key, n)| (key.as_str(), *n)).collect();
    assert_eq!(stats, [("n_cells", 400), ("n_vars", 100), ("n_batch", 2)]);
}

#[test]
fn registering_one_field_adds_one_column() {
    let (_, manager) = registered(2);
    let mut adata = synthetic(2).unwrap();
    let before: Vec<String> = adata.obs().columns.keys().cloned().collect();
    assert_eq!(before, ["batch", "labels"]);
    let field = &manager.registry().field_registries["batch"].field;
    let state = field.register_field(&mut adata).unwrap();
    assert_eq!(&state, manager.get_state_registry("batch").unwrap());
    let after: Vec<&String> = adata.obs().columns.keys().collect();
    assert_eq!(after, ["batch", "labels", "_scvi_batch"]);
    let expected: Vec<i8> = (0..400).map(|i| i / 200).map(|batch| batch as i8).collect();
    assert_eq!(adata.get(Slot::Obs, "_scvi_batch").unwrap(), &Element::vector(expected));
}

#[test]
fn a_new_batch_is_refused_and_then_appended() {
    let (_, manager) = registered(2);
    let mut adata3 = synthetic(3).unwrap();
    let refused = manager.transfer_fields(&mut adata3, Transfer::default()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "obs column `batch`: category \"batch_2\" (200 cells) not found in source registry, which \
         has \"batch_0\", \"batch_1\". Cannot transfer setup without `extend_categories = True`"
    );
    let how = Transfer { extend_categories: true, ..Default::default() };
    let manager3 = manager.transfer_fields(&mut adata3, how).unwrap();
    let stats = json!(manager3.summary_stats());
    assert_eq!(stats, json!({ "n_cells": 600, "n_vars": 100, "n_batch": 3 }));
    let state = manager3.get_state_registry("batch").unwrap();
    let mapping: Vec<String> = state.read("categorical_mapping").unwrap();
    assert_eq!(mapping, ["batch_0", "batch_1", "batch_2"]);
    let codes = manager3.get_from_registry(&adata3, "batch").unwrap();
    let expected: Vec<i8> = (0..600).map(|i| (i / 200) as i8).collect();
    assert_eq!(codes, Element::matrix(600, 1, expected).unwrap());
    // The source learnt nothing of it.
    assert_eq!(manager.summary_stats().n_batch(), 2);
}

#[test]
fn the_first_minibatch_is_the_first_ten_cells() {
    let (adata, manager) = registered(2);
    let options = LoaderOptions { batch_size: 10, ..Default::default() };
    let loader = AnnDataLoader::new(&adata, manager.registry(), options).unwrap();
    let batch = loader.iter().next().unwrap().unwrap();
    assert_eq!(batch.keys().collect::<Vec<_>>(), ["x", "batch"]);
    assert_eq!(batch.require("x").unwrap().size(), [10, 100]);
    let codes = batch.require("batch").unwrap();
    assert_eq!(codes.size(), [10, 1]);
    assert_eq!(Vec::<i64>::try_from(&codes.view(-1)).unwrap(), [0; 10]);
    let Some(Element::Dense(x)) = adata.x() else { panic!("dense counts") };
    let loaded = Vec::<f32>::try_from(&batch.require("x").unwrap().view(-1)).unwrap();
    assert_eq!(loaded, x.values.to_f32()[..1000]);
}

#[test]
fn the_regression_learns() {
    let losses = regression::train().unwrap();
    assert_eq!(losses.len(), 5);
    assert!(losses[4] < losses[0] / 2.0, "{losses:?}");
}

#[test]
fn a_set_up_keeps_its_arguments_and_its_manager() {
    let mut adata = synthetic(2).unwrap();
    let counts = adata.x().unwrap().clone();
    adata.set(Slot::Layers, "raw_counts", counts).unwrap();
    let mut store = ManagerStore::new("MyModel");
    setup::setup_anndata(&mut store, &mut adata, Some("raw_counts"), None).unwrap();
    let manager = store.get_anndata_manager(&adata).unwrap();
    let registry = json!(manager.registry());
    assert_eq!(registry["model_name"], "MyModel");
    assert_eq!(registry["setup_args"], json!({ "layer": "raw_counts", "batch_key": Value::Null }));
    let places = manager.data_registry();
    assert_eq!(places["X"].to_string(), "adata.layers['raw_counts']");
    assert_eq!(manager.summary_stats().n_batch(), 1);
}
