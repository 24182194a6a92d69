//! A matrix with a row per cell or gene.

use std::{borrow::Cow, marker::PhantomData};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    AnnDataField, AttrLocation, Axis, FieldState, Obs, SummaryStats, Transfer, Var,
    axis::kinds,
    column::{numbers, row_name},
};
use crate::{
    anndata::{AnnData, Element, Slot},
    data::{counts, for_each_value},
    error::{Error, Result},
};

const COLUMN_NAMES: &str = "column_names";

/// A matrix or a table of numbers in `obsm` or `varm`, read where it is. Its columns are named by the
/// table, or by an entry of `uns`, or numbered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct MatrixField<A: Axis> {
    registry_key: String,
    attr_key: String,
    #[serde(default)]
    colnames_uns_key: Option<String>,
    #[serde(default)]
    is_count_data: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mod_key: Option<String>,
    #[serde(skip)]
    axis: PhantomData<A>,
}

/// A matrix with a row per cell.
pub type ObsmField = MatrixField<Obs>;
/// A matrix with a row per gene.
pub type VarmField = MatrixField<Var>;

impl<A: Axis> MatrixField<A> {
    /// The matrix of that name.
    pub fn new(registry_key: &str, attr_key: &str) -> Self {
        Self {
            registry_key: registry_key.into(),
            attr_key: attr_key.into(),
            colnames_uns_key: None,
            is_count_data: false,
            mod_key: None,
            axis: PhantomData,
        }
    }

    /// Its columns are named by `uns[uns_key]`.
    #[must_use]
    pub fn colnames_uns_key(self, uns_key: &str) -> Self {
        Self { colnames_uns_key: Some(uns_key.into()), ..self }
    }

    /// It must hold counts.
    #[must_use]
    pub fn is_count_data(self) -> Self {
        Self { is_count_data: true, ..self }
    }

    /// The same in the modality `mod_key`.
    #[must_use]
    pub fn in_modality(self, mod_key: &str) -> Self {
        Self { mod_key: Some(mod_key.into()), ..self }
    }

    fn place(&self) -> AttrLocation {
        let place = AttrLocation::new(A::MATRICES, &self.attr_key);
        AttrLocation { mod_key: self.mod_key.clone(), ..place }
    }

    fn check(&self, adata: &AnnData) -> Result<()> {
        let what = format!("{}[{:?}]", A::MATRICES.name(), self.attr_key);
        let owner = adata.within(self.mod_key.as_deref())?;
        let matrix = as_matrix(owner.get(A::MATRICES, &self.attr_key)?, &what)?;
        let at = |row, column, value| {
            format!("{value} in row `{}`, column {column}", row_name::<A>(owner, row))
        };
        if !self.is_count_data {
            let mut bad = Vec::new();
            for_each_value(&matrix, &what, |row, column, value| {
                if !value.is_finite() {
                    bad.push((row, column, value));
                }
            })?;
            let Some(&(row, column, value)) = bad.first() else { return Ok(()) };
            let n_bad = bad.len();
            let found = format!("{n_bad} that are not, first {}", at(row, column, value));
            return Err(Error::Kind { what, expected: "finite numbers".into(), found });
        }
        let Some(found) = counts::check(&matrix, &what)? else { return Ok(()) };
        let (n_bad, n_values, (row, column, value)) = (found.n_bad(), found.n_values, found.first);
        Err(Error::NotCounts {
            what,
            found: format!("{n_bad} of {n_values} stored values are {}", found.wrong()),
            first: at(row, column, value),
            hint: "give raw counts".into(),
        })
    }

    /// The names that the data set gives its columns, if it does.
    fn given_names(&self, adata: &AnnData) -> Result<Option<Vec<Value>>> {
        let owner = adata.within(self.mod_key.as_deref())?;
        let Some(key) = &self.colnames_uns_key else {
            return Ok(match owner.get(A::MATRICES, &self.attr_key)? {
                Element::DataFrame(table) => Some(table.columns.keys().map(|k| json!(k)).collect()),
                _ => None,
            });
        };
        match owner.get(Slot::Uns, key) {
            Ok(Element::Strings(names)) => Ok(Some(names.iter().map(|name| json!(name)).collect())),
            Ok(other) => Err(Error::Kind {
                what: format!("uns[{key:?}]"),
                expected: "names of columns".into(),
                found: other.kind(),
            }),
            Err(_) => Ok(None),
        }
    }

