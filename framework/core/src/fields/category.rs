//! Categories: the distinct values of a column, and each row's code.

use std::{cmp::Ordering, collections::HashMap};

use serde::{Deserialize, Serialize};

use crate::{
    anndata::{DType, Element, Values},
    error::{Error, Result},
};

/// One distinct value of a categorical column; in JSON the plain value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Category {
    /// `true`, `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction, or from a column of such.
    Float(f64),
    /// Text.
    Text(String),
}

impl From<&str> for Category {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// What makes two categories the same: kind and value; 1 and 1.0 are one.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Bool(bool),
    Int(i64),
    Float(u64),
    Text(String),
}

/// A column in terms of its categories.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// The distinct values; a row's code is a position in them.
    pub categories: Vec<Category>,
    /// One code per row, −1 where the value is missing.
    pub codes: Vec<i64>,
}

impl Category {
    /// As JSON, so that `1` and `"1"` look different.
    pub fn json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Whether it is of another kind and reads the same, as 1 and "1" do.
    pub(crate) fn looks_like(&self, other: &Self) -> bool {
        self.rank() != other.rank() && self.text() == other.text()
    }

    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.strip_suffix(".0").unwrap_or(text).to_owned(),
            Self::Bool(true) => "True".into(),
            Self::Bool(false) => "False".into(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
        }
    }

    /// Whether it is the same value; 1 and 1.0 are.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.key() == other.key()
    }

    fn key(&self) -> Key {
        const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53: whole numbers below are exact
        match self {
            Self::Bool(value) => Key::Bool(*value),
            Self::Int(value) => Key::Int(*value),
            Self::Float(value) if value.fract() == 0.0 && value.abs() < EXACT => {
                Key::Int(*value as i64)
            }
            Self::Float(value) => Key::Float(value.to_bits()),
            Self::Text(value) => Key::Text(value.clone()),
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()), // a column is of one kind, so this does not occur
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Bool(_) => 0,
            Self::Int(_) => 1,
            Self::Float(_) => 2,
            Self::Text(_) => 3,
        }
    }
}

/// Finds the categories of `column`: those of a categorical as they are, unused ones included; the
/// sorted distinct values of any other column. `what` names it in messages.
///
/// # Errors
/// When the column is neither text, numbers nor booleans.
pub fn encode(column: &Element, what: &str) -> Result<Encoded> {
    if let Element::Categorical(categorical) = column {
        let categories = values(&categorical.categories, what)?.into_iter().flatten().collect();
        return Ok(Encoded { categories, codes: categorical.codes.to_i64().to_vec() });
    }
    let values = values(column, what)?;
    let mut position: HashMap<Key, usize> = HashMap::new();
    let mut distinct: Vec<Category> = Vec::new();
    let mut codes = Vec::with_capacity(values.len());
    for value in values {
        codes.push(value.map_or(-1, |value| {
            *position.entry(value.key()).or_insert_with(|| {
                distinct.push(value);
                distinct.len() - 1
            }) as i64
        }));
    }
    let mut order: Vec<usize> = (0..distinct.len()).collect();
    order.sort_by(|&a, &b| distinct[a].order(&distinct[b]));
    let mut rank = vec![0; order.len()];
    order.iter().enumerate().for_each(|(new, &old)| rank[old] = new as i64);
    codes.iter_mut().filter(|code| **code >= 0).for_each(|code| *code = rank[*code as usize]);
    let categories = order.into_iter().map(|old| distinct[old].clone()).collect();
    Ok(Encoded { categories, codes })
}

/// Every value of a column; `None` where it is missing.
fn values(column: &Element, what: &str) -> Result<Vec<Option<Category>>> {
    match column {
        Element::Strings(strings) => {
            Ok(strings.iter().map(|s| Some(Category::Text(s.into()))).collect())
        }
        Element::Dense(dense) => Ok(numbers(&dense.values)),
        Element::Nullable(nullable) => {
            let values = values(&nullable.values, what)?.into_iter();
            Ok(values.zip(&*nullable.mask).map(|(v, &missing)| v.filter(|_| !missing)).collect())
        }
        other => Err(Error::Kind {
            what: what.into(),
            expected: "text, numbers, booleans or a categorical".into(),
            found: other.kind(),
        }),
    }
}

