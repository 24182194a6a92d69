//! The loader against a slow recomputation, in every layout and dtype.

use half::f16;
use indexmap::IndexMap;
use tch::{Device, Kind, Tensor};

use super::*;
use crate::data::{
    AnnDataLoader, Batch, Indices, LoaderOptions, Order, counts, library_log_moments,
};
use crate::fields::AttrLocation;

const N: usize = 61;
const G: usize = 17;

fn rows(tensor: &Tensor) -> Vec<Vec<f64>> {
    Vec::<Vec<f64>>::try_from(tensor.to_kind(Kind::Double)).unwrap()
}

fn load(x: Element, options: LoaderOptions) -> Result<Vec<Batch>> {
    let (adata, registry) = registered(x);
    AnnDataLoader::new(&adata, &registry, options)?.iter().collect()
}

/// Every layout of the same matrix.
fn layouts(dense: &Values) -> Vec<(String, Element)> {
    let narrow = |v: Vec<i64>| Values::from(v.into_iter().map(|i| i as i32).collect::<Vec<_>>());
    let wide = |v: Vec<i64>| Values::from(v);
    let sparse = |format, index| compressed(format, [N, G], dense, index);
    let dtype = dense.dtype().name();
    vec![
        (format!("dense {dtype}"), Element::matrix(N, G, dense.clone()).unwrap()),
        (format!("csr {dtype}"), Element::Sparse(sparse(SparseFormat::Csr, narrow))),
        (format!("csr {dtype}, int64"), Element::Sparse(sparse(SparseFormat::Csr, wide))),
        (format!("csc {dtype}"), Element::Sparse(sparse(SparseFormat::Csc, narrow))),
        (format!("csc {dtype}, int64"), Element::Sparse(sparse(SparseFormat::Csc, wide))),
        (format!("disk {dtype}"), Disk::element(sparse(SparseFormat::Csr, narrow), None)),
    ]
}

fn check_loader(what: &str, x: Element, counts: &[u8], options: LoaderOptions) {
    let indices = options.indices.clone().map(|i| i.positions(N).unwrap());
    let indices = indices.unwrap_or_else(|| (0..N).collect());
    let batch_size = options.batch_size;
    let batches = load(x, options).unwrap();
    assert_eq!(batches.len(), indices.len().div_ceil(batch_size), "{what}");
    for (batch, cells) in batches.iter().zip(indices.chunks(batch_size)) {
        let row = |&i: &usize| counts[i * G..(i + 1) * G].iter().map(|&v| f64::from(v)).collect();
        let expected: Vec<Vec<f64>> = cells.iter().map(row).collect();
        assert_eq!(rows(batch.x().unwrap()), expected, "{what}");
        assert_eq!(batch.x().unwrap().kind(), Kind::Float);
        let codes = |of: &dyn Fn(usize) -> Vec<f64>| -> Vec<Vec<f64>> {
            cells.iter().map(|&i| of(i)).collect()
        };
        assert_eq!(rows(batch.batch_index().unwrap()), codes(&|i| vec![(i % 3) as f64]));
        let cats = batch.require(REGISTRY_KEYS.cat_covs).unwrap();
        let expected = codes(&|i| vec![(4 - i % 5) as f64, (i / 2 % 2) as f64]);
        assert_eq!(rows(cats), expected);
        assert_eq!((cats.kind(), batch.batch_index().unwrap().kind()), (Kind::Int64, Kind::Int64));
        let conts = batch.require(REGISTRY_KEYS.cont_covs).unwrap();
        let expected = codes(&|i| vec![i as f64 / 2.0, (10 - i % 5) as f64]);
        assert_eq!((rows(conts), conts.kind()), (expected, Kind::Float));
    }
}

#[test]
fn minibatches_equal_a_slow_recomputation() {
    let counts = random_counts(N, G, 1);
    let all = [
        cast(&counts, |v| v),
        cast(&counts, |v| v as i8),
        cast(&counts, |v| v as u16),
        cast(&counts, |v| v as i32),
        cast(&counts, |v| v as u64),
        cast(&counts, |v| f16::from_f32(v as f32)),
        cast(&counts, |v| v as f32),
        cast(&counts, |v| v as f64),
    ];
    let mut random = StdRng::seed_from_u64(2);
    for (what, x) in all.iter().flat_map(layouts) {
        let n = random.random_range(1..2 * N);
        let rows: Vec<usize> = (0..n).map(|_| random.random_range(0..N)).collect();
        let indices = Some(rows.into());
        let batch_size = random.random_range(1..N + 5);
        let options = LoaderOptions { indices, batch_size, ..Default::default() };
        check_loader(&what, x.clone(), &counts, options);
        check_loader(&what, x, &counts, LoaderOptions { batch_size: 9, ..Default::default() });
    }
}

