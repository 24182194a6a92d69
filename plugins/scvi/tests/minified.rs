//! Data sets reduced to the posterior of their cells: what they hold, what can be asked about them, and
//! what is refused.

#![allow(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use scvi_framework::{
    anndata::{AnnData, Element, Raw, Scalar, Slot, Sparse},
    data::{MinifiedDataType, Simulation, simulate},
    model::{
        Answers, Event, MappingParams, MinifyParams, Model, Observer, Settings, Silent,
        queries::{
            DifferentialExpressionParams, ElboParams, ImportanceParams, Latent, LatentParams,
            LibrarySize, LibrarySizeParams, MarginalLlParams, NormalizedExpressionParams, Weights,
        },
    },
    train::TrainParams,
};
use scvi_plugin_scvi::{Scvi, ScviParams, ScviSetup};

const N_OBS: usize = 130;
const N_VARS: usize = 20;
const WITHOUT_COUNTS: &str = "the data set is minified (latent_posterior_parameters): zeros stand in place of its counts, and \
     this needs them; give the full data set that it was made of, or, for what a stored posterior is \
     enough for, the model that was saved with it";

fn cpu() -> Settings {
    Settings { device: "cpu".into(), threads: Some(1), ..Default::default() }
}

/// Counts in a layer, something else in X, and `raw`.
fn data() -> AnnData {
    let simulation = Simulation { n_obs: N_OBS, n_vars: N_VARS, n_labels: 3, ..Default::default() };
    let mut adata = simulate(&simulation).unwrap();
    let counts = adata.x().unwrap().clone();
    adata.set(Slot::Layers, "counts", counts.clone()).unwrap();
    let var = adata.var().clone();
    adata.set_raw(Some(Raw { x: counts, var, varm: Default::default() }));
    adata
}

fn setup() -> ScviSetup {
    ScviSetup {
        layer: Some("counts".into()),
        batch_key: Some("batch".into()),
        ..Default::default()
    }
}

fn trained(params: &ScviParams) -> (Model<Scvi>, AnnData) {
    let mut adata = data();
    let mut model = Model::new(&mut adata, &setup(), params, &cpu()).unwrap();
    let params = TrainParams { max_epochs: Some(3), ..Default::default() };
    model.train(&mut adata, &params, &mut Silent).unwrap();
    (model, adata)
}

fn minified() -> (Model<Scvi>, AnnData, AnnData) {
    let (mut model, full) = trained(&ScviParams::default());
    let minified = model.minify_adata(&full, &MinifyParams::default(), &mut Silent).unwrap();
    (model, full, minified)
}

fn with_counts() -> MinifyParams {
    let minified_data_type = MinifiedDataType::LatentPosteriorWithCounts;
    MinifyParams { minified_data_type, ..Default::default() }
}

fn moments(model: &Model<Scvi>, adata: &mut AnnData) -> [Element; 2] {
    let params = LatentParams { return_dist: true, ..Default::default() };
    let latent = model.get_latent_representation(adata, &params, &mut Silent).unwrap();
    let Latent::Moments { qzm, qzv } = latent else { panic!("no moments") };
    [Element::Dense(qzm), Element::Dense(qzv)]
}

fn numbers(element: &Element) -> Vec<f64> {
    let Element::Dense(dense) = element else { panic!("{}", element.kind()) };
    dense.values.to_f64()
}

fn assert_close(found: &Element, expected: &Element) {
    let pairs = numbers(found).into_iter().zip(numbers(expected));
    for (a, b) in pairs {
        assert!((a - b).abs() <= 1e-6 * b.abs(), "{a} in place of {b}");
    }
}

