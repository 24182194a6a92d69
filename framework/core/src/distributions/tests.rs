//! Distributions against scalar float64 formulas written down independently.

mod sampling;

use std::f64::consts::PI;

use tch::{Device, Kind, Tensor};

use super::{Likelihood, NegativeBinomial, Normal, Poisson, ZeroInflatedNegativeBinomial};
use crate::{
    Result,
    model::{Ctx, Noise},
};

const EPS: f64 = 1e-8;
const X: [f64; 6] = [0.0, 1.0, 2.0, 17.0, 900.0, 1e5];
const MU: [f64; 8] = [0.0, 1e-9, 1e-4, 0.1, 1.0, 30.0, 1e3, 1e6];
const THETA: [f64; 7] = [1e-4, 1e-2, 0.3, 1.0, 12.0, 1e3, 1e6];
/// What no data set has: counts, means and dispersions beside those.
const EXTREME_X: [f64; 2] = [3e6, 1e7];
const EXTREME: [f64; 2] = [1e-8, 1e8];
const PI_LOGITS: [f64; 5] = [-30.0, -2.0, 0.0, 1.5, 30.0];

/// The same by scvi-tools' formulas; the second number is the size of the largest term.
fn nb(x: f64, mu: f64, theta: f64) -> (f64, f64) {
    let log_sum = (theta + mu + EPS).ln();
    let terms = [
        theta * ((theta + EPS).ln() - log_sum),
        x * ((mu + EPS).ln() - log_sum),
        libm::lgamma(x + theta),
        -libm::lgamma(theta),
        -libm::lgamma(x + 1.0),
    ];
    (terms.iter().sum(), terms.iter().fold(0.0, |m, t| t.abs().max(m)))
}

fn zinb(x: f64, mu: f64, theta: f64, pi: f64) -> (f64, f64) {
    let p = 1.0 / (1.0 + (-pi).exp());
    let (log_nb, size) = nb(x, mu, theta);
    if x == 0.0 {
        return ((p + (1.0 - p) * log_nb.exp()).ln(), size);
    }
    let log_not_p = -pi.max(0.0) - (-pi.abs()).exp().ln_1p(); // ln(1 - p)
    (log_nb + log_not_p, size)
}

fn poisson(x: f64, rate: f64) -> (f64, f64) {
    let data = if x == 0.0 { 0.0 } else { x * rate.ln() };
    let permutations = libm::lgamma(x + 1.0);
    (data - rate - permutations, data.abs() + rate + permutations)
}

/// Every combination of `X`, `MU`, `THETA`, `PI_LOGITS`, in one row; with their extremes where wished.
fn grid(extreme: bool) -> Vec<[f64; 4]> {
    let axis = |usual: &[f64], more: &[f64]| match extreme {
        true => [usual, more].concat(),
        false => usual.to_vec(),
    };
    let (mus, thetas) = (axis(&MU, &EXTREME), axis(&THETA, &EXTREME));
    let mut points = Vec::new();
    for x in axis(&X, &EXTREME_X) {
        for &mu in &mus {
            for &theta in &thetas {
                points.extend(PI_LOGITS.map(|pi| [x, mu, theta, pi]));
            }
        }
    }
    points
}

fn column(points: &[[f64; 4]], i: usize, kind: Kind) -> Tensor {
    let values: Vec<f64> = points.iter().map(|p| p[i]).collect();
    Tensor::from_slice(&values).unsqueeze(0).to_kind(kind)
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.detach().to_kind(Kind::Double).view(-1)).unwrap()
}

/// `log_prob` of x, mu, theta, pi at every point of the grid equals `reference`, and its gradients
/// are finite.
#[track_caller]
fn check(
    points: &[[f64; 4]],
    log_prob: impl Fn(&Tensor, &Tensor, &Tensor, &Tensor) -> Result<Tensor>,
    reference: impl Fn(f64, f64, f64, f64) -> (f64, f64),
) {
    for (kind, precision) in [(Kind::Double, 1e-9), (Kind::Float, 2e-6)] {
        let [x, mu, theta, pi] = [0, 1, 2, 3].map(|i| column(points, i, kind));
        let leaves = [mu, theta, pi].map(|t| t.set_requires_grad(true));
        let found = log_prob(&x, &leaves[0], &leaves[1], &leaves[2]).unwrap();
        assert_eq!(found.size(), x.size());
        found.sum(None).backward();
        for (point, found) in points.iter().zip(numbers(&found)) {
            let [x, mu, theta, pi] = *point;
            let (expected, size) = reference(x, mu, theta, pi);
            let tolerance = precision * (1.0 + size) + 2e-7;
            assert!(
                (found - expected).abs() <= tolerance
                    || (expected.is_infinite() && found == expected),
                "{kind:?} x {x} mu {mu} theta {theta} pi {pi}: {found} != {expected}"
            );
        }
        for leaf in leaves.iter().filter(|leaf| leaf.grad().defined()) {
            assert!(numbers(&leaf.grad()).iter().all(|g| g.is_finite()), "{kind:?}");
        }
    }
}

