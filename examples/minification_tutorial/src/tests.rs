//! The tutorial's checks, in its order.

#![allow(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use super::*;

#[test]
fn every_step_of_the_tutorial_holds() {
    let size = Simulation { n_obs: 1500, n_vars: 400, ..Default::default() };
    let mut printed = Vec::new();
    run(&size, 2, &mut printed).unwrap();
    let printed = String::from_utf8(printed).unwrap();
    let mut lines = printed.lines();
    let mut follows = |start: &str| {
        let found = lines.find(|line| line.trim_start().starts_with(start));
        found.unwrap_or_else(|| panic!("no line `{start}…` where it should be in\n{printed}"))
    };
    follows("Model's adata is minified?: False");
    follows("raw is there: true");
    follows("Model's adata is minified?: True");
    let obs = follows("obs: ");
    assert!(obs.contains("_scvi_observed_lib_size"), "{obs}");
    assert!(follows("uns: ").contains("_scvi_adata_minify_type"));
    let obsm = follows("obsm: ");
    for key in ["X_latent_qzm", "X_latent_qzv", "_scvi_latent_qzm", "_scvi_latent_qzv"] {
        assert!(obsm.contains(key), "{obsm}");
    }
    follows("layers: 'counts'");
    follows("the data set that it was made of: not minified");
    follows("the new one: latent_posterior_parameters");
    follows("X: 1500 × 400, float64, 0 stored values");
    follows("layers[\"counts\"]: 1500 × 400, float64, 0 stored values");
    follows("raw is there: false");
    let mut size_of = |when: &str| -> f64 {
        let line = follows(&format!("AnnData size {when} minification: "));
        line.rsplit(' ').nth(1).unwrap().parse().unwrap()
    };
    let (before, after) = (size_of("before"), size_of("after"));
    assert!(after < before / 5.0, "{before} MB became {after} MB");
    follows("minified model, minified data: answers");
    follows("minified model, full data: answers");
    follows("full model, full data: answers");
    follows("full model, minified data: the data set is minified (latent_posterior_parameters)");
    follows("The SCVI model currently does not support minified data.");
}