#[test]
fn the_posterior_takes_the_place_of_counts() {
    let (model, full, mut minified) = minified();
    assert!(model.is_minified());
    let empty = Element::Sparse(Sparse::zeros([N_OBS, N_VARS]));
    assert_eq!(minified.x(), Some(&empty));
    assert_eq!(minified.get(Slot::Layers, "counts").unwrap(), &empty);
    assert!(minified.raw().is_none());
    assert_eq!(MinifiedDataType::of(&minified).unwrap(), Some(MinifiedDataType::LatentPosterior));
    let word = Element::Scalar(Scalar::String("latent_posterior_parameters".into()));
    assert_eq!(minified.get(Slot::Uns, "_scvi_adata_minify_type").unwrap(), &word);
    for (slot, key) in [
        (Slot::Obsm, "_scvi_latent_qzm"),
        (Slot::Obsm, "_scvi_latent_qzv"),
        (Slot::Obs, "_scvi_observed_lib_size"),
    ] {
        assert!(minified.get(slot, key).is_ok(), "{key}");
        assert!(full.get(slot, key).is_err(), "{key} was written into the full data set");
    }
    assert!(full.raw().is_some());
    assert_eq!(
        full.get(Slot::Layers, "counts").unwrap(),
        data().get(Slot::Layers, "counts").unwrap()
    );
    assert_ne!(minified.id(), full.id());

    // Sums of the layer that the model reads, and the posterior of the full data set.
    let Element::Sparse(counts) = full.get(Slot::Layers, "counts").unwrap() else { panic!() };
    let counts = counts.to_dense().values.to_f64();
    let sums: Vec<f64> = counts.chunks(N_VARS).map(|row| row.iter().sum()).collect();
    assert_eq!(numbers(minified.get(Slot::Obs, "_scvi_observed_lib_size").unwrap()), sums);
    let [qzm, qzv] = moments(&model, &mut full.clone());
    assert_eq!(minified.get(Slot::Obsm, "_scvi_latent_qzm").unwrap(), &qzm);
    assert_eq!(minified.get(Slot::Obsm, "_scvi_latent_qzv").unwrap(), &qzv);
    let [cached_qzm, cached_qzv] = moments(&model, &mut minified);
    assert_eq!(cached_qzm, qzm);
    assert_close(&cached_qzv, &qzv);
}

#[test]
fn what_the_caller_computed_is_taken() {
    let (mut model, mut full) = trained(&ScviParams::default());
    let [qzm, _] = moments(&model, &mut full);
    let tiny = Element::matrix(N_OBS, 10, vec![1e-12f32; 10 * N_OBS]).unwrap();
    full.set(Slot::Obsm, "X_latent_qzm", qzm.clone()).unwrap();
    let one = model.minify_adata(&full, &MinifyParams::default(), &mut Silent);
    let text = one.unwrap_err().to_string();
    assert!(text.contains("X_latent_qzv"), "{text}");
    full.set(Slot::Obsm, "X_latent_qzv", tiny.clone()).unwrap();
    let mut minified = model.minify_adata(&full, &MinifyParams::default(), &mut Silent).unwrap();
    assert_eq!(moments(&model, &mut minified)[0], qzm);
    assert_close(&moments(&model, &mut minified)[1], &tiny);

    let named = MinifyParams { use_latent_qzm_key: "mine".into(), ..Default::default() };
    let text = model.minify_adata(&full, &named, &mut Silent).unwrap_err().to_string();
    assert!(text.contains("mine"), "{text}");
    let narrow = Element::matrix(N_OBS, 3, vec![0.5f32; 3 * N_OBS]).unwrap();
    full.set(Slot::Obsm, "X_latent_qzm", narrow).unwrap();
    let refused = |full: &AnnData| {
        let mut fresh = trained(&ScviParams::default()).0;
        let refused = fresh.minify_adata(full, &MinifyParams::default(), &mut Silent).unwrap_err();
        assert!(!fresh.is_minified(), "a model that failed to minify is as it was");
        refused.to_string()
    };
    assert_eq!(refused(&full), "obsm[\"X_latent_qzm\"]: expected shape [130, 10], found [130, 3]");
    let negative = Element::matrix(N_OBS, 10, vec![-0.5f32; 10 * N_OBS]).unwrap();
    full.set(Slot::Obsm, "X_latent_qzm", qzm).unwrap();
    full.set(Slot::Obsm, "X_latent_qzv", negative).unwrap();
    assert_eq!(
        refused(&full),
        "obsm[\"X_latent_qzv\"]: expected variances, none below zero, found -0.5 for cell 0"
    );
}