    fn n_columns(&self, adata: &AnnData) -> Result<usize> {
        Ok(self.place().find(adata)?.shape().get(1).copied().unwrap_or(1))
    }

    fn register(&self, adata: &AnnData) -> Result<FieldState> {
        if let Some(key) = &self.colnames_uns_key {
            adata.within(self.mod_key.as_deref())?.get(Slot::Uns, key)?;
        }
        let n_columns = self.n_columns(adata)?;
        let numbered = || (0..n_columns).map(|i| json!(i)).collect();
        let names = self.given_names(adata)?.unwrap_or_else(numbered);
        if names.len() != n_columns {
            let what = self.place().to_string();
            let difference = format!("it has {n_columns}, and {} are named", names.len());
            return Err(Error::OtherColumns { what, difference });
        }
        Ok([(COLUMN_NAMES, names)].into_iter().collect())
    }

    fn transfer(&self, state: &FieldState, target: &AnnData) -> Result<FieldState> {
        self.check(target)?;
        let known: Vec<Value> = state.read(COLUMN_NAMES).unwrap_or_default();
        let n_columns = self.n_columns(target)?;
        let other = |difference| Error::OtherColumns { what: self.place().to_string(), difference };
        if known.len() != n_columns {
            return Err(other(format!("expected {}, found {n_columns}", known.len())));
        }
        let here = self.given_names(target)?.unwrap_or_else(|| known.clone());
        if here.len() != n_columns {
            return Err(other(format!("it has {n_columns}, and {} are named", here.len())));
        }
        match known.iter().zip(&here).position(|(a, b)| a != b) {
            Some(i) => {
                Err(other(format!("at position {i} expected {}, found {}", known[i], here[i])))
            }
            None => Ok([(COLUMN_NAMES, known)].into_iter().collect()),
        }
    }
}

kinds! {
    "ObsmField" => ObsmField, "VarmField" => VarmField;
    {
        fn registry_key(&self) -> &str {
            &self.registry_key
        }

        fn location(&self) -> Option<AttrLocation> {
            Some(self.place())
        }

        fn validate_field(&self, adata: &AnnData) -> Result<()> {
            self.check(adata)
        }

        fn register_field(&self, adata: &mut AnnData) -> Result<FieldState> {
            self.register(adata)
        }

        fn transfer_field(
            &self,
            state: &FieldState,
            target: &mut AnnData,
            _: Transfer,
        ) -> Result<FieldState> {
            self.transfer(state, target)
        }

        fn get_summary_stats(&self, state: &FieldState) -> SummaryStats {
            let names: Vec<Value> = state.read(COLUMN_NAMES).unwrap_or_default();
            SummaryStats::one(format!("n_{}", self.registry_key), names.len())
        }
    }
}

/// A table of numbers as a matrix; what is no table as it is.
pub(super) fn as_matrix<'a>(element: &'a Element, what: &str) -> Result<Cow<'a, Element>> {
    let Element::DataFrame(table) = element else { return Ok(Cow::Borrowed(element)) };
    let column = |(name, column): (&String, &Element)| {
        numbers(column).ok_or_else(|| Error::Kind {
            what: format!("{what}, column `{name}`"),
            expected: "numbers".into(),
            found: column.kind(),
        })
    };
    let columns = table.columns.iter().map(column).collect::<Result<Vec<_>>>()?;
    let n_rows = table.n_rows();
    let values: Vec<f64> =
        (0..n_rows).flat_map(|i| columns.iter().map(move |column| column[i])).collect();
    Ok(Cow::Owned(Element::matrix(n_rows, columns.len(), values)?))
}
