//! The queries that draw from the posterior, against averages that scvi-tools wrote over many draws.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::collections::HashMap;

use scvi_framework::{
    anndata::{AnnData, Element},
    model::{
        Model, OutputSpec, Settings, Silent, Sink,
        queries::{
            CorrelationType, ElboParams, FeatureCorrelationParams, ImportanceParams, LibrarySize,
            LibrarySizeParams, LikelihoodParams, MarginalLlParams, NormalizedExpressionParams,
            PosteriorPredictiveParams, Weights,
        },
    },
};
use scvi_plugin_scvi::Scvi;

use crate::{
    draws::{DRAWS, Moments, agree, dense},
    reference::Trained,
};

struct Reference {
    model: Model<Scvi>,
    adata: AnnData,
    expected: hdf5::File,
}

impl Reference {
    /// `None`, said aloud, where the reference data are not at hand.
    fn open() -> Option<Self> {
        let Trained { folder, model, adata, .. } = Trained::open()?;
        let expected = hdf5::File::open(folder.join("expected.h5")).unwrap();
        Some(Self { model, adata, expected })
    }

    fn expected(&self, name: &str) -> Vec<f64> {
        let values = self.expected.dataset(name).unwrap().read_raw::<f32>().unwrap();
        values.into_iter().map(f64::from).collect()
    }
}

/// Results as they come, flat, by name.
#[derive(Default)]
struct Whole(HashMap<String, Vec<f64>>, String);

impl Sink for Whole {
    fn begin(&mut self, spec: &OutputSpec) -> scvi_framework::Result<()> {
        self.1.clone_from(&spec.name);
        Ok(())
    }

    fn rows(&mut self, block: Element) -> scvi_framework::Result<()> {
        self.0.entry(self.1.clone()).or_default().extend(dense(block).values.to_f64());
        Ok(())
    }
}