/// With hardly any variance, what is decoded depends on nothing that was left out.
#[test]
fn queries_answer_from_the_posterior_as_from_the_counts() {
    let (mut model, mut full) = trained(&ScviParams::default());
    let [qzm, _] = moments(&model, &mut full);
    let tiny = Element::matrix(N_OBS, 10, vec![1e-14f32; 10 * N_OBS]).unwrap();
    full.set(Slot::Obsm, "X_latent_qzm", qzm).unwrap();
    full.set(Slot::Obsm, "X_latent_qzv", tiny).unwrap();
    let mut only = model.minify_adata(&full, &MinifyParams::default(), &mut Silent).unwrap();
    let mut both = model.minify_adata(&full, &with_counts(), &mut Silent).unwrap();
    assert_eq!(both.x(), full.x());
    assert!(both.raw().is_some());
    let expression = |adata: &mut AnnData, indices: Option<Vec<usize>>| {
        let mut answers = Answers::default();
        let params = NormalizedExpressionParams {
            indices,
            library_size: LibrarySize::Latent,
            ..Default::default()
        };
        model.get_normalized_expression(adata, &params, &mut answers, &mut Silent).unwrap();
        answers.0[0].1.iter().flat_map(numbers).collect::<Vec<f64>>()
    };
    let all = expression(&mut only, None);
    let of_both = expression(&mut both, None);
    assert!(all.iter().zip(&of_both).all(|(a, b)| (a - b).abs() <= 1e-5 * b.abs()));
    let some = expression(&mut only, Some(vec![7, 3]));
    let rows = [7, 3].map(|row| &all[row * N_VARS..(row + 1) * N_VARS]).concat();
    assert!(some.iter().zip(&rows).all(|(a, b)| (a - b).abs() <= 1e-5 * b.abs()));
    let observed = LibrarySizeParams { give_mean: false, ..Default::default() };
    let sizes =
        |adata: &mut AnnData| model.get_latent_library_size(adata, &observed, &mut Silent).unwrap();
    let (cached, counted) = (sizes(&mut only), sizes(&mut full));
    assert!(cached.iter().zip(&counted).all(|(a, b)| (a - b).abs() <= 1e-5 * b));
}

#[test]
fn what_needs_counts_is_refused_and_answered_when_they_are_there() {
    let (mut model, full, mut only) = minified();
    let mut both = model.minify_adata(&full, &with_counts(), &mut Silent).unwrap();
    let (elbo, marginal) =
        (ElboParams::default(), MarginalLlParams { n_mc_samples: 10, ..Default::default() });
    let texts = [
        model.get_elbo(&mut only, &elbo, &mut Silent).unwrap_err().to_string(),
        model.get_reconstruction_error(&mut only, &elbo, &mut Silent).unwrap_err().to_string(),
        model.get_marginal_ll(&mut only, &marginal, &mut Silent).unwrap_err().to_string(),
        model.train(&mut only, &TrainParams::default(), &mut Silent).unwrap_err().to_string(),
        Model::<Scvi>::setup_anndata(&mut only, &setup()).unwrap_err().to_string(),
        de(&model, &mut only, Weights::Importance).unwrap_err(),
    ];
    for text in texts {
        assert_eq!(text, WITHOUT_COUNTS);
    }
    let of =
        |adata: &mut AnnData| model.get_marginal_ll(adata, &marginal, &mut Silent).unwrap().len();
    assert_eq!(of(&mut both), N_OBS);
    assert_eq!(model.get_elbo(&mut both, &elbo, &mut Silent).unwrap().len(), N_OBS);
    assert_eq!(model.get_reconstruction_error(&mut both, &elbo, &mut Silent).unwrap().len(), N_OBS);
    let more = TrainParams { max_epochs: Some(1), ..Default::default() };
    model.train(&mut both, &more, &mut Silent).unwrap();
}

