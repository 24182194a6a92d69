//! What should come of a data set, computed value by value.

use indexmap::IndexMap;

use super::{
    table::{Column, Value},
    *,
};
use crate::fields::{Category, FieldState};

/// Why a data set should be refused.
#[derive(Debug)]
pub enum Fault {
    /// `n` cells without a value, or without a finite number.
    Missing { column: String, n: usize },
    /// A column of no numbers where numbers are asked for.
    NoNumbers { column: String },
    /// `n` new categories in `cells` cells.
    Unseen { column: String, n: usize, cells: usize },
}

/// The categories of one column that is read as `role`.
#[derive(Clone, Debug)]
struct Categories {
    role: &'static str,
    column: Option<String>,
    values: Vec<Value>,
}

/// The categories of all columns, in order of registration.
#[derive(Clone, Debug)]
pub struct Terms(Vec<Categories>);

impl PartialEq for Terms {
    /// Terms only grow.
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a.values.len() == b.values.len())
    }
}

/// As what which column is read, and the categories known before.
type Known = (&'static str, Option<String>, Option<Vec<Value>>);

/// One cell: a list of numbers per registered tensor.
type Row = Vec<(&'static str, Vec<f64>)>;

impl Terms {
    /// The terms of a data set of its own.
    pub fn of(table: &Table, keys: &Keys) -> Result<Self, Fault> {
        let none = roles(keys).into_iter().map(|(role, column)| (role, column, None)).collect();
        Self::found(table, keys, none, true)
    }

    /// The terms after another data set came to these.
    pub fn carried_over(&self, table: &Table, keys: &Keys, extend: bool) -> Result<Self, Fault> {
        let known = self.0.iter().map(|c| (c.role, c.column.clone(), Some(c.values.clone())));
        Self::found(table, keys, known.collect(), extend)
    }

    /// Looks at fields in order of registration: batch, labels, size factor, covariates.
    fn found(table: &Table, keys: &Keys, known: Vec<Known>, extend: bool) -> Result<Self, Fault> {
        let (batch_and_labels, covariates) = known.split_at(2);
        let categories = |(role, column, known): &Known| {
            let values = match column {
                Some(name) => in_column(table.column(name), name, known.as_deref(), extend)?,
                None => vec![Value::Int(0)],
            };
            Ok(Categories { role, column: column.clone(), values })
        };
        let mut terms = Vec::new();
        for entry in batch_and_labels {
            terms.push(categories(entry)?);
        }
        keys.size_factor.iter().try_for_each(|name| numbers(table, name))?;
        for entry in covariates {
            terms.push(categories(entry)?);
        }
        keys.cont_covs.iter().try_for_each(|name| numbers(table, name))?;
        Ok(Self(terms))
    }

    /// What the loader should give for one cell.
    pub fn row(&self, table: &Table, keys: &Keys, cell: usize) -> Row {
        let code = |categories: &Categories| match &categories.column {
            Some(name) => {
                let value = table.column(name).values[cell].as_ref().unwrap();
                categories.values.iter().position(|other| other.same(value)).unwrap() as f64
            }
            None => 0.0,
        };
        let number = |name: &String| match table.column(name).values[cell].as_ref().unwrap() {
            Value::Bool(value) => f64::from(u8::from(*value)),
            value => value.number().unwrap(),
        };
        let mut row: Row =
            vec![(REGISTRY_KEYS.x, table.counts[cell].iter().map(|&n| f64::from(n)).collect())];
        row.extend(self.0[..2].iter().map(|categories| (categories.role, vec![code(categories)])));
        row.extend(
            keys.size_factor.iter().map(|name| (REGISTRY_KEYS.size_factor, vec![number(name)])),
        );
        if !keys.cat_covs.is_empty() {
            row.push((REGISTRY_KEYS.cat_covs, self.0[2..].iter().map(code).collect()));
        }
        if !keys.cont_covs.is_empty() {
            row.push((REGISTRY_KEYS.cont_covs, keys.cont_covs.iter().map(number).collect()));
        }
        row
    }

    /// Compares with what a registry remembers.
    #[track_caller]
    pub fn check(&self, manager: &AnnDataManager, table: &Table) {
        let stats = manager.summary_stats();
        assert_eq!(stats.n_cells() as usize, table.n_obs());
        assert_eq!(stats.n_vars() as usize, table.counts[0].len());
        for categories in &self.0 {
            let state = manager.get_state_registry(categories.role).unwrap();
            let found = remembered(state, categories.column.as_deref());
            let same = found.len() == categories.values.len()
                && found.iter().zip(&categories.values).all(|(a, b)| a.same(b));
            assert!(same, "expected {categories:?}, found {found:?}");
            if categories.role != REGISTRY_KEYS.cat_covs {
                assert_eq!(stats.get(&format!("n_{}", categories.role)) as usize, found.len());
            }
        }
    }
}

/// As what which column is read for its categories.
fn roles(keys: &Keys) -> Vec<(&'static str, Option<String>)> {
    let covariates = keys.cat_covs.iter().map(|name| (REGISTRY_KEYS.cat_covs, Some(name.clone())));
    let first =
        [(REGISTRY_KEYS.batch, keys.batch.clone()), (REGISTRY_KEYS.labels, keys.labels.clone())];
    first.into_iter().chain(covariates).collect()
}

/// The known categories and those that a column adds; its own when none are known.
fn in_column(
    column: &Column,
    name: &str,
    known: Option<&[Value]>,
    extend: bool,
) -> Result<Vec<Value>, Fault> {
    let n = column.values.iter().filter(|value| value.is_none()).count();
    if n > 0 {
        return Err(Fault::Missing { column: name.into(), n });
    }
    if let (None, Some(list)) = (known, column.list()) {
        return Ok(list.to_vec());
    }
    let mut values = known.unwrap_or_default().to_vec();
    let n_known = values.len();
    let mut cells = 0;
    for value in column.values.iter().flatten() {
        if values[..n_known].iter().any(|other| other.same(value)) {
            continue;
        }
        cells += 1;
        if values[n_known..].iter().any(|other| other.same(value)) {
            continue;
        }
        let place = values[n_known..].iter().filter(|other| other.before(value)).count();
        values.insert(n_known + place, value.clone());
    }
    let n = values.len() - n_known;
    if n > 0 && !extend {
        return Err(Fault::Unseen { column: name.into(), n, cells });
    }
    Ok(values)
}

fn numbers(table: &Table, name: &str) -> Result<(), Fault> {
    let column = table.column(name);
    if !column.is_numbers() {
        return Err(Fault::NoNumbers { column: name.into() });
    }
    match column.values.iter().filter(|value| value.is_none()).count() {
        0 => Ok(()),
        n => Err(Fault::Missing { column: name.into(), n }),
    }
}

/// The categories that a field remembers, of the one column or of `column` among several.
fn remembered(state: &FieldState, column: Option<&str>) -> Vec<Value> {
    let several = || {
        let mut mappings: IndexMap<String, Vec<Category>> = state.read("mappings")?;
        mappings.swap_remove(column?)
    };
    let categories = state.read("categorical_mapping").or_else(several).unwrap();
    let value = |category| match category {
        Category::Text(text) => Value::Text(text.leak()),
        Category::Int(value) => Value::Int(value),
        Category::Float(value) => Value::Float(value),
        Category::Bool(value) => Value::Bool(value),
    };
    let categories: Vec<Category> = categories;
    categories.into_iter().map(value).collect()
}
