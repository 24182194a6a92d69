//! Hypotheses about genes, from pairs of posterior samples.

use tch::{Kind, Tensor};

use super::{
    ChangeFunctions, Delta, TestMode, delta, quantile::quantile, scales::Pairs, table::Columns,
};
use crate::error::Result;

/// Keeps the logarithm of a probability of zero finite.
const EPS: f64 = 1e-8;
/// Genes at a time: what is computed on the way is this wide.
const GENES: i64 = 128;
/// Pseudocounts where no gene is silent, and the least there are.
const LEAST_PSEUDOCOUNTS: f64 = 1e-10;
/// The quantile of silent genes' highest frequencies that pseudocounts hide.
const QUANTILE: f64 = 0.9;
/// The share of the pseudocounts with which fold changes are reported.
const REPORTED: f64 = 1e-3;

/// How mode `change` decides.
pub(super) struct Change<'a> {
    /// Half the width of no change.
    pub delta: Delta,
    /// Added to frequencies; estimated when not given.
    pub pseudocounts: Option<f64>,
    /// One hypothesis or two.
    pub test_mode: TestMode,
    /// Levels of credible intervals.
    pub levels: &'a [f64],
    /// What is computed of pairs.
    pub functions: ChangeFunctions<'a>,
}

/// Changes of all genes, summarised.
#[derive(Default)]
struct Summary {
    p_up: Vec<f64>,
    p_down: Vec<f64>,
    mean: Vec<f32>,
    median: Vec<f32>,
    std: Vec<f32>,
    min: Vec<f32>,
    max: Vec<f32>,
    intervals: Vec<[Vec<f32>; 2]>, // per level: lower and upper ends
}

/// Mode `vanilla`: the probability that a gene is higher in the first group (Lopez et al. 2018).
///
/// # Errors
/// When libtorch fails.
pub(super) fn vanilla(pairs: &Pairs, scales: [Tensor; 2]) -> Result<Columns> {
    let higher = pairs.first.f_gt_tensor(&pairs.second)?;
    let p_m1 = Vec::<f64>::try_from(&higher.mean_dim(1i64, false, Kind::Double))?;
    let p_m2: Vec<f64> = p_m1.iter().map(|p| 1.0 - p).collect();
    let bayes_factor: Vec<f64> = p_m1.iter().zip(&p_m2).map(|(a, b)| log_ratio(*a, *b)).collect();
    let mut columns = Columns::new(bayes_factor.clone());
    columns.push("proba_m1", p_m1);
    columns.push("proba_m2", p_m2);
    columns.push("bayes_factor", bayes_factor);
    columns.scales(scales)?;
    Ok(columns)
}

/// Mode `change`: the probability that the log2 fold change leaves ±delta (Boyeau et al. 2019).
/// `silent` genes of each group set the pseudocounts.
///
/// # Errors
/// When libtorch fails.
pub(super) fn change(
    pairs: &Pairs,
    scales: [Tensor; 2],
    silent: [Vec<bool>; 2],
    how: &Change<'_>,
) -> Result<Columns> {
    let pseudocounts = match how.pseudocounts {
        Some(given) => given,
        None => {
            let [first, second] = &silent;
            let hidden = hidden(&pairs.first, first)?.max(hidden(&pairs.second, second)?);
            (hidden / first.len() as f64).max(LEAST_PSEUDOCOUNTS)
        }
    };
    let delta = match how.delta {
        Delta::Fixed(delta) => delta,
        Delta::Estimated => delta::estimate(&mean_change(pairs, pseudocounts, &how.functions)?),
    };
    let summary = summarise(pairs, pseudocounts, delta, how)?;
    let decide = |(&up, &down): (&f64, &f64)| match how.test_mode {
        TestMode::Three => up.max(down),
        TestMode::Two => up + down,
    };
    let p_de: Vec<f64> = summary.p_up.iter().zip(&summary.p_down).map(decide).collect();
    let p_not_de: Vec<f64> = p_de.iter().map(|p| 1.0 - p).collect();
    let n_vars = p_de.len();
    let bayes_factor: Vec<f64> =
        p_de.iter().zip(&p_not_de).map(|(a, b)| log_ratio(*a, *b)).collect();
    let mut columns = Columns::new(p_de.clone());
    columns.push("proba_de", p_de.clone());
    columns.push("proba_not_de", p_not_de);
    columns.push("bayes_factor", bayes_factor);
    columns.scales(scales)?;
    columns.push("pseudocounts", vec![pseudocounts; n_vars]);
    columns.push("delta", vec![delta; n_vars]);
    columns.push("lfc_mean", summary.mean);
    columns.push("lfc_median", summary.median);
    columns.push("lfc_std", summary.std);
    columns.push("lfc_min", summary.min);
    columns.push("lfc_max", summary.max);
    for (level, [low, high]) in how.levels.iter().zip(summary.intervals) {
        let level: String = format!("{level:?}").chars().take(5).collect();
        columns.push(&format!("lfc_confidence_interval_{level}_min"), low);
        columns.push(&format!("lfc_confidence_interval_{level}_max"), high);
    }
    columns.p_de = Some(p_de);
    Ok(columns)
}

