//! What arguments of the constructor and of queries do, one by one.

#![allow(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use scvi_framework::{
    anndata::{AnnData, DataFrame, Dense, Element},
    data::{Simulation, simulate},
    model::{
        Model, OutputSpec, Settings, Silent, Sink,
        queries::{
            DifferentialExpressionParams, ElboParams, Latent, LatentParams, LibrarySizeParams,
            NormalizedExpressionParams, PosteriorPredictiveParams,
        },
    },
    nn::LatentDistribution,
    params::{Args, Params},
    serde_json::Value,
    train::TrainParams,
};
use scvi_plugin_scvi::{Scvi, ScviParams, ScviSetup};

const N_OBS: usize = 120;
const N_VARS: usize = 15;

fn cpu() -> Settings {
    Settings { device: "cpu".into(), threads: Some(1), ..Default::default() }
}

fn fresh(params: &ScviParams) -> (Model<Scvi>, AnnData) {
    let simulation = Simulation { n_obs: N_OBS, n_vars: N_VARS, ..Default::default() };
    let mut adata = simulate(&simulation).unwrap();
    let setup = ScviSetup {
        batch_key: Some("batch".into()),
        categorical_covariate_keys: vec!["donor".into()],
        ..Default::default()
    };
    (Model::new(&mut adata, &setup, params, &cpu()).unwrap(), adata)
}

fn trained(params: &ScviParams) -> (Model<Scvi>, AnnData) {
    let (mut model, mut adata) = fresh(params);
    let params = TrainParams { max_epochs: Some(2), ..Default::default() };
    model.train(&mut adata, &params, &mut Silent).unwrap();
    (model, adata)
}

/// The shape of the weight `name`, if there is one.
fn shape(params: &ScviParams, name: &str) -> Option<Vec<usize>> {
    let weights = fresh(params).0.save().unwrap().weights;
    weights.get(name).map(|array| array.shape.clone())
}

#[test]
fn widths_and_depths_shape_the_weights() {
    let params = ScviParams { n_hidden: 7, n_latent: 3, n_layers: 2, ..Default::default() };
    let shape = |name: &str| shape(&params, name);
    let layer = |i: usize, of: &str| format!("{of}.fc_layers.Layer {i}.0.weight");
    assert_eq!(shape(&layer(0, "z_encoder.encoder")), Some(vec![7, N_VARS]));
    assert_eq!(shape(&layer(1, "z_encoder.encoder")), Some(vec![7, 7]));
    assert_eq!(shape(&layer(2, "z_encoder.encoder")), None);
    assert_eq!(shape("z_encoder.mean_encoder.weight"), Some(vec![3, 7]));
    // 2 batches and 4 donors go into every layer of the decoder, and not into the encoder.
    assert_eq!(shape(&layer(0, "decoder.px_decoder")), Some(vec![7, 3 + 2 + 4]));
    assert_eq!(shape(&layer(1, "decoder.px_decoder")), Some(vec![7, 7 + 2 + 4]));
}

#[test]
fn batches_and_covariates_enter_where_they_are_told_to() {
    let of = |name: &str, params: &ScviParams| shape(params, name);
    let encoder = "z_encoder.encoder.fc_layers.Layer 0.0.weight";
    let deep = "decoder.px_decoder.fc_layers.Layer 1.0.weight";
    let two = ScviParams { n_layers: 2, n_hidden: 7, ..Default::default() };
    let shallow = ScviParams { deeply_inject_covariates: false, ..two.clone() };
    assert_eq!((of(deep, &two), of(deep, &shallow)), (Some(vec![7, 13]), Some(vec![7, 7])));
    let encoded = ScviParams { encode_covariates: true, ..two.clone() };
    assert_eq!(of(encoder, &encoded), Some(vec![7, N_VARS + 6]));
    let embedding = ScviParams {
        batch_representation: "embedding".parse().unwrap(),
        batch_embedding_dim: 3,
        ..two.clone()
    };
    assert_eq!(of("_embeddings_dict.batch.weight", &embedding), Some(vec![2, 3]));
    assert_eq!(of("_embeddings_dict.batch.weight", &two), None);
}

#[test]
fn batch_norms_are_where_they_are_told_to_be() {
    let norms = |word: &str| {
        let params = ScviParams { use_batch_norm: word.parse().unwrap(), ..Default::default() };
        ["z_encoder.encoder", "decoder.px_decoder"]
            .map(|of| shape(&params, &format!("{of}.fc_layers.Layer 0.1.weight")).is_some())
    };
    assert_eq!(norms("both"), [true, true]);
    assert_eq!(norms("encoder"), [true, false]);
    assert_eq!(norms("decoder"), [false, true]);
    assert_eq!(norms("none"), [false, false]);
}

