//! Every encoding with every compression, written by Python for the occasion.

use std::path::{Path, PathBuf};

use scvi_h5ad::{Backing, Compression, ReadOptions, WriteOptions, read, write};

use crate::python;

/// Files written by Python in a new folder.
fn generated(python: &Path) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let (done, said) = python::run(python, "generate.py", &[folder.path().to_owned()]);
    assert!(done, "{said}");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 30, "only {} files", files.len());
    (folder, files)
}

#[test]
fn every_encoding_comes_back_equal() {
    let Some(python) = python::interpreter() else { return };
    let (folder, files) = generated(&python);
    let kinds = [Compression::None, Compression::Gzip(6), Compression::Lzf];
    let pairs: Vec<(PathBuf, PathBuf)> = files
        .into_iter()
        .enumerate()
        .map(|(i, path)| {
            let backed = if i % 2 == 0 { Backing::Memory } else { Backing::Disk };
            let adata = read(&path, ReadOptions { backed }).unwrap();
            let copy = folder.path().join(format!("copy{i}.h5ad"));
            write(&copy, &adata, WriteOptions { compression: kinds[i % 3] }).unwrap();
            (path, copy)
        })
        .collect();
    python::assert_equal(&python, &pairs);
}
