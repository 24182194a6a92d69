//! Matrices in whatever layout, block by block.

use crate::{
    anndata::{Dense, Element, Sparse, SparseFormat, Values},
    error::{Error, Result},
};

/// Rows of a matrix in memory.
#[derive(Clone, Copy, Debug)]
pub(super) enum Block<'a> {
    Dense(&'a Dense),
    Sparse(&'a Sparse),
}

impl<'a> Block<'a> {
    /// A matrix in memory; `None` for anything else.
    pub(super) fn of(element: &'a Element) -> Option<Self> {
        match element {
            Element::Dense(dense) if dense.shape.len() == 2 => Some(Self::Dense(dense)),
            Element::Sparse(sparse) => Some(Self::Sparse(sparse)),
            _ => None,
        }
    }

    /// The stored values.
    pub(super) fn values(&self) -> &'a Values {
        match self {
            Self::Dense(dense) => &dense.values,
            Self::Sparse(sparse) => &sparse.data,
        }
    }

    pub(super) fn sparse(&self) -> Option<&'a Sparse> {
        match self {
            Self::Dense(_) => None,
            Self::Sparse(sparse) => Some(sparse),
        }
    }

    pub(super) fn n_rows(&self) -> usize {
        match self {
            Self::Dense(dense) => dense.shape[0],
            Self::Sparse(sparse) => sparse.shape[0],
        }
    }

    pub(super) fn n_cols(&self) -> usize {
        match self {
            Self::Dense(dense) => dense.shape[1],
            Self::Sparse(sparse) => sparse.shape[1],
        }
    }

    /// Row and column of stored value `i`.
    pub(super) fn position(&self, i: usize) -> (usize, usize) {
        let sparse = match self {
            Self::Dense(dense) => return (i / dense.shape[1], i % dense.shape[1]),
            Self::Sparse(sparse) => sparse,
        };
        let major = sparse.indptr.to_i64().partition_point(|&start| start as usize <= i) - 1;
        let minor = sparse.indices.get_f64(i) as usize;
        match sparse.format {
            SparseFormat::Csr => (major, minor),
            SparseFormat::Csc => (minor, major),
        }
    }
}

/// Visits a matrix from top to bottom: once as a whole when it is in memory, in blocks of some
/// megabytes when it is on disk. The visitor learns the number of the block's first row.
pub(super) fn for_each_block(
    matrix: &Element,
    what: &str,
    mut visit: impl FnMut(usize, Block<'_>) -> Result<()>,
) -> Result<()> {
    const VALUES_PER_BLOCK: usize = 1 << 22;
    let wrong = |found: &Element| Error::Kind {
        what: what.into(),
        expected: "a matrix of numbers".into(),
        found: found.kind(),
    };
    let Element::Backed(backed) = matrix else {
        return visit(0, Block::of(matrix).ok_or_else(|| wrong(matrix))?);
    };
    let &[n_rows, n_cols] = backed.shape().as_slice() else { return Err(wrong(matrix)) };
    let step = (VALUES_PER_BLOCK / n_cols.max(1)).max(1);
    for row in (0..n_rows).step_by(step) {
        let block = backed.rows(row..(row + step).min(n_rows))?;
        visit(row, Block::of(&block).ok_or_else(|| wrong(&block))?)?;
    }
    Ok(())
}

/// Visits every stored value of a matrix with its row and column.
///
/// # Errors
/// When the element is no matrix of numbers, or cannot be read.
pub(crate) fn for_each_value(
    matrix: &Element,
    what: &str,
    mut visit: impl FnMut(usize, usize, f64),
) -> Result<()> {
    for_each_block(matrix, what, |first, block| {
        let values = block.values();
        let mut at = |i, row, column| visit(first + row, column, values.get_f64(i));
        let Some(sparse) = block.sparse() else {
            let n_cols = block.n_cols().max(1);
            (0..values.len()).for_each(|i| at(i, i / n_cols, i % n_cols));
            return Ok(());
        };
        for (major, ends) in sparse.indptr.to_i64().windows(2).enumerate() {
            for i in ends[0] as usize..ends[1] as usize {
                let minor = sparse.indices.get_f64(i) as usize;
                match sparse.format {
                    SparseFormat::Csr => at(i, major, minor),
                    SparseFormat::Csc => at(i, minor, major),
                }
            }
        }
        Ok(())
    })
}
