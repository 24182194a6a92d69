//! Minibatches of a registered data set.

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    thread::JoinHandle,
};

use rand_mt::Mt;
use tch::Tensor;

use super::{Batch, Registry, permutation::shuffle, rows::Rows};
use crate::{
    anndata::{AnnData, Element},
    error::{Error, Result},
    fields::numbers,
    registry_keys::REGISTRY_KEYS,
};

/// In which order cells come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// As the indices have them.
    #[default]
    Sequential,
    /// Another one each epoch, fixed by the seed and the number of the epoch.
    Shuffled {
        /// Fixes the orders.
        seed: u64,
    },
}

/// Which cells come in which portions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoaderOptions {
    /// Rows of the data set, repeats allowed; all of them when `None`.
    pub indices: Option<Vec<usize>>,
    /// Cells in a minibatch.
    pub batch_size: usize,
    /// In which order cells come.
    pub order: Order,
    /// Leave out a last minibatch that is smaller than the others.
    pub drop_last: bool,
}

impl Default for LoaderOptions {
    fn default() -> Self {
        Self { indices: None, batch_size: 128, order: Order::Sequential, drop_last: false }
    }
}

/// One registered tensor.
#[derive(Debug)]
struct Source {
    key: String,
    data: Data,
}

#[derive(Debug)]
enum Data {
    /// Codes, `[n_obs, n_cols]` in C order.
    Codes { codes: Vec<i64>, n_cols: usize },
    /// Anything else; float32 in minibatches.
    Numbers(Rows),
}

/// Makes minibatches of the registered tensors of a data set: codes int64, everything else float32,
/// each `[n_cells, n_features]`. Nothing larger than a minibatch is ever made dense.
#[derive(Debug)]
pub struct AnnDataLoader {
    sources: Arc<Vec<Source>>,
    indices: Vec<usize>,
    batch_size: usize,
    order: Order,
    drop_last: bool,
}

impl AnnDataLoader {
    /// A loader over the registered tensors of `adata`.
    ///
    /// # Errors
    /// When a registered tensor is missing, is not numbers or has another number of rows; when an
    /// index is out of range; when the minibatch size is 0.
    pub fn new(adata: &AnnData, registry: &Registry, options: LoaderOptions) -> Result<Self> {
        let LoaderOptions { indices, batch_size, order, drop_last } = options;
        let n_obs = adata.n_obs();
        let indices = indices.unwrap_or_else(|| (0..n_obs).collect());
        if let Some(&index) = indices.iter().find(|&&i| i >= n_obs) {
            return Err(Error::RowIndex { index, n_obs });
        }
        if batch_size == 0 {
            return Err(Error::Argument {
                name: "batch_size".into(),
                expected: "at least 1".into(),
                found: "0".into(),
            });
        }
        let mut sources = Vec::new();
        for (key, location) in registry.data_registry() {
            let element = location.find(adata)?;
            let what = location.to_string();
            let found = element.shape();
            if found.first() != Some(&n_obs) {
                return Err(Error::Shape { what, expected: vec![n_obs], found });
            }
            sources.push(Source { key: key.into(), data: Data::of(key, element, &what)? });
        }
        Ok(Self { sources: Arc::new(sources), indices, batch_size, order, drop_last })
    }

    /// Cells per epoch, before a last small minibatch is dropped.
    pub fn n_cells(&self) -> usize {
        self.indices.len()
    }

    /// Minibatches per epoch.
    pub fn n_batches(&self) -> usize {
        if self.drop_last {
            self.n_cells() / self.batch_size
        } else {
            self.n_cells().div_ceil(self.batch_size)
        }
    }

    /// The minibatches of the first (or only) epoch.
    pub fn iter(&self) -> Batches {
        self.epoch(0)
    }

    /// The minibatches of epoch `epoch`. Data on disk are read ahead of use by a thread of their own;
    /// those in memory are gathered when asked for, which takes less than waking a thread.
    pub fn epoch(&self, epoch: usize) -> Batches {
        let mut order = self.indices.clone();
        if let Order::Shuffled { seed } = self.order {
            let key = [seed as u32, (seed >> 32) as u32, epoch as u32];
            shuffle(&mut Mt::new_with_key(key), &mut order);
        }
        let on_disk = self.sources.iter().any(Source::on_disk);
        let n_batches = self.n_batches();
        order.truncate(n_batches * self.batch_size);
        let maker = Maker {
            sources: self.sources.clone(),
            order,
            batch_size: self.batch_size,
            next: 0,
            window: None,
            scratch: Vec::new(),
        };
        let feed = if on_disk && n_batches > 1 { spawn(maker) } else { Feed::Here(maker) };
        Batches { feed, left: n_batches }
    }
}

impl IntoIterator for &AnnDataLoader {
    type Item = Result<Batch>;
    type IntoIter = Batches;
    fn into_iter(self) -> Batches {
        self.iter()
    }
}

impl Source {
    fn on_disk(&self) -> bool {
        matches!(&self.data, Data::Numbers(rows) if rows.on_disk())
    }
}

