//! Which cells are compared with which.

use std::collections::HashSet;

use serde_json::json;

use super::{super::decoding::plain, DifferentialExpressionParams};
use crate::{
    anndata::{AnnData, Slot},
    error::{Error, Result, list},
    fields::{Encoded, encode},
    selection::Selection,
};

/// Cells in classes; what is compared are unions of them.
#[derive(Debug)]
pub(super) struct Groups {
    /// The class of each cell.
    pub classes: Vec<i64>,
    /// How many classes there are.
    pub n_classes: usize,
    /// What is compared, in this order.
    pub comparisons: Vec<Comparison>,
}

/// Two groups of cells.
#[derive(Debug)]
pub(super) struct Comparison {
    /// Classes of the first group.
    pub first: Vec<i64>,
    /// Classes of the second group.
    pub second: Vec<i64>,
    /// What the groups are called, where they have names.
    pub names: Option<[String; 2]>,
}

impl Comparison {
    /// What messages call a group, by its side: 0 or 1.
    pub fn name(&self, side: usize) -> &str {
        match &self.names {
            Some(names) => &names[side],
            None => ["idx1", "idx2"][side],
        }
    }
}

impl Groups {
    /// The groups that the arguments speak of.
    ///
    /// # Errors
    /// [`Error::Argument`] when there is no such column, group or row, or a group is empty.
    pub fn of(adata: &AnnData, params: &DifferentialExpressionParams) -> Result<Self> {
        match (&params.idx1, &params.groupby) {
            (Some(idx1), _) => Self::by_rows(adata, idx1, params.idx2.as_ref()),
            (None, Some(groupby)) => {
                let what = format!("obs['{groupby}']");
                let column = adata.obs().column(Slot::Obs.name(), groupby)?;
                Self::by_column(encode(column, &what)?, &what, params)
            }
            (None, None) => Err(Error::Argument {
                name: "groupby".into(),
                expected: "a column of obs with groups of cells, or `idx1` with rows".into(),
                found: "neither".into(),
            }),
        }
    }

    /// Positions of the cells of these classes.
    pub fn cells(&self, classes: &[i64]) -> Vec<usize> {
        let wanted: HashSet<i64> = classes.iter().copied().collect();
        let cells = self.classes.iter().enumerate();
        cells.filter(|(_, class)| wanted.contains(class)).map(|(i, _)| i).collect()
    }

    /// How many cells are of each class.
    pub fn class_sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.n_classes];
        self.classes.iter().for_each(|&class| sizes[class as usize] += 1);
        sizes
    }

    fn by_column(
        column: Encoded,
        what: &str,
        params: &DifferentialExpressionParams,
    ) -> Result<Self> {
        let names: Vec<String> = column.categories.iter().map(|c| plain(&json!(c))).collect();
        let n_classes = names.len() + 1; // the last one holds cells without a group
        let missing = names.len() as i64;
        let classes: Vec<i64> =
            column.codes.iter().map(|&code| if code < 0 { missing } else { code }).collect();
        let occupied: HashSet<i64> = classes.iter().copied().collect();
        let class = |argument: &str, name: &String| {
            let found = names.iter().position(|known| known == name).map(|code| code as i64);
            found.filter(|code| occupied.contains(code)).ok_or_else(|| Error::Argument {
                name: argument.into(),
                expected: format!("groups with cells in {what} ({})", list(&names)),
                found: name.clone(),
            })
        };
        let first: Vec<i64> = match params.group1.is_empty() {
            true => (0..missing).filter(|code| occupied.contains(code)).collect(),
            false => params.group1.iter().map(|g| class("group1", g)).collect::<Result<_>>()?,
        };
        let other = params.group2.as_ref().map(|g| class("group2", g)).transpose()?;
        if occupied.len() < 2 {
            return Err(Error::Argument {
                name: "groupby".into(),
                expected: "a column with two groups or more".into(),
                found: format!("{what} with {}", list(&names)),
            });
        }
        let compare = |class: i64| {
            let (second, name) = match other {
                Some(other) => (vec![other], names[other as usize].clone()),
                None => {
                    let rest = (0..n_classes as i64).filter(|c| *c != class).collect();
                    (rest, "Rest".to_owned())
                }
            };
            let names = Some([names[class as usize].clone(), name]);
            Comparison { first: vec![class], second, names }
        };
        let comparisons = first.into_iter().filter(|class| Some(*class) != other).map(compare);
        let comparisons: Vec<Comparison> = comparisons.collect();
        if comparisons.is_empty() {
            return Err(Error::Argument {
                name: "group1".into(),
                expected: "a group other than `group2`".into(),
                found: list(&params.group1),
            });
        }
        Ok(Self { classes, n_classes, comparisons })
    }

    fn by_rows(adata: &AnnData, idx1: &Selection, idx2: Option<&Selection>) -> Result<Self> {
        const NEITHER: i64 = 0;
        const FIRST: i64 = 1;
        const SECOND: i64 = 2;
        let rest = if idx2.is_none() { SECOND } else { NEITHER };
        let mut classes = vec![rest; adata.n_obs()];
        let idx1 = idx1.positions(adata, "idx1")?;
        let idx2 = idx2.map(|rows| rows.positions(adata, "idx2")).transpose()?.unwrap_or_default();
        for (rows, class) in [(idx1, FIRST), (idx2, SECOND)] {
            for row in rows {
                if class == SECOND && classes[row] == FIRST {
                    return Err(Error::Argument {
                        name: "idx2".into(),
                        expected: "rows that are not in `idx1`".into(),
                        found: format!("row {row} in both"),
                    });
                }
                classes[row] = class;
            }
        }
        for (class, argument) in [(FIRST, "idx1"), (SECOND, "idx2")] {
            if !classes.contains(&class) {
                return Err(Error::Argument {
                    name: argument.into(),
                    expected: "at least one row".into(),
                    found: "none".into(),
                });
            }
        }
        let comparison = Comparison { first: vec![FIRST], second: vec![SECOND], names: None };
        Ok(Self { classes, n_classes: 3, comparisons: vec![comparison] })
    }
}
