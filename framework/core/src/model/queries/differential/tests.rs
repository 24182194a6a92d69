//! What is computed of pairs of samples, against slow and obvious ways.

use rand::{Rng, SeedableRng, rngs::StdRng};
use tch::Tensor;

use super::{
    ChangeFunctions, Delta, TestMode,
    bayes::{Change, change, vanilla},
    delta::estimate,
    scales::Pairs,
    table::{Columns, discoveries},
};
use crate::anndata::{DataFrame, Element};

const N_VARS: usize = 130; // more than one block
const N_PAIRS: usize = 41;

struct Case {
    pairs: Pairs,
    first: Vec<Vec<f64>>,
    second: Vec<Vec<f64>>,
}

/// Frequencies of which many genes differ.
fn case() -> Case {
    let mut rng = StdRng::seed_from_u64(3);
    let mut draw = |gene: usize, by: f64| -> Vec<f64> {
        let frequency = 1e-4 * (1.0 + (gene % 7) as f64) * by.powi((gene % 5) as i32 - 2);
        (0..N_PAIRS).map(|_| f64::from((frequency * rng.random_range(0.3..3.0)) as f32)).collect()
    };
    let first: Vec<Vec<f64>> = (0..N_VARS).map(|gene| draw(gene, 2.0)).collect();
    let second: Vec<Vec<f64>> = (0..N_VARS).map(|gene| draw(gene, 1.0)).collect();
    let tensor = |rows: &Vec<Vec<f64>>| {
        let flat: Vec<f32> = rows.iter().flatten().map(|&v| v as f32).collect();
        Tensor::from_slice(&flat).view([N_VARS as i64, N_PAIRS as i64])
    };
    Case { pairs: Pairs { first: tensor(&first), second: tensor(&second) }, first, second }
}

fn scales() -> [Tensor; 2] {
    std::array::from_fn(|_| Tensor::zeros([N_VARS as i64], (tch::Kind::Double, tch::Device::Cpu)))
}

fn table(columns: Columns) -> DataFrame {
    let names: Vec<String> = (0..N_VARS).map(|i| format!("g{i}")).collect();
    columns.table(&names, &super::DifferentialExpressionParams::default()).unwrap()
}

/// The value of each gene in its own order.
fn column(table: &DataFrame, name: &str) -> Vec<f64> {
    let Element::Dense(values) = table.column("table", name).unwrap() else { panic!("{name}") };
    let mut by_gene = vec![f64::NAN; N_VARS];
    for (row, gene) in table.names().unwrap().iter().enumerate() {
        by_gene[gene[1..].parse::<usize>().unwrap()] = values.values.get_f64(row);
    }
    by_gene
}

#[track_caller]
fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    for (gene, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "gene {gene}: {a}, expected {b}");
    }
}

fn by_gene(case: &Case, of: impl Fn(&[f64], &[f64]) -> f64) -> Vec<f64> {
    case.first.iter().zip(&case.second).map(|(a, b)| of(a, b)).collect()
}

#[test]
fn vanilla_counts_how_often_the_first_is_higher() {
    let case = case();
    let table = table(vanilla(&case.pairs, scales()).unwrap());
    let expected = by_gene(&case, |a, b| {
        a.iter().zip(b).filter(|(a, b)| a > b).count() as f64 / N_PAIRS as f64
    });
    close(&column(&table, "proba_m1"), &expected, 1e-12);
    let factor: Vec<f64> =
        expected.iter().map(|p| (p + 1e-8).ln() - (1.0 - p + 1e-8).ln()).collect();
    close(&column(&table, "bayes_factor"), &factor, 1e-9);
}

/// The difference in place of the log fold change, and only what grows by a hundredth counts.
#[test]
fn a_change_may_be_anything() {
    let case = case();
    let difference = |first: &Tensor, second: &Tensor, pseudocounts: f64| {
        assert!(pseudocounts == 0.5 || pseudocounts == 0.5e-3);
        first - second
    };
    let domain = |change: &Tensor| [change.gt(1e-4), change.lt(f64::NEG_INFINITY)];
    let functions = ChangeFunctions { change_fn: Some(&difference), m1_domain_fn: Some(&domain) };
    let how = Change {
        delta: Delta::Fixed(0.25),
        pseudocounts: Some(0.5),
        test_mode: TestMode::Two,
        levels: &[],
        functions,
    };
    let silent = || [vec![false; N_VARS], vec![false; N_VARS]];
    let table = table(change(&case.pairs, scales(), silent(), &how).unwrap());
    let differences = |gene: usize| {
        let pairs = case.first[gene].iter().zip(&case.second[gene]);
        pairs.map(|(a, b)| f64::from(*a as f32 - *b as f32)).collect::<Vec<f64>>()
    };
    let mean = |gene| differences(gene).iter().sum::<f64>() / N_PAIRS as f64;
    let grown = |gene| {
        differences(gene).iter().filter(|&&d| d as f32 > 1e-4).count() as f64 / N_PAIRS as f64
    };
    close(&column(&table, "lfc_mean"), &(0..N_VARS).map(mean).collect::<Vec<_>>(), 1e-8);
    close(&column(&table, "proba_de"), &(0..N_VARS).map(grown).collect::<Vec<_>>(), 1e-6);

    let too_few = |change: &Tensor| [change.narrow(1, 0, 2).gt(0.0), change.gt(0.0)];
    let how =
        Change { functions: ChangeFunctions { m1_domain_fn: Some(&too_few), ..functions }, ..how };
    let refused = change(&case.pairs, scales(), silent(), &how).err().unwrap().to_string();
    assert_eq!(
        refused,
        "result of `m1_domain_fn` (genes, pairs of samples): expected shape [128, 41], found [128, 2]"
    );
}

