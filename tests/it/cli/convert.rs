//! What other programs write: converted, looked at, and refused where models read.

use std::fs;

use scvi_framework::anndata::{AnnData, DataFrame, Element, Slot};
use scvi_h5ad::{WriteOptions, write};

use super::{Place, read, test_data};

/// A 10x folder `sample` with a gene that occurs twice, and a protein.
fn with_folder() -> Place {
    let place = Place::new();
    let at = |name: &str| place.at("sample").join(name);
    fs::create_dir(place.at("sample")).unwrap();
    let features =
        "E1\tACTB\tGene Expression\nE2\tACTB\tGene Expression\nP\tCD3\tAntibody Capture\n";
    fs::write(at("features.tsv"), features).unwrap();
    fs::write(at("barcodes.tsv"), "AAAC-1\nAAAG-1\n").unwrap();
    let matrix = "%%MatrixMarket matrix coordinate integer general\n3 2 3\n1 1 5\n3 1 7\n2 2 1\n";
    fs::write(at("matrix.mtx"), matrix).unwrap();
    place
}

/// A file `joint.h5mu` with 200 cells of `rna` and a few of `protein`.
fn with_modalities() -> Place {
    let place = Place::new();
    let rna = read(&place.at("s.h5ad"));
    let mut protein = AnnData::new(DataFrame::new(["cell_0", "cell_3"]), DataFrame::new(["CD3"]));
    let x = Element::matrix(2, 1, vec![3.5_f32, 0.0]).unwrap();
    protein.set(Slot::X, "X", x).unwrap();
    let features: Vec<String> = [&rna, &protein]
        .iter()
        .flat_map(|part| part.var_names().unwrap().iter().map(str::to_owned))
        .collect();
    let cells: Vec<&str> = rna.obs_names().unwrap().iter().collect();
    let mut joint = AnnData::new(DataFrame::new(cells), DataFrame::new(features));
    joint.set_modality("rna", rna.clone());
    joint.set_modality("protein", protein);
    write(&place.at("joint.h5mu"), &joint, WriteOptions::default()).unwrap();
    place
}

#[test]
fn a_folder_becomes_a_file() {
    let place = with_folder();
    let note = "note: 1 feature name occurred before and got a number, e.g. `GENE-1`\n";
    let wrote = |n| format!("wrote 2 cells × {n} of a 10x folder to out.h5ad\n{note}");
    place.scvi("data convert sample out.h5ad").says(&wrote("3 features"));
    let adata = read(&place.at("out.h5ad"));
    assert!(adata.var_names().unwrap().iter().eq(["ACTB", "ACTB-1", "CD3"]));
    let x = adata.x().unwrap().rows(0..1).unwrap();
    let Element::Sparse(x) = x else { panic!("X is not sparse") };
    assert_eq!(
        (x.indices.to_i64()[..].to_vec(), x.data.to_f32()[..].to_vec()),
        (vec![0, 2], vec![5.0, 7.0])
    );

    let again = "data convert sample/matrix.mtx out.h5ad --gex-only";
    place.scvi(again).fails(1, "out.h5ad exists already; --overwrite replaces it");
    place.scvi(&format!("{again} --overwrite")).says(&wrote("2 features"));
    assert_eq!(read(&place.at("out.h5ad")).n_vars(), 2);
    let ending = "out.txt: cannot tell the kind of file; expected .h5ad";
    place.scvi("data convert sample out.txt").fails(1, ending);
    assert_eq!(place.names(), ["out.h5ad", "s.h5ad", "sample"]);
}

#[test]
fn a_modality_becomes_a_file() {
    let place = with_modalities();
    let convert = "data convert joint.h5mu rna.h5ad";
    let choose = "choose one of rna, protein with --modality";
    place.scvi(convert).fails(1, &format!("joint.h5mu: several modalities; {choose}"));
    let unknown = format!("joint.h5mu: no modality `atac`; {choose}");
    place.scvi(&format!("{convert} --modality atac")).fails(1, &unknown);
    let none = "s.h5ad: no modality `rna`; the file has none: leave out --modality";
    place.scvi("data convert s.h5ad rna.h5ad --modality rna").fails(1, none);
    let wrote = "wrote 200 cells × 50 features of an .h5mu file to rna.h5ad\n";
    place.scvi(&format!("{convert} --modality rna")).says(wrote);
    let (converted, whole) = (read(&place.at("rna.h5ad")), read(&place.at("s.h5ad")));
    assert_eq!(converted.x(), whole.x());
    assert_eq!(converted.obs(), whole.obs());
    place.scvi("train SCVI rna.h5ad --batch-key batch --max-epochs 1 --out m -q").says("");
}

