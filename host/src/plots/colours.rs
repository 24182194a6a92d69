//! What gives the points of a map their colours: a column of obs.

use kuva::plot::ColorMap;
use scvi_framework::{
    anndata::{AnnData, Element, Values},
    params::nearest,
};

use super::style;
use crate::{
    failure::{Error, Result},
    labels::labels,
};

/// A column, at the cells drawn.
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its values.
    pub values: ColumnValues,
}

/// What a column holds.
pub enum ColumnValues {
    /// Groups of cells.
    Groups {
        /// Their names, in the order of the categories.
        names: Vec<String>,
        /// The group of each cell; none where missing.
        of_cell: Vec<Option<usize>>,
    },
    /// A number for each cell; not a number where missing.
    Numbers(Vec<f64>),
}

impl Column {
    /// Column `name` of obs, at `cells`.
    ///
    /// # Errors
    /// [`Error::UnknownColumn`]; [`Error::Undrawable`] when it holds neither groups nor numbers.
    pub fn read(adata: &AnnData, name: &str, cells: &[usize]) -> Result<Self> {
        let columns = &adata.obs().columns;
        let Some(column) = columns.get(name) else {
            let known: Vec<String> = columns.keys().cloned().collect();
            let nearest = nearest(name, &known);
            return Err(Error::UnknownColumn { name: name.into(), nearest, known });
        };
        let values = match numbers(column) {
            Some(numbers) => {
                ColumnValues::Numbers(cells.iter().map(|&cell| numbers[cell]).collect())
            }
            None => groups(column, cells).ok_or_else(|| Error::Undrawable {
                what: format!("obs['{name}']"),
                expected: "numbers, names or categories",
                kind: column.kind(),
            })?,
        };
        Ok(Self { name: name.into(), values })
    }
}

fn groups(column: &Element, cells: &[usize]) -> Option<ColumnValues> {
    let labels = labels(column)?;
    let labels: Vec<Option<&String>> = cells.iter().map(|&cell| labels[cell].as_ref()).collect();
    let mut present: Vec<&String> = labels.iter().flatten().copied().collect();
    present.sort();
    present.dedup();
    let order = match column {
        Element::Categorical(categorical) => self::labels(&categorical.categories)?,
        _ => Vec::new(),
    };
    let place = |name: &String| order.iter().flatten().position(|category| category == name);
    let mut names: Vec<(Option<usize>, &String)> =
        present.into_iter().map(|name| (place(name), name)).collect();
    names.sort();
    let index = |label: &String| {
        names.binary_search_by(|(at, name)| (*at, *name).cmp(&(place(label), label))).ok()
    };
    let of_cell = labels.into_iter().map(|label| label.and_then(index)).collect();
    let names = names.iter().map(|(_, name)| (*name).clone()).collect();
    Some(ColumnValues::Groups { names, of_cell })
}

/// The numbers of a column, if it holds such.
fn numbers(column: &Element) -> Option<Vec<f64>> {
    match column {
        Element::Dense(dense) if !matches!(dense.values, Values::Bool(_)) => {
            Some(dense.values.to_f64())
        }
        Element::Nullable(nullable) => {
            let values = numbers(&nullable.values)?.into_iter().zip(nullable.mask.iter());
            Some(values.map(|(value, &missing)| if missing { f64::NAN } else { value }).collect())
        }
        _ => None,
    }
}

/// Colours from dark to light, whose order also colour-blind eyes see.
pub struct Scale {
    /// The smallest and the largest value.
    pub ends: (f64, f64),
}

impl Scale {
    /// From the smallest to the largest of `values`; nothing where there is no number.
    pub fn of(values: &[f64]) -> Option<Self> {
        let ends = style::range(values.iter().copied());
        (ends.0 <= ends.1).then_some(Self { ends })
    }

    /// The colour of a value.
    pub fn colour(&self, value: f64) -> String {
        let (low, high) = self.ends;
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        ColorMap::Viridis.map(share)
    }
}