#[test]
fn normalized_expression_agrees() {
    let Some(mut reference) = Reference::open() else { return };
    for (name, batch) in [("normalized_mean", None), ("normalized_mean_batch_b0", Some("b0"))] {
        let params = NormalizedExpressionParams {
            n_samples: DRAWS,
            return_mean: false,
            transform_batch: batch.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        let mut moments = Moments::default();
        let adata = &mut reference.adata;
        let model = &reference.model;
        model.get_normalized_expression(adata, &params, &mut moments, &mut Silent).unwrap();
        let found = moments.of("normalized_expression");
        agree(name, found, &reference.expected(name), reference.adata.n_vars());
    }
}

#[test]
fn likelihood_parameters_agree() {
    let Some(mut reference) = Reference::open() else { return };
    let params = LikelihoodParams { n_samples: DRAWS / 2, ..Default::default() };
    let mut moments = Moments::default();
    let adata = &mut reference.adata;
    reference.model.get_likelihood_parameters(adata, &params, &mut moments, &mut Silent).unwrap();
    for name in ["mean", "dropout"] {
        let expected = reference.expected(&format!("likelihood_{name}"));
        agree(name, moments.of(name), &expected, reference.adata.n_vars());
    }
    let (found, _) = moments.of("dispersions");
    for (found, expected) in found.iter().zip(reference.expected("likelihood_dispersions")) {
        assert!((found - expected).abs() <= 1e-4 * expected, "{found} for {expected}");
    }
}

/// With the same weights for dropout as for frequencies, the log odds of an extra zero and the log mean
/// differ by the same number in all genes of a cell, if they are of the same draw.
#[test]
fn likelihood_parameters_are_those_of_one_draw() {
    const DRAWS: usize = 3;
    let Some(reference) = Reference::open() else { return };
    let Reference { model, mut adata, .. } = reference;
    let mut saved = model.save().unwrap();
    for part in ["weight", "bias"] {
        let scale = saved.weights[&format!("decoder.px_scale_decoder.0.{part}")].clone();
        saved.weights.insert(format!("decoder.px_dropout_decoder.{part}"), scale);
    }
    let model = Model::<Scvi>::load(saved, &Settings::default()).unwrap();
    let params = LikelihoodParams {
        indices: Some((0..50).collect()),
        n_samples: DRAWS,
        batch_size: 16,
        ..Default::default()
    };
    let mut results = Whole::default();
    model.get_likelihood_parameters(&mut adata, &params, &mut results, &mut Silent).unwrap();
    let n_vars = adata.n_vars();
    let cells =
        |name: &str| results.0[name].chunks(n_vars).map(<[f64]>::to_vec).collect::<Vec<_>>();
    let (mean, dropout) = (cells("mean"), cells("dropout"));
    assert_eq!((mean.len(), dropout.len()), (DRAWS * 50, DRAWS * 50));
    let constant = |(mean, dropout): (&Vec<f64>, &Vec<f64>)| {
        let difference = |(m, d): (&f64, &f64)| (d / (1.0 - d)).ln() - m.ln();
        let all: Vec<f64> = mean.iter().zip(dropout).map(difference).collect();
        let low = all.iter().copied().fold(f64::MAX, f64::min);
        let high = all.iter().copied().fold(f64::MIN, f64::max);
        (low, high)
    };
    for (cell, pair) in mean.iter().zip(&dropout).enumerate() {
        let (low, high) = constant(pair);
        assert!(high - low < 1e-3, "draw and cell {cell}: from {low} to {high}");
    }
    // Of another draw they would not be: the test can fail.
    let (low, high) = constant((&mean[0], &dropout[50]));
    assert!(high - low > 0.05, "two draws are alike: from {low} to {high}");
}

#[test]
fn marginal_likelihood_elbo_and_reconstruction_error_agree() {
    let Some(mut reference) = Reference::open() else { return };
    let (model, adata) = (&reference.model, &mut reference.adata);
    let params = MarginalLlParams {
        indices: Some((0..200).collect()),
        n_mc_samples: 500,
        return_mean: false,
        ..Default::default()
    };
    let found = model.get_marginal_ll(adata, &params, &mut Silent).unwrap();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let elbos: Vec<f64> = (0..20)
        .map(|_| mean(&model.get_elbo(adata, &ElboParams::default(), &mut Silent).unwrap()))
        .collect();
    let errors: Vec<f64> = (0..20)
        .map(|_| {
            let params = ElboParams::default();
            mean(&model.get_reconstruction_error(adata, &params, &mut Silent).unwrap())
        })
        .collect();
    // With 500 draws, scvi-tools differs from itself by more than 1 % in 6 of these 200 cells.
    let expected = reference.expected("marginal_ll");
    let off: Vec<f64> = found.iter().zip(&expected).map(|(f, e)| (f / e - 1.0).abs()).collect();
    assert!(off.iter().filter(|off| **off > 0.01).count() <= 10, "{off:?}");
    assert!(off.iter().all(|off| *off < 0.03), "{off:?}");
    assert!((mean(&found) / mean(&expected) - 1.0).abs() < 1e-3);
    let sd = reference.expected("elbo_sd")[0];
    let (found, expected) = (mean(&elbos), reference.expected("elbo_mean")[0]);
    assert!((found - expected).abs() < 4.0 * sd * (2.0f64 / 20.0).sqrt(), "{found} for {expected}");
    let (found, expected) = (mean(&errors), reference.expected("reconstruction_mean")[0]);
    assert!((found - expected).abs() < 4.0 * sd * (2.0f64 / 20.0).sqrt(), "{found} for {expected}");
}

#[test]
fn posterior_predictive_samples_agree() {
    /// Means and shares of zeros per gene.
    #[derive(Default)]
    struct Genes {
        sums: Vec<f64>,
        zeros: Vec<f64>,
        n: f64,
    }
    impl Sink for Genes {
        fn begin(&mut self, spec: &OutputSpec) -> scvi_framework::Result<()> {
            self.sums.resize(spec.shape[1], 0.0);
            self.zeros.resize(spec.shape[1], 0.0);
            Ok(())
        }
        fn rows(&mut self, block: Element) -> scvi_framework::Result<()> {
            for row in dense(block).values.to_f64().chunks(self.sums.len()) {
                for (gene, value) in row.iter().enumerate() {
                    self.sums[gene] += value;
                    self.zeros[gene] += f64::from(u8::from(*value == 0.0));
                }
                self.n += 1.0;
            }
            Ok(())
        }
    }
    let Some(mut reference) = Reference::open() else { return };
    let mut genes = Genes::default();
    for _ in 0..20 {
        let params = PosteriorPredictiveParams::default();
        let adata = &mut reference.adata;
        reference
            .model
            .posterior_predictive_sample(adata, &params, &mut genes, &mut Silent)
            .unwrap();
    }
    let (means, zeros) = (reference.expected("ppc_mean"), reference.expected("ppc_zero_fraction"));
    let largest = means.iter().fold(0.0f64, |m, v| m.max(*v));
    for gene in 0..means.len() {
        let (mean, zero) = (genes.sums[gene] / genes.n, genes.zeros[gene] / genes.n);
        let expected = means[gene];
        assert!(
            (mean - expected).abs() < 0.05 * expected + 1e-3 * largest,
            "{mean} for {expected}"
        );
        assert!((zero - zeros[gene]).abs() < 0.02, "zeros {zero} for {}", zeros[gene]);
    }
}

#[test]
fn feature_correlations_agree() {
    const N_GENES: usize = 100; // those that the expected matrices are about
    let Some(mut reference) = Reference::open() else { return };
    for kind in [CorrelationType::Pearson, CorrelationType::Spearman] {
        let params = FeatureCorrelationParams {
            n_samples: 20,
            correlation_type: kind,
            ..Default::default()
        };
        let (model, adata) = (&reference.model, &mut reference.adata);
        let found = model.get_feature_correlation_matrix(adata, &params, &mut Silent).unwrap();
        let n_vars = adata.n_vars();
        assert_eq!(found.shape, [n_vars, n_vars]);
        let found = found.values.to_f64();
        let expected = reference.expected(&format!("correlation_{}", kind.word()));
        let mut off = Vec::new();
        for (i, row) in expected.chunks(N_GENES).enumerate() {
            let found = &found[i * n_vars..][..N_GENES];
            assert!((found[i] - 1.0).abs() < 1e-6, "{}", found[i]);
            let others = found.iter().zip(row).enumerate().filter(|(j, _)| *j != i);
            off.extend(others.map(|(_, (found, expected))| (found - expected).abs()));
        }
        off.sort_by(f64::total_cmp);
        let median = off[off.len() / 2];
        assert!(median <= 0.02, "{}: {median}", kind.word());
    }
}

#[test]
fn feature_correlations_are_averaged_over_batches() {
    let Some(mut reference) = Reference::open() else { return };
    let mut ask = |batches: &[&str]| {
        let params = FeatureCorrelationParams {
            indices: Some((0..40).collect()),
            n_samples: 2,
            transform_batch: batches.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        let (model, adata) = (&reference.model, &mut reference.adata);
        let matrix = model.get_feature_correlation_matrix(adata, &params, &mut Silent).unwrap();
        matrix.values.to_f64()
    };
    scvi_framework::tch::manual_seed(3);
    let both = ask(&["b0", "b1"]);
    scvi_framework::tch::manual_seed(3);
    let each = [ask(&["b0"]), ask(&["b1"])];
    for (both, (a, b)) in both.iter().zip(each[0].iter().zip(&each[1])) {
        assert!((both - (a + b) / 2.0).abs() < 1e-6, "{both} for {a} and {b}");
    }
}

#[test]
fn library_sizes_are_those_observed() {
    let Some(mut reference) = Reference::open() else { return };
    let (model, adata) = (&reference.model, &mut reference.adata);
    let params = LibrarySizeParams { give_mean: false, ..Default::default() };
    let sizes = model.get_latent_library_size(adata, &params, &mut Silent).unwrap();
    let params =
        NormalizedExpressionParams { library_size: LibrarySize::Latent, ..Default::default() };
    let mut moments = Moments::default();
    model.get_normalized_expression(adata, &params, &mut moments, &mut Silent).unwrap();
    let (expression, _) = moments.of("normalized_expression");
    for (size, cell) in sizes.iter().zip(expression.chunks(adata.n_vars())) {
        let sum: f64 = cell.iter().sum();
        assert!((sum / f64::from(*size) - 1.0).abs() < 1e-4, "{sum} for {size}");
    }
    let error = model
        .get_latent_library_size(adata, &LibrarySizeParams::default(), &mut Silent)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "argument `give_mean`: expected false, since the library size of this model is observed and \
         has no posterior, found true"
    );
}

#[test]
fn unknown_genes_and_batches_are_named() {
    let Some(mut reference) = Reference::open() else { return };
    let gene = reference.adata.var_names().unwrap().get(0).to_owned();
    let wrong = NormalizedExpressionParams {
        gene_list: Some(vec![format!("{gene}x")]),
        ..Default::default()
    };
    let mut ask = |params: &NormalizedExpressionParams| {
        let (model, adata) = (&reference.model, &mut reference.adata);
        let answer =
            model.get_normalized_expression(adata, params, &mut Moments::default(), &mut Silent);
        answer.unwrap_err().to_string()
    };
    assert_eq!(
        ask(&wrong),
        format!(
            "argument `gene_list`: expected genes of the model (did you mean `{gene}`?), found {gene}x"
        )
    );
    let wrong =
        NormalizedExpressionParams { transform_batch: vec!["b7".into()], ..Default::default() };
    assert_eq!(
        ask(&wrong),
        "argument `transform_batch`: expected batches of the model (b0, b1), found b7"
    );
}

/// Frequencies that are drawn by importance fit the counts of the whole group better than those that
/// are drawn uniformly: measured by the likelihood of all its counts together, as a multinomial.
#[test]
fn importance_weights_prefer_samples_that_explain_the_group() {
    let Some(mut reference) = Reference::open() else { return };
    let (n_samples, n_vars) = (1000, reference.adata.n_vars());
    let mut fit = |weights: Weights, truncation: bool| -> f64 {
        let importance = ImportanceParams {
            weights,
            truncation,
            max_cells: 60,
            n_mc_samples: 50,
            n_mc_samples_per_pass: 25,
        };
        let params = NormalizedExpressionParams {
            indices: Some((0..150).collect()),
            n_samples_overall: Some(n_samples),
            importance,
            ..Default::default()
        };
        let Reference { model, adata, .. } = &mut reference;
        let mut sink = Whole::default();
        model.get_normalized_expression(adata, &params, &mut sink, &mut Silent).unwrap();
        let drawn = &sink.0["normalized_expression"];
        assert_eq!(drawn.len(), n_samples * n_vars);
        let Element::Sparse(x) = adata.x().unwrap().rows(0..150).unwrap() else { panic!("dense") };
        let mut counts = vec![0.0; n_vars];
        for (&gene, &count) in x.indices.to_i64().iter().zip(&x.data.to_f64()) {
            counts[gene as usize] += count;
        }
        let of_sample = |rho: &[f64]| -> f64 {
            rho.iter().zip(&counts).map(|(rho, n)| n * rho.max(1e-12).ln()).sum()
        };
        drawn.chunks_exact(n_vars).map(of_sample).sum::<f64>() / n_samples as f64
    };
    let uniform = fit(Weights::Uniform, false);
    let (importance, truncated) = (fit(Weights::Importance, false), fit(Weights::Importance, true));
    println!("log likelihood {uniform}, {truncated} truncated, {importance}");
    assert!(uniform < truncated.min(importance));
}

#[test]
fn importance_weights_are_refused_where_there_are_none() {
    let Some(mut reference) = Reference::open() else { return };
    let importance = ImportanceParams { weights: Weights::Importance, ..Default::default() };
    let mut ask = |params: NormalizedExpressionParams| {
        let params = NormalizedExpressionParams { importance: importance.clone(), ..params };
        let Reference { model, adata, .. } = &mut reference;
        let answer =
            model.get_normalized_expression(adata, &params, &mut Whole::default(), &mut Silent);
        answer.unwrap_err().to_string()
    };
    assert_eq!(
        ask(NormalizedExpressionParams::default()),
        "argument `weights`: expected uniform, unless `n_samples_overall` says how many samples are \
         drawn, found importance"
    );
    let batches = vec!["b0".into(), "b1".into()];
    assert_eq!(
        ask(NormalizedExpressionParams {
            transform_batch: batches,
            n_samples_overall: Some(10),
            ..Default::default()
        }),
        "argument `weights`: expected uniform where several batches are averaged, found importance"
    );
}