#[test]
fn negative_binomial_over_a_grid() {
    check(
        &grid(true),
        |x, mu, theta, _| NegativeBinomial::new(mu, theta).log_prob(x),
        |x, mu, t, _| nb(x, mu, t),
    );
}

#[test]
fn zero_inflated_negative_binomial_over_a_grid() {
    let log_prob = |x: &Tensor, mu: &Tensor, theta: &Tensor, pi: &Tensor| {
        let counts = NegativeBinomial::new(mu, theta);
        ZeroInflatedNegativeBinomial::new(counts, pi.shallow_clone()).log_prob(x)
    };
    check(&grid(true), log_prob, zinb);
}

#[test]
fn poisson_over_a_grid() {
    let log_prob = |x: &Tensor, mu: &Tensor, _: &Tensor, _: &Tensor| {
        Poisson::from_log((mu + 1e-12).log()).log_prob(x)
    };
    check(&grid(true), log_prob, |x, mu, _, _| poisson(x, mu + 1e-12));
}

#[test]
fn normal_over_a_grid() {
    let log_prob = |x: &Tensor, mu: &Tensor, sd: &Tensor, _: &Tensor| {
        Normal::new(mu.shallow_clone(), sd.shallow_clone()).log_prob(x)
    };
    check(&grid(false), log_prob, |x, mu, sd, _| {
        let z = (x - mu) / sd;
        (-0.5 * z * z - sd.ln() - 0.5 * (2.0 * PI).ln(), z * z)
    });
}

/// The grid as a minibatch of one row per count, for dispersions per cell, and one per count and
/// dispersion, for dispersions that cells share.
fn minibatches() -> Vec<[Tensor; 4]> {
    let points = grid(false);
    let columns = |points: &[[f64; 4]], n_rows: i64| {
        [0, 1, 2, 3].map(|i| column(points, i, Kind::Float).view([n_rows, -1]))
    };
    let mut all = vec![columns(&points, X.len() as i64)];
    for theta in THETA {
        let of_theta: Vec<_> = points.iter().filter(|p| p[2] == theta).copied().collect();
        let [x, mu, theta, pi] = columns(&of_theta, X.len() as i64);
        all.push([x, mu, theta.get(0), pi]);
    }
    all
}

#[test]
fn fused_losses_and_gradients_equal_those_of_operators_in_float64() {
    for zero_inflated in [true, false] {
        for [x, mu, theta, pi] in minibatches() {
            let logs = [(mu + 1e-12).log(), theta.log(), pi];
            let weights = Tensor::from_slice(&[1.0, 0.5, -2.0, 3.0, 0.0, 1.0]); // of cells
            let run = |kind: Kind, fused: bool| {
                let leaves = logs.each_ref().map(|t| t.to_kind(kind).set_requires_grad(true));
                let [log_mu, log_theta, pi] = leaves.each_ref().map(Tensor::shallow_clone);
                let counts = NegativeBinomial::from_logs(log_mu, log_theta);
                let px = match zero_inflated {
                    true => Likelihood::Zinb(ZeroInflatedNegativeBinomial::new(counts, pi)),
                    false => Likelihood::Nb(counts),
                };
                let x = x.to_kind(kind);
                let loss = match fused {
                    true => px.reconstruction_loss(&x).unwrap(),
                    false => -px.log_prob(&x).unwrap().sum_dim_intlist(-1, false, None),
                };
                (&loss * weights.to_kind(kind)).sum(None).backward();
                let n_leaves = if zero_inflated { 3 } else { 2 };
                let grads = leaves[..n_leaves].iter().map(|leaf| numbers(&leaf.grad())).collect();
                (numbers(&loss), grads)
            };
            let (expected, slopes): (Vec<f64>, Vec<Vec<f64>>) = run(Kind::Double, false);
            let (found, found_slopes) = run(Kind::Float, true);
            for (found, expected) in found.iter().zip(&expected) {
                assert!(
                    (found - expected).abs() <= 3e-6 * (1.0 + expected.abs()),
                    "{found} {expected}"
                );
            }
            for (found, expected) in found_slopes.iter().zip(&slopes) {
                let largest = expected.iter().fold(1.0f64, |m, v| m.max(v.abs()));
                for (found, expected) in found.iter().zip(expected) {
                    let tolerance = 2e-5 * expected.abs() + 1e-6 * largest.min(1e3) + 1e-6;
                    assert!(
                        (found - expected).abs() <= tolerance,
                        "{found} {expected} of {largest}"
                    );
                }
            }
        }
    }
}

