//! Against scikit-learn's EllipticEnvelope, and where nothing can be estimated.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use rand::{Rng, SeedableRng};
use rand_distr::StandardNormal;
use serde_json::json;

use super::*;

/// Normal points of different spreads along skew axes, of which a share lies elsewhere.
fn points(n: usize, p: usize, share: f64, seed: u64) -> Vec<Vec<f64>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut normal =
        |n: usize| -> Vec<f64> { (0..n).map(|_| rng.sample(StandardNormal)).collect() };
    let axes: Vec<Vec<f64>> = (0..p).map(|_| normal(p)).collect();
    let centre = normal(p);
    (0..n)
        .map(|i| {
            let drawn = normal(p);
            let place = |j: usize| -> f64 { (0..p).map(|k| drawn[k] * axes[k][j]).sum() };
            match (i as f64) < share * n as f64 {
                true => (0..p).map(|j| 6.0 + 0.5 * drawn[j] + centre[j]).collect(),
                false => (0..p).map(place).collect(),
            }
        })
        .collect()
}

fn tensor(points: &[Vec<f64>]) -> Tensor {
    Tensor::from_slice(&points.concat()).view([points.len() as i64, -1])
}

fn kept(points: &[Vec<f64>]) -> Option<Vec<bool>> {
    inliers(&tensor(points), &mut StdRng::seed_from_u64(0)).unwrap()
}

const ASK: &str = "
import json, sys, warnings
import numpy as np
from sklearn.covariance import EllipticEnvelope
warnings.simplefilter('ignore')
def answer(x):
    # Of few points scikit-learn's starts find one local minimum or another: the least of several.
    fits = [EllipticEnvelope(random_state=seed).fit(x) for seed in range(20 if len(x) < 100 else 3)]
    best = min(fits, key=lambda fit: np.linalg.slogdet(fit.raw_covariance_)[1])
    return float(np.linalg.slogdet(best.raw_covariance_)[1]), (best.predict(x) == 1).tolist()
json.dump([answer(x) for x in json.load(sys.stdin)], sys.stdout)
";

#[test]
fn the_cells_kept_are_those_of_scikit_learn() {
    let Some(python) = crate::reference_python::with("sklearn") else { return };
    let cases: Vec<Vec<Vec<f64>>> = [
        (60, 3, 0.0),
        (60, 2, 0.2),
        (200, 10, 0.05),
        (450, 10, 0.3),
        (640, 5, 0.1),
        (1300, 10, 0.08),
        (4000, 10, 0.1),
        (150, 1, 0.1),
    ]
    .iter()
    .enumerate()
    .map(|(seed, &(n, p, share))| points(n, p, share, seed as u64))
    .collect();
    let mut child = Command::new(python)
        .args(["-c", ASK])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(json!(cases).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let answers: Vec<(f64, Vec<bool>)> = serde_json::from_slice(&output.stdout).unwrap();
    for (case, (least, expected)) in cases.iter().zip(answers) {
        let found = kept(case).unwrap();
        let same = found.iter().zip(&expected).filter(|(a, b)| a == b).count();
        let same = same as f64 / case.len() as f64;
        let what = format!("{} × {}", case.len(), case[0].len());
        let narrowest = log_det(case);
        println!("{what}: {same} the same, ln det {narrowest} beside {least}");
        assert!(narrowest <= least + 0.01, "{what}: {narrowest}, expected {least}");
        assert!(same >= 0.97, "{what}: {same}");
    }
}

/// Of the covariance of the narrowest half, in the points' own units.
fn log_det(case: &[Vec<f64>]) -> f64 {
    let points = tensor(case);
    let standard = standardised(&points).unwrap().unwrap();
    let whole = |points: &Tensor| {
        points
            .tr()
            .cov(1, None::<Tensor>, None::<Tensor>)
            .view([points.size()[1], -1])
            .logdet()
            .double_value(&[])
    };
    let (fit, _) = mcd::narrowest_half(&standard, &mut StdRng::seed_from_u64(0)).unwrap().unwrap();
    fit.log_det() + whole(&points) - whole(&standard)
}

#[test]
fn planted_outliers_go_first() {
    for (n, p) in [(200, 4), (1000, 10), (2000, 3)] {
        let found = kept(&points(n, p, 0.08, 7)).unwrap();
        let n_planted = (0.08 * n as f64) as usize;
        assert!(found[..n_planted].iter().all(|kept| !kept), "{n} × {p}");
        let n_kept = found.iter().filter(|kept| **kept).count();
        assert!(n_kept.abs_diff(n * 9 / 10) <= 1, "{n_kept} of {n}");
    }
}

/// Distances do not depend on units and axes, nor on a dimension that says nothing new.
#[test]
fn coordinates_do_not_matter() {
    let case = points(300, 3, 0.1, 5);
    let expected = kept(&case).unwrap();
    let other = |point: &Vec<f64>| {
        let (a, b, c) = (point[0], point[1], point[2]);
        vec![1e4 * a + 3.0, b - 2.0 * a, 1e-3 * (c + b)]
    };
    assert_eq!(kept(&case.iter().map(other).collect::<Vec<_>>()).unwrap(), expected);
    let more = |point: &Vec<f64>| [point.as_slice(), &[point[0] + point[1], 1.0]].concat();
    assert_eq!(kept(&case.iter().map(more).collect::<Vec<_>>()).unwrap(), expected);
}

#[test]
fn nothing_is_estimated_from_too_little() {
    assert_eq!(kept(&points(1, 3, 0.0, 0)), None);
    assert_eq!(kept(&points(4, 3, 0.0, 0)), None); // a plane through any three of them
    assert_eq!(kept(&vec![vec![0.5, 0.5]; 50]), None);
    let mut half = points(50, 2, 0.0, 0);
    half[..30].fill(vec![0.5, 0.5]);
    assert_eq!(kept(&half), None);
    let mut line = points(50, 2, 0.0, 0);
    line[..30].iter_mut().for_each(|point| point[1] = 2.0 * point[0]);
    assert_eq!(kept(&line), None);
    let mut unknown = points(50, 2, 0.0, 0);
    unknown[3][1] = f64::NAN;
    assert_eq!(kept(&unknown), None);
}

#[test]
fn quantiles_of_squared_lengths_are_known() {
    for (share, p, expected) in
        [(0.975, 1.0, 5.023886), (0.5, 10.0, 9.341818), (0.95, 3.0, 7.814728)]
    {
        assert!((chi2_quantile(share, p) - expected).abs() < 1e-5);
        assert!((chi2_cdf(expected, p) - share).abs() < 1e-6);
    }
}
