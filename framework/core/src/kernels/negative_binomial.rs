//! Minus the log likelihood of one cell's counts under a negative binomial, plain or zero-inflated,
//! and its slopes.
//!
//! | math | here | meaning |
//! |---|---|---|
//! | `x` | `x` | counts, one per gene |
//! | `log mu` | `log_mu` | log mean |
//! | `log theta` | `theta.log` | log inverse dispersion |
//! | `pi` | `zi_logits` | log odds of an extra zero |
//!
//! With `u = log mu - log theta`, `sp` for softplus and `a = -theta sp(u) - pi`:
//!
//! - no count: `log p = sp(a) - sp(-pi)`; without extra zeros `-theta sp(u)`;
//! - a count: `log p = -theta sp(u) - x sp(-u') + ln Γ(x + theta) - ln Γ(theta) - ln Γ(x + 1) - sp(pi)`,
//!   where `u'` has [`EPSILON`] added to the mean; without extra zeros the last term is not there.
//!
//! Most counts are zero. A first loop takes all genes for such, in float32; a second one replaces what
//! it said of the others, in float64, since large `ln Γ` cancel.

use std::sync::LazyLock;

use multiversion::multiversion;

use super::math::{exp_f64, ln_gamma_f64, softplus_f32, softplus_f64};
use crate::distributions::EPSILON;

/// One cell; all slices are `[n_vars]`.
pub struct Cell<'a> {
    pub x: &'a [f32],
    pub log_mu: &'a [f32],
    pub theta: &'a Theta<'a>,
    /// `None` without extra zeros.
    pub zi_logits: Option<&'a [f32]>,
}

/// Where the slopes of the loss go, each `[n_vars]`; the last is empty without extra zeros.
pub struct Slopes<'a> {
    pub by_log_mu: &'a mut [f32],
    pub by_log_theta: &'a mut [f32],
    pub by_zi_logits: &'a mut [f32],
}

/// Inverse dispersions `[n_vars]` and functions of them.
pub struct Theta<'a> {
    log: &'a [f32],
    theta: Vec<f32>,
    wide: Vec<f64>,
    ln_gamma: Vec<f64>,
    digamma: Vec<f64>,
}

/// Genes with a count that are computed together.
const LANES: usize = 16;

/// Some genes with a count: what must be known of each, and what is found. Fields of one block, so
/// that the compiler sees that they do not overlap.
#[derive(Clone, Default)]
struct Block {
    x: [f64; LANES],
    log_mu: [f64; LANES],
    log_theta: [f64; LANES],
    theta: [f64; LANES],
    /// `ln Γ(theta) + ln Γ(x + 1)`
    ln_gammas: [f64; LANES],
    digamma: [f64; LANES],
    pi: [f64; LANES],
    loss: [f64; LANES],
    /// What extra zeros add to it.
    extra: [f64; LANES],
    by_log_mu: [f64; LANES],
    by_log_theta: [f64; LANES],
    by_pi: [f64; LANES],
}

/// Memory for the cells of a task, one after the other.
pub struct Scratch {
    /// Loss of each gene without a count, 0 for others.
    zero_loss: Vec<f32>,
    /// Genes with a count, and after them others.
    genes: Vec<u32>,
    blocks: Vec<Block>,
}

impl<'a> Theta<'a> {
    pub fn of(log: &'a [f32]) -> Self {
        let n = log.len();
        let wide = || vec![0.0; n];
        let mut all =
            Self { log, theta: vec![0.0; n], wide: wide(), ln_gamma: wide(), digamma: wide() };
        of_theta(log, &mut all.wide, &mut all.ln_gamma, &mut all.digamma);
        all.theta.iter_mut().zip(&all.wide).for_each(|(narrow, wide)| *narrow = *wide as f32);
        all
    }
}

impl Scratch {
    /// For cells of `n_vars` genes.
    pub fn new(n_vars: usize) -> Self {
        let blocks = vec![Block::default(); n_vars.div_ceil(LANES)];
        Self { zero_loss: vec![0.0; n_vars], genes: vec![0; n_vars], blocks }
    }
}

impl Cell<'_> {
    /// Minus the log likelihood of the cell; its slopes go where `slopes` says. Not finite when
    /// something is not, or a count is negative.
    pub fn loss(&self, slopes: Slopes<'_>, scratch: &mut Scratch) -> f32 {
        let Slopes { by_log_mu, by_log_theta, by_zi_logits } = slopes;
        let zero_loss = &mut scratch.zero_loss;
        match self.zi_logits {
            Some(pi) => zinb_zeros(self, pi, by_log_mu, by_log_theta, by_zi_logits, zero_loss),
            None => nb_zeros(self, by_log_mu, by_log_theta, zero_loss),
        }
        let mut loss = sum(zero_loss);
        let mut n = 0;
        for (gene, x) in self.x.iter().enumerate() {
            scratch.genes[n] = gene as u32;
            n += usize::from(*x != 0.0);
        }
        for (genes, block) in scratch.genes[..n].chunks(LANES).zip(&mut scratch.blocks) {
            self.gather(genes, block);
            counts(block);
            let zero_inflated = self.zi_logits.is_some();
            for (i, &gene) in genes.iter().enumerate() {
                let gene = gene as usize;
                loss += block.loss[i];
                by_log_mu[gene] = block.by_log_mu[i] as f32;
                by_log_theta[gene] = block.by_log_theta[i] as f32;
                if zero_inflated {
                    loss += block.extra[i];
                    by_zi_logits[gene] = block.by_pi[i] as f32;
                }
            }
        }
        loss as f32
    }

    /// Fills the first lanes of a block; what the others hold is computed for nobody.
    fn gather(&self, genes: &[u32], block: &mut Block) {
        for (i, &gene) in genes.iter().enumerate() {
            let gene = gene as usize;
            block.x[i] = self.x[gene].into();
            block.log_mu[i] = self.log_mu[gene].into();
            block.log_theta[i] = self.theta.log[gene].into();
            block.theta[i] = self.theta.wide[gene];
            block.ln_gammas[i] = self.theta.ln_gamma[gene] + ln_factorial(self.x[gene]);
            block.digamma[i] = self.theta.digamma[gene];
            block.pi[i] = self.zi_logits.map_or(0.0, |pi| pi[gene].into());
        }
    }
}

