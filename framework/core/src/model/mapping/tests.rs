//! A query's genes in the terms of a reference.

use indexmap::IndexMap;

use super::{Prepared, prepare_query_anndata, prepare_query_mudata};
use crate::anndata::{AnnData, DataFrame, Element, Raw, Scalar, Slot, Sparse};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.into()).collect()
}

/// Two cells; counts dense in X and sparse in a layer, and something of every other kind.
fn query(genes: &[&str]) -> AnnData {
    let mut adata = AnnData::new(DataFrame::new(["c1", "c2"]), DataFrame::new(genes));
    let n = genes.len();
    let counts: Vec<f32> = (1..=2 * n).map(|i| i as f32).collect();
    let x = Element::matrix(2, n, counts).unwrap();
    let Element::Dense(dense) = &x else { panic!("dense") };
    let layer = Element::Sparse(Sparse::from_dense(dense).unwrap());
    adata.set(Slot::Layers, "counts", layer).unwrap();
    adata.set_raw(Some(Raw { x: x.clone(), var: adata.var().clone(), varm: IndexMap::new() }));
    adata.set(Slot::X, "", x).unwrap();
    adata.set(Slot::Obs, "batch", Element::strings(["a", "b"])).unwrap();
    adata.set(Slot::Obsm, "X_pca", Element::matrix(2, 1, vec![0.5f32, 1.5]).unwrap()).unwrap();
    adata.set(Slot::Uns, "study", Element::Scalar(Scalar::String("mine".into()))).unwrap();
    adata
}

fn refused(adata: &AnnData, reference: &[&str]) -> String {
    prepare_query_anndata(adata, &names(reference)).unwrap_err().to_string()
}

#[test]
fn genes_are_padded_dropped_and_put_in_order_and_the_rest_stays() {
    let given = query(&["g3", "other", "g1"]);
    let before = given.clone();
    let Prepared { adata, n_shared, padded, n_dropped, notes } =
        prepare_query_anndata(&given, &names(&["g1", "g2", "g3"])).unwrap();
    assert_eq!(given.x(), before.x(), "what is given is not changed");
    assert_eq!(adata.var_names().unwrap().iter().collect::<Vec<_>>(), ["g1", "g2", "g3"]);
    let expected = Element::matrix(2, 3, vec![3.0f32, 0.0, 1.0, 6.0, 0.0, 4.0]).unwrap();
    assert_eq!(adata.x(), Some(&expected));
    let Element::Sparse(layer) = adata.get(Slot::Layers, "counts").unwrap() else {
        panic!("the layer is not sparse any more")
    };
    assert_eq!(Element::Dense(layer.to_dense()), expected);
    assert_eq!((n_shared, padded, n_dropped), (2, names(&["g2"]), 1));
    assert_eq!(
        notes,
        [
            "the query has 67 % of the reference's genes, less than 80 %: expect it to be mapped badly"
        ]
    );
    assert_eq!(adata.raw(), given.raw());
    for (slot, key) in [(Slot::Obs, "batch"), (Slot::Obsm, "X_pca"), (Slot::Uns, "study")] {
        assert_eq!(adata.get(slot, key).unwrap(), given.get(slot, key).unwrap(), "{key}");
    }
}

#[test]
fn a_query_in_the_genes_of_the_reference_comes_back_as_another_data_set() {
    let given = query(&["g1", "g2"]);
    let prepared = prepare_query_anndata(&given, &names(&["g1", "g2"])).unwrap();
    assert_eq!(prepared.adata.x(), given.x());
    assert_ne!(prepared.adata.id(), given.id());
    assert_eq!((prepared.n_shared, prepared.n_dropped), (2, 0));
    assert!(prepared.padded.is_empty() && prepared.notes.is_empty());
}

#[test]
fn genes_that_cannot_be_matched_are_explained() {
    let lower = refused(&query(&["actb", "cd3e"]), &["ACTB", "CD3E"]);
    assert!(lower.contains("2 differ in upper and lower case alone"), "{lower}");
    let versions = refused(&query(&["ENSG01.2", "ENSG02.1"]), &["ENSG01.1", "ENSG02.3"]);
    assert!(versions.contains("they differ in version numbers"), "{versions}");
    let mut symbols = query(&["ENSG01", "ENSG02"]);
    let column = Element::strings(["ACTB", "CD3E"]);
    symbols.set(Slot::Var, "symbol", column).unwrap();
    let there = refused(&symbols, &["ACTB", "GAPDH"]);
    assert!(there.contains("adata.var_names = adata.var[\"symbol\"]"), "{there}");
    let twice = refused(&query(&["g1", "g1"]), &["g1"]);
    assert!(twice.contains("g1"), "{twice}");
}

#[test]
fn each_modality_gets_its_own_genes() {
    let mut mdata = AnnData::new(DataFrame::new(["c1", "c2"]), DataFrame::new(["g2", "g1", "p1"]));
    mdata.set_modality("rna", query(&["g2", "g1"]));
    mdata.set_modality("prot", query(&["p1"]));
    let reference = IndexMap::from([("rna".to_owned(), names(&["g1", "g2", "g3"]))]);
    let (prepared, parts) = prepare_query_mudata(&mdata, &reference).unwrap();
    let rna = prepared.modality("rna").unwrap();
    assert_eq!(rna.var_names().unwrap().iter().collect::<Vec<_>>(), ["g1", "g2", "g3"]);
    assert_eq!(prepared.modality("prot").unwrap().n_vars(), 1);
    assert_eq!(prepared.n_vars(), 4);
    assert_eq!(parts["rna"].padded, ["g3"]);
    let lacking = IndexMap::from([("atac".to_owned(), names(&["p"]))]);
    let text = prepare_query_mudata(&mdata, &lacking).unwrap_err().to_string();
    assert!(text.contains("atac"), "{text}");
}
