//! A field of one plugin in a model of another, through the command.

use std::{fs, process::Command};

use scvi_framework::{
    anndata::{Element, Slot},
    serde_json::{Value, from_str},
};

use super::{Place, Ran, plugin_folder, read};
use crate::abi::library;

const BINS: &str =
    r#"{"field":"BinnedObsField","registry_key":"batch","obs_key":"percent_mito","n_bins":4}"#;

/// A place with the field's plugin in the folder `p`, beside the real one.
struct WithField(Place);

impl WithField {
    fn new() -> Self {
        let place = Place::new();
        fs::create_dir(place.at("p")).unwrap();
        fs::copy(library("binned_field"), place.at("p/libbinned_field.so")).unwrap();
        Self(place)
    }

    fn command(&self, words: &str, fields: &[&str]) -> Command {
        let mut command = self.0.command(words);
        command.arg("--plugin-dir").arg(self.0.at("p"));
        fields.iter().for_each(|json| {
            command.args(["--field", json]);
        });
        command
    }

    fn scvi(&self, words: &str, fields: &[&str]) -> Ran {
        Ran::of(&mut self.command(words, fields))
    }
}

#[test]
fn a_field_from_one_library_serves_a_model_of_another() {
    let place = WithField::new();
    let shown = place.scvi("setup SCVI s.h5ad", &[BINS]).says("").out;
    for line in [" n_batch                    4\n", " adata.obs['percent_mito']   (-inf, "] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }

    place.scvi("train SCVI s.h5ad --max-epochs 2 --out m --save-anndata -q", &[BINS]).says("");
    let adata = read(&place.0.at("m/adata.h5ad"));
    let Element::Dense(codes) = adata.get(Slot::Obs, "_scvi_batch").unwrap() else { panic!() };
    let codes = codes.values.to_i64();
    let cells_in = |bin: i64| codes.iter().filter(|code| **code == bin).count();
    assert_eq!([0, 1, 2, 3].map(cells_in), [50; 4]);

    let meta: Value = from_str(&fs::read_to_string(place.0.at("m/model.json")).unwrap()).unwrap();
    let saved = &meta["registry"]["field_registries"]["batch"]["field"];
    assert_eq!(saved["field"], "BinnedObsField");
    assert_eq!(saved["n_bins"], 4);
    let shown = place.scvi("show m", &[]).says("").out;
    assert!(shown.contains("\n batch   BinnedObsField of plugin binned-field 0.1.0\n"), "{shown}");

    // Asked about the same data and about others, from the folder alone.
    place
        .scvi("query m get-latent-representation --out l.h5ad", &[])
        .says("wrote obsm['X_scVI'] (200 × 10) to l.h5ad\n");
    place.0.scvi("data synthetic other.h5ad --n-obs 30 --n-vars 50 --seed 9 -q").says("");
    place.scvi("query m get-elbo --adata other.h5ad --out - -q", &[]).says("");

    // Without the plugin: which field, and which plugin to get.
    fs::remove_file(place.0.at("p/libbinned_field.so")).unwrap();
    let ran = place.scvi("query m get-latent-representation --out l2.h5ad", &[]);
    let expected = "error: m: it reads `batch` through a field of plugin binned-field 0.1.0, which is not \
                    here: no plugin has a field kind `BinnedObsField`";
    assert!(ran.err.starts_with(expected), "{}", ran.err);
    assert!(
        ran.err.ends_with("; get the plugin and name its folder with --plugin-dir\n"),
        "{}",
        ran.err
    );
    assert_eq!(ran.code, Some(1));
    assert!(!place.0.at("l2.h5ad").exists());
    let shown = place.scvi("show m", &[]).says("").out;
    assert!(shown.contains("BinnedObsField of plugin binned-field 0.1.0"), "{shown}");
}

#[test]
fn a_field_in_the_place_of_one_gives_the_model_that_the_same_codes_give() {
    let place = WithField::new();
    place.scvi("train SCVI s.h5ad --max-epochs 2 --out a --save-anndata -q", &[BINS]).says("");
    // The codes that the field made, as a column of anybody's.
    let adata = read(&place.0.at("a/adata.h5ad"));
    place.0.change("coded.h5ad", |changed| {
        let codes = adata.get(Slot::Obs, "_scvi_batch").unwrap().clone();
        changed.set(Slot::Obs, "bin", codes).unwrap();
    });
    place.scvi("train SCVI coded.h5ad --batch-key bin --max-epochs 2 --out b -q", &[]).says("");
    let weights = |name: &str| fs::read(place.0.at(name).join("model.safetensors")).unwrap();
    assert!(weights("a") == weights("b"), "the same codes give another model");
}

