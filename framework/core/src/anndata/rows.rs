//! Rows of elements: a range, or any list.

use std::ops::Range;

use super::{
    Buffer, Categorical, DataFrame, Dense, Element, Nullable, Sparse, SparseFormat, Strings, Values,
};
use crate::error::{Error, Result};

impl Element {
    /// Rows `rows`, in order; a matrix on disk is read into memory. Of a table, all its columns.
    ///
    /// # Errors
    /// When the range is outside, when this has no rows, or when a file cannot be read.
    pub fn rows(&self, rows: Range<usize>) -> Result<Element> {
        match self {
            Self::Backed(backed) => backed.rows(rows),
            _ => self.take_rows(&rows.collect::<Vec<usize>>()),
        }
    }

    /// The rows at `positions`, in that order, repeats allowed; a matrix on disk is read into
    /// memory, run by run.
    ///
    /// # Errors
    /// When a position is outside, when this has no rows, or when a file cannot be read.
    pub fn take_rows(&self, positions: &[usize]) -> Result<Element> {
        let shape = self.shape();
        let Some(&n_rows) = shape.first() else {
            return Err(Error::Kind {
                what: "rows".into(),
                expected: "an element with rows".into(),
                found: self.kind(),
            });
        };
        if let Some(&outside) = positions.iter().find(|&&p| p >= n_rows) {
            let what = format!("row {outside} of {}", self.kind());
            return Err(Error::Shape { what, expected: vec![outside + 1], found: shape });
        }
        Ok(match self {
            Self::Dense(dense) => Self::Dense(dense.take_rows(positions)),
            Self::Strings(strings) => Self::Strings(strings.take_rows(positions)),
            Self::Categorical(c) => Self::Categorical(Categorical {
                codes: c.codes.take(positions.iter().copied()),
                ..c.clone()
            }),
            Self::Nullable(n) => Self::Nullable(Nullable {
                values: Box::new(n.values.take_rows(positions)?),
                mask: positions.iter().map(|&p| n.mask[p]).collect(),
            }),
            Self::Sparse(sparse) => Self::Sparse(sparse.take_rows(positions)),
            Self::DataFrame(table) => Self::DataFrame(table.take_rows(positions)?),
            Self::Backed(backed) => {
                let sorted = sorted(positions);
                let mut parts = Vec::new();
                for run in runs(&sorted) {
                    parts.push(backed.rows(run)?);
                }
                let read = stack(&parts)?;
                let back = positions.iter().map(|p| sorted.partition_point(|s| s < p));
                read.take_rows(&back.collect::<Vec<usize>>())?
            }
            Self::Mapping(_) | Self::Scalar(_) | Self::Null | Self::Opaque(_) => self.clone(),
        })
    }
}

impl Dense {
    fn take_rows(&self, positions: &[usize]) -> Dense {
        let width: usize = self.shape[1..].iter().product();
        let all = positions.iter().flat_map(|&p| p * width..(p + 1) * width);
        let mut shape = self.shape.clone();
        shape[0] = positions.len();
        Dense { shape, values: self.values.take(all) }
    }
}

impl Strings {
    fn take_rows(&self, positions: &[usize]) -> Strings {
        let width: usize = self.shape()[1..].iter().product();
        let all = positions.iter().flat_map(|&p| p * width..(p + 1) * width);
        let flat: Strings = all.map(|i| self.get(i)).collect();
        let mut shape = self.shape().to_vec();
        shape[0] = positions.len();
        flat.reshape(shape).expect("as many strings as the shape says")
    }
}

impl DataFrame {
    /// The rows at `positions` of the index and of all columns.
    ///
    /// # Errors
    /// As [`Element::take_rows`].
    pub fn take_rows(&self, positions: &[usize]) -> Result<DataFrame> {
        let taken =
            |(name, column): (&String, &Element)| Ok((name.clone(), column.take_rows(positions)?));
        Ok(DataFrame {
            index: Box::new(self.index.take_rows(positions)?),
            index_name: self.index_name.clone(),
            columns: self.columns.iter().map(taken).collect::<Result<_>>()?,
        })
    }
}

impl Sparse {
    /// The rows at `positions`, in the same format; int64 `indptr` only where int32 is too short.
    pub fn take_rows(&self, positions: &[usize]) -> Sparse {
        let shape = [positions.len(), self.shape[1]];
        let starts = self.indptr.to_i64();
        let (from, indices, indptr) = match self.format {
            SparseFormat::Csr => self.rows_of_rows(positions, &starts),
            SparseFormat::Csc => self.rows_of_columns(positions, &starts),
        };
        Sparse {
            format: self.format,
            shape,
            data: self.data.take(from.into_iter()),
            indices,
            indptr,
        }
    }

    fn rows_of_rows(&self, positions: &[usize], starts: &[i64]) -> (Vec<usize>, Values, Values) {
        let mut from = Vec::new();
        let mut ends = vec![0];
        for &p in positions {
            from.extend(starts[p] as usize..starts[p + 1] as usize);
            ends.push(from.len() as i64);
        }
        let indices = self.indices.take(from.iter().copied());
        (from, indices, self.like(&self.indptr, ends))
    }

    fn rows_of_columns(&self, positions: &[usize], starts: &[i64]) -> (Vec<usize>, Values, Values) {
        let mut wanted = vec![Vec::new(); self.shape[0]];
        for (new, &p) in positions.iter().enumerate() {
            wanted[p].push(new as i64);
        }
        let rows = self.indices.to_i64();
        let (mut from, mut indices, mut ends) = (Vec::new(), Vec::new(), vec![0]);
        for column in starts.windows(2) {
            let stored = column[0] as usize..column[1] as usize;
            let mut found: Vec<(i64, usize)> = stored
                .flat_map(|i| wanted[rows[i] as usize].iter().map(move |&new| (new, i)))
                .collect();
            found.sort_unstable();
            indices.extend(found.iter().map(|&(new, _)| new));
            from.extend(found.iter().map(|&(_, i)| i));
            ends.push(from.len() as i64);
        }
        (from, self.like(&self.indices, indices), self.like(&self.indptr, ends))
    }

