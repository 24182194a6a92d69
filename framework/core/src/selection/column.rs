//! Columns of `obs` as a query sees them.

use crate::anndata::{Categorical, DType, Element};

/// A value for each cell, or one for all of them.
#[derive(Clone, Debug)]
pub(super) struct Column<'a> {
    pub data: Data<'a>,
    /// True where there is no value; nothing is missing when empty.
    pub missing: Vec<bool>,
    /// Whether what is compared with a missing value is missing (pandas' nullable kinds and truths);
    /// else it is false, and true of `!=`.
    pub nullable: bool,
    /// What orders the values, where they are categories.
    pub categories: Option<Categories<'a>>,
}

/// Values of one kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data<'a> {
    Texts(Vec<&'a str>),
    /// Numbers as wide as this type; truths are 0 and 1 of `Bool`.
    Numbers(Vec<f64>, DType),
}

/// The categories of a column.
#[derive(Clone, Debug)]
pub(super) struct Categories<'a> {
    /// Position of each cell's value in `all`; −1 where missing.
    pub codes: Vec<f64>,
    pub all: Data<'a>,
    pub ordered: bool,
}

impl<'a> Column<'a> {
    /// One number, of the type that does not widen others.
    pub fn number(number: f64) -> Self {
        Data::Numbers(vec![number], DType::Float64).into()
    }

    /// The values of an element of `obs`; `None` when it is no column of numbers or texts.
    pub fn of(element: &'a Element) -> Option<Self> {
        match element {
            Element::Dense(_) | Element::Strings(_) => Some(Data::of(element)?.into()),
            Element::Nullable(column) => {
                let missing = column.mask.to_vec();
                let data = Data::of(&column.values)?;
                Some(Self { data, missing, nullable: true, categories: None })
            }
            Element::Categorical(column) => Self::of_categories(column),
            _ => None,
        }
    }

    fn of_categories(column: &'a Categorical) -> Option<Self> {
        let all = match &*column.categories {
            Element::Nullable(categories) => Data::of(&categories.values)?,
            categories => Data::of(categories)?,
        };
        let codes = column.codes.to_f64();
        let missing: Vec<bool> = codes.iter().map(|&code| code < 0.0).collect();
        let data = match &all {
            Data::Texts(all) => Data::Texts(
                codes
                    .iter()
                    .map(|&c| all.get(c as usize).copied().filter(|_| c >= 0.0).unwrap_or_default())
                    .collect(),
            ),
            Data::Numbers(all, dtype) => {
                let value = |&c: &f64| {
                    all.get(c as usize).copied().filter(|_| c >= 0.0).unwrap_or(f64::NAN)
                };
                Data::Numbers(codes.iter().map(value).collect(), *dtype)
            }
        };
        let categories = Some(Categories { codes, all, ordered: column.ordered });
        Some(Self { data, missing, nullable: false, categories })
    }

    /// Where the value of cell `i` is.
    pub fn place(&self, i: usize) -> usize {
        if self.is_single() { 0 } else { i }
    }

    /// Whether it is one value for all cells.
    pub fn is_single(&self) -> bool {
        self.data.len() == 1
    }

    /// Whether cell `i` has no value.
    pub fn is_missing(&self, i: usize) -> bool {
        let nan = match &self.data {
            Data::Numbers(numbers, _) => numbers[self.place(i)].is_nan(),
            Data::Texts(_) => false,
        };
        nan || self.missing.get(self.place(i)).copied().unwrap_or(false)
    }

    /// What is true of cell `i`, if anything.
    pub fn truth(&self, i: usize) -> Option<bool> {
        match &self.data {
            Data::Numbers(truths, DType::Bool) if !self.is_missing(i) => {
                Some(truths[self.place(i)] != 0.0)
            }
            _ => None,
        }
    }
}

impl<'a> Data<'a> {
    /// Of an array with one axis.
    fn of(element: &'a Element) -> Option<Self> {
        match element {
            Element::Dense(array) if array.shape.len() == 1 => {
                Some(Self::Numbers(array.values.to_f64(), array.values.dtype()))
            }
            Element::Strings(strings) if strings.shape().len() == 1 => {
                Some(Self::Texts(strings.iter().collect()))
            }
            _ => None,
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Numbers(numbers, _) => numbers.len(),
        }
    }

    /// What the values are, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Texts(_) => "text",
            Self::Numbers(_, DType::Bool) => "true or false",
            Self::Numbers(..) => "numbers",
        }
    }
}

impl<'a> From<Data<'a>> for Column<'a> {
    fn from(data: Data<'a>) -> Self {
        Self { data, missing: Vec::new(), nullable: false, categories: None }
    }
}

/// Truths about cells.
impl FromIterator<Option<bool>> for Column<'_> {
    fn from_iter<I: IntoIterator<Item = Option<bool>>>(truths: I) -> Self {
        let (missing, truths) =
            truths.into_iter().map(|t| (t.is_none(), f64::from(t == Some(true)))).unzip();
        let data = Data::Numbers(truths, DType::Bool);
        Self { data, missing, nullable: true, categories: None }
    }
}
