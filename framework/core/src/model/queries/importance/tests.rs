//! The weights themselves, against their formula.

use super::*;
use crate::distributions::{Likelihood, Poisson};

#[test]
fn truncation_caps_large_weights_and_leaves_small_ones() {
    let log_weights: Vec<f64> = [1.0, 2.0, 3.0, 94.0].iter().map(|w: &f64| w.ln()).collect();
    let free = weights(log_weights.clone(), false);
    let capped = weights(log_weights, true);
    // The mean is 25, and 25 · √4 = 50.
    for (i, expected) in [1.0, 2.0, 3.0, 50.0].into_iter().enumerate() {
        assert!((capped[i] * 94.0 - expected).abs() < 1e-9, "{capped:?}");
    }
    assert!((free[3] - 1.0).abs() < 1e-12 && (free[0] * 94.0 - 1.0).abs() < 1e-9);
}

struct Frequencies(Tensor, Likelihood);

impl HasPx for Frequencies {
    fn px(&self) -> &Likelihood {
        &self.1
    }
    fn px_scale(&self) -> Tensor {
        self.0.shallow_clone()
    }
}

/// Two candidates, two anchors, two genes, one latent dimension: against the formula in float64.
#[test]
fn weights_are_those_of_the_formula() {
    let scale = [[0.25_f32, 0.75], [0.5, 0.5]];
    let (x, library, log_px) = ([[1.0_f32, 3.0], [4.0, 2.0]], [4.0, 6.0], [-3.0, -2.5]);
    let (loc, sd, z) = ([0.5, -1.0], [0.3, 0.4], [0.2, -0.7]);
    let column = |values: [f64; 2]| Tensor::from_slice(&values).unsqueeze(1);
    let anchors = Anchors {
        x: x.iter().map(|x| Tensor::from_slice(x).unsqueeze(0)).collect(),
        log_library: library.map(f64::ln).to_vec(),
        qz: Normal::new(column(loc), column(sd)),
        log_px: log_px.to_vec(),
    };
    let scales = Tensor::from_slice2(&scale).unsqueeze(0);
    let poisson = Likelihood::Poisson(Poisson::from_log(scales.log()));
    let explained = anchors.log_explained(&Frequencies(scales, poisson)).unwrap();
    let ratio = anchors.log_prior_ratio(&column(z).unsqueeze(0)).unwrap();
    let found = Vec::<f64>::try_from(explained + ratio).unwrap();
    let normal = |z: f64, m: f64, s: f64| {
        (-0.5 * ((z - m) / s).powi(2)).exp() / (s * std::f64::consts::TAU.sqrt())
    };
    let factorial = |n: f32| (1..=n as u64).product::<u64>() as f64;
    for candidate in 0..2 {
        let (mut explained, mut posterior) = (0.0, 0.0);
        for a in 0..2 {
            let p: f64 = (0..2)
                .map(|gene| {
                    let mean = f64::from(scale[candidate][gene]) * library[a];
                    (-mean).exp() * mean.powf(x[a][gene].into()) / factorial(x[a][gene])
                })
                .product();
            explained += p / f64::exp(log_px[a]);
            posterior += normal(z[candidate], loc[a], sd[a]);
        }
        let expected = (normal(z[candidate], 0.0, 1.0) / posterior * explained).ln();
        assert!((found[candidate] - expected).abs() < 1e-5, "{found:?}, {expected}");
    }
}
