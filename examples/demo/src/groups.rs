//! A column that sorts cells into groups, and how pure their neighbourhoods are.

use std::collections::HashMap;

use anyhow::{Result, bail};
use scvi_framework::anndata::Element;

use crate::neighbours::Neighbours;

/// Cells sorted into named groups.
pub struct Groups {
    /// What the groups are.
    pub title: &'static str,
    /// Their names.
    pub names: Vec<String>,
    /// The group of each cell.
    pub of_cell: Vec<usize>,
}

impl Groups {
    /// From a column of names, numbers or categories; a missing value is a group of its own.
    ///
    /// # Errors
    /// When the column is of another kind.
    pub fn read(title: &'static str, column: &Element, cells: &[usize]) -> Result<Self> {
        let values = names(column)?;
        let mut known = HashMap::new();
        let mut groups = Self { title, names: Vec::new(), of_cell: Vec::new() };
        let mut sorted: Vec<&String> = cells.iter().map(|&cell| &values[cell]).collect();
        sorted.sort();
        sorted.dedup();
        for name in sorted {
            known.insert(name.as_str(), groups.names.len());
            groups.names.push(name.clone());
        }
        groups.of_cell = cells.iter().map(|&cell| known[values[cell].as_str()]).collect();
        Ok(groups)
    }

    /// Mean share of a cell's neighbours that are of its own group.
    pub fn purity(&self, near: &Neighbours) -> f64 {
        let same = |cell: usize| {
            let own = self.of_cell[cell];
            near.of_cell(cell).iter().filter(|&&j| self.of_cell[j as usize] == own).count()
        };
        let n = self.of_cell.len();
        (0..n).map(same).sum::<usize>() as f64 / (n * near.k) as f64
    }

    /// The purity if cells lay anywhere.
    pub fn chance(&self) -> f64 {
        let mut sizes = vec![0f64; self.names.len()];
        for &group in &self.of_cell {
            sizes[group] += 1.0;
        }
        let n = self.of_cell.len() as f64;
        sizes.iter().map(|size| (size / n).powi(2)).sum()
    }
}

/// The value of each row, as text.
fn names(column: &Element) -> Result<Vec<String>> {
    match column {
        Element::Strings(strings) => Ok(strings.iter().map(str::to_owned).collect()),
        Element::Dense(dense) => {
            Ok(dense.values.to_f64().into_iter().map(|v| v.to_string()).collect())
        }
        Element::Categorical(categorical) => {
            let categories = names(&categorical.categories)?;
            let missing = String::from("(missing)");
            let name = |code: &i64| {
                usize::try_from(*code).ok().and_then(|c| categories.get(c)).unwrap_or(&missing)
            };
            Ok(categorical.codes.to_i64().iter().map(|code| name(code).clone()).collect())
        }
        Element::Nullable(nullable) => {
            let values = names(&nullable.values)?.into_iter().zip(nullable.mask.iter());
            Ok(values.map(|(v, &hidden)| if hidden { "(missing)".into() } else { v }).collect())
        }
        other => bail!("expected names, numbers or categories, found {}", other.kind()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purity_counts_neighbours_of_the_own_group() -> Result<()> {
        let column = Element::strings(["a", "a", "b", "b"]);
        let groups = Groups::read("batch", &column, &[0, 1, 2, 3])?;
        let near = Neighbours { k: 1, indices: vec![1, 0, 1, 2] };
        assert_eq!(groups.purity(&near), 0.75);
        assert_eq!(groups.chance(), 0.5);
        Ok(())
    }
}
