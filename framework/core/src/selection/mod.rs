//! Which cells are meant: by position, by a mask, or by a query on `obs`.

mod column;
mod evaluate;
mod parse;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::{
    anndata::AnnData,
    error::{Error, Result},
    params::{ParamKind, ParamType},
};

/// Cells of a data set. An argument of this type is `3,4,5`, `[true, false, …]` or a query.
///
/// ```
/// use scvi_framework::params::ParamType;
/// use scvi_framework::selection::Selection;
///
/// let positions = Selection::from_value(&"3,4,5".into());
/// assert_eq!(positions, Some(vec![3, 4, 5].into()));
/// let query = Selection::from_value(&"cell_type == 'B cells' and n_counts > 1000".into());
/// assert!(matches!(query, Some(Selection::Query(_))));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Selection {
    /// Positions, from 0, in this order.
    Positions(Vec<usize>),
    /// For each cell whether it is meant.
    Mask(Vec<bool>),
    /// What is true of the cells that are meant, as pandas' `DataFrame.query` on `obs` takes it:
    /// comparisons (`==`, `<`, `in [..]`, chained), `and`/`&`, `or`/`|`, `not`/`~`, `+ - * /`,
    /// `isin`, `isna`, `notna`; names of columns, between backticks where they are no words;
    /// `index` for the names of the cells.
    Query(String),
}

/// Why a query cannot be answered.
#[derive(Debug)]
struct Wrong {
    /// Where in the text (bytes).
    at: usize,
    expected: String,
    found: String,
}

impl Selection {
    /// Positions of the cells in `adata`; of a query those in which it is true, not those in which
    /// it is missing. `argument` is what messages call the selection.
    ///
    /// # Errors
    /// [`Error::RowIndex`] for a position that is not there; [`Error::Argument`] for a mask of
    /// another length, and for a query with the place that is wrong and the columns there are.
    pub fn positions(&self, adata: &AnnData, argument: &str) -> Result<Vec<usize>> {
        let n_obs = adata.n_obs();
        let wrong = |expected, found| Error::Argument { name: argument.into(), expected, found };
        match self {
            Self::Positions(positions) => match positions.iter().find(|i| **i >= n_obs) {
                Some(&index) => Err(Error::RowIndex { index, n_obs }),
                None => Ok(positions.clone()),
            },
            Self::Mask(mask) if mask.len() != n_obs => {
                let expected = format!("a mask of the {n_obs} cells");
                Err(wrong(expected, format!("one of {}", mask.len())))
            }
            Self::Mask(mask) => Ok((0..n_obs).filter(|&i| mask[i]).collect()),
            Self::Query(text) => {
                let truth =
                    parse::parse(text).and_then(|query| evaluate::truth(&query, adata.obs()));
                let truth = truth.map_err(|Wrong { at, expected, found }| {
                    let place = text[..at].chars().count() + 1;
                    wrong(expected, format!("{found} at character {place} of `{text}`"))
                })?;
                Ok((0..n_obs).filter(|&i| truth[i] == Some(true)).collect())
            }
        }
    }
}

impl From<Vec<usize>> for Selection {
    fn from(positions: Vec<usize>) -> Self {
        Self::Positions(positions)
    }
}

impl From<Vec<bool>> for Selection {
    fn from(mask: Vec<bool>) -> Self {
        Self::Mask(mask)
    }
}

impl From<&str> for Selection {
    fn from(query: &str) -> Self {
        Self::Query(query.into())
    }
}

impl ParamType for Selection {
    fn kind() -> ParamKind {
        ParamKind::Rows
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => {
                let entries = text.split(',').map(|entry| entry.trim().parse().ok());
                let positions: Option<Vec<usize>> = entries.collect();
                Some(positions.map_or_else(|| Self::Query(text.clone()), Self::Positions))
            }
            Value::Number(_) => usize::from_value(value).map(|index| vec![index].into()),
            Value::Array(entries) => match entries.first() {
                Some(Value::Bool(_)) => Vec::from_value(value).map(Self::Mask),
                _ => Vec::from_value(value).map(Self::Positions),
            },
            _ => None,
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Positions(positions) => positions.to_value(),
            Self::Mask(mask) => mask.to_value(),
            Self::Query(text) => text.clone().into(),
        }
    }
}
