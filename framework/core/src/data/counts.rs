//! Looks at every value of a matrix: is it a count, which cells have any, how many.

use super::matrix::for_each_block;
use crate::{
    anndata::{Element, Number, SparseFormat},
    error::Result,
    with_values,
};

/// Values of a matrix that are no counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NonCounts {
    /// Values stored.
    pub n_values: usize,
    /// Those below zero.
    pub n_negative: usize,
    /// Those not below zero that have a fraction.
    pub n_fractional: usize,
    /// Those that are missing or infinite.
    pub n_not_finite: usize,
    /// Whole numbers above zero, where others are no counts.
    pub n_whole: usize,
    /// The largest value.
    pub max: f64,
    /// Cell, gene and value of the first of them in order of storage.
    pub first: (usize, usize, f64),
}

/// Whether values look like logarithms of normalised counts: most of those that are not zero have a
/// fraction, and the largest is what a logarithm of counts can be.
pub fn looks_log_normalised(n_fractional: usize, n_nonzero: usize, max: f64) -> bool {
    let logarithms = 1.0..20.0; // up to that of 500 million
    2 * n_fractional > n_nonzero && logarithms.contains(&max)
}

impl NonCounts {
    /// Values that are no counts.
    pub fn n_bad(&self) -> usize {
        self.n_negative + self.n_fractional + self.n_not_finite
    }

    /// In which way they are none, for messages.
    pub fn wrong(&self) -> String {
        let n_nonzero = self.n_fractional + self.n_whole;
        if self.n_fractional == self.n_bad()
            && looks_log_normalised(self.n_fractional, n_nonzero, self.max)
        {
            return "fractional and look log-normalised".into();
        }
        let kinds = [
            (self.n_not_finite, "missing or infinite"),
            (self.n_negative, "negative"),
            (self.n_fractional, "fractional"),
        ];
        let words: Vec<&str> =
            kinds.iter().filter(|(n, _)| *n > 0).map(|(_, word)| *word).collect();
        words.join(" or ")
    }
}

/// Looks at all values of a matrix `[n_obs, n_vars]`; `None` when all are counts. `what` names it in
/// messages.
///
/// # Errors
/// When the element is no matrix of numbers, or cannot be read.
pub fn check(matrix: &Element, what: &str) -> Result<Option<NonCounts>> {
    let mut found = NonCounts::default();
    for_each_block(matrix, what, |row, block| {
        let values = block.values();
        found.n_values += values.len();
        with_values!(values, b => {
            if b.iter().all(|&v| is_count(v)) {
                return Ok(());
            }
            for (i, &value) in b.iter().enumerate() {
                let (count, value) = (is_count(value), value.to_f64());
                found.max = found.max.max(value);
                if count {
                    found.n_whole += usize::from(value > 0.0);
                    continue;
                }
                if found.n_bad() == 0 {
                    let (cell, gene) = block.position(i);
                    found.first = (row + cell, gene, value);
                }
                match value {
                    v if !v.is_finite() => found.n_not_finite += 1,
                    v if v < 0.0 => found.n_negative += 1,
                    _ => found.n_fractional += 1,
                }
            }
        });
        Ok(())
    })?;
    Ok((found.n_bad() > 0).then_some(found))
}

/// Whether all values of a matrix are counts; false for what is no matrix.
pub fn is_counts(matrix: &Element) -> bool {
    matches!(check(matrix, "matrix"), Ok(None))
}

/// Sum of each row of a matrix `[n_obs, n_vars]`.
///
/// # Errors
/// When the element is no matrix of numbers, or cannot be read.
pub fn row_sums(matrix: &Element, what: &str) -> Result<Vec<f64>> {
    let mut sums = vec![0.0; matrix.shape().first().copied().unwrap_or(0)];
    for_each_block(matrix, what, |row, block| {
        let sums = &mut sums[row..row + block.n_rows()];
        with_values!(block.values(), b => match block.sparse() {
            None => {
                let n_cols = block.n_cols().max(1);
                for (sum, values) in sums.iter_mut().zip(b.chunks(n_cols)) {
                    *sum = values.iter().map(|v| v.to_f64()).sum();
                }
            }
            Some(sparse) if sparse.format == SparseFormat::Csr => {
                let starts = sparse.indptr.to_i64();
                for (sum, w) in sums.iter_mut().zip(starts.windows(2)) {
                    *sum = b[w[0] as usize..w[1] as usize].iter().map(|v| v.to_f64()).sum();
                }
            }
            Some(sparse) => {
                with_values!(&sparse.indices, rows => for (row, value) in rows.iter().zip(b.iter()) {
                    sums[row.to_f64() as usize] += value.to_f64();
                });
            }
        });
        Ok(())
    })?;
    Ok(sums)
}

/// The cells without any counts.
///
/// # Errors
/// When the element is no matrix of numbers, or cannot be read.
pub fn empty_cells(matrix: &Element) -> Result<Vec<usize>> {
    let sums = row_sums(matrix, "matrix")?;
    Ok((0..sums.len()).filter(|&i| sums[i] == 0.0).collect())
}

fn is_count<T: Number>(value: T) -> bool {
    let value = value.to_f64();
    value >= 0.0 && value.trunc() == value && value < f64::INFINITY
}
