//! Folders of every version of our format, as the program of its time wrote them: they stay readable.
//!
//! `tests/archive/format_N/model` is a model of simulated counts, trained for two epochs and saved with
//! its data set, `latent.csv` the latent space as the same program gave it.

use std::{fs, path::Path};

use scvi_framework::saved::{self, FORMAT_VERSION};

use super::Place;

fn latent(table: &Path) -> Vec<(String, f32)> {
    let mut table = csv::Reader::from_path(table).unwrap();
    let rows = table.records().map(Result::unwrap);
    let numbers = rows.flat_map(|row| {
        let values = row.iter().skip(1).map(|x| (row[0].to_owned(), x.parse().unwrap()));
        values.collect::<Vec<_>>()
    });
    numbers.collect()
}

#[track_caller]
fn check(version: u32) {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("archive/format_{version}"));
    let place = Place::new();
    fs::create_dir(place.at("m")).unwrap();
    for file in fs::read_dir(case.join("model")).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), place.at("m").join(file.file_name())).unwrap();
    }
    let saved = saved::read(&place.at("m")).unwrap();
    assert_eq!(saved.meta.format_version, version);
    place.scvi("query m get-latent-representation --threads 1 --out l.csv -q").says("");
    let (found, expected) = (latent(&place.at("l.csv")), latent(&case.join("latent.csv")));
    assert_eq!(found.len(), 120, "60 cells in 2 dimensions");
    for ((cell, found), (same, expected)) in found.iter().zip(&expected) {
        assert_eq!(cell, same);
        assert!((found - expected).abs() < 1e-5, "{cell}: {found} for {expected}");
    }
    let shown = place.scvi("show m").says("").out;
    assert!(shown.contains("SCVI model in m\n trained    yes, 2 epochs\n"), "{shown}");
}

/// A new version needs its folder here.
#[test]
fn every_version_of_our_folder_stays_readable() {
    (1..=FORMAT_VERSION).for_each(check);
}
