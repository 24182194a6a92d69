//! The splitter, against numpy's permutations and scvi-tools' rules.

use crate::{
    data::{DataSplitter, permutation},
    error::Result,
};

/// The first twelve numbers, and a checksum of all, as numpy 2 gives them.
#[track_caller]
fn check_permutation(seed: u32, n: usize, first: &[usize], checksum: usize) {
    let order = permutation(seed, n);
    assert_eq!(order[..first.len()], *first);
    let sum: usize = order.iter().enumerate().map(|(i, v)| i * v % 1_000_003).sum();
    assert_eq!(sum, checksum);
}

#[test]
fn permutations_equal_numpys() {
    check_permutation(0, 10, &[2, 8, 4, 9, 1, 6, 7, 3, 0, 5], 185);
    check_permutation(42, 17, &[0, 1, 5, 15, 11, 14, 8, 13, 2, 9, 16, 4], 1133);
    check_permutation(u32::MAX, 5, &[4, 1, 0, 2, 3], 19);
    check_permutation(0, 1000, &[993, 859, 298, 553, 672, 971, 27, 231, 306], 247_872_640);
    check_permutation(7, 1, &[0], 0);
    let first = [21971, 16953, 48447, 42344, 4376, 65743, 64717, 2820, 57997, 25377];
    check_permutation(123, 70_000, &first, 35_005_927_096);
    assert!(permutation(0, 0).is_empty());
}

#[track_caller]
fn check_sizes(splitter: DataSplitter, n_obs: usize, sizes: [usize; 3], note: Option<&str>) {
    let split = splitter.split(n_obs).unwrap();
    assert_eq!([split.train.len(), split.validation.len(), split.test.len()], sizes);
    assert_eq!(split.notes.first().map(String::as_str), note);
    let order = permutation(splitter.seed as u32, n_obs);
    assert_eq!([split.validation, split.train, split.test].concat(), order);
}

fn sizes(train_size: Option<f64>, validation_size: Option<f64>) -> DataSplitter {
    DataSplitter { train_size, validation_size, seed: 3, ..Default::default() }
}

#[test]
fn shares_become_numbers_of_cells() {
    check_sizes(sizes(None, None), 400, [360, 40, 0], None);
    check_sizes(sizes(Some(0.7), None), 405, [284, 121, 0], None);
    check_sizes(sizes(Some(0.5), Some(0.3)), 101, [51, 30, 20], None);
    check_sizes(sizes(Some(1.0), None), 100, [100, 0, 0], None);
}

#[test]
fn a_tiny_last_minibatch_moves_unless_the_share_was_given() {
    let moved = "the last training minibatch would hold 1 of 128 cells: 1 cells are added to the \
                 validation set (give train_size to keep them)";
    check_sizes(sizes(None, None), 143, [128, 15, 0], Some(moved));
    let dropped = "the last training minibatch would hold 1 of 128 cells: 1 cells are left out \
                   (give train_size to keep them)";
    check_sizes(sizes(None, Some(0.0)), 143, [128, 0, 15], Some(dropped));
    let kept = "the last training minibatch holds 1 of 128 cells, too few for batch normalisation; \
                consider another batch_size";
    check_sizes(sizes(Some(0.9), None), 143, [129, 14, 0], Some(kept));
    check_sizes(DataSplitter { drop_last: true, ..sizes(None, None) }, 143, [129, 14, 0], None);
    check_sizes(sizes(None, None), 145, [131, 14, 0], None);
}

#[test]
fn without_shuffling_validation_comes_first() {
    let splitter = DataSplitter { shuffle_set_split: false, ..sizes(Some(0.5), Some(0.25)) };
    let split = splitter.split(8).unwrap();
    assert_eq!(split.validation, [0, 1]);
    assert_eq!(split.train, [2, 3, 4, 5]);
    assert_eq!(split.test, [6, 7]);
}

#[track_caller]
fn check_error<T: std::fmt::Debug>(result: Result<T>, expected: &str) {
    assert_eq!(result.unwrap_err().to_string(), expected);
}

#[test]
fn impossible_shares_are_refused() {
    let split = |train, validation| sizes(train, validation).split(10);
    let train = "argument `train_size`: expected above 0 and at most 1, found";
    check_error(split(Some(0.0), None), &format!("{train} 0"));
    check_error(split(Some(1.5), None), &format!("{train} 1.5"));
    check_error(split(Some(f64::NAN), None), &format!("{train} NaN"));
    let validation = "argument `validation_size`: expected";
    check_error(split(None, Some(1.0)), &format!("{validation} from 0 to below 1, found 1"));
    check_error(
        split(Some(0.8), Some(0.3)),
        &format!("{validation} at most 1 together with train_size, which is 0.8, found 0.3"),
    );
    check_error(sizes(None, None).split(0), "cannot split 0 cells: there is none to train on");
}

#[test]
fn given_rows_are_taken_as_they_are_or_refused() {
    let given = |parts: &[&[usize]]| {
        let parts = parts.iter().map(|p| p.to_vec()).collect();
        DataSplitter { external_indexing: Some(parts), ..Default::default() }.split(5)
    };
    let split = given(&[&[4, 0, 2], &[1, 3]]).unwrap();
    assert_eq!((split.train, split.validation), (vec![4, 0, 2], vec![1, 3]));
    assert!(split.test.is_empty() && split.notes.is_empty());
    let check = |parts: &[&[usize]], expected: &str| {
        check_error(given(parts), &format!("cannot split 5 cells: {expected}"));
    };
    check(&[&[0, 1, 2, 3, 0, 4]], "training row 0 is given twice");
    check(&[&[0, 1, 2], &[3, 4, 2]], "row 2 is in both the training and the validation set");
    check(&[&[0, 1, 2], &[3], &[5]], "test row 5 is out of range");
    check(
        &[&[0, 2], &[3]],
        "2 rows are in none of the given sets, first 1; put them into the test set to leave them \
         alone",
    );
    check(&[&[], &[0, 1, 2, 3, 4]], "there is none to train on");
    check(&[&[], &[], &[], &[]], "at most three lists of rows can be given, not 4");
}
