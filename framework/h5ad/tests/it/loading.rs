//! Minibatches from disk are those from memory, in memory that does not grow with the file.

use std::{fs, path::Path};

use scvi_framework::{
    Error,
    anndata::{AnnData, DataFrame, Element, Slot, Sparse, SparseFormat},
    data::{
        AnnDataLoader, AnnDataManager, Batch, LoaderOptions, Order, Registry, Simulation, simulate,
    },
    fields::{AnnDataField, LayerField, NumericalObsField},
    params::Args,
    registry_keys::REGISTRY_KEYS,
};
use scvi_h5ad::{Backing, Compression, ReadOptions, WriteOptions, read, write, write_in_blocks};

use crate::python;

/// Cells and genes of the large data set; of each cell every twentieth gene is expressed.
const SHAPE: [usize; 2] = [50_000, 2_000];

/// Columns of cell `row`, rising, and its count in each.
fn counts(row: usize) -> impl Iterator<Item = (usize, f32)> {
    (row % 20..SHAPE[1]).step_by(20).map(move |gene| (gene, (1 + (row + gene) % 9) as f32))
}

fn block(rows: std::ops::Range<usize>) -> Result<Sparse, Error> {
    let (mut indices, mut data, mut ends) = (Vec::new(), Vec::new(), vec![0i32]);
    for row in rows.clone() {
        for (gene, count) in counts(row) {
            indices.push(gene as i32);
            data.push(count);
        }
        ends.push(data.len() as i32);
    }
    let shape = [rows.len(), SHAPE[1]];
    Sparse::new(SparseFormat::Csr, shape, data.into(), indices.into(), ends.into())
}

fn registered(path: &Path, backed: Backing) -> (AnnData, Registry) {
    let mut adata = read(path, ReadOptions { backed }).unwrap();
    let fields = vec![
        LayerField::new(REGISTRY_KEYS.x, None).boxed(),
        NumericalObsField::new(REGISTRY_KEYS.indices, Some("number")).boxed(),
    ];
    let manager = AnnDataManager::register(fields, "M", Args::new(), &mut adata).unwrap();
    (adata, manager.into_registry())
}

fn numbers(n: usize) -> Element {
    Element::vector((0..n as i64).collect::<Vec<_>>())
}

/// Bytes, where the system tells: those resident at their peak (`VmHWM`) or now (`VmRSS`).
fn memory(what: &str) -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(what))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? * 1024)
}

#[test]
fn an_epoch_from_disk_is_that_from_memory_and_needs_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.h5ad");
    let names = |prefix: &str, n| DataFrame::new((0..n).map(|i| format!("{prefix}{i}")));
    let mut cells = AnnData::new(names("c", SHAPE[0]), names("g", SHAPE[1]));
    cells.set(Slot::Obs, "number", numbers(SHAPE[0])).unwrap();
    let blocks = (0..SHAPE[0]).step_by(1000).map(|start| block(start..start + 1000));
    write_in_blocks(&path, &cells, blocks).unwrap();

    let order = Order::ShuffledInBlocks { seed: 3 };
    let options = || LoaderOptions { order, ..Default::default() };
    let (disk, registry) = registered(&path, Backing::Disk);
    let disk = AnnDataLoader::new(&disk, &registry, options()).unwrap();
    let before = memory("VmRSS");
    let _ = fs::write("/proc/self/clear_refs", "5"); // the peak begins anew
    let mut seen = vec![false; SHAPE[0]];
    for batch in disk.epoch(1) {
        let batch = batch.unwrap();
        let rows = Vec::<Vec<f32>>::try_from(batch.x().unwrap()).unwrap();
        let cells = batch.require(REGISTRY_KEYS.indices).unwrap().view([-1]);
        for (row, cell) in rows.into_iter().zip(Vec::<i64>::try_from(cells).unwrap()) {
            assert!(!std::mem::replace(&mut seen[cell as usize], true), "cell {cell} comes twice");
            let mut expected = vec![0.0; SHAPE[1]];
            counts(cell as usize).for_each(|(gene, count)| expected[gene] = count);
            assert_eq!(row, expected, "cell {cell}");
        }
    }
    assert!(seen.into_iter().all(|cell| cell));
    if let (Some(before), Some(peak)) = (before, memory("VmHWM")) {
        let dense = SHAPE[0] * SHAPE[1] * size_of::<f32>();
        let used = peak.saturating_sub(before);
        assert!(used < dense / 4, "{used} bytes for an epoch over {dense}");
    }

    let (memory, registry) = registered(&path, Backing::Memory);
    let memory = AnnDataLoader::new(&memory, &registry, options()).unwrap();
    assert_eq!(memory.n_batches(), disk.n_batches());
    for (a, b) in memory.epoch(2).zip(disk.epoch(2)) {
        assert_same(&a.unwrap(), &b.unwrap());
    }
}

