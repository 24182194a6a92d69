//! Minibatches of a registered data set.

mod batches;
mod concat;
mod gather;
mod options;
mod order;
mod read_ahead;
mod resident;
mod rows;
mod semi_supervised;
mod source;

use std::sync::Arc;

pub use batches::Batches;
pub use concat::{ConcatBatches, ConcatDataLoader};
pub use options::{Indices, LoaderOptions};
pub use order::{BLOCK, BUFFER, Order};
pub use semi_supervised::SemiSupervisedDataLoader;

use self::{resident::Resident, source::Source};
use super::{Batch, Registry};
use crate::{
    anndata::AnnData,
    error::{Error, Result},
};

/// Makes minibatches of the registered tensors of a data set, each `[n_cells, n_features]`: unless
/// other dtypes are asked for, codes (batch, labels, further categorical covariates, row numbers) int64
/// and everything else float32. Rows come in the order asked for, from memory and from disk alike.
/// Nothing larger than a minibatch is ever made dense, unless tensors are to be resident on a device.
/// What is registered per gene or for the whole data set is left out.
#[derive(Clone, Debug)]
pub struct AnnDataLoader {
    content: Content,
    indices: Arc<[usize]>,
    batch_size: usize,
    order: Order,
    drop_last: bool,
}

/// Where minibatches are taken from.
#[derive(Clone, Debug)]
enum Content {
    Sources(Arc<Vec<Source>>),
    Resident(Resident),
}

impl AnnDataLoader {
    /// A loader over the registered tensors of `adata`.
    ///
    /// # Errors
    /// When a registered tensor is missing, is not numbers or has another number of rows; when an
    /// index is out of range or a mask of the wrong length; when the minibatch size is 0; when a key
    /// is asked for that is not registered, or a dtype that tensors do not have here.
    pub fn new(adata: &AnnData, registry: &Registry, options: LoaderOptions) -> Result<Self> {
        let LoaderOptions { indices, batch_size, order, drop_last, .. } = options;
        let (sparse, n_obs) = (options.load_sparse_tensor, adata.n_obs());
        let wrong = |name: &str, expected: &str, found: &str| {
            let (name, expected, found) = (name.into(), expected.into(), found.into());
            Err(Error::Argument { name, expected, found })
        };
        if batch_size == 0 {
            return wrong("batch_size", "at least 1", "0");
        }
        let indices = match indices {
            Some(indices) => indices.positions(n_obs)?,
            None => (0..n_obs).collect(),
        };
        let sources = source::sources(adata, registry, options.data_and_attributes, sparse)?;
        let sources = Arc::new(sources);
        let content = match options.resident_on {
            None => Content::Sources(sources),
            Some(_) if sparse => {
                return wrong("load_sparse_tensor", "false for resident tensors", "true");
            }
            Some(device) => Content::Resident(Resident::new(sources, &indices, device)?),
        };
        Ok(Self { content, indices: indices.into(), batch_size, order, drop_last })
    }

    /// The same loader over other cells, repeats allowed; it shares all that was made of the data.
    ///
    /// # Errors
    /// When a cell is not in the data set, or is not among the resident ones.
    pub fn with_indices(&self, indices: Vec<usize>) -> Result<Self> {
        let n_obs = match &self.content {
            Content::Sources(sources) => sources.first().map_or(0, Source::n_rows),
            Content::Resident(resident) => resident.n_cells(),
        };
        let present = |row: &usize| match &self.content {
            Content::Sources(_) => *row < n_obs,
            Content::Resident(resident) => resident.holds(*row),
        };
        if let Some(&index) = indices.iter().find(|row| !present(row)) {
            return Err(Error::RowIndex { index, n_obs });
        }
        Ok(Self { indices: indices.into(), ..self.clone() })
    }

    /// Cells per epoch, before a last small minibatch is dropped.
    pub fn n_cells(&self) -> usize {
        self.indices.len()
    }

    /// Minibatches per epoch.
    pub fn n_batches(&self) -> usize {
        match self.drop_last {
            true => self.n_cells() / self.batch_size,
            false => self.n_cells().div_ceil(self.batch_size),
        }
    }

    /// The minibatches of the first (or only) epoch.
    pub fn iter(&self) -> Batches {
        self.epoch(0)
    }

    /// The minibatches of epoch `epoch`. Data on disk are read ahead of use by a thread of their own;
    /// those in memory are gathered when asked for, which takes less than waking a thread.
    pub fn epoch(&self, epoch: usize) -> Batches {
        let mut order = self.order.arrange(&self.indices, epoch);
        order.truncate(self.n_batches().saturating_mul(self.batch_size));
        match &self.content {
            Content::Resident(resident) => {
                Batches::resident(resident.clone(), order, self.batch_size)
            }
            Content::Sources(sources) if sources.iter().any(Source::on_disk) => {
                let window = self.order.window(self.n_cells());
                Batches::from_disk(sources.clone(), order, self.batch_size, window)
            }
            Content::Sources(sources) => {
                Batches::from_memory(sources.clone(), order, self.batch_size)
            }
        }
    }
}

impl IntoIterator for &AnnDataLoader {
    type Item = Result<Batch>;
    type IntoIter = Batches;
    fn into_iter(self) -> Batches {
        self.iter()
    }
}