#[test]
fn dropout_changes_what_is_learnt() {
    let weights = |dropout_rate| {
        let (model, _) = trained(&ScviParams { dropout_rate, ..Default::default() });
        model.save().unwrap().weights
    };
    let (without, with) = (weights(0.0), weights(0.5));
    assert!(without == weights(0.0) && without != with);
}

fn points(model: &Model<Scvi>, adata: &mut AnnData, params: &LatentParams) -> Vec<f64> {
    cpu().apply();
    match model.get_latent_representation(adata, params, &mut Silent).unwrap() {
        Latent::Points(z) => z.values.to_f64(),
        Latent::Moments { .. } => panic!("points were asked for"),
    }
}

#[test]
fn the_latent_space_is_given_as_means_draws_or_moments() {
    let (model, mut adata) = trained(&ScviParams::default());
    let means = points(&model, &mut adata, &LatentParams::default());
    let moments = LatentParams { return_dist: true, ..Default::default() };
    let answer = model.get_latent_representation(&mut adata, &moments, &mut Silent).unwrap();
    let Latent::Moments { qzm, qzv } = answer else { panic!("moments were asked for") };
    assert_eq!(qzm.values.to_f64(), means);
    assert_eq!(qzv.shape, [N_OBS, 10]);
    let draw = points(&model, &mut adata, &LatentParams { give_mean: false, ..Default::default() });
    let variances = qzv.values.to_f64();
    let off: Vec<f64> = draw
        .iter()
        .zip(means.iter().zip(&variances))
        .map(|(draw, (mean, variance))| (draw - mean) / variance.sqrt())
        .collect();
    let n = off.len() as f64;
    let square = off.iter().map(|off| off * off).sum::<f64>() / n;
    assert!((square - 1.0).abs() < 6.0 * (2.0 / n).sqrt(), "{square}");
}

#[test]
fn the_mean_of_a_logistic_normal_is_of_as_many_draws_as_asked_for() {
    let latent_distribution = LatentDistribution::LogisticNormal;
    let (model, mut adata) = trained(&ScviParams { latent_distribution, ..Default::default() });
    let mut ask =
        |mc_samples| points(&model, &mut adata, &LatentParams { mc_samples, ..Default::default() });
    let best = ask(4000);
    let mut error = |n| {
        let found = ask(n);
        let squares = found.iter().zip(&best).map(|(a, b)| (a - b).powi(2));
        (squares.sum::<f64>() / best.len() as f64).sqrt()
    };
    // A hundred times the draws leave a tenth of the error.
    let ratio = error(1) / error(100);
    assert!((5.0..20.0).contains(&ratio), "{ratio}");
}

#[test]
fn answers_are_about_the_rows_asked_for_however_many_come_at_a_time() {
    let (model, mut adata) = trained(&ScviParams::default());
    let all = points(&model, &mut adata, &LatentParams::default());
    let rows = vec![70, 3, 3, 119];
    for batch_size in [1, 3, 128] {
        let params = LatentParams { indices: Some(rows.clone()), batch_size, ..Default::default() };
        let some = points(&model, &mut adata, &params);
        for (i, row) in rows.iter().enumerate() {
            let (found, expected) = (&some[i * 10..][..10], &all[row * 10..][..10]);
            let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(off < 1e-5, "row {row}, {batch_size} at a time: {off}");
        }
    }
    let params =
        LibrarySizeParams { indices: Some(rows.clone()), give_mean: false, ..Default::default() };
    let sizes = model.get_latent_library_size(&mut adata, &params, &mut Silent).unwrap();
    let Some(Element::Sparse(x)) = adata.x() else { panic!("counts are sparse") };
    let (ends, counts) = (x.indptr.to_i64(), x.data.to_f64());
    for (size, row) in sizes.iter().zip(rows.clone()) {
        let sum: f64 = counts[ends[row] as usize..ends[row + 1] as usize].iter().sum();
        assert!((f64::from(*size) / sum - 1.0).abs() < 1e-4, "row {row}: {size} for {sum}");
    }
    let params = ElboParams { indices: Some(rows), batch_size: 3, ..Default::default() };
    assert_eq!(model.get_elbo(&mut adata, &params, &mut Silent).unwrap().len(), 4);
    let errors = model.get_reconstruction_error(&mut adata, &params, &mut Silent).unwrap();
    assert!(errors.len() == 4 && errors.iter().all(|error| *error > 0.0), "{errors:?}");
}

/// Arrays as they come, and tables.
#[derive(Default)]
struct Kept(Vec<(OutputSpec, Vec<Element>)>);

impl Sink for Kept {
    fn begin(&mut self, spec: &OutputSpec) -> scvi_framework::Result<()> {
        self.0.push((spec.clone(), Vec::new()));
        Ok(())
    }
    fn rows(&mut self, block: Element) -> scvi_framework::Result<()> {
        self.0.last_mut().unwrap().1.push(block);
        Ok(())
    }
}

