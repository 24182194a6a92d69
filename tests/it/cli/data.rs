//! Files and columns that cannot be used.

use std::fs;

use scvi_framework::anndata::{Element, Slot};

use super::Place;

/// Training on the file `bad.h5ad` with these options fails with this message and leaves nothing.
#[track_caller]
fn check(place: &Place, options: &str, expected: &str) {
    let before = place.names();
    place.scvi(&format!("train SCVI bad.h5ad --out m {options}")).fails(1, expected);
    assert_eq!(place.names(), before);
}

#[test]
fn no_file() {
    check(&Place::new(), "", "bad.h5ad: no such file");
}

#[test]
fn no_h5ad() {
    let place = Place::new();
    fs::write(place.at("bad.h5ad"), "cell,gene\n").unwrap();
    check(&place, "", "bad.h5ad: not an .h5ad file: expected HDF5, found text: \"cell,gene\\n\"");
}

#[test]
fn another_kind_of_hdf5() {
    let place = Place::new();
    let file = hdf5::File::create(place.at("bad.h5ad")).unwrap();
    file.create_group("matrix").unwrap();
    file.close().unwrap();
    check(
        &place,
        "",
        "bad.h5ad: an HDF5 file, but not AnnData: expected members `obs` and `var`, found matrix",
    );
}

#[test]
fn truncated() {
    let place = Place::new();
    let whole = fs::read(place.at("s.h5ad")).unwrap();
    fs::write(place.at("bad.h5ad"), &whole[..20_000]).unwrap();
    let message = format!(
        "bad.h5ad: truncated or damaged file: `/` cannot be read (H5Fopen(): unable to \
         synchronously open file: truncated file: eof = 20000, sblock->base_addr = 0, stored_eof = \
         {}); copy or download it again",
        whole.len()
    );
    check(&place, "", &message);
}

#[test]
fn corrupt() {
    let place = Place::new();
    let mut bytes = fs::read(place.at("s.h5ad")).unwrap();
    bytes[48..400].fill(0xff);
    fs::write(place.at("bad.h5ad"), bytes).unwrap();
    let ran = place.scvi("train SCVI bad.h5ad --out m");
    let begin = "error: bad.h5ad: truncated or damaged file: `/` cannot be read (";
    assert!(ran.err.starts_with(begin), "{}", ran.err);
    assert!(ran.err.ends_with("); copy or download it again\n"), "{}", ran.err);
    assert_eq!((ran.code, place.names()), (Some(1), vec!["bad.h5ad".into(), "s.h5ad".into()]));
}

#[test]
fn a_missing_layer() {
    let place = Place::new();
    place.change("bad.h5ad", |adata| {
        let x = adata.x().unwrap().clone();
        adata.set(Slot::Layers, "spliced", x).unwrap();
    });
    check(&place, "--layer counts", "layers has no `counts`; present: spliced");
}

#[test]
fn a_missing_column() {
    let place = Place::new();
    place.change("bad.h5ad", |_| {});
    let present = "present: batch, cell_type, donor, cell_source, percent_mito, percent_ribo";
    check(&place, "--batch-key sample", &format!("obs has no `sample`; {present}"));
    check(
        &place,
        "--continuous-covariate-keys percent_mito,age",
        &format!("obs has no `age`; {present}"),
    );
}

#[test]
fn cells_without_a_category() {
    let place = Place::new();
    place.change("bad.h5ad", |adata| {
        let Ok(Element::Categorical(batch)) = adata.get(Slot::Obs, "batch") else { panic!() };
        let mut batch = batch.clone();
        let mut codes = batch.codes.to_i64().to_vec();
        codes[2] = -1;
        codes[9] = -1;
        batch.codes = codes.iter().map(|&code| code as i8).collect::<Vec<_>>().into();
        adata.set(Slot::Obs, "batch", Element::Categorical(batch)).unwrap();
    });
    check(
        &place,
        "--batch-key batch",
        "obs column `batch`: 2 of 200 cells have no value (NaN), first cell_2, cell_9; give them a \
         category of their own, or drop them",
    );
}
