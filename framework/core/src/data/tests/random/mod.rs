//! Random data sets through registration, transfer and loading, beside a computation of the same that
//! is slow and obvious and shares no code with it.

mod expected;
mod table;

use rand::seq::IndexedRandom;
use tch::Kind;

use super::*;
use crate::{
    data::{AnnDataLoader, LoaderOptions},
    fields::{NumericalObsField, Transfer},
};
use expected::{Fault, Terms};
use table::Table;

const N_CASES: u64 = 10_000;

/// Which columns a case reads, as what.
#[derive(Clone, Debug)]
struct Keys {
    layer: Option<&'static str>,
    batch: Option<String>,
    labels: Option<String>,
    size_factor: Option<String>,
    cat_covs: Vec<String>,
    cont_covs: Vec<String>,
}

impl Keys {
    fn random(random: &mut StdRng) -> Self {
        let mut some = |names: [&str; 4]| random.random_bool(0.7).then(|| one(names, random));
        let (batch, labels) = (some(table::CATEGORICAL), some(table::CATEGORICAL));
        let size_factor = some(table::NUMERICAL);
        let mut several = |names: [&str; 4]| {
            let n = random.random_range(0..=3);
            names.choose_multiple(random, n).map(|&name| name.to_owned()).collect()
        };
        let (cat_covs, cont_covs) = (several(table::CATEGORICAL), several(table::NUMERICAL));
        let layer = random.random_bool(0.5).then_some("counts");
        Self { layer, batch, labels, size_factor, cat_covs, cont_covs }
    }

    fn fields(&self) -> Vec<Box<dyn AnnDataField>> {
        let keys = REGISTRY_KEYS;
        vec![
            LayerField::new(keys.x, self.layer).boxed(),
            CategoricalObsField::new(keys.batch, self.batch.as_deref()).boxed(),
            CategoricalObsField::new(keys.labels, self.labels.as_deref()).boxed(),
            NumericalObsField::new(keys.size_factor, self.size_factor.as_deref()).boxed(),
            CategoricalJointObsField::new(keys.cat_covs, &self.cat_covs).boxed(),
            NumericalJointObsField::new(keys.cont_covs, &self.cont_covs).boxed(),
        ]
    }
}

fn one(names: [&str; 4], random: &mut StdRng) -> String {
    names[random.random_range(0..4)].to_owned()
}

/// Says which case failed when the test panics in it.
struct Case(u64);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "case {} failed; run it alone with `run(&mut Tally::default(), {0})`",
                self.0
            );
        }
    }
}

/// How often what was met, so that no kind of case goes missing.
#[derive(Debug, Default)]
struct Tally {
    registered: usize,
    unusable: usize,
    moved: usize,
    extended: usize,
    unseen: usize,
}

#[test]
fn random_data_sets_equal_a_slow_recomputation() {
    let mut tally = Tally::default();
    (0..N_CASES).for_each(|seed| run(&mut tally, seed));
    let Tally { registered, unusable, moved, extended, unseen } = tally;
    let rarest = [registered, unusable, moved, extended, unseen].into_iter().min();
    assert!(rarest.is_some_and(|n| n > N_CASES as usize / 20), "{tally:?}");
}

fn run(tally: &mut Tally, seed: u64) {
    let _case = Case(seed);
    let random = &mut StdRng::seed_from_u64(seed);
    let keys = Keys::random(random);
    let source = Table::random(random);
    let mut adata = source.adata(random);
    let registered = AnnDataManager::register_fields(keys.fields(), &mut adata);
    let terms = match Terms::of(&source, &keys) {
        Ok(terms) => terms,
        Err(fault) => {
            tally.unusable += 1;
            return check_fault(registered, &fault, &adata);
        }
    };
    tally.registered += 1;
    let manager = registered.unwrap();
    check(&manager, &terms, &source, &keys, &adata, random);
    if random.random_bool(0.3) {
        let others = Keys::random(random);
        if AnnDataManager::register_fields(others.fields(), &mut adata).is_ok() {
            manager.validate(&mut adata).unwrap();
            check(&manager, &terms, &source, &keys, &adata, random);
        }
    }

    let target = Table::like(&source, random);
    let mut adata = target.adata(random);
    let how = Transfer { extend_categories: random.random_bool(0.5), ..Default::default() };
    let moved = manager.transfer_fields(&mut adata, how);
    match terms.carried_over(&target, &keys, how.extend_categories) {
        Ok(extended) => {
            let grown = extended != terms;
            tally.extended += usize::from(grown);
            tally.moved += usize::from(!grown);
            check(&moved.unwrap(), &extended, &target, &keys, &adata, random);
        }
        Err(fault) => {
            tally.unseen += usize::from(matches!(fault, Fault::Unseen { .. }));
            check_fault(moved, &fault, &adata);
        }
    }
}

/// It was refused for this reason, and the data set is as it was.
#[track_caller]
fn check_fault(refused: Result<AnnDataManager>, fault: &Fault, adata: &AnnData) {
    let error = refused.expect_err(&format!("{fault:?}"));
    let name = |column: &str| format!("obs column `{column}`");
    let is_it = match (&error, fault) {
        (Error::BadValues { what, n_bad, .. }, Fault::Missing { column, n }) => {
            *what == name(column) && n_bad == n
        }
        (Error::Kind { what, .. }, Fault::NoNumbers { column }) => *what == name(column),
        (
            Error::UnseenCategories { what, unseen, n_rows, .. },
            Fault::Unseen { column, n, cells },
        ) => *what == name(column) && unseen.len() == *n && n_rows == cells,
        _ => false,
    };
    assert!(is_it, "expected {fault:?}, found {error}");
    let is_ours = |name: &String| name.starts_with("_scvi");
    for slot in [Slot::Obs, Slot::Obsm, Slot::Uns] {
        assert!(!adata.mapping(slot).unwrap().keys().any(is_ours), "{slot:?} was written to");
    }
}

/// The registry holds these terms, and the loader gives these rows.
#[track_caller]
fn check(
    manager: &AnnDataManager,
    terms: &Terms,
    table: &Table,
    keys: &Keys,
    adata: &AnnData,
    random: &mut StdRng,
) {
    terms.check(manager, table);
    let n_obs = table.n_obs();
    let n_rows = random.random_range(0..=2 * n_obs);
    let indices: Vec<usize> = (0..n_rows).map(|_| random.random_range(0..n_obs)).collect();
    let batch_size = random.random_range(1..=n_obs + 1);
    let expected: Vec<_> = indices.iter().map(|&cell| terms.row(table, keys, cell)).collect();
    let options = LoaderOptions { indices: Some(indices.into()), batch_size, ..Default::default() };
    let loader = AnnDataLoader::new(adata, manager.registry(), options).unwrap();
    let mut n_seen = 0;
    for batch in &loader {
        let batch = batch.unwrap();
        let n_cells = batch.n_cells() as usize;
        let expected = &expected[n_seen..n_seen + n_cells];
        n_seen += n_cells;
        for (i, key) in batch.keys().enumerate() {
            let tensor = batch.require(key).unwrap();
            let found: Vec<f64> = tensor.to_kind(Kind::Double).view(-1).try_into().unwrap();
            let wanted: Vec<f64> = expected.iter().flat_map(|row| row[i].1.clone()).collect();
            assert_eq!((key, found), (expected[0][i].0, wanted));
        }
        assert_eq!(batch.keys().count(), expected[0].len());
    }
    assert_eq!(n_seen, n_rows);
}
