//! Rows of a registered tensor, gathered into minibatches without a dense copy of the whole.

use std::{ops::Range, sync::Arc};

use super::gather::Loaded;
use crate::{
    anndata::{Backed, Buffer, Dense, Element, Number, Sparse, SparseFormat, Values},
    error::{Error, Result},
    with_values,
};

/// A matrix whose rows can be gathered.
#[derive(Clone, Debug)]
pub(super) enum Rows {
    /// In memory, C order.
    Dense { values: Values, n_cols: usize },
    /// In memory, compressed by rows.
    Csr { indptr: Buffer<i64>, indices: Values, data: Values, n_cols: usize },
    /// On disk.
    Backed(Arc<dyn Backed>),
    /// Row `i` is row `place[i].1` of part `place[i].0`; the parts are in memory.
    Fetched { parts: Vec<Rows>, place: Vec<(usize, usize)> },
}

impl Rows {
    /// The rows of `element`, which `what` names in messages.
    pub(super) fn of(element: &Element, what: &str) -> Result<Self> {
        match element {
            Element::Dense(Dense { shape, values }) if shape.len() <= 2 => {
                let n_cols = shape.get(1).copied().unwrap_or(1);
                Ok(Self::Dense { values: values.clone(), n_cols })
            }
            Element::Sparse(sparse) if sparse.format == SparseFormat::Csc => Ok(to_csr(sparse)),
            Element::Sparse(sparse) => Ok(Self::Csr {
                indptr: sparse.indptr.to_i64(),
                indices: sparse.indices.clone(),
                data: sparse.data.clone(),
                n_cols: sparse.shape[1],
            }),
            Element::Backed(backed) if backed.shape().len() == 2 => {
                Ok(Self::Backed(backed.clone()))
            }
            other => Err(Error::Kind {
                what: what.into(),
                expected: "numbers".into(),
                found: other.kind(),
            }),
        }
    }

    pub(super) fn n_cols(&self) -> usize {
        match self {
            Self::Dense { n_cols, .. } | Self::Csr { n_cols, .. } => *n_cols,
            Self::Backed(backed) => backed.shape()[1],
            Self::Fetched { parts, .. } => parts.first().map_or(0, Rows::n_cols),
        }
    }

    pub(super) fn on_disk(&self) -> bool {
        matches!(self, Self::Backed(_))
    }

    /// Reads `rows` of a matrix on disk: row `i` of the result is row `rows[i]` of this. Near rows
    /// are read together, in rising order, each range once.
    pub(super) fn fetch(&self, rows: &[usize]) -> Result<Rows> {
        let Self::Backed(backed) = self else { return Ok(self.clone()) };
        let mut sorted: Vec<usize> = (0..rows.len()).collect();
        sorted.sort_by_key(|&i| rows[i]);
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let mut place = vec![(0, 0); rows.len()];
        for i in sorted {
            let row = rows[i];
            match ranges.last_mut() {
                Some(range) if row < range.end + GAP && row - range.start < LONGEST => {
                    range.end = range.end.max(row + 1);
                }
                _ => ranges.push(row..row + 1),
            }
            let part = ranges.len() - 1;
            place[i] = (part, row - ranges[part].start);
        }
        let read = |range: Range<usize>| Rows::of(&backed.rows(range)?, "matrix on disk");
        let parts = ranges.into_iter().map(read).collect::<Result<_>>()?;
        Ok(Self::Fetched { parts, place })
    }

    /// Whether stored entries are known to be few; of what is on disk this shows when it is read.
    pub(super) fn is_sparse(&self) -> bool {
        match self {
            Self::Csr { .. } => true,
            Self::Fetched { parts, .. } => parts.first().is_some_and(Rows::is_sparse),
            Self::Dense { .. } | Self::Backed(_) => false,
        }
    }

    /// Bytes of the values and positions in memory.
    pub(super) fn n_bytes(&self) -> usize {
        let size = |values: &Values| values.len() * values.dtype().size();
        match self {
            Self::Dense { values, .. } => size(values),
            Self::Csr { indices, data, .. } => size(indices) + size(data),
            Self::Fetched { parts, .. } => parts.iter().map(Rows::n_bytes).sum(),
            Self::Backed(_) => 0,
        }
    }