#[test]
fn repeated_names_in_a_file_are_told() {
    let place = Place::new();
    place.change("twice.h5ad", |adata| {
        let names: Vec<String> = (0..50).map(|i| format!("gene {}", i % 48)).collect();
        let mut other = AnnData::new(adata.obs().clone(), DataFrame::new(names));
        other.set(Slot::X, "X", adata.x().unwrap().clone()).unwrap();
        *adata = other;
    });
    place.scvi("data convert twice.h5ad out.h5ad").says(
        "wrote 200 cells × 50 features of an .h5ad file to out.h5ad\n\
         note: 2 feature names occurred before, first `gene 0`; in Python \
         adata.var_names_make_unique() numbers them\n",
    );
}

#[test]
fn commands_that_need_a_converted_file_say_how() {
    let place = with_folder();
    let folder = "sample: a 10x folder, not an .h5ad file; convert it first: \
                  scvi data convert sample sample.h5ad";
    place.scvi("train SCVI sample --out m").fails(1, folder);
    place.scvi("setup SCVI sample").fails(1, folder);
    fs::rename(place.at("sample"), place.at("my sample")).unwrap();
    let mut command = place.command("setup SCVI");
    super::Ran::of(command.arg("my sample")).fails(
        1,
        "my sample: a 10x folder, not an .h5ad file; convert it first: \
         scvi data convert 'my sample' 'my sample.h5ad'",
    );

    let place = with_modalities();
    place.scvi("train SCVI s.h5ad --batch-key batch --max-epochs 1 --out m -q").says("");
    place.scvi("query m get-elbo --adata joint.h5mu --out -").fails(
        1,
        "joint.h5mu: an .h5mu file, not an .h5ad file; convert it first: \
         scvi data convert joint.h5mu joint.h5ad --modality NAME, which is one of rna, protein",
    );
}

#[test]
fn everything_that_converts_can_be_looked_at() {
    let shown = with_folder().scvi("data show sample").says("").out;
    let begin =
        "AnnData object with n_obs × n_vars = 2 × 3\n    var: 'gene_ids', 'feature_types'\n\n";
    assert!(shown.starts_with(begin), "{shown}");
    let place = with_modalities();
    let shown = place.scvi("data show joint.h5mu").says("").out;
    let begin =
        "MuData object with n_obs × n_vars = 200 × 51\n  2 modalities\n    rna:\t200 × 50\n";
    assert!(shown.starts_with(begin), "{shown}");
    for row in [" rna:X ", " protein:X ", " no counts: ", " rna:batch "] {
        assert!(shown.contains(row), "no {row:?} in {shown}");
    }
    let shown = place.scvi("data show joint.h5mu --json").says("").out;
    let json: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(json["modalities"][1]["n_obs"], 2);
    assert_eq!(json["matrices"][1]["counts"], false);
}

#[test]
fn a_malformed_file_is_told_what_it_lacks() {
    let Some(formats) = test_data("data/formats") else { return };
    let place = Place::new();
    let name = "liger_10x_v3_stim_MISSING_FIELDS.h5";
    fs::copy(formats.join(name), place.at(name)).unwrap();
    let message = format!(
        "{name}: a 10x file that is not complete: `matrix/features` has no `id`, no `feature_type` (found \
         name); use the one that Cell Ranger wrote, before anything was taken out of it"
    );
    place.scvi(&format!("data convert {name} out.h5ad")).fails(1, &message);
    place.scvi(&format!("data show {name}")).fails(1, &message);
    assert_eq!(place.names(), [name, "s.h5ad"]);
}