/// The columns of the table, and what was said; or why there is none.
fn de(
    model: &Model<Scvi>,
    adata: &mut AnnData,
    weights: Weights,
) -> Result<(Vec<String>, Vec<String>), String> {
    struct Notes(Vec<String>);
    impl Observer for Notes {
        fn hear(&mut self, event: &Event) {
            if let Event::Note { text } = event {
                self.0.push(text.clone());
            }
        }
        fn cancelled(&self) -> bool {
            false
        }
    }
    let params = DifferentialExpressionParams {
        groupby: Some("cell_type".into()),
        n_samples_overall: 200,
        importance: ImportanceParams { weights, ..Default::default() },
        ..Default::default()
    };
    let (mut answers, mut notes) = (Answers::default(), Notes(Vec::new()));
    model
        .differential_expression(adata, &params, &mut answers, &mut notes)
        .map_err(|e| e.to_string())?;
    let Element::DataFrame(table) = &answers.0[0].1[0] else { panic!("no table") };
    Ok((table.columns.keys().cloned().collect(), notes.0))
}

#[test]
fn differential_expression_leaves_out_what_it_cannot_count() {
    let (model, mut full, mut only) = minified();
    let (all, silent) = de(&model, &mut full, Weights::Uniform).unwrap();
    let (columns, notes) = de(&model, &mut only, Weights::Uniform).unwrap();
    let about_counts =
        |name: &&String| name.starts_with("raw_") || name.starts_with("non_zeros_proportion");
    assert_eq!(all.iter().filter(about_counts).count(), 6);
    let expected: Vec<&String> = all.iter().filter(|name| !about_counts(name)).collect();
    assert_eq!(columns.iter().collect::<Vec<_>>(), expected);
    assert!(silent.is_empty(), "{silent:?}");
    assert_eq!(
        notes,
        [
            "the data set is minified: silent genes are those whose expected count is small, and columns \
          about the counts are left out"
        ]
    );
}

#[test]
fn a_minified_model_still_takes_full_data() {
    let (mut model, mut full) = trained(&ScviParams::default());
    let elbo = |model: &Model<Scvi>, adata: &mut AnnData| {
        scvi_framework::tch::manual_seed(3);
        model.get_elbo(adata, &ElboParams::default(), &mut Silent).unwrap()
    };
    let (latent, before) = (moments(&model, &mut full), elbo(&model, &mut full));
    model.minify_adata(&full, &MinifyParams::default(), &mut Silent).unwrap();
    assert_eq!(moments(&model, &mut full), latent);
    let mut new = data();
    assert_eq!(moments(&model, &mut new), latent);
    assert_eq!(elbo(&model, &mut new), before);
    let saved = model.save().unwrap();
    let model = Model::<Scvi>::load(saved, &cpu()).unwrap();
    assert_eq!(moments(&model, &mut data()), latent);
}

#[test]
fn a_minified_model_is_saved_as_such() {
    let (model, full, mut only) = minified();
    let latent = moments(&model, &mut only);
    let saved = model.save().unwrap();
    assert!(saved.meta.is_minified());
    assert!(saved.meta.given_fields.is_empty());
    let loaded = Model::<Scvi>::load(saved, &cpu()).unwrap();
    assert_eq!(moments(&loaded, &mut only.clone()), latent);

    let (model, _) = trained(&ScviParams::default());
    let text = model
        .get_latent_representation(&mut only, &LatentParams::default(), &mut Silent)
        .unwrap_err()
        .to_string();
    assert_eq!(text, WITHOUT_COUNTS);
    let mut again = loaded;
    let twice = again.minify_adata(&only, &MinifyParams::default(), &mut Silent).unwrap_err();
    assert_eq!(
        twice.to_string(),
        "the data set is minified already (latent_posterior_parameters): minify the full data set that \
         it was made of"
    );
    let mut both = again.minify_adata(&full, &with_counts(), &mut Silent).unwrap();
    assert_eq!(moments(&again, &mut both)[0], latent[0]);
}

