//! Tables: `obs`, `var`, and data frames elsewhere in a data set.

use super::{Element, Mapping, Strings};
use crate::error::{Error, Result};

/// A table with an index; columns in file order.
#[derive(Clone, Debug, PartialEq)]
pub struct DataFrame {
    /// Name of each row; strings in `obs` and `var`, possibly numbers elsewhere.
    pub index: Box<Element>,
    /// Name of the index, when it has one.
    pub index_name: Option<String>,
    /// The columns, each as long as the index.
    pub columns: Mapping,
}

impl DataFrame {
    /// A table without columns.
    pub fn new<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let index = Box::new(Element::strings(names));
        Self { index, index_name: None, columns: Mapping::new() }
    }

    /// How many rows.
    pub fn n_rows(&self) -> usize {
        self.index.shape().first().copied().unwrap_or(0)
    }

    /// The index as strings, when it is strings and none is missing.
    pub fn names(&self) -> Option<&Strings> {
        match &*self.index {
            Element::Strings(s) => Some(s),
            Element::Nullable(n) if !n.mask.contains(&true) => match &*n.values {
                Element::Strings(s) => Some(s),
                _ => None,
            },
            _ => None,
        }
    }

    /// The column `key` of the table called `slot` in messages.
    ///
    /// # Errors
    /// [`Error::MissingElement`], listing the columns that are there.
    pub fn column(&self, slot: &'static str, key: &str) -> Result<&Element> {
        self.columns.get(key).ok_or_else(|| Error::MissingElement {
            slot,
            key: key.into(),
            present: self.columns.keys().cloned().collect(),
        })
    }
}
