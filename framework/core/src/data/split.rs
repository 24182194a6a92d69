//! Divides cells into those to train on, to validate on, and to leave alone.

use super::permutation::permutation;
use crate::error::{Error, Result};

/// How cells are divided for training.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSplitter {
    /// Share of cells to train on, above 0 and at most 1. `None` is 0.9, less a last minibatch of
    /// one or two cells.
    pub train_size: Option<f64>,
    /// Share of cells to validate on, below 1; all others when `None`.
    pub validation_size: Option<f64>,
    /// Divide at random, in place of by position.
    pub shuffle_set_split: bool,
    /// Cells in a training minibatch.
    pub batch_size: usize,
    /// Whether training leaves out a last small minibatch.
    pub drop_last: bool,
    /// Fixes the random division; numpy takes the lower 32 bits.
    pub seed: i64,
    /// The division itself: rows to train on, to validate on and to leave alone; later parts may be
    /// absent. Sizes and seed are then not used.
    pub external_indexing: Option<Vec<Vec<usize>>>,
}

impl Default for DataSplitter {
    fn default() -> Self {
        Self {
            train_size: None,
            validation_size: None,
            shuffle_set_split: true,
            batch_size: 128,
            drop_last: false,
            seed: 0,
            external_indexing: None,
        }
    }
}

/// Rows of a data set by use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Rows to train on.
    pub train: Vec<usize>,
    /// Rows to validate on.
    pub validation: Vec<usize>,
    /// Rows left alone.
    pub test: Vec<usize>,
    /// What the user should know.
    pub notes: Vec<String>,
}

impl DataSplitter {
    /// Divides the rows `0..n_obs`; the same rows as scvi-tools with the same seed.
    ///
    /// # Errors
    /// Shares out of range or above 1 together, nothing to train on; given rows that repeat,
    /// overlap, are out of range or leave cells out.
    pub fn split(&self, n_obs: usize) -> Result<Split> {
        match &self.external_indexing {
            Some(parts) => self.given(parts, n_obs),
            None => self.drawn(&(0..n_obs).collect::<Vec<_>>()),
        }
    }

    /// Divides labelled and unlabelled cells apart, each in the shares asked for, so that both occur in
    /// every part; in each part the labelled ones come first. The same rows as scvi-tools with the same
    /// seed.
    ///
    /// # Errors
    /// Those of [`DataSplitter::split`].
    pub fn split_labelled(&self, is_labelled: &[bool]) -> Result<Split> {
        let all = 0..is_labelled.len();
        let (labelled, unlabelled): (Vec<_>, Vec<_>) = all.partition(|&row| is_labelled[row]);
        if let Some(parts) = &self.external_indexing {
            let mut split = self.given(parts, is_labelled.len())?;
            for part in [&mut split.train, &mut split.validation, &mut split.test] {
                part.sort_unstable();
                part.sort_by_key(|&row| !is_labelled[row]);
            }
            return Ok(split);
        }
        let mut split = Split::default();
        for rows in [labelled, unlabelled].iter().filter(|rows| !rows.is_empty()) {
            let of_kind = self.drawn(rows)?;
            split.train.extend(of_kind.train);
            split.validation.extend(of_kind.validation);
            split.test.extend(of_kind.test);
            split.notes.extend(of_kind.notes);
        }
        match is_labelled {
            [] => self.drawn(&[]),
            _ => Ok(split),
        }
    }

    fn drawn(&self, rows: &[usize]) -> Result<Split> {
        let n_obs = rows.len();
        let (n_train, n_validation, notes) = self.sizes(n_obs)?;
        let order = match self.shuffle_set_split {
            true => permutation(self.seed as u32, n_obs).into_iter().map(|i| rows[i]).collect(),
            false => rows.to_vec(),
        };
        let (validation, rest) = order.split_at(n_validation);
        let (train, test) = rest.split_at(n_train);
        Ok(Split {
            train: train.to_vec(),
            validation: validation.to_vec(),
            test: test.to_vec(),
            notes,
        })
    }