    /// `values` in the dtype of `model`, or in int64 when it is too short.
    fn like(&self, model: &Values, values: Vec<i64>) -> Values {
        let short = values.iter().all(|&v| i32::try_from(v).is_ok());
        match model {
            Values::Int32(_) if short => {
                values.iter().map(|&v| v as i32).collect::<Vec<_>>().into()
            }
            _ => values.into(),
        }
    }
}

/// Each position once, rising.
fn sorted(positions: &[usize]) -> Vec<usize> {
    let mut sorted = positions.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
}

/// Rising positions as runs without gaps.
fn runs(sorted: &[usize]) -> Vec<Range<usize>> {
    let runs = sorted.chunk_by(|a, b| a + 1 == *b);
    runs.map(|run| run[0]..run[run.len() - 1] + 1).collect()
}

/// Blocks of rows of one matrix or column, one upon the other.
///
/// # Errors
/// [`Error::Kind`] when there is none, or they are not all numbers or all text of one kind.
fn stack(parts: &[Element]) -> Result<Element> {
    match parts.first() {
        Some(Element::Dense(first)) => {
            let parts = each(parts, |part| match part {
                Element::Dense(dense) => Some(dense),
                _ => None,
            })?;
            let mut shape = first.shape.clone();
            shape[0] = parts.iter().map(|part| part.shape[0]).sum();
            let values = Values::concat(parts.iter().map(|part| &part.values))?;
            Ok(Element::Dense(Dense { shape, values }))
        }
        Some(Element::Sparse(first)) => {
            let parts = each(parts, |part| match part {
                Element::Sparse(sparse) => Some(sparse),
                _ => None,
            })?;
            let mut indptr = vec![0i64];
            for part in &parts {
                let offset = indptr.last().copied().unwrap_or(0);
                indptr.extend(part.indptr.to_i64()[1..].iter().map(|end| end + offset));
            }
            Ok(Element::Sparse(Sparse {
                format: first.format,
                shape: [parts.iter().map(|part| part.shape[0]).sum(), first.shape[1]],
                data: Values::concat(parts.iter().map(|part| &part.data))?,
                indices: Values::concat(parts.iter().map(|part| &part.indices))?,
                indptr: first.like(&first.indptr, indptr),
            }))
        }
        Some(Element::Strings(_)) => {
            let parts = each(parts, |part| match part {
                Element::Strings(strings) => Some(strings),
                _ => None,
            })?;
            Ok(Element::strings(parts.iter().flat_map(|part| part.iter())))
        }
        other => Err(Error::Kind {
            what: "rows to be joined".into(),
            expected: "numbers or text".into(),
            found: other.map_or_else(|| "nothing".into(), Element::kind),
        }),
    }
}

/// All parts as what the first one is.
fn each<'a, T>(parts: &'a [Element], pick: fn(&'a Element) -> Option<&'a T>) -> Result<Vec<&'a T>> {
    let picked = parts.iter().map(|part| {
        pick(part).ok_or_else(|| Error::Kind {
            what: "rows to be joined".into(),
            expected: parts[0].kind(),
            found: part.kind(),
        })
    });
    picked.collect()
}

impl DataFrame {
    /// The rows of several tables with the columns of the first, one upon the other; columns are
    /// numbers or text.
    ///
    /// # Errors
    /// [`Error::MissingElement`] or [`Error::Kind`] when there is no table, or a column is missing or
    /// of another kind.
    pub fn stack(tables: &[DataFrame]) -> Result<DataFrame> {
        let index: Vec<Element> = tables.iter().map(|table| (*table.index).clone()).collect();
        let index = Box::new(stack(&index)?);
        let joined = |name: &String| {
            let parts = tables.iter().map(|table| table.column("table", name).cloned());
            Ok((name.clone(), stack(&parts.collect::<Result<Vec<_>>>()?)?))
        };
        let columns = tables[0].columns.keys().map(joined).collect::<Result<_>>()?;
        Ok(DataFrame { index, index_name: tables[0].index_name.clone(), columns })
    }
}

impl Values {
    /// All these numbers in one run; they are of one dtype.
    ///
    /// # Errors
    /// [`Error::Kind`] when the dtypes differ, or there are none.
    pub fn concat<'a>(parts: impl IntoIterator<Item = &'a Values>) -> Result<Values> {
        fn joined<T: super::Number>(_: &[T], parts: &[&Values]) -> Option<Values> {
            let typed: Option<Vec<&Buffer<T>>> = parts.iter().map(|part| T::unwrap(part)).collect();
            Some(T::wrap(typed?.into_iter().flat_map(|part| part.iter().copied()).collect()))
        }
        let parts: Vec<&Values> = parts.into_iter().collect();
        let joined = match parts.as_slice() {
            [] => None,
            [one] => Some((*one).clone()),
            [first, ..] => crate::with_values!(first, a => joined(a, &parts)),
        };
        let dtypes = || parts.iter().map(|part| part.dtype().name().to_owned()).collect::<Vec<_>>();
        joined.ok_or_else(|| Error::Kind {
            what: "numbers to be joined".into(),
            expected: "one dtype".into(),
            found: crate::error::list(&dtypes()),
        })
    }
}
