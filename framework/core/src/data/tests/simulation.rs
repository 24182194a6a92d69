//! Simulated data: their moments, their structure, and that a seed fixes them.

use super::*;
use crate::{
    data::{
        AnnDataLoader, Layout, LoaderOptions, RnaDist, Simulation, Simulator, SyntheticIid, counts,
        simulate, synthetic_iid,
    },
    fields::numbers,
    params::Params,
};

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn iid_counts_have_the_moments_of_their_distribution() {
    let p = SyntheticIid { n_batches: 3, ..Default::default() };
    let adata = synthetic_iid(&p).unwrap();
    assert_eq!((adata.n_obs(), adata.n_vars()), (600, 100));
    let x = numbers(adata.x().unwrap()).unwrap();
    // Five failures of probability 0.3: mean 5·0.7/0.3, none with 0.3⁵; 70 % are kept.
    assert!((mean(&x) - 0.7 * 5.0 * 0.7 / 0.3).abs() < 0.1);
    let zeros = x.iter().filter(|v| **v == 0.0).count() as f64 / x.len() as f64;
    assert!((zeros - (0.3 + 0.7 * 0.3f64.powi(5))).abs() < 0.01);
    let proteins = numbers(adata.get(Slot::Obsm, "protein_expression").unwrap()).unwrap();
    assert!((mean(&proteins) - 5.0 * 0.7 / 0.3).abs() < 0.1);
    assert_eq!(adata.get(Slot::Obsm, "accessibility").unwrap().shape(), [600, 100]);
    assert_eq!(adata.x().unwrap().kind(), "dense int64 array");

    let Element::Categorical(batch) = adata.get(Slot::Obs, "batch").unwrap() else {
        panic!("batches are categorical")
    };
    let expected: Vec<i64> = (0..600).map(|i| i / 200).collect();
    assert_eq!(*batch.codes.to_i64(), *expected);
    assert_eq!(*batch.categories, Element::strings(["batch_0", "batch_1", "batch_2"]));
}

#[test]
fn iid_layouts_hold_the_same_values() {
    let make = |sparse_format| {
        let p = SyntheticIid { batch_size: 10, sparse_format, ..Default::default() };
        synthetic_iid(&p).unwrap()
    };
    let [dense, csr, csc] = [Layout::Dense, Layout::Csr, Layout::Csc].map(make);
    let sums = |a: &AnnData| counts::row_sums(a.x().unwrap(), "X").unwrap();
    assert_eq!(sums(&dense), sums(&csr));
    assert_eq!(sums(&dense), sums(&csc));
    assert_eq!(csr.x().unwrap().kind(), "CSR int64 matrix");
    assert_eq!(csc.x().unwrap().kind(), "CSC int64 matrix");
    let p = SyntheticIid {
        rna_dist: RnaDist::Normal,
        dropout_ratio: 1.0,
        generate_coordinates: true,
        n_proteins: 0,
        ..Default::default()
    };
    let normal = synthetic_iid(&p).unwrap();
    assert!((mean(&numbers(normal.x().unwrap()).unwrap()) - 5.0).abs() < 0.1);
    assert_eq!(normal.get(Slot::Obsm, "coordinates").unwrap().shape(), [400, 2]);
    assert!(normal.get(Slot::Obsm, "protein_expression").is_err());
}

fn small() -> Simulation {
    Simulation { n_obs: 400, n_vars: 200, n_donors: 5, ..Default::default() }
}

#[test]
fn simulated_counts_are_sparse_counts_with_the_density_asked_for() {
    for density in [0.05, 0.16, 0.5] {
        let adata = simulate(&Simulation { density, ..small() }).unwrap();
        let x = adata.x().unwrap();
        assert_eq!(x.kind(), "CSR float32 matrix");
        assert!(counts::is_counts(x));
        assert!(counts::empty_cells(x).unwrap().is_empty());
        let Element::Sparse(sparse) = x else { panic!("counts are sparse") };
        let found = sparse.nnz() as f64 / (400.0 * 200.0);
        assert!((found / density - 1.0).abs() < 0.15, "{found} for {density}");
    }
}