#[test]
fn a_latent_library_size_is_refused() {
    let params = ScviParams { use_observed_lib_size: false, ..Default::default() };
    let (mut model, full) = trained(&params);
    let refused = model.minify_adata(&full, &MinifyParams::default(), &mut Silent).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "argument `use_observed_lib_size`: expected true for minified data, which keep the observed \
         library size of a cell and no posterior of it, found false"
    );
    assert!(!model.is_minified());
}

#[test]
fn a_size_factor_stays_with_the_cells() {
    let mut adata = data();
    let factors: Vec<f32> = (0..N_OBS).map(|i| 50.0 + i as f32).collect();
    adata.set(Slot::Obs, "depth", Element::vector(factors)).unwrap();
    let setup = ScviSetup { size_factor_key: Some("depth".into()), ..setup() };
    let mut model = Model::<Scvi>::new(&mut adata, &setup, &ScviParams::default(), &cpu()).unwrap();
    let params = TrainParams { max_epochs: Some(2), ..Default::default() };
    model.train(&mut adata, &params, &mut Silent).unwrap();
    let mut only = model.minify_adata(&adata, &MinifyParams::default(), &mut Silent).unwrap();
    let (columns, _) = de(&model, &mut only, Weights::Uniform).unwrap();
    assert!(columns.contains(&"lfc_mean".to_owned()));
}

#[test]
fn an_unknown_reduction_is_named() {
    let (model, _, mut only) = minified();
    let word = Element::Scalar(Scalar::String("half_of_it".into()));
    only.set(Slot::Uns, "_scvi_adata_minify_type", word).unwrap();
    let text = model
        .get_latent_representation(&mut only, &LatentParams::default(), &mut Silent)
        .unwrap_err()
        .to_string();
    assert_eq!(
        text,
        "uns[\"_scvi_adata_minify_type\"]: expected `latent_posterior_parameters` or \
         `latent_posterior_parameters_with_counts`, found `half_of_it`"
    );
}

#[test]
fn the_decoder_alone_learns_from_a_stored_posterior() {
    let (mut model, full) = trained(&ScviParams::default());
    let params =
        TrainParams { update_only_decoder: true, max_epochs: Some(1), ..Default::default() };
    let refused = model.train(&mut full.clone(), &params, &mut Silent).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "argument `update_only_decoder`: expected false, unless the data set was minified with its \
         counts kept, found true"
    );
    let mut both = model.minify_adata(&full, &with_counts(), &mut Silent).unwrap();
    let mut other = trained(&ScviParams::default()).0; // knows of no stored posterior
    let text = other.train(&mut both.clone(), &params, &mut Silent).unwrap_err().to_string();
    assert_eq!(text, refused.to_string());
    let before = model.save().unwrap().weights;
    model.train(&mut both, &params, &mut Silent).unwrap();
    let after = model.save().unwrap().weights;
    let changed: Vec<&String> =
        before.keys().filter(|name| before[*name] != after[*name]).collect();
    assert!(changed.iter().any(|name| name.starts_with("decoder.")), "{changed:?}");
    assert!(changed.iter().all(|name| !name.contains("_encoder.")), "{changed:?}");
}

/// A posterior that is stored with a query was another model's.
#[test]
fn a_query_is_encoded_from_its_counts_whatever_is_stored_with_it() {
    let (mut model, full) = trained(&ScviParams::default());
    let mut query = model.minify_adata(&full, &with_counts(), &mut Silent).unwrap();
    let far = Element::matrix(N_OBS, 10, vec![9.0f32; 10 * N_OBS]).unwrap();
    query.set(Slot::Obsm, "_scvi_latent_qzm", far).unwrap();
    let mapping = MappingParams::default();
    let mut mapped = Model::load_query_data(&mut query, &model, &mapping, &cpu()).unwrap();
    assert!(!mapped.is_minified());
    let params = TrainParams { max_epochs: Some(1), ..Default::default() };
    mapped.train(&mut query, &params, &mut Silent).unwrap();
    assert_eq!(moments(&mapped, &mut query), moments(&model, &mut full.clone()));
}
