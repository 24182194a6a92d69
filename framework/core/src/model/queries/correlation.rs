//! Correlation between the columns of a matrix that comes in blocks of rows.

use std::{panic, thread};

use tch::{Kind, Tensor};

use crate::error::Result;

/// Takes rows, gives the correlation of their columns.
pub(super) trait Correlation {
    /// More rows, float32 `[n_rows, n_columns]` in memory.
    ///
    /// # Errors
    /// When there are more or fewer columns than before.
    fn add(&mut self, rows: &Tensor) -> Result<()>;

    /// Correlation of all rows so far, float64 `[n_columns, n_columns]`; not a number where a column
    /// does not vary.
    ///
    /// # Errors
    /// When a tensor cannot be made.
    fn finish(self: Box<Self>) -> Result<Tensor>;
}

/// Pearson's, from running co-moments: no row is kept.
pub(super) struct Pearson {
    n_rows: f64,
    means: Tensor,    // float64 [n_columns]
    products: Tensor, // float64 [n_columns, n_columns], of differences from the means
}

impl Pearson {
    /// Of this many columns.
    pub fn new(n_columns: usize) -> Self {
        let n = n_columns as i64;
        let zeros = |shape: &[i64]| Tensor::zeros(shape, tch::kind::DOUBLE_CPU);
        Self { n_rows: 0.0, means: zeros(&[n]), products: zeros(&[n, n]) }
    }
}

