//! Every encoding with every compression, written by Python for the occasion.

use std::path::{Path, PathBuf};

use scvi_h5ad::{Backing, Compression, ReadOptions, WriteOptions, read, repr, write};

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
            let extension = path.extension().unwrap().to_str().unwrap();
            let copy = folder.path().join(format!("copy{i}.{extension}"));
            write(&copy, &adata, WriteOptions { compression: kinds[i % 3] }).unwrap();
            (path, copy)
        })
        .collect();
    python::assert_equal(&python, &pairs);

    let plain = folder.path().join("none.h5ad");
    let (noticed, said) = python::run(&python, "compare.py", &["--notices".into(), plain.clone()]);
    assert!(noticed, "{said}");
    for name in
        ["none.h5ad", "multimodal_0.h5mu", "multimodal_1.h5mu", "multimodal_-1.h5mu", "one.h5mu"]
    {
        let path = folder.path().join(name);
        let (done, printed) = python::run(&python, "show.py", std::slice::from_ref(&path));
        assert!(done, "{printed}");
        let shown = repr(&read(&path, ReadOptions::default()).unwrap());
        assert_eq!(shown, printed.trim_end_matches('\n'));
    }
}
