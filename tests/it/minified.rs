//! Minified data sets and scvi-tools: what it wrote is read and answered from, and what is made of the
//! same data set here is the same.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use scvi_framework::{
    anndata::{AnnData, Element, Slot},
    data::MinifiedDataType,
    model::{
        MinifyParams, Silent,
        queries::{Latent, LatentParams, NormalizedExpressionParams},
    },
};

use crate::{
    draws::{DRAWS, Moments, agree},
    reference::Trained,
};

fn numbers(adata: &AnnData, slot: Slot, key: &str) -> Vec<f64> {
    let Element::Dense(dense) = adata.get(slot, key).unwrap() else { panic!("{key}") };
    dense.values.to_f64()
}

#[track_caller]
fn assert_close(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(off <= 1e-5, "{what} is off by {off}");
}

#[test]
fn a_data_set_minified_by_scvi_tools_is_answered_from() {
    let Some(reference) = Trained::open() else { return };
    let (model, mut adata) = reference.minified();
    assert!(model.is_minified());
    assert_eq!(MinifiedDataType::of(&adata).unwrap(), Some(MinifiedDataType::LatentPosterior));
    let params = LatentParams { return_dist: true, ..Default::default() };
    let Latent::Moments { qzm, qzv } =
        model.get_latent_representation(&mut adata, &params, &mut Silent).unwrap()
    else {
        panic!("no moments")
    };
    assert_eq!(qzm.values.to_f64(), numbers(&adata, Slot::Obsm, "scvi_latent_qzm"));
    let stored = numbers(&adata, Slot::Obsm, "scvi_latent_qzv");
    let far = |(a, b): &(f64, &f64)| (a - *b).abs() > 1e-6 * b.abs();
    assert_eq!(qzv.values.to_f64().into_iter().zip(&stored).find(far), None);

    const MORE: usize = 3; // a single unlucky draw moves all genes of its cell
    let params = NormalizedExpressionParams {
        n_samples: MORE * DRAWS,
        return_mean: false,
        ..Default::default()
    };
    let mut moments = Moments::default();
    model.get_normalized_expression(&mut adata, &params, &mut moments, &mut Silent).unwrap();
    let expected = hdf5::File::open(reference.folder.join("minified_expected.h5")).unwrap();
    let expected = expected.dataset("normalized_mean").unwrap().read_raw::<f32>().unwrap();
    let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
    let (mean, mut errors) = moments.of("normalized_expression");
    let as_if_both_drew_as_often = ((1.0 + MORE as f64) / 2.0).sqrt();
    errors.iter_mut().for_each(|error| *error *= as_if_both_drew_as_often);
    agree("minified", (mean, errors), &expected, adata.n_vars());
}

#[test]
fn the_same_data_set_is_minified_to_the_same() {
    let Some(reference) = Trained::open() else { return };
    let (_, theirs) = reference.minified();
    let Trained { mut model, adata, .. } = reference;
    let ours = model.minify_adata(&adata, &MinifyParams::default(), &mut Silent).unwrap();
    for (slot, here, there) in [
        (Slot::Obsm, "_scvi_latent_qzm", "scvi_latent_qzm"),
        (Slot::Obsm, "_scvi_latent_qzv", "scvi_latent_qzv"),
        (Slot::Obs, "_scvi_observed_lib_size", "observed_lib_size"),
    ] {
        assert_close(here, &numbers(&ours, slot, here), &numbers(&theirs, slot, there));
    }
    let Some(Element::Sparse(x)) = ours.x() else { panic!("X is not sparse") };
    assert_eq!(x.nnz(), 0);
    assert_eq!(ours.x().map(Element::kind), theirs.x().map(Element::kind));
}

#[test]
fn a_full_model_of_scvi_tools_refuses_what_it_minified() {
    let Some(reference) = Trained::open() else { return };
    let (_, mut minified) = reference.minified();
    let refused = reference
        .model
        .get_latent_representation(&mut minified, &LatentParams::default(), &mut Silent)
        .unwrap_err();
    assert!(refused.to_string().starts_with("the data set is minified"), "{refused}");
}