#[test]
fn a_seed_fixes_the_simulation() {
    let x = |seed| simulate(&Simulation { seed, ..small() }).unwrap().x().unwrap().clone();
    assert_eq!(x(1), x(1));
    assert_ne!(x(1), x(2));
}

#[test]
fn cells_that_are_not_there_cannot_be_drawn() {
    let refused = Simulator::new(&small()).counts(390..401).unwrap_err().to_string();
    assert_eq!(refused, "cell index 401 is out of range: there are 400 cells");
}

#[test]
fn columns_are_those_promised() {
    let adata = simulate(&small()).unwrap();
    let columns: Vec<_> = adata.obs().columns.keys().cloned().collect();
    let expected = ["batch", "cell_type", "donor", "cell_source", "percent_mito", "percent_ribo"];
    assert_eq!(columns, expected);
    let code = |key| match adata.get(Slot::Obs, key).unwrap() {
        Element::Categorical(c) => c.codes.to_i64(),
        other => panic!("{key} is {}", other.kind()),
    };
    let (batch, donor) = (code("batch"), code("donor"));
    assert!(batch.iter().zip(donor.iter()).all(|(b, d)| *b == d % 2), "a donor has one batch");
    let mito = numbers(adata.get(Slot::Obs, "percent_mito").unwrap()).unwrap();
    assert!(mito.iter().all(|v| (0.0..1.0).contains(v)));
}

/// Share of each cell's ten nearest neighbours that have its value of `column`.
fn purity(adata: &AnnData, column: &str) -> f64 {
    let fields = vec![LayerField::new(REGISTRY_KEYS.x, None).boxed()];
    let mut adata = adata.clone();
    let manager = AnnDataManager::register(fields, "none", Args::new(), &mut adata).unwrap();
    let n = adata.n_obs();
    let options = LoaderOptions { batch_size: n, ..Default::default() };
    let loader = AnnDataLoader::new(&adata, manager.registry(), options).unwrap();
    let batch = loader.iter().next().unwrap().unwrap();
    let x = batch.x().unwrap();
    let shares = x / x.sum_dim_intlist(1, true, None) * 1000.0;
    let logs = shares.log1p();
    let near = tch::Tensor::cdist(&logs, &logs, 2.0, None).topk(11, 1, false, true).1;
    let Element::Categorical(c) = adata.get(Slot::Obs, column).unwrap() else { panic!("codes") };
    let codes = tch::Tensor::from_slice(&c.codes.to_i64());
    let of_neighbours = codes.take(&near.narrow(1, 1, 10));
    let same = of_neighbours.eq_tensor(&codes.unsqueeze(1));
    same.to_kind(tch::Kind::Double).mean(None).double_value(&[])
}

#[test]
fn batches_and_cell_types_lie_apart_as_far_as_asked() {
    let with = |batch_effect, label_effect| {
        simulate(&Simulation { density: 0.4, batch_effect, label_effect, ..small() }).unwrap()
    };
    let both = with(0.5, 1.5);
    let (batch, label) = (purity(&both, "batch"), purity(&both, "cell_type"));
    assert!(batch > 0.85 && label > 0.7, "batch {batch}, cell type {label}");
    let mixed = purity(&with(0.0, 1.5), "batch");
    assert!(mixed < 0.65, "batch {mixed} without batch effect");
}

#[test]
fn arguments_are_listed_with_help_and_limits() {
    let specs = [Simulation::specs(), SyntheticIid::specs()].concat();
    assert!(specs.iter().all(|spec| !spec.help.is_empty()));
    let args = serde_json::json!({ "n_obs": 0 });
    let refused = Simulation::from_args(args.as_object().unwrap()).unwrap_err().to_string();
    assert_eq!(refused, "argument `n_obs`: expected a whole number of at least 1, found 0");
}
