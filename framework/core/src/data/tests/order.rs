//! Orders of cells: each cell once, fixed by a seed, close to uniform.

use super::*;
use crate::data::{AnnDataLoader, BLOCK, BUFFER, LoaderOptions, Order};

/// The cells in the order in which they are loaded.
fn order(n: usize, order: Order, indices: Option<Vec<usize>>, epoch: usize) -> Vec<usize> {
    let mut adata =
        AnnData::new(DataFrame::new((0..n).map(|i| i.to_string())), DataFrame::new::<String>([]));
    let numbers: Vec<i32> = (0..n as i32).collect();
    adata.set(Slot::Obs, "number", Element::vector(numbers)).unwrap();
    let field = NumericalObsField::new(REGISTRY_KEYS.indices, Some("number")).boxed();
    let manager = AnnDataManager::register(vec![field], "Order", Args::new(), &mut adata).unwrap();
    let indices = indices.map(Into::into);
    let options = LoaderOptions { order, indices, batch_size: 1000, ..Default::default() };
    let loader = AnnDataLoader::new(&adata, manager.registry(), options).unwrap();
    let cells = loader.epoch(epoch).flat_map(|batch| {
        let numbers = batch.unwrap().require(REGISTRY_KEYS.indices).unwrap().view([-1]);
        Vec::<i64>::try_from(numbers).unwrap()
    });
    cells.map(|cell| cell as usize).collect()
}

fn sorted(mut cells: Vec<usize>) -> Vec<usize> {
    cells.sort_unstable();
    cells
}

#[test]
fn blocks_hold_each_cell_once_in_orders_fixed_by_seed_and_epoch() {
    let n = 50_000;
    let of = |seed, epoch| order(n, Order::ShuffledInBlocks { seed }, None, epoch);
    let first = of(1, 0);
    assert_eq!(sorted(first.clone()), (0..n).collect::<Vec<_>>());
    assert!(first == of(1, 0) && first != of(1, 1) && first != of(2, 0));
    let some: Vec<usize> = (0..n).rev().filter(|i| i % 5 > 0).chain([7, 7, 8]).collect();
    let loaded = order(n, Order::ShuffledInBlocks { seed: 1 }, Some(some.clone()), 0);
    assert_eq!(sorted(loaded), sorted(some));
}

#[test]
fn few_cells_are_shuffled_without_blocks() {
    for indices in [None, Some(vec![5, 3, 3, 1])] {
        let of = |how| order(BUFFER, how, indices.clone(), 3);
        assert_eq!(of(Order::ShuffledInBlocks { seed: 9 }), of(Order::Shuffled { seed: 9 }));
    }
}

/// Pearson's statistic, standardised: about standard normal when the counts are uniform.
fn excess(counts: &[f64]) -> f64 {
    let expected = counts.iter().sum::<f64>() / counts.len() as f64;
    let statistic: f64 = counts.iter().map(|c| (c - expected).powi(2) / expected).sum();
    let df = counts.len() as f64 - 1.0;
    (statistic - df) / (2.0 * df).sqrt()
}

/// Of data sorted by group, how often each group occurs in each tenth of the epoch, over epochs.
fn by_tenth(n: usize, n_groups: usize, how: Order) -> Vec<f64> {
    let mut counts = vec![0.0; 10 * n_groups];
    for epoch in 0..4 {
        for (i, cell) in order(n, how, None, epoch).into_iter().enumerate() {
            counts[i * 10 / n * n_groups + cell * n_groups / n] += 1.0;
        }
    }
    counts
}

#[test]
fn blocks_are_as_good_as_uniform_for_groups_of_many_blocks() {
    // A group's share of a tenth of the epoch varies as if blocks, not cells, were drawn; hence
    // Pearson's statistic is at most a block's size times that of a uniform order.
    let (n, n_groups) = (131_072, 8);
    let uniform = excess(&by_tenth(n, n_groups, Order::Shuffled { seed: 4 }));
    assert!(uniform.abs() < 4.0, "{uniform}");
    let counts = by_tenth(n, n_groups, Order::ShuffledInBlocks { seed: 4 });
    let in_blocks: Vec<f64> = counts.iter().map(|cells| cells / BLOCK as f64).collect();
    assert!(excess(&in_blocks) < 4.0, "{}", excess(&in_blocks));
}

#[test]
fn neighbours_in_the_file_are_no_neighbours_in_a_minibatch() {
    // Of 128 cells drawn uniformly from 16,384 in 256 blocks, 128·127/2 pairs are of one block with
    // probability 63/16,383: 31 pairs. In the file they would be 2·64·63/2 = 4,032.
    let (n, batch) = (131_072, 128);
    let cells = order(n, Order::ShuffledInBlocks { seed: 6 }, None, 0);
    let pairs = |cells: &[usize]| {
        let mut counts = std::collections::HashMap::new();
        cells.iter().for_each(|cell| *counts.entry(cell / BLOCK).or_insert(0usize) += 1);
        counts.values().map(|c| c * (c - 1) / 2).sum::<usize>() as f64
    };
    let mean = cells.chunks(batch).map(pairs).sum::<f64>() / (n / batch) as f64;
    let expected = (batch * (batch - 1) / 2) as f64 * (BLOCK - 1) as f64 / (BUFFER - 1) as f64;
    assert!((mean / expected - 1.0).abs() < 0.05, "{mean} against {expected}");
}