impl Correlation for Pearson {
    fn add(&mut self, rows: &Tensor) -> Result<()> {
        let rows = rows.to_kind(Kind::Double);
        let (n, before) = (rows.size2()?.0 as f64, self.n_rows);
        let means = rows.mean_dim(0i64, false, None);
        let shift = means.f_sub(&self.means)?;
        // What the two means differ by counts as one more row.
        let between = &shift * (before * n / (before + n)).sqrt();
        let around = Tensor::f_cat(&[rows.f_sub(&means)?, between.unsqueeze(0)], 0)?;
        self.products = self.products.f_addmm_(&around.tr(), &around)?;
        self.means += shift * (n / (before + n));
        self.n_rows += n;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Tensor> {
        normalised(&self.products)
    }
}

/// Spearman's: Pearson's of the ranks, ties sharing their average. Keeps one float32 per value.
pub(super) struct Spearman {
    columns: Vec<Vec<f32>>,
}

impl Spearman {
    /// Of this many columns, with room for so many rows.
    pub fn new(n_columns: usize, n_rows: usize) -> Self {
        Self { columns: (0..n_columns).map(|_| Vec::with_capacity(n_rows)).collect() }
    }
}

impl Correlation for Spearman {
    fn add(&mut self, rows: &Tensor) -> Result<()> {
        let (n_rows, _) = rows.size2()?;
        let by_column = Vec::<f32>::try_from(rows.tr().f_reshape([-1])?)?;
        for (column, values) in self.columns.iter_mut().zip(by_column.chunks(n_rows as usize)) {
            column.extend_from_slice(values);
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Tensor> {
        const BLOCK: usize = 512; // short enough for sums in float32
        let columns = &mut self.columns;
        rank_all(columns);
        let (n_columns, n_rows) = (columns.len() as i64, columns.first().map_or(0, Vec::len));
        let mut products = Tensor::zeros([n_columns, n_columns], tch::kind::DOUBLE_CPU);
        for start in (0..n_rows).step_by(BLOCK) {
            let rows = start..n_rows.min(start + BLOCK);
            let block: Vec<f32> = columns.iter().flat_map(|c| &c[rows.clone()]).copied().collect();
            let block = Tensor::from_slice(&block).f_view([n_columns, rows.len() as i64])?;
            products += block.f_matmul(&block.tr())?;
        }
        normalised(&products)
    }
}

/// Products `[n, n]` of what is left of columns without their means, as correlations.
fn normalised(products: &Tensor) -> Result<Tensor> {
    let lengths = products.f_diagonal(0, 0, 1)?.sqrt();
    Ok(products.f_div(&lengths.unsqueeze(1))?.f_div(&lengths)?.f_clamp(-1.0, 1.0)?)
}

/// [`rank`] of each column, on as many threads as libtorch uses.
fn rank_all(columns: &mut [Vec<f32>]) {
    let n_threads = usize::try_from(tch::get_num_threads()).unwrap_or(1).max(1);
    let n_each = columns.len().div_ceil(n_threads).max(1);
    thread::scope(|scope| {
        let parts = columns.chunks_mut(n_each);
        let threads: Vec<_> = parts
            .map(|part| {
                scope.spawn(|| {
                    let mut order = Vec::new();
                    part.iter_mut().for_each(|column| rank(column, &mut order));
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap_or_else(|fault| panic::resume_unwind(fault));
        }
    });
}

/// Puts in place of each value its rank, less the mean of all ranks; equal ones share their average.
/// `order` is room for work.
fn rank(column: &mut [f32], order: &mut Vec<u64>) {
    // Value above, row below: whole numbers that are sorted as the values are.
    let keys =
        column.iter().zip(0u64..).map(|(&value, row)| u64::from(ascending(value)) << 32 | row);
    order.clear();
    order.extend(keys);
    order.sort_unstable();
    let middle = (column.len() as f64 - 1.0) / 2.0;
    let mut first = 0;
    for ties in order.chunk_by(|a, b| a >> 32 == b >> 32) {
        let average = first as f64 + (ties.len() as f64 - 1.0) / 2.0;
        for row in ties {
            column[(row & u64::from(u32::MAX)) as usize] = (average - middle) as f32;
        }
        first += ties.len();
    }
}

/// Bits that are in the order of the values.
fn ascending(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits(); // there is one zero
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng, rngs::StdRng};
    use tch::Tensor;

    use super::{Correlation, Pearson, Spearman};

    const N_ROWS: usize = 1500; // more than a block
    const N_COLUMNS: usize = 7;

    /// Columns on very different scales; the third has few values, the last one only.
    fn columns() -> Vec<Vec<f32>> {
        let mut random = StdRng::seed_from_u64(0);
        let mut value = |column: usize, shared: f32| match column {
            0 => shared - 0.5,
            1 => (10.0 * shared + random.random::<f32>()).exp(),
            2 => (3.0 * shared + 2.0 * random.random::<f32>()).floor() - 2.0,
            3 => 1e6 - shared * random.random::<f32>(),
            4 => 1e-30 * random.random::<f32>(),
            5 => random.random::<f32>().round() * -0.0,
            _ => 3.25,
        };
        let shared: Vec<f32> = (0..N_ROWS).map(|row| (row * 37 % 1009) as f32 / 1009.0).collect();
        (0..N_COLUMNS).map(|c| shared.iter().map(|&s| value(c, s)).collect()).collect()
    }

    /// From the definition, in float64.
    fn pearson(a: &[f64], b: &[f64]) -> f64 {
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let (mean_a, mean_b) = (mean(a), mean(b));
        let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
            a.iter().zip(b).map(|(a, b)| f(a - mean_a, b - mean_b)).sum()
        };
        sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt()
    }

    /// One more than those below, and half of the others that are equal.
    fn ranks(values: &[f64]) -> Vec<f64> {
        let count = |f: &dyn Fn(f64) -> bool| values.iter().filter(|v| f(**v)).count() as f64;
        let rank = |v: &f64| 1.0 + count(&|w| w < *v) + (count(&|w| w == *v) - 1.0) / 2.0;
        values.iter().map(rank).collect()
    }

    /// In blocks of uneven sizes.
    fn correlate(mut correlation: Box<dyn Correlation>, columns: &[Vec<f32>]) -> Vec<f64> {
        let rows =
            Tensor::stack(&columns.iter().map(|c| Tensor::from_slice(c)).collect::<Vec<_>>(), 1);
        for (start, n) in [(0, 1), (1, 2), (3, 997), (1000, 500)] {
            correlation.add(&rows.narrow(0, start, n)).unwrap();
        }
        Vec::try_from(correlation.finish().unwrap().view(-1)).unwrap()
    }

    #[track_caller]
    fn check(found: &[f64], columns: &[Vec<f64>], precision: f64) {
        assert_eq!(found.len(), N_COLUMNS * N_COLUMNS);
        for (i, a) in columns.iter().enumerate() {
            for (j, b) in columns.iter().enumerate() {
                let (found, expected) = (found[i * N_COLUMNS + j], pearson(a, b));
                let same = (found - expected).abs() <= precision;
                assert!(
                    same || found.is_nan() && expected.is_nan(),
                    "{i}, {j}: {found} for {expected}"
                );
            }
        }
    }

    #[test]
    fn correlations_are_those_of_the_definition() {
        let columns = columns();
        let doubled = |column: &Vec<f32>| column.iter().map(|&v| f64::from(v)).collect();
        let doubles: Vec<Vec<f64>> = columns.iter().map(doubled).collect();
        let ranked: Vec<Vec<f64>> = doubles.iter().map(|column| ranks(column)).collect();
        check(&correlate(Box::new(Pearson::new(N_COLUMNS)), &columns), &doubles, 1e-10);
        check(&correlate(Box::new(Spearman::new(N_COLUMNS, N_ROWS)), &columns), &ranked, 1e-6);
    }
}
