//! Arrays that wait on disk, against the same arrays in memory and against Python.

use scvi_framework::anndata::{AnnData, DType, DataFrame, Dense, Element, Slot, Sparse};
use scvi_h5ad::{ReadOptions, Spool, WriteOptions, read, write};

fn numbers(shape: &[usize]) -> Dense {
    let n = shape.iter().product();
    let values = (0..n).map(|i| if i % 3 == 0 { i as f32 / 7.0 } else { 0.0 });
    Dense { shape: shape.into(), values: values.collect::<Vec<_>>().into() }
}

fn portions(whole: &Dense, lengths: &[usize]) -> Vec<Element> {
    let mut start = 0;
    let portion = |&n: &usize| {
        let values = whole.values.take(start..start + n);
        start += n;
        Element::Dense(Dense { shape: vec![n], values })
    };
    lengths.iter().map(portion).collect()
}

fn empty(n_obs: usize, n_vars: usize) -> AnnData {
    let names = |prefix: char, n: usize| (0..n).map(move |i| format!("{prefix}{i}"));
    AnnData::new(DataFrame::new(names('c', n_obs)), DataFrame::new(names('g', n_vars)))
}

#[test]
fn what_waited_on_disk_is_written_as_from_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (matrix, cube) = (numbers(&[5, 4]), numbers(&[2, 3, 4]));
    let sparse = Sparse::from_dense(&matrix).unwrap();
    let mut layer = Spool::dense(folder.path(), &[5, 4], DType::Float32).unwrap();
    portions(&matrix, &[8, 8, 4]).iter().for_each(|rows| layer.append(rows).unwrap());
    let mut draws = Spool::dense(folder.path(), &[2, 3, 4], DType::Float32).unwrap();
    portions(&cube, &[8, 4, 12]).iter().for_each(|rows| draws.append(rows).unwrap());
    let mut counts = Spool::csr(folder.path(), [5, 4], DType::Float32).unwrap();
    for rows in [0..2, 2..2, 2..5] {
        let values = matrix.values.take(rows.start * 4..rows.end * 4);
        let rows = Dense { shape: vec![rows.len(), 4], values };
        counts.append(&Element::Sparse(Sparse::from_dense(&rows).unwrap())).unwrap();
    }
    let mut adata = empty(5, 4);
    adata.set(Slot::Layers, "dense", layer.finish().unwrap()).unwrap();
    adata.set(Slot::Layers, "csr", counts.finish().unwrap()).unwrap();
    adata.set(Slot::Uns, "cube", draws.finish().unwrap()).unwrap();
    let path = folder.path().join("waited.h5ad");
    write(&path, &adata, WriteOptions::default()).unwrap();
    drop(adata);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "scratch files are left");

    let found = read(&path, ReadOptions::default()).unwrap();
    assert_eq!(found.get(Slot::Layers, "dense").unwrap(), &Element::Dense(matrix.clone()));
    assert_eq!(found.get(Slot::Uns, "cube").unwrap(), &Element::Dense(cube));
    let Element::Sparse(csr) = found.get(Slot::Layers, "csr").unwrap() else { panic!("not CSR") };
    assert_eq!((csr.to_dense(), csr.nnz()), (matrix, sparse.nnz()));
}

#[test]
fn what_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |n: usize| Element::Dense(numbers(&[n, 2]));
    let spool = || Spool::dense(folder.path(), &[3, 2], DType::Float32).unwrap();
    let said = |error: scvi_h5ad::Error| error.to_string();
    let expected = "expected 6 values of float32, shape [3, 2], found";
    let mut few = spool();
    few.append(&rows(2)).unwrap();
    let message = said(few.finish().unwrap_err());
    assert!(message.contains(&format!("{expected} 4")), "{message}");
    let message = said(spool().append(&rows(4)).unwrap_err());
    assert!(message.contains(&format!("{expected} 8 of float32")), "{message}");
    let doubles = Element::matrix(1, 2, vec![1.0_f64, 2.0]).unwrap();
    let message = said(spool().append(&doubles).unwrap_err());
    assert!(message.contains(&format!("{expected} 2 of float64")), "{message}");
    let missing = Spool::dense(&folder.path().join("none"), &[1], DType::Float32);
    let message = said(missing.err().unwrap());
    assert!(message.contains("none: create: No such file or directory"), "{message}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "scratch files are left");
}