#[test]
fn fused_losses_of_several_samples_equal_those_of_each() {
    let options = (Kind::Float, Device::Cpu);
    let x = (Tensor::rand([3, 50], options) * 4.0).floor();
    let (log_mu, pi) = (Tensor::randn([4, 3, 50], options), Tensor::randn([4, 3, 50], options));
    for theta in [vec![50], vec![3, 50], vec![4, 3, 50]] {
        let log_theta = Tensor::randn(theta.as_slice(), options);
        let px = |log_mu: Tensor, log_theta: &Tensor, pi: Tensor| {
            let counts = NegativeBinomial::from_logs(log_mu, log_theta.shallow_clone());
            Likelihood::Zinb(ZeroInflatedNegativeBinomial::new(counts, pi))
        };
        let all = px(log_mu.shallow_clone(), &log_theta, pi.shallow_clone());
        let all = all.reconstruction_loss(&x).unwrap();
        assert_eq!(all.size(), [4, 3]);
        for i in 0..4 {
            let of_sample =
                if theta.len() == 3 { log_theta.get(i) } else { log_theta.shallow_clone() };
            let one = px(log_mu.get(i), &of_sample, pi.get(i)).log_prob(&x).unwrap();
            let one = -one.sum_dim_intlist(-1, false, None);
            assert!(one.allclose(&all.get(i), 1e-5, 1e-5, false), "{theta:?}, sample {i}");
        }
    }
}

#[test]
fn gradients_of_zinb_equal_finite_differences() {
    let h = 1e-5;
    for x in [0.0, 1.0, 30.0] {
        for (mu, theta, pi) in [(0.02, 0.5, -1.0), (3.0, 2.0, 0.4), (250.0, 40.0, -5.0)] {
            let at = |[m, t, p]: [f64; 3]| zinb(x, m.exp(), t.exp(), p).0;
            let point = [f64::ln(mu), f64::ln(theta), pi];
            let leaves =
                point.map(|v| Tensor::from_slice(&[v]).unsqueeze(0).set_requires_grad(true));
            let [log_mu, log_theta, logits] = leaves.each_ref().map(Tensor::shallow_clone);
            let px = ZeroInflatedNegativeBinomial::new(
                NegativeBinomial::from_logs(log_mu, log_theta),
                logits,
            );
            px.log_prob(&Tensor::from_slice(&[x]).unsqueeze(0)).unwrap().sum(None).backward();
            for (i, leaf) in leaves.iter().enumerate() {
                let shifted = |by: f64| {
                    let mut point = point;
                    point[i] += by;
                    at(point)
                };
                let expected = (shifted(h) - shifted(-h)) / (2.0 * h);
                let found = numbers(&leaf.grad())[0];
                let tolerance = 1e-6 * (1.0 + expected.abs());
                assert!((found - expected).abs() < tolerance, "x {x} axis {i}: {found} {expected}");
            }
        }
    }
}