#[test]
fn several_fields_of_the_framework_and_of_plugins() {
    let place = WithField::new();
    let more =
        r#"{"field":"BinnedObsField","registry_key":"mito","obs_key":"percent_mito","n_bins":2}"#;
    let donor = r#"{"field":"CategoricalObsField","registry_key":"labels","attr_key":"donor"}"#;
    let shown = place.scvi("setup SCVI s.h5ad --json", &[more, donor]).says("").out;
    let registry: Value = from_str(&shown).unwrap();
    let fields = registry["field_registries"].as_object().unwrap();
    let keys: Vec<&str> = fields.keys().map(String::as_str).collect();
    assert_eq!(keys.last(), Some(&"mito"));
    assert_eq!(keys.len(), 7, "{keys:?}");
    assert_eq!(fields["labels"]["field"]["attr_key"], "donor");
    assert_eq!(fields["mito"]["summary_stats"]["n_mito"], 2);
    place.scvi("train SCVI s.h5ad --max-epochs 1 --out m -q", &[more, donor]).says("");
    place.scvi("query m get-elbo --out - -q", &[]).says("");
}

#[test]
fn what_is_no_field_is_refused() {
    let place = WithField::new();
    let setup = |json: &str| place.scvi("setup SCVI s.h5ad", &[json]);
    setup(r#"{"field":"BinnedObsField","registry_key":"batch","n_bins":4}"#)
        .fails(1, "field `BinnedObsField`: missing field `obs_key`");
    let ran = setup(&BINS.replace("BinnedObs", "BinedObs"));
    let expected = "error: no plugin has a field kind `BinedObsField` (did you mean `BinnedObsField`?); \
                    known: BinnedObsField, ";
    assert!(ran.err.starts_with(expected), "{}", ran.err);
    setup(&BINS.replace("percent_mito", "batch"))
        .fails(1, "obs column `batch`: expected numbers, found categorical of string array");
    let ran = setup("percent_mito");
    assert!(ran.err.contains("for '--field <JSON>': expected JSON: "), "{}", ran.err);
    assert_eq!(ran.code, Some(2));
    let ran = setup("{}");
    let expected = "for '--field <JSON>': expected a JSON object with \"field\", the kind of field";
    assert!(ran.err.contains(expected), "{}", ran.err);
}

#[test]
fn kinds_are_listed_from_manifests() {
    let place = WithField::new();
    let listed = place.scvi("fields list", &[]).says("").out;
    for line in
        [" CategoricalObsField ", "scvi-framework 0.1.0", " BinnedObsField ", "binned-field 0.1.0"]
    {
        assert!(listed.contains(line), "{line}\n{listed}");
    }
    let listed: Value = from_str(&place.scvi("fields list --json", &[]).says("").out).unwrap();
    assert_eq!(listed[0]["kind"], "BinnedObsField");
    assert_eq!(listed[0]["plugin"], "binned-field");
    let plugins = place.scvi("plugins list", &[]).says("").out;
    let row: Vec<&str> =
        plugins.lines().find(|l| l.contains("binned")).unwrap().split_whitespace().collect();
    assert_eq!(row[..3], ["binned-field", "0.1.0", "BinnedObsField"]);
    let inspected = place.scvi("plugins inspect p/libbinned_field.so", &[]).says("").out;
    assert!(
        inspected.contains("\nFields\n BinnedObsField   A column of numbers of obs"),
        "{inspected}"
    );
    assert!(!inspected.contains("Models"), "{inspected}");
    let file = plugin_folder().join("libscvi_plugin_scvi.so");
    let inspected = place.scvi(&format!("plugins inspect {}", file.display()), &[]).out;
    assert!(!inspected.contains("Fields"), "{inspected}");
}

#[test]
fn two_plugins_with_one_field_are_both_named_when_it_is_used() {
    let place = WithField::new();
    fs::copy(place.0.at("p/libbinned_field.so"), place.0.at("p/other.so")).unwrap();
    place.scvi("fields list", &[]).says("");
    let at = |name: &str| place.0.at("p").join(name).display().to_string();
    place.scvi("setup SCVI s.h5ad", &[BINS]).fails(
        1,
        &format!(
            "2 plugins have a field kind `BinnedObsField`: {} and {}; remove all but one",
            at("libbinned_field.so"),
            at("other.so")
        ),
    );
    place.scvi("setup SCVI s.h5ad", &[]).says("");
}
