//! Learnt vectors of batches, against the weights that scvi-tools wrote.

use std::path::{Path, PathBuf};

use scvi_framework::{
    Result,
    anndata::{AnnData, Dense, Element, Slot},
    model::{Model, Settings, Silent, queries::BatchRepresentationParams},
    saved::{SavedModel, scvi_tools},
};
use scvi_h5ad::ReadOptions;
use scvi_plugin_scvi::Scvi;

/// A model of scvi-tools and its data; `None`, said aloud, where the reference data are not at hand.
fn open(case: &str) -> Option<(SavedModel, AnnData)> {
    let Some(data) = std::env::var_os("SCVI_TEST_DATA") else {
        println!("skipped: SCVI_TEST_DATA is not set");
        return None;
    };
    let folder: PathBuf = Path::new(&data).join("reference").join(case);
    let adata = scvi_h5ad::read(&folder.join("adata.h5ad"), ReadOptions::default()).unwrap();
    Some((scvi_tools::read(&folder.join("model"), None).unwrap(), adata))
}

fn ask(
    (saved, mut adata): (SavedModel, AnnData),
    params: &BatchRepresentationParams,
) -> Result<Dense> {
    let model = Model::<Scvi>::load(saved, &Settings::default()).unwrap();
    model.get_batch_representation(&mut adata, params, &mut Silent)
}

#[test]
fn cells_have_the_vector_of_their_batch() {
    let Some((saved, adata)) = open("batch_embedding") else { return };
    let Ok(Element::Categorical(batch)) = adata.get(Slot::Obs, "batch").cloned() else {
        panic!("no categories")
    };
    let codes = batch.codes.to_f64();
    let weight = saved.weights["_embeddings_dict.batch.weight"].clone();
    let (n_dims, weight) = (weight.shape[1], weight.values.to_f64());
    let vector = |cell: usize| weight[codes[cell] as usize * n_dims..][..n_dims].to_vec();

    let indices = vec![140, 0, 4, 4, 9];
    let params = BatchRepresentationParams { indices: Some(indices.clone()), batch_size: 2 };
    let found = ask((saved, adata), &params).unwrap();
    assert_eq!(found.shape, [5, n_dims]);
    let expected: Vec<f64> = indices.into_iter().flat_map(vector).collect();
    assert_eq!(found.values.to_f64(), expected);
    assert_ne!(vector(0), vector(4), "cells of two batches");
}

#[test]
fn one_hot_batches_have_no_vectors() {
    let Some(opened) = open("zinb_default") else { return };
    let error = ask(opened, &BatchRepresentationParams::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "argument `batch_representation`: expected embedding, as only then batches have vectors; \
         train a model with `batch_representation = embedding`, found one-hot"
    );
}
