//! Data sets left on disk: what is computed does not depend on where the counts are.

use std::fs;

use scvi_framework::anndata::{Element, Slot, Sparse, SparseFormat};

use super::{Place, read};

#[test]
fn training_and_queries_give_the_same_bytes() {
    let place = Place::new();
    place.change("s.h5ad", |adata| {
        let counts = adata.x().unwrap().clone();
        adata.set(Slot::Layers, "counts", counts).unwrap();
    });
    for options in ["--batch-key batch", "--layer counts --categorical-covariate-keys donor"] {
        let outcome = |backed: &str| {
            let words = format!(
                "train SCVI s.h5ad {options} --max-epochs 2 --check-val-every-n-epoch 1 --out m \
                 --save-anndata --overwrite -q {backed}"
            );
            place.scvi(&words).says("");
            assert!(read(&place.at("m/adata.h5ad")).x() == read(&place.at("s.h5ad")).x());
            let ask = |out: &str| {
                let words = format!("query m get-latent-representation --out {out} -q {backed}");
                place.scvi(&words).says("");
                let said = fs::read(place.at(out)).unwrap();
                fs::remove_file(place.at(out)).unwrap();
                said
            };
            let weights = fs::read(place.at("m/model.safetensors")).unwrap();
            let history = place.scvi("show m --json").says("").out;
            (weights, history.contains("elbo_validation"), ask("l.npz"), ask("l.csv"))
        };
        assert!(outcome("") == outcome("--backed"), "{options}");
    }
    let setup = |backed: &str| place.scvi(&format!("setup SCVI s.h5ad {backed}")).says("").out;
    assert_eq!(setup(""), setup("--backed"));
}

#[test]
fn answers_go_into_a_copy_of_the_file() {
    let place = Place::with_model();
    place.scvi("query m get-latent-representation --out a.h5ad -q --backed").says("");
    place.scvi("query m get-latent-representation --out b.h5ad -q").says("");
    let (a, b) = (read(&place.at("a.h5ad")), read(&place.at("b.h5ad")));
    assert_eq!(a.x(), b.x());
    assert_eq!(a.mapping(Slot::Obsm), b.mapping(Slot::Obsm));
}

#[test]
fn counts_stored_by_column_are_refused() {
    let place = Place::new();
    place.change("bad.h5ad", |adata| {
        let shape = [adata.n_obs(), adata.n_vars()];
        let (data, at, ends) = (vec![1f32; shape[1]], vec![0i32; shape[1]], 0..=shape[1] as i32);
        let ends: Vec<i32> = ends.collect();
        let x = Sparse::new(SparseFormat::Csc, shape, data.into(), at.into(), ends.into());
        adata.set(Slot::X, "", Element::Sparse(x.unwrap())).unwrap();
    });
    place.scvi("train SCVI bad.h5ad --out m --backed").fails(
        1,
        "bad.h5ad: `X` is stored by column (CSC), so that its rows cannot be read one by one; read \
         it into memory, or rewrite the file in Python with `adata.X = adata.X.tocsr()`",
    );
    assert_eq!(place.names(), ["bad.h5ad", "s.h5ad"]);
}
