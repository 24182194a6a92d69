//! What a training carries from epoch to epoch, at rest.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{History, TrainParams};
use crate::{anndata::Dense, data::DataMark};

/// Numbers of a training between two epochs. With parameters, moments of the optimiser and history
/// they are all that its course depends on: order and noise of an epoch follow from its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainerState {
    /// Seed of the order of cells and of noise.
    pub seed: i64,
    /// Whether cells are shuffled in blocks, as those on disk are.
    pub in_blocks: bool,
    /// What the training is on; none for minibatches of the caller's own.
    pub data: Option<DataMark>,
    /// Epochs done.
    pub epoch: usize,
    /// Steps of the optimiser done.
    pub step: usize,
    /// Learning rate of the next step.
    pub lr: f64,
    /// What early stopping has heard.
    pub early_stopping: Heard,
    /// What the rule for the learning rate has heard.
    pub plateau: Heard,
    /// The best checkpoint so far.
    pub best: Option<Best>,
}

impl TrainerState {
    /// Before the first epoch.
    pub fn new(params: &TrainParams, seed: i64) -> Self {
        Self {
            seed,
            in_blocks: false,
            data: None,
            epoch: 0,
            step: 0,
            lr: params.lr,
            early_stopping: Heard::default(),
            plateau: Heard::default(),
            best: None,
        }
    }
}

/// What a rule has heard that waits for a metric to improve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// The best value; none before the first.
    pub best: Option<f64>,
    /// Values since then.
    pub waited: usize,
}

/// The best checkpoint of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The metric by which it is the best.
    pub metric: String,
    /// Its value.
    pub value: f64,
    /// The epoch after which it was taken, from 1.
    pub epoch: usize,
}

/// A training between two epochs: whoever has this can go on with it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Parameters and buffers.
    pub weights: IndexMap<String, Dense>,
    /// Moments and steps of the optimiser ([`super::Adam::state_dict`]); empty before the first step.
    pub optimizer: IndexMap<String, Dense>,
    /// Metrics so far, of trainings before this one too.
    pub history: History,
    /// Everything else.
    pub state: TrainerState,
}
