//! What a saved model says about itself: `scvi show DIR ATTRIBUTE`, under the names of Python.

use scvi_framework::{
    anndata::{Element, Slot},
    saved,
    serde_json::{self, Value, json},
};

use super::{Place, read, test_data};

/// What `show m WORDS` prints.
#[track_caller]
fn shown(place: &Place, words: &str) -> String {
    place.scvi(&format!("show m {words}")).says("").out
}

/// The same as JSON.
#[track_caller]
fn json_of(place: &Place, words: &str) -> Value {
    serde_json::from_str(&shown(place, &format!("{words} --json"))).unwrap()
}

#[test]
fn each_attribute_is_shown_by_its_name() {
    let place = Place::with_model();
    let meta = saved::read(&place.at("m")).unwrap().meta;
    assert!(shown(&place, "adata").ends_with("s.h5ad\n"));
    assert_eq!(shown(&place, "is-trained"), "true\n");
    assert_eq!(shown(&place, "summary-string"), meta.summary_string() + "\n");
    let genes: Vec<String> = (0..50).map(|i| format!("gene_{i}\n")).collect();
    assert_eq!(shown(&place, "get-var-names"), genes.concat());
    assert!(shown(&place, "module").contains(" px_r "));
    assert!(shown(&place, "summary-stats").contains(" n_batch                    2\n"));
    let history = shown(&place, "history");
    let lines: Vec<&str> = history.lines().collect();
    let metrics: Vec<&str> = meta.history.keys().map(String::as_str).collect();
    assert_eq!(lines[0].split('\t').skip(1).collect::<Vec<_>>(), metrics);
    let last = [vec![1.0], meta.history.values().map(|values| values[1]).collect()].concat();
    assert_eq!(lines[2].split('\t').map(|x| x.parse().unwrap()).collect::<Vec<f64>>(), last);
    assert_eq!(lines.len(), 3);
}

#[test]
fn who_queries_an_attribute_is_told_where_it_is() {
    let place = Place::with_model();
    let asked = place.scvi("query m train_indices --out -");
    let told = "error: SCVI has no method `train_indices` (it is no question about data: scvi show \
                DIR train-indices); it has ";
    assert!(asked.err.starts_with(told), "{}", asked.err);
}

#[test]
fn the_rows_of_the_split_are_listed() {
    let place = Place::with_model();
    let meta = saved::read(&place.at("m")).unwrap().meta;
    assert_eq!(json_of(&place, "train-indices"), json!(meta.train_indices));
    assert_eq!(json_of(&place, "validation-indices"), json!(meta.validation_indices));
    assert_eq!(json_of(&place, "test-indices"), json!(meta.test_indices));
    let lines: Vec<String> = meta.validation_indices.iter().map(|row| format!("{row}\n")).collect();
    assert_eq!((lines.len(), shown(&place, "validation-indices")), (20, lines.concat()));
}

#[test]
fn a_saved_registry_is_shown_whole_and_in_parts() {
    let place = Place::with_model();
    let registry = saved::load_registry(&place.at("m")).unwrap();
    assert_eq!(json_of(&place, "registry"), registry);
    assert_eq!(json_of(&place, "load-registry"), registry);
    let batch = &registry["field_registries"]["batch"]["state_registry"];
    assert_eq!(&json_of(&place, "get-state-registry batch"), batch);
    assert_eq!(&json_of(&place, "get-state-registry")["batch"], batch);
    assert_eq!(shown(&place, "get-setup-arg batch_key"), "batch\n");
    assert_eq!(json_of(&place, "get-setup-arg layer"), Value::Null);
    let args = saved::view_setup_args(&place.at("m")).unwrap().unwrap().to_string();
    assert!(
        args.starts_with("Setup via `SCVI.setup_anndata` with arguments:\n{\n    'layer': None,")
    );
    assert_eq!(shown(&place, "view-setup-args"), args);
    assert_eq!(shown(&place, "view-setup-method-args"), args);
    place.scvi("show m get-state-registry bacth").fails(
        1,
        "registry has no `bacth`; present: X, batch, labels, size_factor, extra_categorical_covs, \
         extra_continuous_covs",
    );
}