#[test]
fn cells_without_counts_have_log_probability_and_gradients() {
    let log_scale = Tensor::zeros([1, 3], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    let log_theta = Tensor::zeros([3], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    let log_mu = log_scale.log_softmax(-1, None) + f64::NEG_INFINITY;
    let counts = NegativeBinomial::from_logs(log_mu.shallow_clone(), log_theta.shallow_clone());
    let x = Tensor::zeros([1, 3], (Kind::Float, Device::Cpu));
    let zinb = ZeroInflatedNegativeBinomial::new(counts, log_scale.shallow_clone());
    let both = zinb.log_prob(&x).unwrap() + Poisson::from_log(log_mu).log_prob(&x).unwrap();
    both.sum(None).backward();
    assert_eq!(numbers(&both), [0.0; 3]);
    for leaf in [log_scale, log_theta] {
        assert!(numbers(&leaf.grad()).iter().all(|g| g.is_finite()));
    }
}

#[test]
fn samples_and_shared_dispersion_broadcast() {
    let options = (Kind::Double, Device::Cpu);
    let (mu, pi) = (Tensor::rand([4, 3, 5], options) * 3.0, Tensor::randn([4, 3, 5], options));
    let theta = Tensor::rand([5], options) + 0.1;
    let x = Tensor::rand([3, 5], options).multiply_scalar(3.0).floor();
    let px = |mu: &Tensor, theta: &Tensor, pi: Tensor| {
        ZeroInflatedNegativeBinomial::new(NegativeBinomial::new(mu, theta), pi)
    };
    let all = px(&mu, &theta, pi.shallow_clone()).log_prob(&x).unwrap();
    assert_eq!(all.size(), [4, 3, 5]);
    for i in 0..4 {
        let one = px(&mu.get(i), &theta.expand([3, 5], false), pi.get(i)).log_prob(&x).unwrap();
        assert!(one.allclose(&all.get(i), 1e-12, 1e-12, false));
    }
}

#[test]
fn means_equal_sums_over_the_support() {
    let (mu, theta, pi) = (2.5, 1.7, 0.3);
    let support: Vec<f64> = (0..600).map(f64::from).collect();
    let mean: f64 = support.iter().map(|&x| x * zinb(x, mu, theta, pi).0.exp()).sum();
    let tensor = |v: f64| Tensor::from_slice(&[v]).unsqueeze(0);
    let counts = NegativeBinomial::new(&tensor(mu), &tensor(theta));
    let px = ZeroInflatedNegativeBinomial::new(counts, tensor(pi));
    assert!((numbers(&px.mean())[0] - mean).abs() < 1e-6);
    assert!((numbers(&px.counts().mean())[0] - mu).abs() < 1e-9);
}

#[test]
fn poisson_refuses_what_is_no_count() {
    let px = Poisson::from_log(Tensor::zeros([1, 3], (Kind::Float, Device::Cpu)));
    let error = px.log_prob(&Tensor::from_slice(&[0.0f32, 1.5, 2.0]).unsqueeze(0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Poisson likelihood: expected counts (0, 1, 2, …), found 1.5; use a layer that holds raw \
         counts, or another gene_likelihood"
    );
    assert!(px.log_prob(&Tensor::from_slice(&[0.0f32, -1.0, 2.0]).unsqueeze(0)).is_err());
}

struct Fixed(f64);

impl Noise for Fixed {
    fn randn_like(&self, like: &Tensor) -> Tensor {
        like.full_like(self.0)
    }
}

#[test]
fn normal_draws_with_the_noise_given() {
    let q =
        Normal::from_variance(Tensor::from_slice(&[1.0f64, 2.0]), &Tensor::from_slice(&[4.0, 9.0]));
    let ctx = Ctx { noise: &Fixed(0.5), ..Ctx::eval(Device::Cpu) };
    assert_eq!(numbers(&q.rsample(&ctx)), [2.0, 3.5]);
    assert_eq!(q.rsample_n(&ctx, 3).size(), [3, 2]);
    assert_eq!(numbers(&q.rsample_n(&ctx, 2)), [2.0, 3.5, 2.0, 3.5]);
}

#[test]
fn kl_divergences_equal_integrals() {
    let kl = |(m, s): (f64, f64), (pm, ps): (f64, f64)| {
        let density = |x: f64, m: f64, s: f64| -0.5 * ((x - m) / s).powi(2) - s.ln();
        let step = 1e-3;
        let points = (-20_000..20_000).map(|i| m + f64::from(i) * step * s);
        points.fold(0.0, |sum, x| {
            let p = density(x, m, s);
            sum + (p - density(x, pm, ps)) * p.exp() * step * s / (2.0 * PI).sqrt()
        })
    };
    let (q, prior) = ([(0.3, 0.5), (-1.0, 2.0)], [(0.1, 1.5), (0.7, 0.4)]);
    let normal = |of: [(f64, f64); 2]| {
        let row = |values: [f64; 2]| Tensor::from_slice(&values).unsqueeze(0);
        Normal::new(row(of.map(|p| p.0)), row(of.map(|p| p.1)))
    };
    let expected: f64 = q.iter().map(|&q| kl(q, (0.0, 1.0))).sum();
    assert!((numbers(&normal(q).kl_from_standard_normal())[0] - expected).abs() < 1e-6);
    let expected: f64 = q.iter().zip(prior).map(|(&q, p)| kl(q, p)).sum();
    assert!((numbers(&normal(q).kl_from(&normal(prior)).unwrap())[0] - expected).abs() < 1e-6);
}