    fn sizes(&self, n_obs: usize) -> Result<(usize, usize, Vec<String>)> {
        const TRAIN_SIZE: f64 = 0.9;
        let wrong = |name: &str, expected: &str, found: f64| Error::Argument {
            name: name.into(),
            expected: expected.into(),
            found: found.to_string(),
        };
        let train_size = self.train_size.unwrap_or(TRAIN_SIZE);
        if !(train_size > 0.0 && train_size <= 1.0) {
            return Err(wrong("train_size", "above 0 and at most 1", train_size));
        }
        let mut n_train = (train_size * n_obs as f64).ceil() as usize;
        let mut n_validation = match self.validation_size {
            None => n_obs - n_train,
            Some(size) if !(0.0..1.0).contains(&size) => {
                return Err(wrong("validation_size", "from 0 to below 1", size));
            }
            Some(size) if train_size + size > 1.0 => {
                let expected = format!("at most 1 together with train_size, which is {train_size}");
                return Err(wrong("validation_size", &expected, size));
            }
            Some(size) => (n_obs as f64 * size).floor() as usize,
        };
        if n_train == 0 {
            return Err(Error::Split { n_obs, problem: "there is none to train on".into() });
        }
        let mut notes = Vec::new();
        let small = self.last_small_batch(n_train);
        if small > 0 && (self.train_size.is_some() || small == n_train) {
            notes.push(self.small_batch_note(small));
        } else if small > 0 {
            n_train -= small;
            let end = if n_validation > 0 { "added to the validation set" } else { "left out" };
            n_validation += if n_validation > 0 { small } else { 0 };
            notes.push(format!(
                "the last training minibatch would hold {small} of {} cells: {small} cells are {end} \
                 (give train_size to keep them)",
                self.batch_size
            ));
        }
        // Rounding up the one and down the other can exceed the whole by one.
        n_validation = n_validation.min(n_obs - n_train);
        Ok((n_train, n_validation, notes))
    }

    fn given(&self, parts: &[Vec<usize>], n_obs: usize) -> Result<Split> {
        const NAMES: [&str; 3] = ["training", "validation", "test"];
        let problem = |problem: String| Err(Error::Split { n_obs, problem });
        if parts.len() > NAMES.len() {
            return problem(format!(
                "at most three lists of rows can be given, not {}",
                parts.len()
            ));
        }
        let mut owner: Vec<Option<usize>> = vec![None; n_obs];
        for (part, rows) in parts.iter().enumerate() {
            for &row in rows {
                let Some(place) = owner.get_mut(row) else {
                    return problem(format!("{} row {row} is out of range", NAMES[part]));
                };
                match place.replace(part) {
                    Some(other) if other == part => {
                        return problem(format!("{} row {row} is given twice", NAMES[part]));
                    }
                    Some(other) => {
                        let names = (NAMES[other], NAMES[part]);
                        return problem(format!(
                            "row {row} is in both the {} and the {} set",
                            names.0, names.1
                        ));
                    }
                    None => {}
                }
            }
        }
        let n_absent = owner.iter().filter(|o| o.is_none()).count();
        if let Some(first) = owner.iter().position(Option::is_none) {
            return problem(format!(
                "{n_absent} rows are in none of the given sets, first {first}; put them into the \
                 test set to leave them alone"
            ));
        }
        let part = |i: usize| parts.get(i).cloned().unwrap_or_default();
        let (train, validation, test) = (part(0), part(1), part(2));
        if train.is_empty() {
            return problem("there is none to train on".into());
        }
        let small = self.last_small_batch(train.len());
        let notes = if small > 0 { vec![self.small_batch_note(small)] } else { Vec::new() };
        Ok(Split { train, validation, test, notes })
    }

    /// Cells in the last minibatch of an epoch when that is one or two; else 0.
    fn last_small_batch(&self, n_train: usize) -> usize {
        let last = n_train.checked_rem(self.batch_size).unwrap_or(0);
        if last < 3 && !self.drop_last { last } else { 0 }
    }

    fn small_batch_note(&self, small: usize) -> String {
        format!(
            "the last training minibatch holds {small} of {} cells, too few for batch normalisation; \
             consider another batch_size",
            self.batch_size
        )
    }
}