#[test]
fn change_summarises_log_fold_changes() {
    let case = case();
    let silent = [vec![false; N_VARS], (0..N_VARS).map(|g| g % 13 == 0).collect::<Vec<_>>()];
    let how = Change {
        delta: Delta::Fixed(0.25),
        pseudocounts: None,
        test_mode: TestMode::Three,
        levels: &[0.5],
        functions: ChangeFunctions::default(),
    };
    let table = table(change(&case.pairs, scales(), silent.clone(), &how).unwrap());

    let mut highest: Vec<f64> = (0..N_VARS)
        .filter(|&g| silent[1][g])
        .map(|g| case.second[g].iter().copied().fold(0.0, f64::max))
        .collect();
    highest.sort_by(f64::total_cmp);
    let place = 0.9 * (highest.len() - 1) as f64;
    let (low, high) = (highest[place as usize], highest[place as usize + 1]);
    let pseudocounts = (low + (high - low) * place.fract()) / N_VARS as f64;
    close(&column(&table, "pseudocounts"), &vec![pseudocounts; N_VARS], 1e-12);

    let changes = |a: &[f64], b: &[f64], c: f64| -> Vec<f64> {
        let mut all: Vec<f64> =
            a.iter().zip(b).map(|(a, b)| (a + c).log2() - (b + c).log2()).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let p_de = by_gene(&case, |a, b| {
        let all = changes(a, b, pseudocounts);
        let share = |n: usize| n as f64 / N_PAIRS as f64;
        let up = share(all.iter().filter(|c| **c >= 0.25).count());
        up.max(share(all.iter().filter(|c| **c < -0.25).count()))
    });
    close(&column(&table, "proba_de"), &p_de, 1e-6);
    let reported = |a: &[f64], b: &[f64]| changes(a, b, 1e-3 * pseudocounts);
    let mean = |all: &[f64]| all.iter().sum::<f64>() / N_PAIRS as f64;
    close(&column(&table, "lfc_mean"), &by_gene(&case, |a, b| mean(&reported(a, b))), 1e-5);
    let deviation = |a: &[f64], b: &[f64]| {
        let all = reported(a, b);
        let mean = mean(&all);
        (all.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / N_PAIRS as f64).sqrt()
    };
    close(&column(&table, "lfc_std"), &by_gene(&case, deviation), 1e-5);
    let median = |a: &[f64], b: &[f64]| reported(a, b)[N_PAIRS / 2];
    close(&column(&table, "lfc_median"), &by_gene(&case, median), 1e-5);
    close(&column(&table, "lfc_min"), &by_gene(&case, |a, b| reported(a, b)[0]), 1e-5);
    let width = |a: &[f64], b: &[f64]| {
        let all = reported(a, b);
        let within = N_PAIRS / 2;
        (0..N_PAIRS - within).map(|i| all[i + within] - all[i]).fold(f64::MAX, f64::min)
    };
    let found: Vec<f64> = column(&table, "lfc_confidence_interval_0.5_max")
        .iter()
        .zip(column(&table, "lfc_confidence_interval_0.5_min"))
        .map(|(high, low)| high - low)
        .collect();
    close(&found, &by_gene(&case, width), 1e-5);
}

#[test]
fn ranked_genes_are_called_while_few_are_false() {
    let called = discoveries(&[1.0, 0.98, 0.9, 0.85, 0.2], 0.05);
    assert_eq!(called, [true, true, true, false, false]); // 0, 0.01, 0.04, 0.0675
    assert_eq!(discoveries(&[0.5], 0.05), [false]);
}

#[test]
fn delta_lies_inside_the_modes_of_changed_genes() {
    let mut rng = StdRng::seed_from_u64(0);
    let mut noise = |centre: f64| centre + 0.1 * (rng.random::<f64>() - 0.5);
    let mut means: Vec<f64> = (0..600).map(|_| noise(0.0)).collect();
    means.extend((0..100).map(|_| noise(2.0)));
    means.extend((0..100).map(|_| noise(-3.0)));
    assert!((estimate(&means) - 0.6 * 2.5).abs() < 0.05, "{}", estimate(&means));
    assert!((estimate(&[0.0; 20]) - 0.1).abs() < 1e-12);
}
