//! `BinnedObsField`: a column of numbers of obs, cut into bins, for every model that reads categories.
//!
//! Where the cuts are is found once, in the data set that is registered first; all others are cut at
//! the same places. The first and the last bin have no outer end, so that any number falls into one.
#![deny(missing_docs, unsafe_code)]

use scvi_framework::{
    anndata::{AnnData, Element, Slot},
    fields::{AttrLocation, FieldState, Transfer},
    prelude::*,
    serde::{Deserialize, Serialize},
    serde_json::json,
    typetag,
};

/// Where a column is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "scvi_framework::serde", rename_all = "snake_case")]
pub enum Cut {
    /// At its quantiles: about as many cells in each bin.
    #[default]
    Quantiles,
    /// At equal distances from the smallest to the largest number.
    EqualWidth,
}

/// A column of numbers of obs, read as categories: one per bin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(crate = "scvi_framework::serde", deny_unknown_fields)]
pub struct BinnedObsField {
    registry_key: String,
    obs_key: String,
    n_bins: usize,
    #[serde(default)]
    cut: Cut,
}

/// What the state of the field holds. The last two are what the framework's categorical fields
/// remember, so that tables of a registry show bins as they show batches.
const CUT_POINTS: &str = "cut_points";
const CATEGORIES: &str = "categorical_mapping";
const ORIGINAL_KEY: &str = "original_key";

impl BinnedObsField {
    /// The column `obs_key` in `n_bins` bins, for the module's tensor `registry_key`.
    pub fn new(registry_key: &str, obs_key: &str, n_bins: usize, cut: Cut) -> Self {
        Self { registry_key: registry_key.into(), obs_key: obs_key.into(), n_bins, cut }
    }

    fn code_key(&self) -> String {
        format!("_scvi_{}", self.registry_key)
    }

    /// The numbers of the column, all finite.
    fn numbers(&self, adata: &AnnData) -> Result<Vec<f64>> {
        let column = adata.get(Slot::Obs, &self.obs_key)?;
        let Some(numbers) = as_numbers(column) else {
            return Err(Error::Kind {
                what: format!("obs column `{}`", self.obs_key),
                expected: "numbers".into(),
                found: column.kind(),
            });
        };
        let is_bad = |i: &usize| !numbers[*i].is_finite();
        let bad: Vec<usize> = (0..numbers.len()).filter(is_bad).collect();
        if bad.is_empty() {
            return Ok(numbers);
        }
        let names = adata.obs_names()?;
        Err(Error::BadValues {
            what: format!("obs column `{}`", self.obs_key),
            n_bad: bad.len(),
            n_rows: adata.n_obs(),
            rows: "cells",
            wrong: "no finite number",
            names: bad.iter().take(5).map(|&i| names.get(i).to_owned()).collect(),
            hint: "no bin is theirs: fill in the values or drop these cells",
        })
    }

    /// The inner ends of the bins, `n_bins - 1` of them, in rising order.
    fn cut_points(&self, numbers: &[f64]) -> Result<Vec<f64>> {
        let mut sorted = numbers.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (Some(&first), Some(&last)) = (sorted.first(), sorted.last()) else {
            return Err(self.too_many("no cells"));
        };
        let at = |share: f64| match self.cut {
            Cut::Quantiles => quantile(&sorted, share),
            Cut::EqualWidth => first + share * (last - first),
        };
        let points: Vec<f64> =
            (1..self.n_bins).map(|i| at(i as f64 / self.n_bins as f64)).collect();
        if first == last {
            return Err(self.too_many("one value only"));
        }
        let mut n_cells = vec![0usize; self.n_bins];
        numbers.iter().for_each(|&number| n_cells[bin(&points, number)] += 1);
        if self.cut == Cut::Quantiles && n_cells.contains(&0) {
            return Err(self.too_many("a bin without cells, so often does a value occur"));
        }
        Ok(points)
    }

    fn too_many(&self, found: &str) -> Error {
        Error::Argument {
            name: "n_bins".into(),
            expected: format!("bins that obs column `{}` can be cut into", self.obs_key),
            found: format!("{} with {found}", self.n_bins),
        }
    }

    /// Writes the codes of the bins, and says what must be remembered.
    fn write(&self, adata: &mut AnnData, points: &[f64]) -> Result<FieldState> {
        let codes: Vec<i32> =
            self.numbers(adata)?.into_iter().map(|number| bin(points, number) as i32).collect();
        adata.set(Slot::Obs, &self.code_key(), Element::vector(codes))?;
        Ok([
            (CUT_POINTS, json!(points)),
            (CATEGORIES, json!(labels(points))),
            (ORIGINAL_KEY, json!(self.obs_key)),
        ]
        .into_iter()
        .collect())
    }
}

#[typetag::serde]
impl AnnDataField for BinnedObsField {
    fn registry_key(&self) -> &str {
        &self.registry_key
    }

    fn location(&self) -> Option<AttrLocation> {
        Some(AttrLocation::new(Slot::Obs, self.code_key()))
    }

    fn validate_field(&self, adata: &AnnData) -> Result<()> {
        if self.n_bins < 2 {
            return Err(Error::Argument {
                name: "n_bins".into(),
                expected: "at least 2".into(),
                found: self.n_bins.to_string(),
            });
        }
        self.numbers(adata).map(|_| ())
    }

    fn register_field(&self, adata: &mut AnnData) -> Result<FieldState> {
        let points = self.cut_points(&self.numbers(adata)?)?;
        self.write(adata, &points)
    }

    fn transfer_field(
        &self,
        state: &FieldState,
        target: &mut AnnData,
        _: Transfer,
    ) -> Result<FieldState> {
        let points: Vec<f64> = state.read(CUT_POINTS).ok_or_else(|| Error::MissingElement {
            slot: "state of the field",
            key: CUT_POINTS.into(),
            present: state.0.keys().cloned().collect(),
        })?;
        self.write(target, &points)
    }

    fn get_summary_stats(&self, state: &FieldState) -> SummaryStats {
        let points: Vec<f64> = state.read(CUT_POINTS).unwrap_or_default();
        SummaryStats::one(format!("n_{}", self.registry_key), points.len() + 1)
    }
}

/// A column as numbers, NaN where missing; `None` when it holds something else.
fn as_numbers(column: &Element) -> Option<Vec<f64>> {
    match column {
        Element::Dense(dense) => Some(dense.values.to_f64()),
        Element::Nullable(nullable) => {
            let values = as_numbers(&nullable.values)?.into_iter().zip(&*nullable.mask);
            Some(values.map(|(value, &missing)| if missing { f64::NAN } else { value }).collect())
        }
        _ => None,
    }
}

/// The quantile of sorted numbers, linear between neighbours.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

/// The bin of a number: its upper end belongs to it.
fn bin(points: &[f64], number: f64) -> usize {
    points.partition_point(|point| *point < number)
}

/// `(-inf, 0.5]`, `(0.5, 2]`, `(2, inf)`
fn labels(points: &[f64]) -> Vec<String> {
    let ends = |i: usize| points.get(i).map_or("inf)".into(), |point| format!("{point}]"));
    let start = |i: usize| i.checked_sub(1).map_or("-inf".into(), |i| points[i].to_string());
    (0..=points.len()).map(|i| format!("({}, {}", start(i), ends(i))).collect()
}

scvi_framework::export_fields!(
    BinnedObsField => "A column of numbers of obs in bins: registry_key, obs_key, n_bins, cut (quantiles or \
                       equal_width)"
);