#[test]
fn reading_ahead_from_disk_crosses_its_windows() {
    let counts = random_counts(N, G, 3);
    let disk = layouts(&cast(&counts, |v| v as f32)).pop().unwrap().1;
    let mut random = StdRng::seed_from_u64(4);
    let rows: Vec<usize> = (0..5000).map(|_| random.random_range(0..N)).collect();
    let indices = Some(rows.into());
    let options = LoaderOptions { indices, batch_size: 300, ..Default::default() };
    check_loader("disk", disk, &counts, options);
}

#[test]
fn values_stored_twice_add_up_and_leave_no_trace() {
    let (data, at) = (vec![1.0f32, 2.0, 4.0], vec![1i32, 1, 0]);
    let ends = vec![0i32, 2, 2, 3];
    let twice = Sparse::new(SparseFormat::Csr, [3, 2], data.into(), at.into(), ends.into());
    let options = LoaderOptions { batch_size: 1, ..Default::default() };
    let batches = load(Element::Sparse(twice.unwrap()), options).unwrap();
    let x: Vec<_> = batches.iter().map(|b| rows(b.x().unwrap()).remove(0)).collect();
    assert_eq!(x, [[0.0, 3.0], [0.0, 0.0], [4.0, 0.0]]);
}

#[test]
fn shuffled_epochs_hold_the_same_cells_in_fixed_orders() {
    let (adata, registry) = registered(Element::matrix(N, 1, vec![1u8; N]).unwrap());
    let cells = |seed, epoch, drop_last| -> Vec<usize> {
        let order = Order::Shuffled { seed };
        let options = LoaderOptions { batch_size: 8, order, drop_last, ..Default::default() };
        let loader = AnnDataLoader::new(&adata, &registry, options).unwrap();
        let batches = loader.epoch(epoch);
        assert_eq!(batches.len(), loader.n_batches());
        let half =
            |b: Result<Batch>| b.unwrap().require(REGISTRY_KEYS.cont_covs).unwrap().select(1, 0);
        let halves: Vec<Tensor> = batches.map(half).collect();
        let cell = |v: f64| (v * 2.0) as usize;
        Vec::<f64>::try_from(Tensor::cat(&halves, 0).to_kind(Kind::Double))
            .unwrap()
            .into_iter()
            .map(cell)
            .collect()
    };
    let first = cells(7, 0, false);
    assert_eq!(first, cells(7, 0, false));
    assert_ne!(first, cells(7, 1, false));
    assert_ne!(first, cells(8, 0, false));
    let mut sorted = first.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..N).collect::<Vec<_>>());
    assert_eq!(cells(7, 0, true), first[..N / 8 * 8]);
}

#[test]
fn an_abandoned_epoch_does_not_block() {
    let disk = layouts(&cast(&random_counts(N, G, 8), |v| v as f32)).pop().unwrap().1;
    let (adata, registry) = registered(disk);
    let options = LoaderOptions { batch_size: 1, ..Default::default() };
    let loader = AnnDataLoader::new(&adata, &registry, options).unwrap();
    let mut batches = loader.iter();
    batches.next().unwrap().unwrap();
    drop(batches);
    assert_eq!(loader.into_iter().count(), N);
    let nobody = LoaderOptions { indices: Some(Indices::Rows(vec![])), ..Default::default() };
    assert_eq!(AnnDataLoader::new(&adata, &registry, nobody).unwrap().iter().count(), 0);
}

