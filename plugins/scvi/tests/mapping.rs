//! Query data mapped onto a reference: what is known stays, to the last bit, and what is new is learnt.

#![allow(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use std::collections::BTreeSet;

use scvi_framework::{
    anndata::{AnnData, Element, Slot},
    data::{Simulation, simulate},
    model::{
        MappingParams, Model, OutputSpec, Settings, Silent, Sink,
        queries::{Latent, LatentParams, LikelihoodParams},
    },
    saved::SavedModel,
    tch,
    train::TrainParams,
};
use scvi_plugin_scvi::{Scvi, ScviParams, ScviSetup};

/// libtorch's generator is the process's: one test at a time.
static GENERATOR: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn cpu() -> Settings {
    Settings { device: "cpu".into(), threads: Some(2), ..Default::default() }
}

/// Weight decay would move what is frozen, if anything could.
fn train(model: &mut Model<Scvi>, adata: &mut AnnData, n_epochs: usize) {
    let params =
        TrainParams { max_epochs: Some(n_epochs), weight_decay: 0.1, ..Default::default() };
    model.train(adata, &params, &mut Silent).unwrap();
}

/// Counts with a column of obs for each list, whose entries take turns.
fn cells(seed: u64, columns: &[(&str, &[&str])]) -> AnnData {
    let simulation = Simulation { n_obs: 200, n_vars: 30, seed, ..Default::default() };
    let mut adata = simulate(&simulation).unwrap();
    for (i, (key, names)) in columns.iter().enumerate() {
        let turns = (0..adata.n_obs()).map(|cell| names[(cell >> i) % names.len()]);
        adata.set(Slot::Obs, key, Element::strings(turns)).unwrap();
    }
    adata
}

fn reference_cells() -> AnnData {
    cells(1, &[("study", &["a", "c"]), ("donor", &["1", "2", "3"]), ("chemistry", &["v2"])])
}

/// Two new studies, one new donor, and a second chemistry where there was but one.
fn query_cells() -> AnnData {
    let (study, donor) = (["b", "d", "a"].as_slice(), ["2", "4"].as_slice());
    cells(2, &[("study", study), ("donor", donor), ("chemistry", &["v2", "v3"])])
}

fn setup() -> ScviSetup {
    ScviSetup {
        batch_key: Some("study".into()),
        labels_key: Some("study".into()),
        categorical_covariate_keys: vec!["donor".into(), "chemistry".into()],
        continuous_covariate_keys: vec!["percent_mito".into()],
        ..Default::default()
    }
}

fn reference(params: &ScviParams) -> (Model<Scvi>, AnnData) {
    let mut adata = reference_cells();
    let mut model = Model::new(&mut adata, &setup(), params, &cpu()).unwrap();
    train(&mut model, &mut adata, 2);
    (model, adata)
}

fn mapped(reference: &Model<Scvi>, params: &MappingParams) -> (Model<Scvi>, AnnData) {
    let mut query = query_cells();
    let model = Model::load_query_data(&mut query, reference, params, &cpu()).unwrap();
    (model, query)
}

#[derive(Default)]
struct Bits(Vec<f64>);

impl Sink for Bits {
    fn begin(&mut self, _: &OutputSpec) -> scvi_framework::Result<()> {
        Ok(())
    }

    fn rows(&mut self, block: Element) -> scvi_framework::Result<()> {
        let Element::Dense(dense) = block else { panic!("not dense") };
        self.0.extend(dense.values.to_f64());
        Ok(())
    }
}

/// Mean, dropout and dispersions of all cells, with the same noise each time.
fn decoded(model: &Model<Scvi>, adata: &mut AnnData) -> Vec<f64> {
    let mut bits = Bits::default();
    for batch_size in [1, 7, 128] {
        tch::manual_seed(3);
        let params = LikelihoodParams { batch_size, ..Default::default() };
        model.get_likelihood_parameters(adata, &params, &mut bits, &mut Silent).unwrap();
    }
    bits.0
}

fn latent(model: &Model<Scvi>, adata: &mut AnnData) -> Vec<f64> {
    let found = model.get_latent_representation(adata, &LatentParams::default(), &mut Silent);
    let Ok(Latent::Points(points)) = found else { panic!("no points") };
    points.values.to_f64()
}

