//! Every real file, in and out again.

use std::path::{Path, PathBuf};

use scvi_h5ad::{Backing, Compression, ReadOptions, WriteOptions, read, write};

use crate::python;

fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.join("data"), root.join("reference")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "h5ad" || extension == "h5mu" => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

#[track_caller]
fn check(backed: Backing, compression: Compression) {
    let (Some(python), Some(data)) = (python::interpreter(), python::data()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let pairs: Vec<(PathBuf, PathBuf)> = files(&data)
        .into_iter()
        .enumerate()
        .map(|(i, path)| {
            let adata = read(&path, ReadOptions { backed }).unwrap();
            let extension = path.extension().unwrap().to_str().unwrap();
            let copy = folder.path().join(format!("{i}.{extension}"));
            write(&copy, &adata, WriteOptions { compression }).unwrap();
            (path, copy)
        })
        .collect();
    assert!(pairs.len() >= 20, "only {} files", pairs.len());
    python::assert_equal(&python, &pairs);
}

#[test]
fn real_files_come_back_equal() {
    check(Backing::Memory, Compression::None);
}

#[test]
fn real_files_come_back_equal_from_disk_compressed() {
    check(Backing::Disk, Compression::Gzip(4));
}
