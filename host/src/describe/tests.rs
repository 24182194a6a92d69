//! A small data set, described.

use scvi_framework::anndata::{Categorical, DataFrame, Element, Sparse, SparseFormat};

use super::*;

fn small() -> AnnData {
    let mut obs = DataFrame::new(["c0", "c1", "c2", "c3"]);
    let batch = Categorical {
        codes: vec![0i8, 1, 0, 0].into(),
        categories: Box::new(Element::strings(["a", "b"])),
        ordered: false,
    };
    obs.columns.insert("batch".into(), Element::Categorical(batch));
    obs.columns.insert("depth".into(), Element::vector(vec![1.5f64, 2.0, 3.0, 4.0]));
    obs.columns.insert("cell_type".into(), Element::strings(["T", "T", "B", "B"]));
    let mut adata = AnnData::new(obs, DataFrame::new(["g0", "g1"]));
    let logged = vec![0.0f32, 0.5, 0.0, 0.0, 1.0, 0.0, 0.0, 2.25];
    adata.set(Slot::X, "", Element::matrix(4, 2, logged).unwrap()).unwrap();
    let counts = Sparse::new(
        SparseFormat::Csr,
        [4, 2],
        vec![3.0f32, 1.0, 7.0].into(),
        vec![1i32, 0, 1].into(),
        vec![0i32, 1, 1, 2, 3].into(),
    );
    adata.set(Slot::Layers, "counts", Element::Sparse(counts.unwrap())).unwrap();
    adata
}

#[test]
fn a_data_set_is_described_for_people() {
    let expected = "\
AnnData object with n_obs × n_vars = 4 × 2
    obs: 'batch', 'depth', 'cell_type'
    layers: 'counts'

 Matrix             Kind                  Non-zero   Range       Holds                             Empty cells
────────────────────────────────────────────────────────────────────────────────────────────────────────────────
 X                  dense float32 array   37.5 %     0 to 2.25   no counts: looks log-normalised   1
 layers['counts']   CSR float32 matrix    37.5 %     0 to 7      counts                            1

 Column of obs   Kind                          Categories   Largest   Smallest   Could be
───────────────────────────────────────────────────────────────────────────────────────────
 batch           categorical of string array   2            a (3)     b (1)      batch
 cell_type       string array                  2            B (2)     T (2)      label

hint: X holds no counts, but layers['counts'] does
";
    assert_eq!(Description::of(&small()).unwrap().show(), expected);
}

#[test]
fn a_data_set_is_described_for_programs() {
    let json = Description::of(&small()).unwrap().json();
    assert_eq!(json["matrices"][1]["counts"], true);
    assert_eq!(json["matrices"][0]["density"], 0.375);
    assert_eq!(json["columns"][0]["categories"][0]["n_obs"], 3);
}