/// Parameter or buffer → positions of entries that differ, along the last axis.
fn changed(before: &SavedModel, after: &SavedModel) -> Vec<(String, Vec<usize>)> {
    let differs = before.weights.iter().filter_map(|(name, old)| {
        let new = &after.weights[name];
        assert_eq!(old.shape, new.shape, "{name}");
        let width = old.shape.last().copied().unwrap_or(1);
        let pairs = old.values.to_f64().into_iter().zip(new.values.to_f64());
        let places = pairs.enumerate().filter(|(_, (a, b))| a.to_bits() != b.to_bits());
        let places: BTreeSet<usize> = places.map(|(i, _)| i % width).collect();
        (!places.is_empty()).then(|| (name.clone(), places.into_iter().collect()))
    });
    differs.collect()
}

#[track_caller]
fn check_known_cells(params: &ScviParams) {
    let _alone = GENERATOR.lock();
    let (reference, mut adata) = reference(params);
    let before = decoded(&reference, &mut adata);
    assert!(before.iter().all(|v| v.is_finite()));
    let (mut model, mut query) = mapped(&reference, &MappingParams::default());
    assert!(before == decoded(&model, &mut adata), "{params:?}: decoded otherwise");

    // The decoder's norms are all that training may change of what is known.
    let frozen = MappingParams { freeze_batchnorm_decoder: true, ..Default::default() };
    let (mut all_frozen, mut same_query) = mapped(&reference, &frozen);
    let latent_before = latent(&reference, &mut adata);
    train(&mut model, &mut query, 3);
    train(&mut all_frozen, &mut same_query, 3);
    assert!(latent_before == latent(&model, &mut adata), "{params:?}: encoded otherwise");
    assert!(before == decoded(&all_frozen, &mut adata), "{params:?}: training changed it");
}

/// D1, D2, D20 of the defects of scvi-tools, for every way in which categories enter.
#[test]
fn cells_of_the_reference_are_encoded_and_decoded_as_before_to_the_last_bit() {
    let (yes, no) = (true, false);
    for (deep, encoded, embedding, dispersion) in [
        (yes, no, "one-hot", "gene"),
        (no, no, "one-hot", "gene-batch"),
        (yes, yes, "one-hot", "gene-label"),
        (no, yes, "embedding", "gene-batch"),
        (yes, yes, "embedding", "gene-cell"),
    ] {
        check_known_cells(&ScviParams {
            n_layers: 2,
            deeply_inject_covariates: deep,
            encode_covariates: encoded,
            batch_representation: embedding.parse().unwrap(),
            dispersion: dispersion.parse().unwrap(),
            ..Default::default()
        });
    }
}

/// A latent library has a prior per batch and an encoder, which is learnt anew.
#[test]
fn priors_of_known_batches_stay() {
    let _alone = GENERATOR.lock();
    let params = ScviParams { use_observed_lib_size: false, ..Default::default() };
    let (reference, _) = reference(&params);
    let (model, _) = mapped(&reference, &MappingParams::default());
    let (old, new) = (reference.save().unwrap(), model.save().unwrap());
    for name in ["library_log_means", "library_log_vars"] {
        let (old, new) = (old.weights[name].values.to_f64(), new.weights[name].values.to_f64());
        assert_eq!((old.len(), new.len()), (2, 4));
        assert_eq!(old, new[..2], "{name}");
        assert!(new[2..].iter().all(|v| !old.contains(v)), "{name}: {new:?}");
    }
}

const DECODER: &str = "decoder.px_decoder.fc_layers.Layer 0";

/// What training changes under these arguments.
fn trained(params: &ScviParams, mapping: &MappingParams) -> Vec<(String, Vec<usize>)> {
    let _alone = GENERATOR.lock();
    let (reference, _) = reference(params);
    let (mut model, mut query) = mapped(&reference, mapping);
    let before = model.save().unwrap();
    train(&mut model, &mut query, 3);
    changed(&before, &model.save().unwrap())
}

fn names(changed: &[(String, Vec<usize>)]) -> Vec<&str> {
    changed.iter().map(|(name, _)| name.as_str()).collect()
}

fn of<'a>(changed: &'a [(String, Vec<usize>)], name: &str) -> &'a [usize] {
    changed.iter().find(|(n, _)| n == name).map_or(&[], |(_, places)| places)
}