#[test]
fn the_set_up_of_a_saved_model_is_viewed_as_it_was_set_up() {
    let place = Place::with_model();
    let setup = place.scvi("setup SCVI s.h5ad --batch-key batch").says("").out;
    assert_eq!(shown(&place, "view-anndata-setup"), setup);
    let hidden = shown(&place, "view-anndata-setup --hide-state-registries");
    assert!(setup.starts_with(&hidden) && hidden.len() < setup.len(), "{hidden}");

    place.scvi("data synthetic few.h5ad --n-obs 30 --n-vars 50 --seed 2 -q").says("");
    let few = shown(&place, "view-anndata-setup --adata few.h5ad");
    assert!(few.contains(" n_cells                    30\n"), "{few}");
    place.change("other.h5ad", |adata| {
        let batch = Element::strings(vec!["lane 9"; adata.n_obs()]);
        adata.set(Slot::Obs, "batch", batch).unwrap();
    });
    let refused = place.scvi("show m view-anndata-setup --adata other.h5ad");
    assert!(refused.err.contains("category \"lane 9\" (200 cells) not found"), "{}", refused.err);
    let misplaced = place.scvi("show m history --hide-state-registries");
    let message = "--adata and --hide-state-registries belong to view-anndata-setup";
    assert!(misplaced.err.contains(message), "{}", misplaced.err);
    assert_eq!((refused.code, misplaced.code), (Some(1), Some(2)));
    let misplaced = place.scvi("show m history batch");
    let message = "KEY belongs to get-state-registry and get-setup-arg";
    assert!(misplaced.err.contains(message), "{}", misplaced.err);
}

#[test]
fn the_set_up_of_a_model_that_scvi_tools_saved_is_viewed() {
    let Some(folder) = test_data("reference/covariates/model") else { return };
    let words = format!("show {} view-anndata-setup", folder.display());
    let view = Place::new().scvi(&words).says("").out;
    let begin = "Anndata setup with scvi-tools version 1.4.2.\n\nSetup via `SCVI.setup_anndata` with \
                 arguments:\n{\n    'layer': 'counts',\n";
    assert!(view.starts_with(begin), "{view}");
    assert!(view.contains(" adata.obsm['_scvi_extra_categorical_covs']"), "{view}");
}

#[test]
fn registered_data_are_asked_for_by_key() {
    let place = Place::with_model();
    let table = place.scvi("query m get-from-registry --registry-key batch --out -").says("").out;
    let codes: Vec<&str> =
        table.lines().map(|line| line.split('\t').next_back().unwrap()).collect();
    let batches = read(&place.at("s.h5ad"));
    let Ok(Element::Categorical(batches)) = batches.get(Slot::Obs, "batch") else {
        panic!("batches are categories")
    };
    let expected = batches.codes.to_i64().iter().map(i64::to_string).collect::<Vec<_>>();
    assert_eq!(
        (codes[0], &codes[1..]),
        ("batch", expected.iter().map(String::as_str).collect::<Vec<_>>().as_slice())
    );

    let words = "query m get-from-registry --registry-key X --out x.csv";
    place.scvi(words).says("wrote X (200 × 50) to x.csv\n");
    for how in ["", "--backed"] {
        let words = "query m get-from-registry --registry-key X --out x.h5ad --overwrite";
        place.scvi(&format!("{words} {how}")).says("wrote X (200 × 50) to x.h5ad\n");
        let (asked, own) = (read(&place.at("x.h5ad")), read(&place.at("s.h5ad")));
        assert!(matches!(asked.x(), Some(Element::Sparse(_))), "{how}");
        assert_eq!(asked.x(), own.x(), "{how}");
    }
    let words = "query m get-from-registry --out -";
    let message = "argument `registry_key`: expected one of X, batch, labels, found nothing";
    place.scvi(words).fails(1, message);
}