#[track_caller]
fn assert_same(a: &Batch, b: &Batch) {
    for key in a.keys() {
        assert_eq!(a.require(key).unwrap(), b.require(key).unwrap(), "{key}");
    }
}

#[test]
fn rows_from_disk_come_in_the_order_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.h5ad");
    let p = Simulation { n_obs: 700, n_vars: 40, ..Default::default() };
    let mut sparse = simulate(&p).unwrap();
    sparse.set(Slot::Obs, "number", numbers(p.n_obs)).unwrap();
    let mut dense = sparse.clone();
    let whole = with_zeros(&sparse);
    dense.set(Slot::X, "", whole).unwrap();
    for adata in [sparse, dense] {
        for compression in [Compression::None, Compression::Gzip(1), Compression::Lzf] {
            write(&path, &adata, WriteOptions { compression }).unwrap();
            let load = |backed, load_sparse_tensor| -> Vec<Batch> {
                let (adata, registry) = registered(&path, backed);
                let rows: Vec<usize> = (0..3000).map(|i| i * 7919 % 701 % p.n_obs).collect();
                let indices = Some(rows.into());
                let options = LoaderOptions {
                    indices,
                    batch_size: 64,
                    load_sparse_tensor,
                    ..Default::default()
                };
                let loader = AnnDataLoader::new(&adata, &registry, options).unwrap();
                loader.iter().collect::<Result<_, _>>().unwrap()
            };
            let (memory, disk) = (load(Backing::Memory, false), load(Backing::Disk, false));
            assert_eq!(memory.len(), disk.len());
            memory.iter().zip(&disk).for_each(|(a, b)| assert_same(a, b));
            for (a, b) in memory.iter().zip(&load(Backing::Disk, true)) {
                assert_eq!(*a.x().unwrap(), b.x().unwrap().to_dense(None, false));
            }
        }
    }
}

/// The same counts with their zeros.
fn with_zeros(adata: &AnnData) -> Element {
    let (n, m) = (adata.n_obs(), adata.n_vars());
    let Some(Element::Sparse(x)) = adata.x() else { panic!("simulated counts are sparse") };
    let (starts, columns) = (x.indptr.to_i64(), x.indices.to_i64());
    let mut values = vec![0f32; n * m];
    for row in 0..n {
        for i in starts[row] as usize..starts[row + 1] as usize {
            values[row * m + columns[i] as usize] = x.data.get_f64(i) as f32;
        }
    }
    Element::matrix(n, m, values).unwrap()
}

#[test]
fn a_matrix_stored_by_column_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("csc.h5ad");
    let mut adata = AnnData::new(DataFrame::new(["a", "b"]), DataFrame::new(["g", "h"]));
    let (data, at, ends) = (vec![1f32, 2.0], vec![0i32, 1], vec![0i32, 1, 2]);
    let csc = Sparse::new(SparseFormat::Csc, [2, 2], data.into(), at.into(), ends.into()).unwrap();
    adata.set(Slot::X, "", Element::Sparse(csc)).unwrap();
    write(&path, &adata, WriteOptions::default()).unwrap();
    let mut backed = read(&path, ReadOptions { backed: Backing::Disk }).unwrap();
    let fields = vec![LayerField::new(REGISTRY_KEYS.x, None).boxed()];
    let refused = AnnDataManager::register(fields, "M", Args::new(), &mut backed).unwrap_err();
    let expected = format!(
        "{}: `X` is stored by column (CSC), so that its rows cannot be read one by one; read it into \
         memory, or rewrite the file in Python with `adata.X = adata.X.tocsr()`",
        path.display()
    );
    assert_eq!(refused.to_string(), expected);
    // It is still copied from file to file.
    let copy = folder.path().join("copy.h5ad");
    write(&copy, &backed, WriteOptions::default()).unwrap();
    let copied = read(&copy, ReadOptions::default()).unwrap();
    assert_eq!(copied.x(), adata.x());
    let Some(python) = python::interpreter() else { return };
    python::assert_equal(&python, &[(path, copy)]);
}
