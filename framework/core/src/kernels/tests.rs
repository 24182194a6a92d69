//! Kernels against float64 functions of an independent library and against libtorch's operators.

use std::{collections::HashSet, sync::Mutex};

use tch::{Device, Kind, Tensor};

use super::{
    AdamStep, Counts, Moments,
    math::{
        exp_f32, exp_f64, ln_1p_f32, ln_1p_f64, ln_f64, ln_gamma_f64, softplus_f32, softplus_f64,
    },
    pool::{Parts, for_each},
};

/// Numbers from `low` to `high` in even steps of their logarithm.
fn spread(low: f64, high: f64) -> impl Iterator<Item = f64> {
    (0..=4000).map(move |i| low * (high / low).powf(f64::from(i) / 4000.0))
}

#[track_caller]
fn close(what: &str, at: f64, found: f64, expected: f64, tolerance: f64) {
    let error = (found - expected).abs() / expected.abs().max(f64::MIN_POSITIVE);
    assert!(error <= tolerance, "{what}({at}): {found} for {expected}, off by {error:e}");
}

#[test]
fn exponentials_and_logarithms_are_exact() {
    for x in spread(1e-12, 80.0) {
        close("exp_f32", -x, exp_f32(-x as f32).into(), f64::from(-x as f32).exp(), 3e-7);
    }
    for x in spread(1e-12, 700.0) {
        close("exp_f64", x, exp_f64(x), x.exp(), 1e-15);
        close("exp_f64", -x, exp_f64(-x), (-x).exp(), 1e-15);
    }
    for y in spread(1e-30, 1.0) {
        close("ln_1p_f32", y, ln_1p_f32(y as f32).into(), f64::from(y as f32).ln_1p(), 3e-7);
        close("ln_1p_f64", y, ln_1p_f64(y), y.ln_1p(), 1e-15);
    }
    for x in spread(1e-150, 1e150).filter(|x| (x - 1.0).abs() > 1e-3) {
        close("ln_f64", x, ln_f64(x), x.ln(), 2e-15);
    }
    assert_eq!(ln_f64(1.0), 0.0);
}

#[test]
fn softplus_and_its_slope_are_exact_at_both_ends() {
    for x in spread(1e-8, 80.0).flat_map(|x| [x, -x]) {
        let narrow = f64::from(x as f32);
        let (expected, slope) =
            (narrow.max(0.0) + (-narrow.abs()).exp().ln_1p(), 1.0 / (1.0 + (-narrow).exp()));
        let (value, share) = softplus_f32(x as f32);
        close("softplus_f32", x, value.into(), expected, 5e-7);
        close("its slope", x, share.into(), slope, 5e-7);
        let (value, share) = softplus_f64(narrow);
        close("softplus_f64", x, value, expected, 2e-15);
        close("its slope", x, share, slope, 2e-15);
    }
}

#[test]
fn ln_gamma_and_its_slope_are_exact() {
    for z in spread(1e-8, 1e15) {
        let expected = libm::lgamma(z);
        // Around 1 and 2, where it is zero, the absolute error counts.
        let (value, slope) = ln_gamma_f64(z);
        let error = (value - expected).abs() / expected.abs().max(1.0);
        assert!(error < 3e-13, "ln Γ({z}): {value} for {expected}");
        let h = z * 1e-4;
        let differences = (libm::lgamma(z + h) - libm::lgamma(z - h)) / (2.0 * h);
        let error = (slope - differences).abs() / slope.abs().max(1.0);
        let rounding = 1e-15 * expected.abs().max(1.0) / h;
        assert!(error < 1e-6 + rounding, "digamma({z}): {slope} for {differences}");
    }
}