    /// Visits column and value of each stored entry of a row that is sparse.
    pub(super) fn stored(&self, row: usize, visit: &mut impl FnMut(usize, f64)) {
        match self {
            Self::Csr { indptr, indices, data, .. } => {
                let stored = indptr[row] as usize..indptr[row + 1] as usize;
                with_values!(data, b => with_values!(indices, at => {
                    for (at, value) in at[stored.clone()].iter().zip(&b[stored]) {
                        visit(at.to_f64() as usize, value.to_f64());
                    }
                }));
            }
            Self::Fetched { parts, place } => parts[place[row].0].stored(place[row].1, visit),
            Self::Dense { .. } | Self::Backed(_) => {}
        }
    }

    /// Adds `rows` to `out`; entries stored twice add up.
    pub(super) fn add<T: Loaded>(&self, rows: &[usize], out: &mut [T]) {
        match self {
            Self::Dense { values, n_cols } => {
                with_values!(values, b => copy_rows(b, *n_cols, rows, out));
            }
            Self::Csr { indptr, indices, data, n_cols } => with_values!(data, b => match indices {
                Values::Int32(at) => scatter(indptr, at, b, *n_cols, rows, out),
                Values::Int64(at) => scatter(indptr, at, b, *n_cols, rows, out),
                _ => {} // `Sparse` has no others
            }),
            Self::Fetched { parts, place } => {
                for (&row, out) in rows.iter().zip(out.chunks_mut(self.n_cols().max(1))) {
                    let (part, row) = place[row];
                    parts[part].add(&[row], out);
                }
            }
            Self::Backed(_) => {} // fetched before
        }
    }
}

/// Rows on disk at most this far apart are read together.
const GAP: usize = 16;
/// Rows on disk that are read at once, at most.
const LONGEST: usize = 4096;

fn copy_rows<V: Number, T: Loaded>(values: &[V], n_cols: usize, rows: &[usize], out: &mut [T]) {
    for (&row, out) in rows.iter().zip(out.chunks_exact_mut(n_cols.max(1))) {
        let values = &values[row * n_cols..(row + 1) * n_cols];
        for (out, value) in out.iter_mut().zip(values) {
            *out = T::from_f64(value.to_f64());
        }
    }
}

/// Positions in a sparse row.
trait Index: Copy {
    fn at(self) -> usize;
}
impl Index for i32 {
    fn at(self) -> usize {
        self as usize
    }
}
impl Index for i64 {
    fn at(self) -> usize {
        self as usize
    }
}

fn scatter<I: Index, V: Number, T: Loaded>(
    indptr: &[i64],
    indices: &[I],
    data: &[V],
    n_cols: usize,
    rows: &[usize],
    out: &mut [T],
) {
    for (&row, out) in rows.iter().zip(out.chunks_exact_mut(n_cols.max(1))) {
        let stored = indptr[row] as usize..indptr[row + 1] as usize;
        for (at, value) in indices[stored.clone()].iter().zip(&data[stored]) {
            out[at.at()] += T::from_f64(value.to_f64());
        }
    }
}

/// The same matrix compressed by rows.
fn to_csr(csc: &Sparse) -> Rows {
    fn turn<T: Number>(values: &[T], rows: &[i64], columns: &[i64], n_rows: usize) -> Csr {
        let mut indptr = vec![0i64; n_rows + 1];
        rows.iter().for_each(|&row| indptr[row as usize + 1] += 1);
        for row in 0..n_rows {
            indptr[row + 1] += indptr[row];
        }
        let mut next = indptr.clone();
        let mut indices = vec![0i64; values.len()];
        let Some(&filler) = values.first() else {
            return (indptr, indices, Values::from(Vec::<f32>::new()));
        };
        let mut data = vec![filler; values.len()];
        for (column, w) in columns.windows(2).enumerate() {
            for i in w[0] as usize..w[1] as usize {
                let place = &mut next[rows[i] as usize];
                indices[*place as usize] = column as i64;
                data[*place as usize] = values[i];
                *place += 1;
            }
        }
        (indptr, indices, data.into())
    }
    let (rows, columns) = (csc.indices.to_i64(), csc.indptr.to_i64());
    let (indptr, indices, data) =
        with_values!(&csc.data, b => turn(b, &rows, &columns, csc.shape[0]));
    Rows::Csr { indptr: indptr.into(), indices: indices.into(), data, n_cols: csc.shape[1] }
}

type Csr = (Vec<i64>, Vec<i64>, Values);