fn numbers(values: &Values) -> Vec<Option<Category>> {
    match values {
        Values::Bool(b) => b.iter().map(|&v| Some(Category::Bool(v))).collect(),
        Values::UInt64(b) => b
            .iter()
            .map(|&v| Some(i64::try_from(v).map_or(Category::Float(v as f64), Category::Int)))
            .collect(),
        floats if matches!(floats.dtype(), DType::Float16 | DType::Float32 | DType::Float64) => {
            let finite = |v: f64| v.is_finite().then_some(Category::Float(v + 0.0)); // -0 is 0
            floats.to_f64().into_iter().map(finite).collect()
        }
        integers => integers.to_i64().iter().map(|&v| Some(Category::Int(v))).collect(),
    }
}

/// How one column maps to the categories of another.
pub(super) struct Mapped {
    /// The known categories, then those appended.
    pub(super) categories: Vec<Category>,
    /// One code per row, −1 where the value is missing.
    pub(super) codes: Vec<i64>,
    /// Occurring categories that were not known, sorted.
    pub(super) unseen: Vec<Category>,
    /// Rows in them.
    pub(super) n_unseen_rows: usize,
}

impl Encoded {
    /// Where values are missing.
    pub(super) fn missing(&self) -> Vec<usize> {
        (0..self.codes.len()).filter(|&i| self.codes[i] < 0).collect()
    }

    /// Recodes to the categories `known`; occurring values that are not among them are appended in
    /// sorted order.
    pub(super) fn in_terms_of(&self, known: &[Category]) -> Mapped {
        let mut position: HashMap<Key, i64> = HashMap::new();
        for (i, category) in known.iter().enumerate() {
            position.entry(category.key()).or_insert(i as i64);
        }
        let mut n_rows = vec![0usize; self.categories.len()];
        self.codes.iter().filter(|c| **c >= 0).for_each(|&code| n_rows[code as usize] += 1);
        let is_unseen =
            |i: &usize| n_rows[*i] > 0 && !position.contains_key(&self.categories[*i].key());
        let mut unseen: Vec<usize> = (0..n_rows.len()).filter(is_unseen).collect();
        unseen.sort_by(|&a, &b| self.categories[a].order(&self.categories[b]));
        let n_unseen_rows = unseen.iter().map(|&i| n_rows[i]).sum();
        let unseen: Vec<Category> = unseen.iter().map(|&i| self.categories[i].clone()).collect();
        let categories = [known, unseen.as_slice()].concat();
        for (i, category) in unseen.iter().enumerate() {
            position.insert(category.key(), (known.len() + i) as i64);
        }
        let recode: Vec<i64> =
            self.categories.iter().map(|c| position.get(&c.key()).copied().unwrap_or(-1)).collect();
        let codes = self.codes.iter().map(|&c| if c < 0 { -1 } else { recode[c as usize] });
        Mapped { codes: codes.collect(), categories, unseen, n_unseen_rows }
    }
}

/// Codes in the smallest signed integers that pandas would take for so many categories.
pub(super) fn code_column(codes: &[i64], n_categories: usize) -> Element {
    if n_categories < i8::MAX as usize {
        return Element::vector(codes.iter().map(|&c| c as i8).collect::<Vec<_>>());
    }
    if n_categories < i16::MAX as usize {
        return Element::vector(codes.iter().map(|&c| c as i16).collect::<Vec<_>>());
    }
    if n_categories < i32::MAX as usize {
        return Element::vector(codes.iter().map(|&c| c as i32).collect::<Vec<_>>());
    }
    Element::vector(codes.to_vec())
}
