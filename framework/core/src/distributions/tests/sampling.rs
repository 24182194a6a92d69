//! Draws have the moments and the share of zeros of their distribution.

use tch::{Device, Kind, Tensor};

use crate::distributions::{NegativeBinomial, Poisson, ZeroInflatedNegativeBinomial};

/// Draws of each case.
const N: i64 = 400_000;
/// Standard errors that a statistic may be off by: beyond, one run in a million fails by chance.
const SIGMAS: f64 = 5.0;
const MU: [f64; 4] = [0.05, 0.8, 12.0, 700.0];
const THETA: [f64; 4] = [0.2, 1.5, 30.0, 1e4];
const PI_LOGITS: [f64; 3] = [-3.0, 0.0, 2.0];

/// What a distribution says of its draws.
struct Truth {
    mean: f64,
    variance: f64,
    zeros: f64,
}

fn nb(mu: f64, theta: f64) -> Truth {
    Truth { mean: mu, variance: mu + mu * mu / theta, zeros: (-theta * (mu / theta).ln_1p()).exp() }
}

fn zinb(mu: f64, theta: f64, pi: f64) -> Truth {
    let (p, counts) = (1.0 / (1.0 + (-pi).exp()), nb(mu, theta));
    Truth {
        mean: (1.0 - p) * mu,
        variance: (1.0 - p) * (counts.variance + p * mu * mu),
        zeros: p + (1.0 - p) * counts.zeros,
    }
}

#[track_caller]
fn check(what: &str, draws: &Tensor, truth: &Truth) {
    assert_eq!(draws.size(), [N, 1], "{what}");
    let x = draws.to_kind(Kind::Double).view(-1);
    assert!(x.ge(0.0).all().int64_value(&[]) == 1 && x.frac().eq(0.0).all().int64_value(&[]) == 1);
    let (n, mean) = (N as f64, x.mean(None).double_value(&[]));
    let within = |name: &str, found: f64, expected: f64, error: f64| {
        let off = (found - expected).abs();
        assert!(off <= SIGMAS * error + 1e-12, "{what}: {name} {found} for {expected} ± {error}");
    };
    within("mean", mean, truth.mean, (truth.variance / n).sqrt());
    let squares = (&x - truth.mean).square();
    let error = (squares.var(true).double_value(&[]) / n).sqrt(); // by the draws' fourth moment
    within("variance", squares.mean(None).double_value(&[]), truth.variance, error);
    let zeros = x.eq(0.0).to_kind(Kind::Double).mean(None).double_value(&[]);
    within("share of zeros", zeros, truth.zeros, (truth.zeros * (1.0 - truth.zeros) / n).sqrt());
}

/// One number for each draw.
fn all(value: f64) -> Tensor {
    Tensor::full([N, 1], value, (Kind::Float, Device::Cpu))
}

#[test]
fn poisson_draws() {
    tch::manual_seed(1);
    for mu in MU {
        let draws = Poisson::from_log(all(mu).log()).sample().unwrap();
        let truth = Truth { mean: mu, variance: mu, zeros: (-mu).exp() };
        check(&format!("mu {mu}"), &draws, &truth);
    }
}

#[test]
fn negative_binomial_draws() {
    tch::manual_seed(2);
    for mu in MU {
        for theta in THETA {
            let draws = NegativeBinomial::new(&all(mu), &all(theta)).sample().unwrap();
            check(&format!("mu {mu} theta {theta}"), &draws, &nb(mu, theta));
        }
    }
}

#[test]
fn zero_inflated_draws() {
    tch::manual_seed(3);
    for (mu, theta) in MU.into_iter().zip(THETA) {
        for pi in PI_LOGITS {
            let counts = NegativeBinomial::new(&all(mu), &all(theta));
            let px = ZeroInflatedNegativeBinomial::new(counts, all(pi));
            let what = format!("mu {mu} theta {theta} pi {pi}");
            check(&what, &px.sample().unwrap(), &zinb(mu, theta, pi));
        }
    }
}
