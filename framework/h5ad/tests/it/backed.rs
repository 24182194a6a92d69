//! Matrices left on disk give the same rows as matrices in memory.

use std::path::Path;

use scvi_framework::anndata::{AnnData, Element, Slot};
use scvi_h5ad::{Backing, Compression, ReadOptions, WriteOptions, read, write};

use crate::python;

fn open(path: &Path, backed: Backing) -> AnnData {
    read(path, ReadOptions { backed }).unwrap()
}

#[track_caller]
fn check(path: &Path) {
    let (memory, disk) = (open(path, Backing::Memory), open(path, Backing::Disk));
    let n = memory.n_obs();
    let keys = memory.mapping(Slot::Layers).unwrap().keys();
    let places = keys.map(|key| (Slot::Layers, key.clone()));
    for (slot, key) in places.chain([(Slot::X, "X".to_owned())]) {
        let (whole, left) = (memory.get(slot, &key).unwrap(), disk.get(slot, &key).unwrap());
        assert_eq!(whole.shape(), left.shape());
        for rows in [0..n, 0..0, n..n, 0..1, n / 3..n / 2, n - 1..n] {
            let expected = whole.rows(rows.clone()).unwrap();
            assert_eq!(left.rows(rows.clone()).unwrap(), expected, "{path:?} {key} {rows:?}");
        }
        assert!(left.rows(0..n + 1).is_err());
    }
}

#[test]
fn rows_on_disk_equal_rows_in_memory() {
    let Some(data) = python::data() else { return };
    let folder = tempfile::tempdir().unwrap();
    for (i, name) in ["counts/snareseq_cortex_rna", "formats/anndata_v0.7.8"].iter().enumerate() {
        let path = data.join("data").join(name).with_extension("h5ad");
        let path = if i == 1 { data.join("data/formats/anndata_v0.7.8.h5ad") } else { path };
        check(&path);
        for compression in [Compression::None, Compression::Gzip(1), Compression::Lzf] {
            let copy = folder.path().join("copy.h5ad");
            write(&copy, &open(&path, Backing::Memory), WriteOptions { compression }).unwrap();
            check(&copy);
        }
    }
}

#[test]
fn matrices_stay_on_disk_where_they_can() {
    let Some(data) = python::data() else { return };
    let adata = open(&data.join("data/formats/anndata_v0.7.8.h5ad"), Backing::Disk);
    assert!(matches!(adata.x(), Some(Element::Backed(_))));
    assert!(matches!(adata.get(Slot::Layers, "array"), Ok(Element::Backed(_))));
}