#[test]
fn only_the_tensors_asked_for_come_and_in_the_dtype_asked_for() {
    let counts = random_counts(N, G, 9);
    let wanted = [
        ("extra_continuous_covs", Some(DType::Float64), Kind::Double),
        ("X", Some(DType::Int64), Kind::Int64),
        ("batch", None, Kind::Int64),
        ("extra_categorical_covs", Some(DType::Int32), Kind::Int),
    ];
    let attributes = wanted.iter().map(|(key, dtype, _)| ((*key).to_owned(), *dtype)).collect();
    for (what, x) in layouts(&cast(&counts, |v| v as f32)) {
        let options = LoaderOptions {
            batch_size: LoaderOptions::WHOLE,
            data_and_attributes: Some(IndexMap::clone(&attributes)),
            ..Default::default()
        };
        let batches = load(x.clone(), options).unwrap();
        let default = load(x, LoaderOptions { batch_size: N, ..Default::default() }).unwrap();
        assert!(batches[0].keys().eq(wanted.iter().map(|w| w.0)), "{what}");
        for (key, _, kind) in wanted {
            let (found, expected) = (&batches[0], &default[0]);
            assert_eq!(found.require(key).unwrap().kind(), kind, "{what} {key}");
            assert_eq!(rows(found.require(key).unwrap()), rows(expected.require(key).unwrap()));
        }
    }
    let refused = |key: &str, dtype| {
        let wanted = Some([(key.to_owned(), dtype)].into());
        let options = LoaderOptions { data_and_attributes: wanted, ..Default::default() };
        load(Element::matrix(N, 1, vec![1u8; N]).unwrap(), options).unwrap_err().to_string()
    };
    assert_eq!(
        refused("x", None),
        "data registry has no `x`; present: X, batch, extra_categorical_covs, extra_continuous_covs"
    );
    assert_eq!(
        refused("X", Some(DType::UInt8)),
        "argument `data_and_attributes, `X``: expected int32, int64, float32 or float64, found uint8"
    );
}

#[test]
fn sparse_elements_stay_sparse_when_asked_to() {
    let counts = random_counts(N, G, 10);
    for (what, x) in layouts(&cast(&counts, |v| v as u16)) {
        let load = |load_sparse_tensor| {
            let indices = Some(vec![60usize, 3, 3, 17, 0].into());
            let options =
                LoaderOptions { indices, batch_size: 2, load_sparse_tensor, ..Default::default() };
            load(x.clone(), options).unwrap()
        };
        for (dense, sparse) in load(false).iter().zip(&load(true)) {
            let moved = sparse.to_device(Device::Cpu);
            assert!(moved.x().unwrap().f_crow_indices().is_err(), "{what}");
            let (dense, sparse) = (dense.x().unwrap(), sparse.x().unwrap());
            assert_eq!(rows(moved.x().unwrap()), rows(dense), "{what}");
            let is_dense = matches!(x, Element::Dense(_));
            assert_eq!(sparse.f_crow_indices().is_err(), is_dense, "{what}");
            assert_eq!(sparse.kind(), Kind::Float, "{what}");
            assert_eq!(rows(&sparse.to_dense(None, false)), rows(dense), "{what}");
        }
    }
    let (data, at) = (vec![1.0f32, 2.0, 4.0], vec![1i32, 0, 1]);
    let twice =
        Sparse::new(SparseFormat::Csr, [1, 2], data.into(), at.into(), vec![0i32, 3].into());
    let options = LoaderOptions { load_sparse_tensor: true, ..Default::default() };
    let batches = load(Element::Sparse(twice.unwrap()), options).unwrap();
    let x = batches[0].x().unwrap();
    assert_eq!(rows(&x.to_dense(None, false)), [[2.0, 5.0]]);
    assert_eq!(Vec::<i64>::try_from(x.col_indices()).unwrap(), [0, 1]);
}

#[test]
fn a_mask_is_the_positions_where_it_is_true() {
    let counts = random_counts(N, G, 11);
    let mask: Vec<bool> = (0..N).map(|i| i % 7 == 3).collect();
    for (what, x) in layouts(&cast(&counts, |v| v)) {
        let options = LoaderOptions {
            indices: Some(mask.clone().into()),
            batch_size: 4,
            ..Default::default()
        };
        check_loader(&what, x, &counts, options);
    }
}

#[test]
fn what_is_registered_per_gene_is_not_loaded() {
    let (mut adata, mut registry) = registered(Element::matrix(N, G, vec![1u8; N * G]).unwrap());
    adata.set(Slot::Var, "length", Element::vector(vec![1f32; G])).unwrap();
    let mut field = registry.field_registries["X"].clone();
    field.data_registry = Some(AttrLocation::new(Slot::Var, "length"));
    registry.field_registries.insert("length".into(), field);
    let loader = AnnDataLoader::new(&adata, &registry, LoaderOptions::default()).unwrap();
    let batch = loader.iter().next().unwrap().unwrap();
    assert!(batch.get("length").is_none() && batch.get("X").is_some());
}

