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
                let read = stack(parts)?;
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

/// Blocks of rows of one matrix, one upon the other.
fn stack(parts: Vec<Element>) -> Result<Element> {
    let mut parts = parts.into_iter();
    let Some(mut all) = parts.next() else {
        return Err(Error::Kind {
            what: "rows of a matrix on disk".into(),
            expected: "at least one row".into(),
            found: "none".into(),
        });
    };
    for part in parts {
        all = match (all, part) {
            (Element::Dense(mut a), Element::Dense(b)) => {
                a.shape[0] += b.shape[0];
                a.values = a.values.chain(&b.values)?;
                Element::Dense(a)
            }
            (Element::Sparse(a), Element::Sparse(b)) => {
                let offset = a.data.len() as i64;
                let next = b.indptr.to_i64();
                let mut indptr = a.indptr.to_i64().to_vec();
                indptr.extend(next[1..].iter().map(|end| end + offset));
                Element::Sparse(Sparse {
                    format: a.format,
                    shape: [a.shape[0] + b.shape[0], a.shape[1]],
                    data: a.data.chain(&b.data)?,
                    indices: a.indices.chain(&b.indices)?,
                    indptr: a.like(&a.indptr, indptr),
                })
            }
            (a, b) => {
                return Err(Error::Kind {
                    what: "rows of a matrix on disk".into(),
                    expected: a.kind(),
                    found: b.kind(),
                });
            }
        };
    }
    Ok(all)
}

impl Values {
    /// These numbers and then those of `more`, which must be of the same dtype.
    ///
    /// # Errors
    /// When the dtypes differ.
    pub fn chain(&self, more: &Values) -> Result<Values> {
        fn joined<T: super::Number>(a: &Buffer<T>, more: &Values) -> Option<Values> {
            let b = T::unwrap(more)?;
            Some(T::wrap(a.iter().chain(b.iter()).copied().collect()))
        }
        let joined = crate::with_values!(self, a => joined(a, more));
        joined.ok_or_else(|| Error::Kind {
            what: "numbers to be joined".into(),
            expected: self.dtype().name().into(),
            found: more.dtype().name().into(),
        })
    }
}
