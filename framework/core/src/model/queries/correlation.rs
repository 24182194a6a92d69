//! Correlation between the columns of a matrix that comes in blocks of rows.

use std::{env, panic, thread};

use tch::{Device, Kind, Tensor};
use tempfile::NamedTempFile;

use crate::error::{Error, Result};

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

/// Spearman's: Pearson's of the ranks, ties sharing their average. Keeps one float32 per value; where
/// these are many, in a file from which the system takes what it needs into memory.
pub(super) struct Spearman {
    values: Tensor, // float32 [n_columns, n_rows]
    n_rows: i64,
    _file: Option<NamedTempFile>,
}

/// Bytes from which on values lie in a file.
const LARGE: usize = 256 << 20;

impl Spearman {
    /// Of this many columns, with room for so many rows.
    ///
    /// # Errors
    /// When the values are many, and the folder for temporary files has no room for them.
    pub fn new(n_columns: usize, n_rows: usize) -> Result<Self> {
        Self::with_file(n_columns, n_rows, n_columns * n_rows * size_of::<f32>() >= LARGE)
    }

    fn with_file(n_columns: usize, n_rows: usize, in_file: bool) -> Result<Self> {
        let shape = [n_columns as i64, n_rows as i64];
        if !in_file {
            let values = Tensor::f_zeros(shape, (Kind::Float, Device::Cpu))?;
            return Ok(Self { values, n_rows: 0, _file: None });
        }
        let folder = env::temp_dir();
        let failed = |source| Error::Io { path: folder.clone(), action: "make a file in", source };
        let file = NamedTempFile::new_in(&folder).map_err(failed)?;
        let bytes = n_columns * n_rows * size_of::<f32>();
        file.as_file().set_len(bytes as u64).map_err(failed)?;
        let (path, n) = (file.path().to_string_lossy(), n_columns * n_rows);
        let values = Tensor::f_from_file(&path, true, n as i64, (Kind::Float, Device::Cpu))?;
        Ok(Self { values: values.f_view(shape)?, n_rows: 0, _file: Some(file) })
    }
}

impl Correlation for Spearman {
    fn add(&mut self, rows: &Tensor) -> Result<()> {
        let (n_rows, _) = rows.size2()?;
        self.values.f_narrow(1, self.n_rows, n_rows)?.f_copy_(&rows.tr())?;
        self.n_rows += n_rows;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Tensor> {
        const BLOCK: i64 = 512; // rows: few enough for sums in float32
        let values = self.values.f_narrow(1, 0, self.n_rows)?;
        rank_all(&values)?;
        let n_columns = values.size2()?.0;
        let mut products = Tensor::zeros([n_columns, n_columns], tch::kind::DOUBLE_CPU);
        for start in (0..self.n_rows).step_by(BLOCK as usize) {
            let block = values.f_narrow(1, start, BLOCK.min(self.n_rows - start))?.contiguous();
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

/// [`rank`] of each column of `[n_columns, n_rows]`, on as many threads as libtorch uses; so many
/// columns at a time.
fn rank_all(values: &Tensor) -> Result<()> {
    let n_threads = usize::try_from(tch::get_num_threads()).unwrap_or(1).max(1);
    for columns in values.f_split(n_threads as i64, 0)? {
        let mut ranked: Vec<Vec<f32>> =
            columns.unbind(0).iter().map(Vec::try_from).collect::<std::result::Result<_, _>>()?;
        thread::scope(|scope| {
            let threads = ranked.iter_mut().map(|column| scope.spawn(|| rank(column)));
            for thread in threads.collect::<Vec<_>>() {
                thread.join().unwrap_or_else(|fault| panic::resume_unwind(fault));
            }
        });
        for (column, ranks) in columns.unbind(0).iter_mut().zip(&ranked) {
            column.f_copy_(&Tensor::from_slice(ranks))?;
        }
    }
    Ok(())
}

/// Puts in place of each value its rank, less the mean of all ranks; equal ones share their average.
fn rank(column: &mut [f32]) {
    // Value above, row below: whole numbers that are sorted as the values are.
    let keys =
        column.iter().zip(0u64..).map(|(&value, row)| u64::from(ascending(value)) << 32 | row);
    let mut order: Vec<u64> = keys.collect();
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
        for in_file in [false, true] {
            let spearman = Spearman::with_file(N_COLUMNS, N_ROWS, in_file).unwrap();
            check(&correlate(Box::new(spearman), &columns), &ranked, 1e-6);
        }
    }
}