impl Kept {
    fn values(&self) -> Vec<f64> {
        let dense = |block: &Element| match block {
            Element::Dense(Dense { values, .. }) => values.to_f64(),
            _ => panic!("not dense"),
        };
        self.0[0].1.iter().flat_map(dense).collect()
    }
}

#[test]
fn genes_asked_for_come_in_the_order_of_the_data() {
    let (model, mut adata) = trained(&ScviParams::default());
    let gene_list = Some(vec!["gene_9".to_owned(), "gene_2".into()]);
    let mut ask = |gene_list: Option<Vec<String>>| {
        cpu().apply();
        let (mut kept, params) =
            (Kept::default(), NormalizedExpressionParams { gene_list, ..Default::default() });
        model.get_normalized_expression(&mut adata, &params, &mut kept, &mut Silent).unwrap();
        kept
    };
    let (all, some) = (ask(None).values(), ask(gene_list.clone()));
    assert_eq!(some.0[0].0.columns, Some(vec!["gene_2".to_owned(), "gene_9".into()]));
    let expected: Vec<f64> = all.chunks(N_VARS).flat_map(|cell| [cell[2], cell[9]]).collect();
    assert_eq!(some.values(), expected);

    let (mut kept, params) =
        (Kept::default(), PosteriorPredictiveParams { gene_list, ..Default::default() });
    model.posterior_predictive_sample(&mut adata, &params, &mut kept, &mut Silent).unwrap();
    assert_eq!(kept.0[0].0.shape, [N_OBS, 2]);
}

#[test]
fn frequencies_are_scaled_to_the_library_size_asked_for() {
    let (model, mut adata) = trained(&ScviParams::default());
    let mut ask = |size: &str| {
        cpu().apply();
        let args = Args::from_iter([("library_size".to_owned(), size.into())]);
        let params = NormalizedExpressionParams::from_args(&args).unwrap();
        let mut kept = Kept::default();
        model.get_normalized_expression(&mut adata, &params, &mut kept, &mut Silent).unwrap();
        kept.values()
    };
    let (one, many) = (ask("1"), ask("10000"));
    for (cell, scaled) in one.chunks(N_VARS).zip(many.chunks(N_VARS)) {
        assert!((cell.iter().sum::<f64>() - 1.0).abs() < 1e-5);
        assert!((scaled.iter().sum::<f64>() - 1e4).abs() < 0.1);
    }
}

#[test]
fn several_simulated_counts_of_a_cell_are_a_third_axis() {
    let (model, mut adata) = trained(&ScviParams::default());
    let params = PosteriorPredictiveParams { n_samples: 3, batch_size: 50, ..Default::default() };
    let mut kept = Kept::default();
    model.posterior_predictive_sample(&mut adata, &params, &mut kept, &mut Silent).unwrap();
    assert_eq!(kept.0[0].0.shape, [N_OBS, N_VARS, 3]);
    let counts = kept.values();
    assert_eq!(counts.len(), N_OBS * N_VARS * 3);
    assert!(counts.iter().all(|x| *x >= 0.0 && x.fract() == 0.0));
    assert!(counts.chunks(3).any(|draws| draws[0] != draws[1]));
}

/// The first forty cells against the others.
fn compared(name: &str, value: Value) -> DataFrame {
    let (model, mut adata) = trained(&ScviParams::default());
    let mut args = Args::from_iter([(name.to_owned(), value)]);
    args.insert("idx1".into(), (0..40).collect());
    args.insert("n_samples_overall".into(), 200.into());
    let params = DifferentialExpressionParams::from_args(&args).unwrap();
    let mut kept = Kept::default();
    cpu().apply();
    model.differential_expression(&mut adata, &params, &mut kept, &mut Silent).unwrap();
    match kept.0[0].1[0].clone() {
        Element::DataFrame(table) => table,
        _ => panic!("not a table"),
    }
}

/// The sum of a column of numbers.
fn sum(table: &DataFrame, column: &str) -> f64 {
    match table.column("table", column) {
        Ok(Element::Dense(numbers)) => numbers.values.to_f64().iter().sum(),
        _ => panic!("no column {column}"),
    }
}

#[test]
fn statistics_of_counts_are_left_out_when_not_wanted() {
    let has = |all: bool| compared("all_stats", all.into()).columns.contains_key("raw_mean1");
    assert!(has(true) && !has(false));
}

#[test]
fn genes_are_called_by_the_false_discovery_rate_asked_for() {
    let called = |target: f64| {
        let table = compared("fdr_target", target.into());
        sum(&table, &format!("is_de_fdr_{target}"))
    };
    let (few, many) = (called(0.05), called(0.9));
    assert!(few <= many && many > 0.0, "{few} {many}");
}

#[test]
fn probabilities_are_about_changes_larger_than_delta() {
    let probable = |delta: f64| sum(&compared("delta", delta.into()), "proba_de");
    assert!(probable(0.05) > probable(2.0));
}
