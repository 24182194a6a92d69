//! Models that earlier versions of this program saved: they stay readable for ever.
//!
//! `tests/archive` has a folder for each version of the format, and `latent.csv`, what that version
//! answered. They are never written anew; a new version adds one.

use std::{fs, path::Path};

use scvi_framework::saved::FORMAT_VERSION;

use super::Place;

#[test]
fn every_version_of_a_saved_model_is_read() {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("archive");
    for version in 1..=FORMAT_VERSION {
        let folder = archive.join(format!("v{version}"));
        let place = Place::new();
        let at = folder.display();
        place.scvi(&format!("query {at} get-latent-representation --out l.csv -q")).says("");
        let expected = numbers(&folder.join("latent.csv"));
        let found = numbers(&place.at("l.csv"));
        assert_eq!(found.len(), expected.len(), "{at}");
        let close = |(found, expected): (&f64, &f64)| (found - expected).abs() < 1e-5;
        assert!(found.iter().zip(&expected).all(close), "{at}: {found:?} for {expected:?}");
        let shown = place.scvi(&format!("show {at}")).says("").out;
        let head = format!("SCVI model in {at}\n trained    yes, 3 epochs\n");
        assert!(shown.starts_with(&head), "{shown}");
    }
}

/// All numbers of a table, without the first row and column.
fn numbers(path: &Path) -> Vec<f64> {
    let text = fs::read_to_string(path).unwrap();
    let cells = text.lines().skip(1).flat_map(|line| line.split(',').skip(1));
    cells.map(|cell| cell.parse().unwrap()).collect()
}
