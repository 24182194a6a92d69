//! What other programs write: read by this crate as Python reads it, or refused by name.

use std::{
    fs,
    path::{Path, PathBuf},
};

use scvi_framework::anndata::AnnData;
use scvi_h5ad::{Features, ImportOptions, Source, WriteOptions, import, write};

use crate::python;

fn genome(name: &str) -> ImportOptions {
    ImportOptions { genome: Some(name.into()), ..Default::default() }
}

fn gene_expression() -> ImportOptions {
    ImportOptions { features: Features::GeneExpression, ..Default::default() }
}

/// Files read here and to be read by Python, as `how|path|option`.
struct Pairs {
    folder: tempfile::TempDir,
    words: Vec<PathBuf>,
}

impl Pairs {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), words: Vec::new() }
    }

    #[track_caller]
    fn add(&mut self, how: &str, path: &Path, option: &str, options: &ImportOptions) {
        let adata = import(path, options).unwrap().adata;
        self.keep(format!("{how}|{}|{option}", path.display()), &adata);
    }

    fn keep(&mut self, reference: String, adata: &AnnData) {
        let copy = self.folder.path().join(format!("{}.h5ad", self.words.len()));
        write(&copy, adata, WriteOptions::default()).unwrap();
        self.words.extend([reference.into(), copy]);
    }

    #[track_caller]
    fn compare(mut self, python: &Path) {
        self.words.insert(0, "compare".into());
        let (equal, said) = python::run(python, "sources.py", &self.words);
        assert!(equal, "{said}");
    }
}

#[test]
fn made_files_are_read_as_python_reads_them() {
    let Some(python) = python::interpreter() else { return };
    let mut pairs = Pairs::new();
    let made = pairs.folder.path().join("made");
    fs::create_dir(&made).unwrap();
    let (done, said) = python::run(&python, "sources.py", &["make".into(), made.clone()]);
    assert!(done, "{said}");
    let all = ImportOptions::default();
    for name in ["v3.h5", "v3_float.h5", "v3_probes.h5", "v2.h5"] {
        pairs.add("10x", &made.join(name), "", &all);
    }
    pairs.add("10x", &made.join("v3.h5"), "mm10", &genome("mm10"));
    pairs.add("10x gex", &made.join("v3.h5"), "", &gene_expression());
    pairs.add("10x", &made.join("v2_two.h5"), "hg19", &genome("hg19"));
    pairs.add("10x", &made.join("v2_two.h5"), "mm10", &genome("mm10"));
    for name in ["mtx_v3", "mtx_v2", "mtx_unsorted"] {
        pairs.add("mtx", &made.join(name), "", &all);
    }
    pairs.add("mtx gex", &made.join("mtx_v3"), "", &gene_expression());
    pairs.add("mtx", &made.join("mtx_v3_prefix"), "patient A_", &all);
    for name in ["plain.loom", "velocity.loom", "unnamed.loom"] {
        pairs.add("loom", &made.join(name), "", &all);
    }

    let source = |name: &str| Source::of(&made.join(name)).unwrap();
    assert_eq!(source("v3.h5"), Source::TenxV3);
    assert_eq!(source("v2_two.h5"), Source::TenxV2);
    assert_eq!(source("mtx_v3"), Source::TenxMtx);
    assert_eq!(source("mtx_v3/matrix.mtx.gz"), Source::TenxMtx);
    assert_eq!(source("plain.loom"), Source::Loom);
    assert_eq!(import(&made.join("mtx_v3"), &all).unwrap().renamed, 3);
    let said = import(&made.join("v2_two.h5"), &all).unwrap_err().to_string();
    assert!(said.ends_with("v2_two.h5: several genomes; choose one of hg19, mm10 with --genome"));
    for name in ["v2_two.h5", "v3.h5"] {
        let said = import(&made.join(name), &genome("rat")).unwrap_err().to_string();
        assert!(said.contains("no genome `rat`; choose one of "), "{said}");
    }
    pairs.compare(&python);
}

#[test]
fn real_files_are_read_as_python_reads_them() {
    let (Some(python), Some(data)) = (python::interpreter(), python::data()) else { return };
    let (data, mut pairs) = (data.join("data"), Pairs::new());
    let all = ImportOptions::default();
    let name = "scanpy_10x_3.0.0_filtered_feature_bc_matrix";
    let formats = data.join("formats");
    pairs.add("10x", &formats.join(format!("{name}.h5")), "", &all);
    pairs.add("10x gex", &formats.join(format!("{name}.h5")), "", &gene_expression());
    pairs.add("mtx", &formats, &format!("{name}_"), &all);
    for path in [
        "formats/mudata_v0.2.4_mdata_axis0",
        "formats/mudata_v0.4.1_mdata_axis0",
        "counts/snareseq_cortex",
    ] {
        let path = data.join(format!("{path}.h5mu"));
        let joint = import(&path, &all).unwrap();
        assert_eq!(joint.source, Source::H5mu);
        for (name, modality) in joint.adata.modalities() {
            pairs.keep(format!("h5mu|{}|{name}", path.display()), modality);
        }
    }
    pairs.compare(&python);
}