#[test]
fn what_is_no_number_stays_none() {
    assert!(exp_f32(f32::NAN).is_nan() && ln_1p_f32(f32::NAN).is_nan());
    assert!(softplus_f32(f32::NAN).0.is_nan() && softplus_f64(f64::NAN).0.is_nan());
    assert!(exp_f64(f64::NAN).is_nan() && ln_f64(f64::NAN).is_nan());
    assert!(ln_gamma_f64(f64::NAN).0.is_nan());
    assert_eq!(softplus_f32(f32::NEG_INFINITY).1, 0.0_f32.max(softplus_f32(f32::NEG_INFINITY).1));
}

fn randn(shape: &[i64], scale: f64) -> Tensor {
    Tensor::randn(shape, (Kind::Float, Device::Cpu)) * scale
}

#[test]
fn tensors_that_do_not_fit_are_left_to_libtorch() {
    let (x, log_mu, log_theta) =
        (randn(&[3, 5], 1.0).abs().ceil(), randn(&[3, 5], 1.0), randn(&[5], 1.0));
    let loss = |x: &Tensor, log_mu: &Tensor, log_theta: &Tensor, zi_logits: Option<&Tensor>| {
        Counts { x, log_mu, log_theta, zi_logits }.loss().is_some()
    };
    assert!(loss(&x, &log_mu, &log_theta, None));
    assert!(loss(&x, &log_mu, &log_mu, Some(&log_mu)));
    let wide = x.to_kind(Kind::Double);
    let turned = randn(&[5, 3], 1.0).tr();
    let infinite = log_mu.fill(f64::NEG_INFINITY);
    assert!(!loss(&wide, &log_mu, &log_theta, None), "float64");
    assert!(!loss(&x, &turned, &log_theta, None), "not in C order");
    assert!(!loss(&x, &log_mu, &randn(&[3], 1.0), None), "another shape");
    assert!(!loss(&x, &log_mu, &log_theta, Some(&randn(&[2, 5], 1.0))), "another shape");
    assert!(!loss(&x, &infinite, &log_theta, None), "not finite");
    assert!(!loss(&-&x, &log_mu, &log_theta, None), "negative counts");
}

#[test]
fn a_parameter_of_another_kind_is_not_touched_by_the_kernel() {
    let step = AdamStep {
        l2: 0.0,
        shrink: 1.0,
        mean_share: 0.1,
        square_share: 0.001,
        rate: 0.1,
        root_scale: 1.0,
        eps: 0.01,
    };
    let wide = |value: f64| Tensor::from_slice(&[value, value]);
    let mut parameter = wide(1.0);
    let mut moments = Moments { mean: wide(0.0), mean_square: wide(0.0) };
    assert!(!step.apply(&mut parameter, &wide(2.0), &mut moments));
    assert_eq!(Vec::<f64>::try_from(parameter).unwrap(), [1.0, 1.0]);
}

#[test]
fn every_task_runs_once_whatever_the_threads() {
    let before = tch::get_num_threads();
    for n_threads in [1, 2, 4] {
        tch::set_num_threads(n_threads);
        for n_tasks in [0, 1, 3, 1000] {
            let mut counts = vec![0u8; n_tasks * 3];
            let parts = Parts::of(&mut counts, 3);
            let threads = Mutex::new(HashSet::new());
            for_each(n_tasks, |task| {
                // SAFETY: each task number comes once, which is what is tested.
                unsafe { parts.part(task) }.iter_mut().for_each(|count| *count += 1);
                threads.lock().unwrap().insert(std::thread::current().id());
                if n_tasks == 1000 {
                    std::thread::sleep(std::time::Duration::from_micros(20)); // leaves some for others
                }
            });
            assert!(counts.iter().all(|&count| count == 1), "{n_threads} threads, {n_tasks} tasks");
            let expected = if n_tasks == 1000 { n_threads as usize } else { 1 };
            let n_used = threads.lock().unwrap().len();
            assert!(n_used >= expected.min(2) || n_tasks == 0, "{n_used} of {n_threads} threads");
        }
    }
    tch::set_num_threads(before);
}
