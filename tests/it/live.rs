//! scvi-tools asked at the same time, with the same noise: its answers to the stochastic queries, number by
//! number. (What it wrote once has noise of its own, up to 10 % of a gene's range.)

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::{collections::HashMap, env, process::Command};

use scvi_framework::{
    anndata::AnnData,
    model::{
        Model, Settings, Silent,
        queries::{
            ElboParams, Latent, LatentParams, LikelihoodParams, MarginalLlParams,
            NormalizedExpressionParams,
        },
    },
};
use scvi_plugin_scvi::Scvi;

use crate::{draws::Moments, reference::Trained};

const SEED: i64 = 7;

/// With the noise of a seed, every entry is that of scvi-tools, up to the rounding of float32.
#[test]
fn the_same_noise_gives_the_same_answers() {
    let Some(reference) = Trained::open() else { return };
    let Some(python) = env::var_os("SCVI_TEST_PYTHON") else {
        println!("skipped: SCVI_TEST_PYTHON is not set");
        return;
    };
    let mut command = Command::new(python);
    command.arg("-c").arg(include_str!("live.py")).arg(&reference.folder).arg(SEED.to_string());
    let ran = command.env("OMP_NUM_THREADS", "1").output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let expected: HashMap<String, Vec<f64>> = serde_json::from_slice(&ran.stdout).unwrap();

    let (minified, mut posterior) = reference.minified();
    let Trained { model, mut adata, .. } = reference;
    let check = |name: &str, found: Vec<f64>| equal(name, &found, &expected[name]);

    let expression = |model: &Model<Scvi>, adata: &mut AnnData, params| {
        let mut means = Moments::default();
        seeded();
        model.get_normalized_expression(adata, &params, &mut means, &mut Silent).unwrap();
        means.of("normalized_expression").0
    };
    let draws = || NormalizedExpressionParams { n_samples: 20, ..Default::default() };
    check("expression", expression(&model, &mut adata, draws()));
    let in_b0 = NormalizedExpressionParams { transform_batch: vec!["b0".into()], ..draws() };
    check("expression_b0", expression(&model, &mut adata, in_b0));
    let once = NormalizedExpressionParams::default();
    check("minified_expression", expression(&minified, &mut posterior, once));

    let params = LatentParams { give_mean: false, ..Default::default() };
    seeded();
    let z = model.get_latent_representation(&mut adata, &params, &mut Silent).unwrap();
    let Latent::Points(z) = z else { panic!("not points") };
    check("z", z.values.to_f64());

    let mut parameters = Moments::default();
    let params = LikelihoodParams { n_samples: 5, give_mean: true, ..Default::default() };
    seeded();
    model.get_likelihood_parameters(&mut adata, &params, &mut parameters, &mut Silent).unwrap();
    for name in ["mean", "dropout", "dispersions"] {
        check(name, parameters.of(name).0);
    }

    let params = MarginalLlParams {
        indices: Some((0..200).collect()),
        n_mc_samples: 500,
        n_mc_samples_per_pass: 500,
        ..Default::default()
    };
    seeded();
    check("marginal_ll", model.get_marginal_ll(&mut adata, &params, &mut Silent).unwrap());

    let params = ElboParams::default();
    seeded();
    check("elbo", model.get_elbo(&mut adata, &params, &mut Silent).unwrap());
    seeded();
    let error = model.get_reconstruction_error(&mut adata, &params, &mut Silent).unwrap();
    check("reconstruction_error", error);
}

fn seeded() {
    Settings { seed: SEED, ..Settings::default() }.apply();
}

#[track_caller]
fn equal(name: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let off = (found - expected).abs();
        assert!(off <= 1e-6 + 2e-5 * expected.abs(), "{name}, entry {i}: {found} for {expected}");
    }
}
