//! The last part of the data handling tutorial: a real model sets a data set up. The tables are the
//! same from Rust and from the command line.

use std::{env, fs, path::Path};

use scvi_framework::{
    anndata::{AnnData, Element, Slot},
    data::{Registry, SyntheticIid, synthetic_iid},
    model::Model,
};
use scvi_plugin_scvi::{Scvi, ScviSetup};
use serde_json::Value;

use super::cli::Place;

/// 400 cells of two batches, with counts in a layer too and a covariate of each kind.
fn adata() -> AnnData {
    let mut adata = synthetic_iid(&SyntheticIid { n_regions: 0, ..Default::default() }).unwrap();
    let counts = adata.x().unwrap().clone();
    adata.set(Slot::Layers, "raw_counts", counts).unwrap();
    let categories = Element::strings((0..400).map(|i| if i < 200 { "A" } else { "B" }));
    adata.set(Slot::Obs, "my_categorical_covariate", categories).unwrap();
    let numbers: Vec<i64> = (0..400).map(|i| i * 37 % 100).collect();
    adata.set(Slot::Obs, "my_continuous_covariate", Element::vector(numbers)).unwrap();
    adata
}

#[test]
fn the_tables_are_the_same_from_rust_and_from_the_command_line() {
    let setup = ScviSetup {
        layer: Some("raw_counts".into()),
        batch_key: Some("batch".into()),
        labels_key: Some("labels".into()),
        categorical_covariate_keys: vec!["my_categorical_covariate".into()],
        continuous_covariate_keys: vec!["my_continuous_covariate".into()],
        ..Default::default()
    };
    let manager = Model::<Scvi>::setup_anndata(&mut adata(), &setup).unwrap();
    let shown = manager.view_registry().to_string();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/cli/help/setup.txt");
    if env::var_os("SCVI_UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &shown).unwrap();
    }
    assert_eq!(shown, fs::read_to_string(&path).unwrap());

    let place = Place::new();
    scvi_h5ad::write(&place.at("t.h5ad"), &adata(), Default::default()).unwrap();
    let words = "setup SCVI t.h5ad --layer raw_counts --batch-key batch --labels-key labels \
                 --categorical-covariate-keys my_categorical_covariate \
                 --continuous-covariate-keys my_continuous_covariate";
    assert_eq!(place.scvi(words).says("").out, shown);

    let json = place.scvi(&format!("{words} --json")).says("").out;
    let json: Value = serde_json::from_str(&json).unwrap();
    let registry: Registry = serde_json::from_value(json).unwrap();
    assert_eq!(registry.view(), manager.view_registry());
}