/// `ln Γ(x + 1)`; NaN for negative `x`.
fn ln_factorial(x: f32) -> f64 {
    static TABLE: LazyLock<[f64; 256]> =
        LazyLock::new(|| std::array::from_fn(|x| ln_gamma_f64(x as f64 + 1.0).0));
    if x < 0.0 {
        return f64::NAN;
    }
    let whole = x as usize; // a NaN becomes 0 and differs
    match TABLE.get(whole) {
        Some(known) if whole as f32 == x => *known,
        _ => ln_gamma_f64(f64::from(x) + 1.0).0,
    }
}

#[multiversion(targets("x86_64+avx512f+avx512dq", "x86_64+avx2"))]
fn of_theta(log: &[f32], wide: &mut [f64], ln_gamma: &mut [f64], digamma: &mut [f64]) {
    let out = wide.iter_mut().zip(ln_gamma).zip(digamma);
    for (&log, ((theta, ln_gamma), digamma)) in log.iter().zip(out) {
        *theta = exp_f64(f64::from(log));
        (*ln_gamma, *digamma) = ln_gamma_f64(*theta);
    }
}

/// All genes as if they had no count; the loss of those that have is left out. A parameter that is
/// not finite makes the loss so, even where its limit would be: slopes are multiplied by parameters.
#[multiversion(targets("x86_64+avx512f+avx512dq", "x86_64+avx2"))]
fn nb_zeros(cell: &Cell<'_>, by_log_mu: &mut [f32], by_log_theta: &mut [f32], loss: &mut [f32]) {
    let inputs = cell.x.iter().zip(cell.log_mu).zip(cell.theta.log).zip(&cell.theta.theta);
    let outputs = by_log_mu.iter_mut().zip(by_log_theta).zip(loss);
    for ((((&x, &log_mu), &log_theta), &theta), ((by_mu, by_theta), loss)) in inputs.zip(outputs) {
        let (sp, s) = softplus_f32(log_mu - log_theta);
        *by_mu = theta * s;
        *by_theta = theta * (sp - s);
        *loss = if x == 0.0 { theta * sp + 0.0 * log_mu } else { 0.0 };
    }
}

/// As [`nb_zeros`], with extra zeros.
#[multiversion(targets("x86_64+avx512f+avx512dq", "x86_64+avx2"))]
fn zinb_zeros(
    cell: &Cell<'_>,
    zi_logits: &[f32],
    by_log_mu: &mut [f32],
    by_log_theta: &mut [f32],
    by_zi_logits: &mut [f32],
    loss: &mut [f32],
) {
    let inputs = cell.x.iter().zip(cell.log_mu).zip(cell.theta.log).zip(&cell.theta.theta);
    let outputs = by_log_mu.iter_mut().zip(by_log_theta).zip(by_zi_logits).zip(loss);
    for (((((&x, &log_mu), &log_theta), &theta), &pi), (((by_mu, by_theta), by_pi), loss)) in
        inputs.zip(zi_logits).zip(outputs)
    {
        let (sp, s) = softplus_f32(log_mu - log_theta);
        let (sp_zero, s_zero) = softplus_f32(-theta * sp - pi);
        let (sp_not, s_not) = softplus_f32(-pi);
        *by_mu = s_zero * theta * s;
        *by_theta = s_zero * theta * (sp - s);
        *by_pi = s_zero - s_not;
        *loss = if x == 0.0 { sp_not - sp_zero + 0.0 * (log_mu + pi) } else { 0.0 };
    }
}

/// Genes with a count.
#[multiversion(targets("x86_64+avx512f+avx512dq", "x86_64+avx2"))]
fn counts(block: &mut Block) {
    let ln_epsilon = EPSILON.ln();
    for i in 0..LANES {
        let (x, theta) = (block.x[i], block.theta[i]);
        let (log_mu, log_theta) = (block.log_mu[i], block.log_theta[i]);
        let (sp, s) = softplus_f64(log_mu - log_theta);
        let (more, lost) = softplus_f64(ln_epsilon - log_mu);
        let (sp_against, s_against) = softplus_f64(log_theta - log_mu - more);
        let (ln_gamma, slope) = ln_gamma_f64(x + theta);
        block.loss[i] = theta * sp + x * sp_against - (ln_gamma - block.ln_gammas[i]);
        block.by_log_mu[i] = theta * s - x * s_against * (1.0 - lost);
        block.by_log_theta[i] = theta * (sp - s - slope + block.digamma[i]) + x * s_against;
        (block.extra[i], block.by_pi[i]) = softplus_f64(block.pi[i]);
    }
}

/// The sum, in lanes that vectorise.
#[inline(always)]
fn sum(values: &[f32]) -> f64 {
    let mut lanes = [0.0f32; 32];
    let (blocks, rest) = values.as_chunks::<32>();
    for block in blocks {
        for (lane, value) in lanes.iter_mut().zip(block) {
            *lane += value;
        }
    }
    lanes.iter().chain(rest).map(|v| f64::from(*v)).sum()
}