#[test]
fn new_categories_are_trained_and_nothing_else() {
    let frozen = MappingParams { freeze_batchnorm_decoder: true, ..Default::default() };
    let weight = format!("{DECODER}.0.weight");
    // 10 latent variables, 1 number, studies a c b d, donors 1 2 3 4, chemistries v2 v3
    let found = trained(&ScviParams::default(), &frozen);
    assert_eq!(found, [(weight.clone(), vec![13, 14, 18, 20])]);

    let params = ScviParams {
        batch_representation: "embedding".parse().unwrap(),
        dispersion: "gene-batch".parse().unwrap(),
        ..Default::default()
    };
    let found = trained(&params, &frozen);
    assert_eq!(names(&found), ["px_r", "_embeddings_dict.batch.weight", weight.as_str()]);
    assert_eq!(of(&found, "px_r"), [2, 3]);
}

#[test]
fn each_option_frees_or_freezes_its_part() {
    let params = ScviParams { encode_covariates: true, n_layers: 2, ..Default::default() };
    let standard = trained(&params, &MappingParams::default());
    let norm = |part: &str, i: usize| {
        ["bias", "num_batches_tracked", "running_mean", "running_var", "weight"]
            .map(|name| format!("{part}.fc_layers.Layer {i}.1.{name}"))
    };
    let is_changed = |found: &[(String, Vec<usize>)], all: &[String]| {
        all.iter().all(|name| found.iter().any(|(n, _)| n == name))
    };
    assert!(is_changed(&standard, &norm("decoder.px_decoder", 0)));
    assert!(is_changed(&standard, &norm("decoder.px_decoder", 1)));
    let encoder = "z_encoder.encoder.fc_layers.Layer 0.0.weight";
    // 30 genes, 1 number, and the one-hots of above
    assert_eq!(of(&standard, encoder), [33, 34, 38, 40]);
    assert!(!names(&standard).iter().any(|name| name.ends_with("0.bias")));
    assert!(
        !names(&standard).iter().any(|name| name.contains("z_encoder") && name.contains(".1."))
    );

    let free = MappingParams { freeze_expression: false, ..Default::default() };
    let found = trained(&params, &free);
    assert_eq!(of(&found, encoder).len(), 30 + 1 + 4 + 4 + 2);
    assert!(names(&found).contains(&"z_encoder.encoder.fc_layers.Layer 0.0.bias"));
    assert!(!names(&found).contains(&"z_encoder.encoder.fc_layers.Layer 1.0.bias"));

    let free = MappingParams { freeze_decoder_first_layer: false, ..Default::default() };
    let found = trained(&params, &free);
    assert_eq!(of(&found, &format!("{DECODER}.0.weight")).len(), 10 + 1 + 4 + 4 + 2);

    let free = MappingParams { freeze_batchnorm_encoder: false, ..Default::default() };
    assert!(is_changed(&trained(&params, &free), &norm("z_encoder.encoder", 0)));

    let free = MappingParams { unfrozen: true, ..Default::default() };
    let found = trained(&params, &free);
    for name in ["px_r", "z_encoder.mean_encoder.weight", "decoder.px_scale_decoder.0.bias"] {
        assert!(names(&found).contains(&name), "{name}");
    }

    let still = MappingParams { freeze_dropout: true, ..Default::default() };
    assert_ne!(trained(&params, &still), [], "it learns without dropout too");
    let weights = |mapping| {
        let _alone = GENERATOR.lock();
        let (reference, _) = reference(&params);
        let (mut model, mut query) = mapped(&reference, mapping);
        train(&mut model, &mut query, 1);
        model.save().unwrap().weights
    };
    let usual = MappingParams::default();
    assert_ne!(weights(&still), weights(&usual));
    // A classifier is frozen or not; there is none.
    let classifier = MappingParams { freeze_classifier: false, ..Default::default() };
    assert_eq!(weights(&classifier), weights(&MappingParams::default()));
}

