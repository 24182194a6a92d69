//! Cuts, codes, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use binned_field::{BinnedObsField, Cut};
use scvi_framework::{
    Error, Result,
    anndata::{AnnData, DataFrame, Dense, Element, Slot},
    data::AnnDataManager,
    fields::{AnnDataField, CategoricalObsField, Transfer, from_json},
    params::Args,
    serde_json::{self, json},
};

fn cells(column: Element) -> AnnData {
    let n = column.shape()[0];
    let names: Vec<String> = (0..n).map(|i| format!("cell {i}")).collect();
    let mut adata = AnnData::new(DataFrame::new(names), DataFrame::new(["g"]));
    adata.set(Slot::Obs, "age", column).unwrap();
    adata
}

fn ages(numbers: impl IntoIterator<Item = f64>) -> AnnData {
    cells(Element::vector(numbers.into_iter().collect::<Vec<_>>()))
}

fn register(field: BinnedObsField, adata: &mut AnnData) -> Result<AnnDataManager> {
    AnnDataManager::register(vec![field.boxed()], "Test", Args::new(), adata)
}

fn codes(adata: &AnnData) -> Vec<i64> {
    match adata.get(Slot::Obs, "_scvi_batch").unwrap() {
        Element::Dense(Dense { values, .. }) => values.to_i64().to_vec(),
        other => panic!("{other:?}"),
    }
}

/// By going through all cells for each cell: the bin is the share of cells below, in `n_bins` parts.
fn slowly(numbers: &[f64], n_bins: usize) -> Vec<i64> {
    let n_below = |x: f64| numbers.iter().filter(|y| **y < x).count();
    numbers.iter().map(|&x| (n_below(x) * n_bins / numbers.len()) as i64).collect()
}

#[test]
fn quantiles_put_as_many_cells_into_each_bin() {
    // 7 and 101 have no common divisor, so this is every number from 0 to 100, mixed.
    let numbers: Vec<f64> = (0..100).map(|i| f64::from(i * 7 % 101)).collect();
    for n_bins in [2, 4, 5, 10, 100] {
        let mut adata = ages(numbers.clone());
        let field = BinnedObsField::new("batch", "age", n_bins, Cut::Quantiles);
        let manager = register(field, &mut adata).unwrap();
        assert_eq!(codes(&adata), slowly(&numbers, n_bins), "{n_bins} bins");
        assert_eq!(manager.summary_stats().n_batch(), n_bins as i64);
    }
}

#[test]
fn equal_widths_and_the_upper_end_belongs_to_the_bin() {
    let mut adata = ages([0.0, 2.5, 2.6, 5.0, 9.9, 10.0]);
    let manager =
        register(BinnedObsField::new("batch", "age", 4, Cut::EqualWidth), &mut adata).unwrap();
    assert_eq!(codes(&adata), [0, 0, 1, 1, 3, 3]);
    let state = serde_json::to_value(manager.registry().state("batch").unwrap()).unwrap();
    let expected = json!({
        "cut_points": [2.5, 5.0, 7.5],
        "categorical_mapping": ["(-inf, 2.5]", "(2.5, 5]", "(5, 7.5]", "(7.5, inf)"],
        "original_key": "age",
    });
    assert_eq!(state, expected);
}

#[test]
fn other_data_are_cut_at_the_same_places() {
    let mut adata = ages((0..100).map(f64::from));
    let manager =
        register(BinnedObsField::new("batch", "age", 4, Cut::Quantiles), &mut adata).unwrap();
    let mut other = ages([-1e9, 24.75, 24.76, 60.0, 1e9]);
    let transferred = manager.transfer_fields(&mut other, Transfer::default()).unwrap();
    assert_eq!(codes(&other), [0, 0, 1, 2, 3]);
    assert_eq!(transferred.registry().state("batch"), manager.registry().state("batch"));
}

#[track_caller]
fn refused(adata: &mut AnnData, n_bins: usize, cut: Cut, expected: &str) {
    let error = register(BinnedObsField::new("batch", "age", n_bins, cut), adata).unwrap_err();
    assert_eq!(error.to_string(), expected);
    assert!(adata.get(Slot::Obs, "_scvi_batch").is_err());
}

#[test]
fn what_cannot_be_cut_is_refused() {
    let quantiles = Cut::Quantiles;
    refused(
        &mut ages([1.0, f64::NAN, 2.0, f64::INFINITY]),
        2,
        quantiles,
        "obs column `age`: 2 of 4 cells have no finite number, first cell 1, cell 3; no bin is theirs: \
         fill in the values or drop these cells",
    );
    refused(
        &mut ages([0.0, 0.0, 0.0, 1.0]),
        3,
        quantiles,
        "argument `n_bins`: expected bins that obs column `age` can be cut into, found 3 with a bin \
         without cells, so often does a value occur",
    );
    refused(
        &mut ages([2.0, 2.0]),
        2,
        Cut::EqualWidth,
        "argument `n_bins`: expected bins that obs column `age` can be cut into, found 2 with one value \
         only",
    );
    refused(&mut ages([1.0, 2.0]), 1, quantiles, "argument `n_bins`: expected at least 2, found 1");
    let mut words = cells(Element::strings(["young", "old"]));
    let error =
        register(BinnedObsField::new("batch", "age", 2, quantiles), &mut words).unwrap_err();
    assert!(matches!(error, Error::Kind { .. }), "{error}");
}

#[test]
fn it_is_written_as_one_would_type_it() {
    let typed = json!({ "field": "BinnedObsField", "registry_key": "batch", "obs_key": "age", "n_bins": 3 });
    let field = from_json(&typed).unwrap();
    let written = serde_json::to_value(&field).unwrap();
    assert_eq!(written["cut"], "quantiles");
    assert_eq!(serde_json::to_value(from_json(&written).unwrap()).unwrap(), written);
    let misspelt = json!({ "field": "BinnedObsField", "registry_key": "batch", "obs": "age" });
    let error = from_json(&misspelt).unwrap_err().to_string();
    assert!(
        error.starts_with("field `BinnedObsField`: unknown field `obs`, expected one of"),
        "{error}"
    );
}

#[test]
fn a_column_of_codes_made_by_hand_gives_the_same_codes() {
    let mut adata = ages((0..60).map(|i| f64::from(i * 7 % 61)));
    let numbers: Vec<f64> = (0..60).map(|i| f64::from(i * 7 % 61)).collect();
    let by_hand = slowly(&numbers, 3).into_iter().map(|code| ["a", "b", "c"][code as usize]);
    adata.set(Slot::Obs, "third", Element::strings(by_hand.collect::<Vec<_>>())).unwrap();
    register(BinnedObsField::new("batch", "age", 3, Cut::Quantiles), &mut adata).unwrap();
    let binned = codes(&adata);
    let field = CategoricalObsField::new("batch", Some("third")).boxed();
    AnnDataManager::register(vec![field], "Test", Args::new(), &mut adata).unwrap();
    assert_eq!(codes(&adata), binned);
}