#[test]
fn what_cannot_be_loaded_is_named() {
    let x = || Element::matrix(N, 1, vec![1u8; N]).unwrap();
    let refused = |options| load(x(), options).unwrap_err().to_string();
    assert_eq!(
        refused(LoaderOptions { indices: Some(vec![0, N, 1].into()), ..Default::default() }),
        "cell index 61 is out of range: there are 61 cells"
    );
    assert_eq!(
        refused(LoaderOptions { batch_size: 0, ..Default::default() }),
        "argument `batch_size`: expected at least 1, found 0"
    );
    assert_eq!(
        refused(LoaderOptions { indices: Some(vec![true; 3].into()), ..Default::default() }),
        "mask of cells: expected shape [61], found [3]"
    );
    let (mut adata, registry) = registered(x());
    adata.remove(Slot::Obs, "_scvi_batch");
    let refused = AnnDataLoader::new(&adata, &registry, LoaderOptions::default()).unwrap_err();
    assert_eq!(refused.to_string(), "obs has no `_scvi_batch`; present: batch, donor, site, half");
}

#[test]
fn a_fault_of_the_disk_comes_through() {
    let counts = cast(&random_counts(N, G, 5), |v| v as f32);
    let narrow = |v: Vec<i64>| Values::from(v);
    let matrix = compressed(SparseFormat::Csr, [N, G], &counts, narrow);
    let (mut adata, registry) = registered(Element::Sparse(matrix.clone()));
    adata.set(Slot::X, "", Disk::element(matrix, Some(40))).unwrap();
    let options = LoaderOptions { batch_size: 8, ..Default::default() };
    let loader = AnnDataLoader::new(&adata, &registry, options).unwrap();
    let mut batches = loader.iter();
    assert!(batches.by_ref().any(|batch| batch.is_err()));
    assert!(batches.next().is_none());
}

#[test]
fn sums_and_empty_cells_are_the_same_in_every_layout() {
    let mut counts = random_counts(N, G, 6);
    counts[3 * G..4 * G].fill(0);
    counts[60 * G..].fill(0);
    let expected: Vec<f64> =
        counts.chunks(G).map(|row| row.iter().map(|&v| f64::from(v)).sum()).collect();
    for (what, x) in layouts(&cast(&counts, |v| v as f32)) {
        assert_eq!(counts::row_sums(&x, "X").unwrap(), expected, "{what}");
        assert_eq!(counts::empty_cells(&x).unwrap(), [3, 60], "{what}");
        assert!(counts::is_counts(&x), "{what}");
    }
}

#[test]
fn library_moments_are_of_the_logs_per_batch() {
    // Batches 0, 1, 2 in turn; the last one only holds a cell without counts.
    let x = Element::matrix(6, 2, vec![1i32, 2, 5, 5, 0, 0, 4, 4, 1, 0, 0, 0]).unwrap();
    let (adata, mut registry) = registered(x);
    let batch = registry.field_registries.get_mut("batch").unwrap();
    batch.summary_stats.0.insert("n_batch".into(), 4);
    let (mean, var) = library_log_moments(&adata, &registry).unwrap();
    let moments = |a: f64, b: f64| {
        let mean = (a.ln() + b.ln()) / 2.0;
        (mean as f32, ((a.ln() - mean).powi(2) / 2.0 + (b.ln() - mean).powi(2) / 2.0) as f32)
    };
    let expected = [moments(3.0, 8.0), moments(10.0, 1.0), (0.0, 0.0), (0.0, 1.0)];
    assert_eq!(mean.into_iter().zip(var).collect::<Vec<_>>(), expected);
}

#[test]
fn without_a_batch_all_cells_are_one_and_without_counts_nothing_is_known() {
    let x = Element::matrix(2, 2, vec![1i32, 2, 5, 5]).unwrap();
    let (adata, mut registry) = registered(x);
    registry.field_registries.shift_remove("batch");
    let mean = (3f64.ln() + 10f64.ln()) / 2.0;
    let variance = ((3f64.ln() - mean).powi(2) + (10f64.ln() - mean).powi(2)) / 2.0;
    let expected = (vec![mean as f32], vec![variance as f32]);
    assert_eq!(library_log_moments(&adata, &registry).unwrap(), expected);
    registry.field_registries.shift_remove("X");
    assert_eq!(library_log_moments(&adata, &registry).unwrap(), (vec![0.0], vec![1.0]));
}
