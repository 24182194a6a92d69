//! Loaders of several groups of cells, and of cells with and without labels.

use std::collections::BTreeSet;

use tch::{Device, Kind, Tensor};

use super::*;
use crate::data::{
    AnnDataLoader, Batch, ConcatDataLoader, DataSplitter, Indices, LoaderOptions, Order,
    SemiSupervisedDataLoader, labels,
};

const N: usize = 40;

/// Cells numbered by `half`, of which every third has label 0, every third label 1, and the others
/// none, which is said by category 2.
fn labelled() -> (AnnData, Registry) {
    let (mut adata, mut registry) = registered(Element::matrix(N, 1, vec![1u8; N]).unwrap());
    let field = CategoricalObsField::new(REGISTRY_KEYS.labels, Some("batch")).boxed();
    let manager = AnnDataManager::register(vec![field], "Labels", Args::new(), &mut adata).unwrap();
    let mut field = manager.into_registry().field_registries.swap_remove("labels").unwrap();
    field.state_registry.0.insert("unlabeled_category".into(), 2.into());
    registry.field_registries.insert("labels".into(), field);
    (adata, registry)
}

fn cells(batch: &Batch) -> Vec<usize> {
    let halves = batch.require(REGISTRY_KEYS.cont_covs).unwrap().select(1, 0);
    let halves = Vec::<f64>::try_from(halves.to_kind(Kind::Double)).unwrap();
    halves.into_iter().map(|half| (2.0 * half) as usize).collect()
}

fn zipped(batches: impl Iterator<Item = Result<Vec<Batch>>>) -> Vec<Vec<Vec<usize>>> {
    batches.map(|batches| batches.unwrap().iter().map(cells).collect()).collect()
}

#[test]
fn shorter_groups_are_gone_through_again() {
    let (adata, registry) = labelled();
    let groups = || vec![vec![3, 1].into(), (0..7).collect::<Vec<_>>().into(), mask(|i| i > 34)];
    let options = LoaderOptions { batch_size: 2, ..Default::default() };
    let loader = ConcatDataLoader::new(&adata, &registry, groups(), options.clone()).unwrap();
    let expected = [
        [vec![3, 1], vec![0, 1], vec![35, 36]],
        [vec![3, 1], vec![2, 3], vec![37, 38]],
        [vec![3, 1], vec![4, 5], vec![39]],
        [vec![3, 1], vec![6], vec![35, 36]],
    ];
    assert_eq!(zipped(loader.epoch(0)), expected);
    let resident = LoaderOptions { resident_on: Some(Device::Cpu), ..options };
    let resident = ConcatDataLoader::new(&adata, &registry, groups(), resident).unwrap();
    assert_eq!(zipped(resident.epoch(0)), expected);
}

fn mask(of: fn(usize) -> bool) -> Indices {
    (0..N).map(of).collect::<Vec<bool>>().into()
}

#[test]
fn groups_without_minibatches_are_refused() {
    let (adata, registry) = labelled();
    let refused = |groups| {
        let options = LoaderOptions { batch_size: 4, drop_last: true, ..Default::default() };
        ConcatDataLoader::new(&adata, &registry, groups, options).unwrap_err().to_string()
    };
    let expected = "argument `indices_list`: expected groups of cells with a minibatch each, found";
    assert_eq!(refused(vec![]), format!("{expected} no group"));
    let groups = vec![mask(|_| true), vec![1usize, 2, 3].into()];
    assert_eq!(refused(groups), format!("{expected} 3 cells in group 1"));
}

#[test]
fn labelled_cells_are_drawn_anew_each_epoch() {
    let (adata, registry) = labelled();
    let loader = |n_samples| {
        let order = Order::Shuffled { seed: 2 };
        let options = LoaderOptions { batch_size: 8, order, ..Default::default() };
        SemiSupervisedDataLoader::new(&adata, &registry, options, n_samples, 5).unwrap()
    };
    let epoch = |loader: &SemiSupervisedDataLoader, i| -> (Vec<usize>, BTreeSet<usize>) {
        let pairs = zipped(loader.epoch(i).unwrap());
        assert_eq!(pairs.len(), N.div_ceil(8));
        let all = pairs.iter().flat_map(|pair| pair[0].clone()).collect();
        (all, pairs.iter().flat_map(|pair| pair[1].clone()).collect())
    };
    let all: Vec<usize> = (0..N).collect();
    let with_label: BTreeSet<usize> = all.iter().copied().filter(|i| i % 3 < 2).collect();
    let (mut first, drawn) = epoch(&loader(None), 0);
    first.sort_unstable();
    assert_eq!((first, drawn), (all, with_label.clone()));
    let some = loader(Some(4));
    let draws: Vec<BTreeSet<usize>> = (0..5).map(|i| epoch(&some, i).1).collect();
    for drawn in &draws {
        assert!(drawn.is_subset(&with_label));
        let of_label = |label| drawn.iter().filter(|&cell| cell % 3 == label).count();
        assert_eq!((of_label(0), of_label(1)), (4, 4), "without replacement");
    }
    assert_eq!(draws[1], epoch(&some, 1).1);
    assert!(draws.iter().collect::<BTreeSet<_>>().len() > 1);
    assert_eq!(epoch(&loader(Some(100)), 0).1, with_label);
}