/// Every file of the collection reads, but for the malformed one, which is told what it lacks.
#[test]
fn every_format_at_hand_reads() {
    let Some(data) = python::data() else { return };
    let mut n_read = 0;
    for entry in fs::read_dir(data.join("data/formats")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.ends_with(".tsv.gz") {
            continue; // belongs to a matrix
        }
        match import(&path, &ImportOptions::default()) {
            Ok(imported) => {
                assert!(imported.adata.n_obs() > 0 && imported.adata.n_vars() > 0, "{name}");
                n_read += 1;
            }
            Err(error) => assert_eq!(
                error.to_string(),
                format!(
                    "{}: a 10x file that is not complete: `matrix/features` has no `id`, no `feature_type` \
                     (found name); use the one that Cell Ranger wrote, before anything was taken \
                     out of it",
                    data.join("data/formats/liger_10x_v3_stim_MISSING_FIELDS.h5").display()
                )
            ),
        }
    }
    assert_eq!(n_read, 7);
}

/// Asserts that reading fails and says `expected`, after the path.
#[track_caller]
fn refused(path: &Path, expected: &str) {
    let said = import(path, &ImportOptions::default()).unwrap_err().to_string();
    assert_eq!(said, format!("{}{expected}", path.display()));
}

#[test]
fn what_is_no_data_set_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let kinds = "not a data set of a known kind: expected .h5ad, .h5mu, 10x .h5, .loom, or a 10x \
                 folder with matrix.mtx, found";
    refused(&at("absent"), ": no such file");
    refused(folder.path(), &format!(": {kinds} a folder without matrix.mtx or matrix.mtx.gz"));
    fs::write(at("a.csv"), "cell,gene\n").unwrap();
    refused(&at("a.csv"), &format!(": {kinds} text: \"cell,gene\\n\""));
    let file = hdf5::File::create(at("b.h5")).unwrap();
    file.create_group("weights").unwrap();
    file.close().unwrap();
    refused(&at("b.h5"), &format!(": {kinds} HDF5 with weights in it"));
    let file = hdf5::File::create(at("c.loom")).unwrap();
    file.create_group("matrix").unwrap();
    file.create_group("col_attrs").unwrap();
    file.close().unwrap();
    let unfit = "; use the one that loompy wrote, before anything was taken out of it";
    let lacks =
        "a .loom file that is not complete: `/` has no `row_attrs` (found col_attrs, matrix)";
    refused(&at("c.loom"), &format!(": {lacks}{unfit}"));
}

#[test]
fn folders_that_are_not_whole_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let matrix = "%%MatrixMarket matrix coordinate integer general\n2 1 1\n1 1 3\n";
    fs::write(at("matrix.mtx"), matrix).unwrap();
    let unfit = "; use the one that Cell Ranger wrote, before anything was taken out of it";
    refused(
        folder.path(),
        &format!(
            ": a 10x folder that is not complete: `matrix.mtx` has no features.tsv or genes.tsv (or .gz) \
             beside it (found matrix.mtx){unfit}"
        ),
    );
    fs::write(at("genes.tsv"), "E1\ta\nE2\tb\n").unwrap();
    fs::write(at("barcodes.tsv"), "").unwrap();
    let lines = "lines, as the matrix says";
    refused(folder.path(), &format!("/barcodes.tsv: line 0: expected 1 {lines}, found the end"));
    fs::write(at("barcodes.tsv"), "C1\nC2\n").unwrap();
    refused(folder.path(), &format!("/barcodes.tsv: line 2: expected 1 {lines}, found more"));
    fs::write(at("barcodes.tsv"), "C1\n").unwrap();
    assert_eq!(import(folder.path(), &ImportOptions::default()).unwrap().adata.n_vars(), 2);
    fs::write(at("genes.tsv"), "E1\nE2\n").unwrap();
    let columns = "identifier and name of a feature, separated by a tab, found a single column";
    refused(folder.path(), &format!("/genes.tsv: line 1: expected {columns}"));
    fs::write(at("other_matrix.mtx"), matrix).unwrap();
    let several = ": several matrices: matrix.mtx, other_matrix.mtx; name the one that is meant";
    refused(folder.path(), several);
}