#[test]
fn a_saved_model_keeps_what_is_frozen() {
    let _alone = GENERATOR.lock();
    let (reference, _) = reference(&ScviParams::default());
    let frozen = MappingParams { freeze_batchnorm_decoder: true, ..Default::default() };
    let (model, mut query) = mapped(&reference, &frozen);
    let folder = std::env::temp_dir().join(format!("scvi-mapped-{}", std::process::id()));
    scvi_framework::saved::folder::write(&folder, &model.save().unwrap(), Default::default())
        .unwrap();
    let saved = scvi_framework::saved::read(&folder).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let mut loaded = Model::<Scvi>::load(saved.clone(), &cpu()).unwrap();
    assert_eq!(loaded.mapped(), model.mapped());
    train(&mut loaded, &mut query, 2);
    let found = changed(&saved, &loaded.save().unwrap());
    assert_eq!(found, [(format!("{DECODER}.0.weight"), vec![13, 14, 18, 20])]);

    // A model that was mapped may be a reference itself; then all it knows is known.
    let mut third = cells(5, &[("study", &["e"]), ("donor", &["1"]), ("chemistry", &["v3"])]);
    let again = Model::load_query_data(&mut third, &loaded, &frozen, &cpu()).unwrap();
    let before = decoded(&loaded, &mut query);
    assert!(before == decoded(&again, &mut query));
}

#[track_caller]
fn refused(query: &mut AnnData, params: &MappingParams, message: &str) {
    let _alone = GENERATOR.lock();
    let (reference, _) = reference(&ScviParams::default());
    let columns = query.obs().columns.len();
    let error = Model::load_query_data(query, &reference, params, &cpu()).err().unwrap();
    assert_eq!(error.to_string(), message);
    assert_eq!(query.obs().columns.len(), columns, "the query was changed");
}

#[test]
fn a_query_that_cannot_be_mapped_is_told_why() {
    let mut query = query_cells();
    query.remove(Slot::Obs, "study");
    let present: Vec<&String> = query.obs().columns.keys().collect();
    let present = present.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", ");
    refused(
        &mut query,
        &MappingParams::default(),
        &format!(
            "the query has no obs `study`, which the reference model reads; add the column, one \
             value per study or donor, e.g. in Python adata.obs[\"study\"] = \"query\"; present: \
             {present}"
        ),
    );
    let mut query = query_cells();
    let donors = Element::vector((0..200).map(|i| i % 3 + 3).collect::<Vec<i64>>());
    query.set(Slot::Obs, "donor", donors).unwrap();
    refused(
        &mut query,
        &MappingParams::default(),
        "obs column `donor`: 3 here, \"3\" in the reference: numbers in one and text in the other; \
         make the query's like the reference's, in Python adata.obs[\"donor\"] = \
         adata.obs[\"donor\"].astype(str)",
    );
    let mut query = query_cells();
    let numbers: Vec<f64> = (0..200).map(|i| if i == 7 { f64::NAN } else { 1.0 }).collect();
    query.set(Slot::Obs, "study", Element::vector(numbers)).unwrap();
    refused(
        &mut query,
        &MappingParams::default(),
        "obs column `study`: 1 of 200 cells have no value (NaN), first cell_7; give them a category \
         of their own, or drop them",
    );
    let names: Vec<String> = (1..30).map(|g| format!("gene_{g}")).collect();
    let mut query =
        scvi_framework::model::prepare_query_anndata(&query_cells(), &names).unwrap().adata;
    let subset = MappingParams { inplace_subset_query_vars: true, ..Default::default() };
    refused(
        &mut query,
        &subset,
        "the query lacks 1 of the reference's 30 genes: gene_0; pad them with zeros \
         (prepare_query_anndata, which `scvi map` does by itself)",
    );
}

#[test]
fn further_genes_of_a_query_are_dropped_in_place_where_that_is_asked_for() {
    let _alone = GENERATOR.lock();
    let (reference, _) = reference(&ScviParams::default());
    let mut names: Vec<String> = (0..30).rev().map(|g| format!("gene_{g}")).collect();
    names.insert(3, "another".into());
    let mut query =
        scvi_framework::model::prepare_query_anndata(&query_cells(), &names).unwrap().adata;
    let asked = |inplace_subset_query_vars| MappingParams {
        inplace_subset_query_vars,
        ..Default::default()
    };
    let error = Model::load_query_data(&mut query, &reference, &asked(false), &cpu()).err();
    assert!(error.unwrap().to_string().starts_with("the genes are not the model's"));
    assert_eq!(query.n_vars(), 31);
    Model::load_query_data(&mut query, &reference, &asked(true), &cpu()).unwrap();
    assert!(query.var_names().unwrap().iter().eq(reference.get_var_names()));
    assert_eq!(query.x(), query_cells().x());
}
