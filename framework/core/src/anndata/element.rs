//! Whatever can stand somewhere in a data set.

use std::{any::Any, fmt, ops::Range, sync::Arc};

use indexmap::IndexMap;

use super::{Buffer, DType, DataFrame, Sparse, Strings, Values};
use crate::error::{Error, Result};

/// Named elements, in file order.
pub type Mapping = IndexMap<String, Element>;

/// A dense array in C order.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// The numbers, last axis fastest.
    pub values: Values,
}

/// Values from a short list, by number.
#[derive(Clone, Debug, PartialEq)]
pub struct Categorical {
    /// Position in `categories` per row; -1 where missing. Any signed integer dtype.
    pub codes: Values,
    /// The list: strings or numbers.
    pub categories: Box<Element>,
    /// Whether the order of the categories means something.
    pub ordered: bool,
}

/// A column in which values may be missing (pandas' nullable kinds).
#[derive(Clone, Debug, PartialEq)]
pub struct Nullable {
    /// Integers, booleans or strings; anything where missing.
    pub values: Box<Element>,
    /// True where missing.
    pub mask: Buffer<bool>,
}

/// One number or string.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// A number with its dtype: one value.
    Number(Values),
    /// A string.
    String(String),
}

/// A matrix that stays on disk and is read by row ranges.
pub trait Backed: fmt::Debug + Send + Sync {
    /// Lengths of the axes.
    fn shape(&self) -> Vec<usize>;
    /// The type of its numbers.
    fn dtype(&self) -> DType;
    /// Rows `rows`, in order, as a dense array or a CSR matrix.
    ///
    /// # Errors
    /// When the file cannot be read or the range is outside.
    fn rows(&self, rows: Range<usize>) -> Result<Element>;
    /// For the one who made it.
    fn as_any(&self) -> &dyn Any;
}

/// Something in a file that this library does not understand and gives back unchanged.
pub trait Opaque: fmt::Debug + Send + Sync {
    /// What the file says it is.
    fn describe(&self) -> String;
    /// For the one who made it.
    fn as_any(&self) -> &dyn Any;
}

impl PartialEq for dyn Backed {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(self, other)
    }
}

impl PartialEq for dyn Opaque {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(self, other)
    }
}

/// Whatever can stand somewhere in a data set. Equal means equal values; matrices on disk and what
/// is not understood are equal to themselves only.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Element {
    /// Numbers of any dimension.
    Dense(Dense),
    /// Strings of any dimension.
    Strings(Strings),
    /// A categorical column.
    Categorical(Categorical),
    /// A column with missing values.
    Nullable(Nullable),
    /// A sparse matrix.
    Sparse(Sparse),
    /// A table.
    DataFrame(DataFrame),
    /// Named elements (`uns`, nested).
    Mapping(Mapping),
    /// One number or string.
    Scalar(Scalar),
    /// Nothing, said explicitly.
    Null,
    /// A matrix left on disk.
    Backed(Arc<dyn Backed>),
    /// Not understood, kept as it is.
    Opaque(Arc<dyn Opaque>),
}

impl Element {
    /// A one-dimensional array.
    pub fn vector(values: impl Into<Values>) -> Self {
        let values = values.into();
        Self::Dense(Dense { shape: vec![values.len()], values })
    }

    /// A two-dimensional array in C order.
    ///
    /// # Errors
    /// When the number of values is not `n_rows * n_cols`.
    pub fn matrix(n_rows: usize, n_cols: usize, values: impl Into<Values>) -> Result<Self> {
        let values = values.into();
        if values.len() != n_rows * n_cols {
            let expected = vec![n_rows, n_cols];
            return Err(Error::Shape {
                what: "matrix".into(),
                expected,
                found: vec![values.len()],
            });
        }
        Ok(Self::Dense(Dense { shape: vec![n_rows, n_cols], values }))
    }

    /// An array of strings.
    pub fn strings<S: AsRef<str>>(strings: impl IntoIterator<Item = S>) -> Self {
        Self::Strings(strings.into_iter().collect())
    }

    /// Lengths of the axes; empty for scalars, mappings and what is not understood.
    pub fn shape(&self) -> Vec<usize> {
        match self {
            Self::Dense(d) => d.shape.clone(),
            Self::Strings(s) => s.shape().to_vec(),
            Self::Categorical(c) => vec![c.codes.len()],
            Self::Nullable(n) => vec![n.mask.len()],
            Self::Sparse(s) => s.shape.to_vec(),
            Self::DataFrame(d) => vec![d.n_rows(), d.columns.len()],
            Self::Backed(b) => b.shape(),
            Self::Mapping(_) | Self::Scalar(_) | Self::Null | Self::Opaque(_) => vec![],
        }
    }

    /// What kind of thing it is, for messages.
    pub fn kind(&self) -> String {
        match self {
            Self::Dense(d) => format!("dense {} array", d.values.dtype().name()),
            Self::Strings(_) => "string array".into(),
            Self::Categorical(c) => format!("categorical of {}", c.categories.kind()),
            Self::Nullable(n) => format!("nullable {}", n.values.kind()),
            Self::Sparse(s) => format!("{} {} matrix", s.format.name(), s.data.dtype().name()),
            Self::DataFrame(_) => "data frame".into(),
            Self::Mapping(_) => "mapping".into(),
            Self::Scalar(Scalar::Number(v)) => format!("{} scalar", v.dtype().name()),
            Self::Scalar(Scalar::String(_)) => "string".into(),
            Self::Null => "null".into(),
            Self::Backed(b) => format!("{} matrix on disk", b.dtype().name()),
            Self::Opaque(o) => o.describe(),
        }
    }
}