#[test]
fn labels_that_say_nothing_are_refused() {
    let (adata, mut registry) = labelled();
    assert_eq!(labels(&adata, &registry).unwrap()[..4], [Some(0), Some(1), None, Some(0)]);
    let refused = |registry: &Registry, indices: Vec<usize>| {
        let options = LoaderOptions { indices: Some(indices.into()), ..Default::default() };
        let loader = SemiSupervisedDataLoader::new(&adata, registry, options, None, 0);
        loader.unwrap_err().to_string()
    };
    assert_eq!(
        refused(&registry, vec![2, 5]),
        "argument `indices`: expected cells of which some have a label, found 2 unlabelled cells"
    );
    let field = registry.field_registries.get_mut("labels").unwrap();
    field.state_registry.0.shift_remove("unlabeled_category");
    assert_eq!(
        refused(&registry, vec![0]),
        "registered `labels`: expected an unlabeled category, found none"
    );
    registry.field_registries.shift_remove("labels");
    assert_eq!(
        refused(&registry, vec![0]),
        "registry has no `labels`; present: X, batch, extra_categorical_covs, extra_continuous_covs"
    );
}

#[test]
fn labelled_and_unlabelled_cells_are_split_apart() {
    // numpy: RandomState(3).choice(rows, len(rows), replace=False) of each kind.
    let is_labelled: Vec<bool> = (0..N).map(|i| i % 4 == 0).collect();
    let splitter = DataSplitter { train_size: Some(0.6), seed: 3, ..Default::default() };
    let split = splitter.split_labelled(&is_labelled).unwrap();
    let part = |rows: Vec<usize>| {
        let split = splitter.split(rows.len()).unwrap();
        let of = |part: Vec<usize>| part.into_iter().map(|i| rows[i]).collect::<Vec<_>>();
        (of(split.train), of(split.validation))
    };
    let labelled = part((0..N).filter(|i| i % 4 == 0).collect());
    let others = part((0..N).filter(|i| i % 4 > 0).collect());
    assert_eq!(split.train, [labelled.0, others.0].concat());
    assert_eq!(split.validation, [labelled.1, others.1].concat());
    assert_eq!((split.train.len(), split.validation.len()), (24, 16));

    let given = vec![vec![5, 4, 0], (6..N).chain(1..4).collect()];
    let given = DataSplitter { external_indexing: Some(given), ..splitter };
    assert_eq!(given.split_labelled(&is_labelled).unwrap().train, [0, 4, 5]);
    assert_eq!(
        DataSplitter::default().split_labelled(&[]).unwrap_err().to_string(),
        "cannot split 0 cells: there is none to train on"
    );
}

#[test]
fn resident_tensors_give_the_same_minibatches() {
    let counts = random_counts(N, 3, 7);
    let (adata, registry) = registered(Element::matrix(N, 3, counts).unwrap());
    let devices = std::iter::once(Device::Cpu)
        .chain((0..tch::Cuda::device_count() as usize).map(Device::Cuda));
    for device in devices {
        for batch_size in [7, LoaderOptions::WHOLE] {
            let load = |resident_on| -> Vec<Batch> {
                let indices = Some(vec![9usize, 30, 2, 9, 11, 0, 39, 4, 4].into());
                let order = Order::Shuffled { seed: 1 };
                let options =
                    LoaderOptions { indices, batch_size, order, resident_on, ..Default::default() };
                let loader = AnnDataLoader::new(&adata, &registry, options).unwrap();
                loader.epoch(2).collect::<Result<_>>().unwrap()
            };
            let (expected, found) = (load(None), load(Some(device)));
            assert_eq!(expected.len(), 9usize.div_ceil(batch_size));
            assert_eq!(expected.len(), found.len());
            for (a, b) in expected.iter().zip(&found) {
                for key in a.keys() {
                    let (a, b): (&Tensor, &Tensor) = (a.get(key).unwrap(), b.get(key).unwrap());
                    assert_eq!((b.device(), b.kind()), (device, a.kind()));
                    assert_eq!(*a, b.to_device(Device::Cpu), "{key}");
                }
            }
        }
    }
    let absent = LoaderOptions { resident_on: Some(Device::Cpu), ..Default::default() };
    let some = LoaderOptions { indices: Some(vec![1usize, 5].into()), ..absent.clone() };
    let some = AnnDataLoader::new(&adata, &registry, some).unwrap();
    assert_eq!(some.with_indices(vec![5, 5, 1]).unwrap().n_cells(), 3);
    let refused = some.with_indices(vec![5, 6]).unwrap_err().to_string();
    assert_eq!(refused, "cell index 6 is out of range: there are 2 cells");
    let sparse = LoaderOptions { load_sparse_tensor: true, ..absent };
    let refused = AnnDataLoader::new(&adata, &registry, sparse).unwrap_err().to_string();
    assert_eq!(
        refused,
        "argument `load_sparse_tensor`: expected false for resident tensors, found true"
    );
}
