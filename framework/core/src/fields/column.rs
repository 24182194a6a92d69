//! Columns of `obs` and `var`: read, checked, encoded; and what is said when that fails.

use super::{
    Axis, Category, Transfer,
    category::{Encoded, Mapped, encode},
};
use crate::{
    anndata::{AnnData, Element},
    error::{Error, Result},
};

/// What to do about categories that the source lacks, where they could be appended.
pub(super) const EXTEND: &str = "Cannot transfer setup without `extend_categories = True`";

/// How the column `key` is called in messages.
pub(super) fn name<A: Axis>(key: &str) -> String {
    format!("{} column `{key}`", A::COLUMNS.name())
}

/// Encodes the column `key`, which may have no missing values.
pub(super) fn encode_column<A: Axis>(adata: &AnnData, key: &str) -> Result<Encoded> {
    let encoded = encode(adata.get(A::COLUMNS, key)?, &name::<A>(key))?;
    let missing = encoded.missing();
    if missing.is_empty() {
        return Ok(encoded);
    }
    let hint = "give them a category of their own, or drop them";
    Err(bad_values::<A>(adata, key, "no value (NaN)", &missing, hint))
}

/// Recodes the column `key` to the categories `known`, appending others if allowed; `hint` says what
/// to do where it is not.
pub(super) fn recode<A: Axis>(
    encoded: &Encoded,
    known: &[Category],
    key: &str,
    how: Transfer,
    hint: &'static str,
) -> Result<Mapped> {
    let mapped = encoded.in_terms_of(known);
    if mapped.unseen.is_empty() || how.extend_categories {
        return Ok(mapped);
    }
    Err(Error::UnseenCategories {
        what: name::<A>(key),
        unseen: mapped.unseen.iter().map(Category::json).collect(),
        n_rows: mapped.n_unseen_rows,
        rows: A::ROWS,
        known: known.iter().map(Category::json).collect(),
        hint,
    })
}

/// Checks that the column `key` holds finite numbers.
pub(super) fn check_numbers<A: Axis>(adata: &AnnData, key: &str) -> Result<()> {
    let column = adata.get(A::COLUMNS, key)?;
    let numbers = numbers(column).ok_or_else(|| Error::Kind {
        what: name::<A>(key),
        expected: "numbers".into(),
        found: column.kind(),
    })?;
    let bad: Vec<usize> = (0..numbers.len()).filter(|&i| !numbers[i].is_finite()).collect();
    if bad.is_empty() {
        return Ok(());
    }
    let hint = "fill in the values, drop these rows, or leave the column out";
    Err(bad_values::<A>(adata, key, "no finite number", &bad, hint))
}

/// A column as numbers, NaN where missing; `None` when it holds something else.
pub(crate) fn numbers(column: &Element) -> Option<Vec<f64>> {
    match column {
        Element::Dense(dense) => Some(dense.values.to_f64()),
        Element::Nullable(nullable) => {
            let values = numbers(&nullable.values)?.into_iter();
            Some(values.zip(&*nullable.mask).map(|(v, &m)| if m { f64::NAN } else { v }).collect())
        }
        _ => None,
    }
}

/// The name of row `i`; its number where rows have none.
pub(super) fn row_name<A: Axis>(adata: &AnnData, i: usize) -> String {
    A::table(adata).names().map_or(i.to_string(), |names| names.get(i).into())
}

fn bad_values<A: Axis>(
    adata: &AnnData,
    key: &str,
    wrong: &'static str,
    bad: &[usize],
    hint: &'static str,
) -> Error {
    const NAMED: usize = 5;
    Error::BadValues {
        what: name::<A>(key),
        n_bad: bad.len(),
        n_rows: A::table(adata).n_rows(),
        rows: A::ROWS,
        wrong,
        names: bad.iter().take(NAMED).map(|&i| row_name::<A>(adata, i)).collect(),
        hint,
    }
}