fn log_ratio(p: f64, q: f64) -> f64 {
    (p + EPS).ln() - (q + EPS).ln()
}

/// What a gene that is silent in a group may still reach there.
fn hidden(scales: &Tensor, silent: &[bool]) -> Result<f64> {
    let highest = Vec::<f64>::try_from(&scales.amax(1i64, false).to_kind(Kind::Double))?;
    let highest = highest.into_iter().zip(silent).filter(|(_, silent)| **silent).map(|(h, _)| h);
    Ok(quantile(highest.collect(), QUANTILE).unwrap_or(LEAST_PSEUDOCOUNTS))
}

/// Log2 fold changes of some genes.
pub(super) fn log_fold_change(first: &Tensor, second: &Tensor, pseudocounts: f64) -> Tensor {
    (first + pseudocounts).log2_() - (second + pseudocounts).log2_()
}

/// Blocks of genes of both groups.
fn blocks(pairs: &Pairs) -> impl Iterator<Item = (Tensor, Tensor)> + '_ {
    let n_vars = pairs.first.size()[0];
    (0..n_vars).step_by(GENES as usize).map(move |start| {
        let n = GENES.min(n_vars - start);
        (pairs.first.narrow(0, start, n), pairs.second.narrow(0, start, n))
    })
}

fn mean_change(
    pairs: &Pairs,
    pseudocounts: f64,
    functions: &ChangeFunctions<'_>,
) -> Result<Vec<f64>> {
    let mut means = Vec::new();
    for (first, second) in blocks(pairs) {
        let lfc = functions.change(&first, &second, pseudocounts)?;
        means.extend(Vec::<f64>::try_from(&lfc.mean_dim(1i64, false, Kind::Double))?);
    }
    Ok(means)
}

fn summarise(pairs: &Pairs, pseudocounts: f64, delta: f64, how: &Change<'_>) -> Result<Summary> {
    let (levels, functions) = (how.levels, how.functions);
    let mut summary = Summary::default();
    summary.intervals.resize_with(levels.len(), Default::default);
    for (first, second) in blocks(pairs) {
        let [up, down] =
            functions.domain(&functions.change(&first, &second, pseudocounts)?, delta)?;
        let share = |where_: Tensor| {
            Vec::<f64>::try_from(&where_.to_kind(Kind::Float).mean_dim(1i64, false, Kind::Double))
        };
        summary.p_up.extend(share(up)?);
        summary.p_down.extend(share(down)?);
        let lfc = functions.change(&first, &second, REPORTED * pseudocounts)?;
        let add = |to: &mut Vec<f32>, values: Tensor| -> Result<()> {
            to.extend(Vec::<f32>::try_from(&values.to_kind(Kind::Float))?);
            Ok(())
        };
        add(&mut summary.mean, lfc.mean_dim(1i64, false, Kind::Double))?;
        add(&mut summary.std, lfc.std_dim(1i64, false, false))?;
        add(&mut summary.min, lfc.amin(1i64, false))?;
        add(&mut summary.max, lfc.amax(1i64, false))?;
        add(&mut summary.median, median(&lfc))?;
        if levels.is_empty() {
            continue;
        }
        let (sorted, _) = lfc.sort(1, false);
        for (level, [low, high]) in levels.iter().zip(&mut summary.intervals) {
            let [lower, upper] = shortest_interval(&sorted, *level)?;
            add(low, lower)?;
            add(high, upper)?;
        }
    }
    Ok(summary)
}

/// Median of each row; between the two in the middle for an even number.
fn median(rows: &Tensor) -> Tensor {
    let n = rows.size()[1];
    let (below, _) = rows.kthvalue((n + 1) / 2, 1, false);
    if n % 2 == 1 {
        return below;
    }
    (below + rows.kthvalue(n / 2 + 1, 1, false).0) / 2.0
}

/// Ends of the shortest interval with this share of the samples, of each row `[n, n_samples]`.
fn shortest_interval(sorted: &Tensor, level: f64) -> Result<[Tensor; 2]> {
    let n = sorted.size()[1];
    let within = ((level * n as f64) as i64).min(n - 1);
    let starts = sorted.narrow(1, 0, n - within);
    let ends = sorted.narrow(1, within, n - within);
    let shortest = (&ends - &starts).argmin(1, true);
    let end = |of: Tensor| of.f_gather(1, &shortest, false).map(|end| end.squeeze_dim(1));
    Ok([end(starts)?, end(ends)?])
}
