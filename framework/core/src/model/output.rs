//! Where results go, and who hears how far a job is.

use serde::{Deserialize, Serialize};

use crate::{
    anndata::{DType, Element, Slot},
    error::Result,
    saved::SavedModel,
};

/// One result, announced before its rows come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputSpec {
    /// Python's name of it; the array's name in `.npz`.
    pub name: String,
    /// Full shape; the first axis comes in blocks. Empty for a single number.
    pub shape: Vec<usize>,
    /// The type of its numbers; `None` for a table, which comes as data frames of rows.
    pub dtype: Option<DType>,
    /// Where scanpy users expect it in the data set.
    pub place: (Slot, String),
    /// Names of the columns, for tables.
    pub columns: Option<Vec<String>>,
}

/// Takes results in blocks of rows, so that none has to fit in memory.
pub trait Sink {
    /// Announces a result. Its rows follow, before the next is announced.
    ///
    /// # Errors
    /// When the result cannot be kept.
    fn begin(&mut self, spec: &OutputSpec) -> Result<()>;

    /// The next rows of the result announced last: all blocks dense, or all CSR where most values
    /// are zero, or data frames of a table.
    ///
    /// # Errors
    /// When they cannot be kept.
    fn rows(&mut self, block: Element) -> Result<()>;
}

/// Results in memory as they came, block by block, in the order in which they were announced.
#[derive(Debug, Default, PartialEq)]
pub struct Answers(pub Vec<(OutputSpec, Vec<Element>)>);

impl Sink for Answers {
    fn begin(&mut self, spec: &OutputSpec) -> Result<()> {
        self.0.push((spec.clone(), Vec::new()));
        Ok(())
    }

    fn rows(&mut self, block: Element) -> Result<()> {
        if let Some((_, blocks)) = self.0.last_mut() {
            blocks.push(block);
        }
        Ok(())
    }
}

/// News from a running job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Something the user should know.
    Note {
        /// One or two sentences.
        text: String,
    },
    /// Training went on.
    Training {
        /// Epoch, from 0.
        epoch: usize,
        /// Epochs planned.
        max_epochs: usize,
        /// Cells of this epoch done.
        cells: usize,
        /// Cells of this epoch in all.
        n_cells: usize,
        /// Mean loss of the epoch so far.
        loss: f64,
    },
    /// A query went on.
    Progress {
        /// Rows done.
        done: usize,
        /// Rows in all.
        total: usize,
    },
}

/// A model while it is trained, as [`TrainParams::checkpoint_every`] asks for it.
///
/// [`TrainParams::checkpoint_every`]: crate::train::TrainParams::checkpoint_every
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The model after an epoch, with all that is needed to go on with the training
    /// ([`Model::resume`](crate::model::Model::resume)).
    pub model: SavedModel,
    /// Whether it is better than all checkpoints of the training before it.
    pub is_best: bool,
}

/// Hears how far a job is, may stop it, and keeps its checkpoints.
pub trait Observer {
    /// Hears news. Jobs send as often as they like; the observer thins out.
    fn hear(&mut self, event: &Event);

    /// Keeps a checkpoint; by default nowhere.
    ///
    /// # Errors
    /// When it cannot be kept. The job tells and goes on.
    fn checkpoint(&mut self, _checkpoint: &Checkpoint) -> Result<()> {
        Ok(())
    }

    /// True when the job should stop after the current step.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Hears nothing, stops nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn hear(&mut self, _: &Event) {}
}
