//! Averages over draws, and whether they are those of somebody else.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use scvi_framework::{
    anndata::{Dense, Element, Values},
    model::{OutputSpec, Sink},
};

/// A block of rows, dense.
pub fn dense(block: Element) -> Dense {
    match block {
        Element::Dense(dense) => dense,
        Element::Sparse(sparse) => sparse.to_dense(),
        other => panic!("{}", other.kind()),
    }
}

/// Mean and variance over draws of each entry of results whose first axis is draws.
#[derive(Default)]
pub struct Moments {
    results: Vec<(OutputSpec, Vec<f64>, Vec<f64>, usize)>,
}

impl Sink for Moments {
    fn begin(&mut self, spec: &OutputSpec) -> scvi_framework::Result<()> {
        let n = spec.shape[spec.shape.len() - 2..].iter().product();
        self.results.push((spec.clone(), vec![0.0; n], vec![0.0; n], 0));
        Ok(())
    }

    fn rows(&mut self, block: Element) -> scvi_framework::Result<()> {
        let Values::Float32(values) = dense(block).values else { panic!("not float32") };
        let (_, sums, squares, seen) = self.results.last_mut().unwrap();
        let start = *seen % sums.len();
        for (i, &value) in values.iter().enumerate() {
            sums[start + i] += f64::from(value);
            squares[start + i] += f64::from(value).powi(2);
        }
        *seen += values.len();
        Ok(())
    }
}

impl Moments {
    /// Mean and standard error of the mean.
    pub fn of(&self, name: &str) -> (Vec<f64>, Vec<f64>) {
        let (spec, sums, squares, seen) = self.results.iter().find(|r| r.0.name == name).unwrap();
        assert_eq!(*seen, spec.shape.iter().product::<usize>(), "{name}");
        let n = (seen / sums.len()) as f64;
        let mean: Vec<f64> = sums.iter().map(|sum| sum / n).collect();
        let error = |(mean, square): (&f64, &f64)| ((square / n - mean * mean).max(0.0) / n).sqrt();
        let errors = mean.iter().zip(squares).map(error).collect();
        (mean, errors)
    }
}

/// Averages over draws agree: within 4 standard errors of their difference in 99.9 % of entries,
/// nowhere off by 7, and by more than 5 % of the gene's range in no more than 1 % of entries (between
/// two runs of scvi-tools it is 0.13 % of expression with 200 draws each).
#[track_caller]
pub fn agree(what: &str, (found, errors): (Vec<f64>, Vec<f64>), expected: &[f64], n_vars: usize) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let range = |gene: usize| {
        let values = || expected.iter().skip(gene).step_by(n_vars);
        let high = values().fold(f64::MIN, |m, v| m.max(*v));
        high - values().fold(f64::MAX, |m, v| m.min(*v))
    };
    let ranges: Vec<f64> = (0..n_vars).map(range).collect();
    let (mut outside, mut far) = (0, 0);
    for (i, ((found, error), expected)) in found.iter().zip(&errors).zip(expected).enumerate() {
        let off = (found - expected).abs();
        let rounding = 1e-5 * expected.abs();
        let error = error * std::f64::consts::SQRT_2; // both are averages
        outside += usize::from(off > 4.0 * error + rounding);
        far += usize::from(off > 0.05 * ranges[i % n_vars] + rounding);
        assert!(
            off <= 7.0 * error + rounding,
            "{what}, entry {i}: {found} for {expected} ± {error}"
        );
    }
    let share = |count: usize| count as f64 / expected.len() as f64;
    assert!(share(outside) <= 0.001, "{what}: {} are off by 4 standard errors", share(outside));
    assert!(share(far) <= 0.01, "{what}: {} are off by 5 % of the range", share(far));
}

/// As many draws as scvi-tools took.
pub const DRAWS: usize = 200;