impl Data {
    fn of(key: &str, element: &Element, what: &str) -> Result<Self> {
        let is_code = [
            REGISTRY_KEYS.batch,
            REGISTRY_KEYS.labels,
            REGISTRY_KEYS.cat_covs,
            REGISTRY_KEYS.indices,
        ]
        .contains(&key);
        let columns: Vec<&Element> = match element {
            Element::DataFrame(table) => table.columns.values().collect(),
            Element::Nullable(_) => vec![element],
            Element::Dense(dense) if is_code && dense.shape.len() == 1 => vec![element],
            _ => return Ok(Self::Numbers(Rows::of(element, what)?)),
        };
        let wrong = |column: &Element| Error::Kind {
            what: what.into(),
            expected: "numbers".into(),
            found: column.kind(),
        };
        let columns = columns
            .into_iter()
            .map(|c| numbers(c).ok_or_else(|| wrong(c)))
            .collect::<Result<Vec<_>>>()?;
        let (n_rows, n_cols) = (element.shape()[0], columns.len());
        let in_rows = (0..n_rows).flat_map(|i| columns.iter().map(move |c| c[i]));
        if is_code {
            return Ok(Self::Codes { codes: in_rows.map(|v| v as i64).collect(), n_cols });
        }
        let values: Vec<f32> = in_rows.map(|v| v as f32).collect();
        Ok(Self::Numbers(Rows::Dense { values: values.into(), n_cols }))
    }
}

/// The minibatches of an epoch, in order; an error ends them.
#[derive(Debug)]
pub struct Batches {
    feed: Feed,
    left: usize,
}

#[derive(Debug)]
enum Feed {
    /// Made when asked for.
    Here(Maker),
    /// Made ahead by a thread, which ends when nobody receives any more.
    Thread(Receiver<Result<Batch>>, Option<JoinHandle<()>>),
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let batch = match &mut self.feed {
            Feed::Here(maker) => maker.next(),
            Feed::Thread(batches, thread) => batches.recv().ok().or_else(|| {
                let fault = thread.take()?.join().err()?;
                resume_unwind(fault) // a fault in the thread is a fault here
            }),
        };
        if matches!(batch, Some(Err(_))) {
            self.left = 0; // nothing comes after an error
        }
        batch
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Batches {}

fn spawn(maker: Maker) -> Feed {
    let (send, receive) = sync_channel(1);
    let thread = std::thread::spawn(move || {
        for batch in maker {
            let failed = batch.is_err();
            if send.send(batch).is_err() || failed {
                return;
            }
        }
    });
    Feed::Thread(receive, Some(thread))
}

/// Makes one minibatch after the other.
#[derive(Debug)]
struct Maker {
    sources: Arc<Vec<Source>>,
    order: Vec<usize>,
    batch_size: usize,
    next: usize,
    window: Option<Window>,
    scratch: Vec<f32>,
}

/// What has been read from disk ahead of use, for the sources that need it.
#[derive(Debug)]
struct Window {
    start: usize,
    end: usize,
    rows: Vec<Option<Rows>>,
}

/// Rows read from disk at a time, at least.
const WINDOW: usize = 2048;

impl Iterator for Maker {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.next;
        if start >= self.order.len() {
            return None;
        }
        self.next = (start + self.batch_size).min(self.order.len());
        Some(self.make(start, self.next))
    }
}

impl Maker {
    fn make(&mut self, start: usize, end: usize) -> Result<Batch> {
        self.read_ahead(start)?;
        let rows = &self.order[start..end];
        let mut tensors = Vec::with_capacity(self.sources.len());
        for (i, source) in self.sources.iter().enumerate() {
            let fetched = self.window.as_ref().and_then(|w| Some((w.start, w.rows[i].as_ref()?)));
            let tensor = match (&source.data, fetched) {
                (Data::Codes { codes, n_cols }, _) => gather_codes(codes, *n_cols, rows)?,
                (Data::Numbers(_), Some((from, fetched))) => {
                    let local: Vec<usize> = (start - from..end - from).collect();
                    fetched.gather(&local, &mut self.scratch)?
                }
                (Data::Numbers(numbers), None) => numbers.gather(rows, &mut self.scratch)?,
            };
            tensors.push((source.key.clone(), tensor));
        }
        Ok(Batch::new(tensors))
    }

    /// Reads the next window of rows of what is on disk, when `start` is past the last one.
    fn read_ahead(&mut self, start: usize) -> Result<()> {
        if !self.sources.iter().any(Source::on_disk)
            || self.window.as_ref().is_some_and(|w| start < w.end)
        {
            return Ok(());
        }
        let n_batches = WINDOW.div_ceil(self.batch_size);
        let end = (start + n_batches * self.batch_size).min(self.order.len());
        let fetch = |source: &Source| match &source.data {
            Data::Numbers(rows) if rows.on_disk() => rows.fetch(&self.order[start..end]).map(Some),
            _ => Ok(None),
        };
        self.window = None; // frees the last one first
        let rows = self.sources.iter().map(fetch).collect::<Result<_>>()?;
        self.window = Some(Window { start, end, rows });
        Ok(())
    }
}

fn gather_codes(codes: &[i64], n_cols: usize, rows: &[usize]) -> Result<Tensor> {
    let gathered: Vec<i64> =
        rows.iter().flat_map(|&row| &codes[row * n_cols..(row + 1) * n_cols]).copied().collect();
    Ok(Tensor::f_from_slice(&gathered)?.f_view([rows.len() as i64, n_cols as i64])?)
}
