//! The minibatches of an epoch.

use std::sync::Arc;

use super::{
    read_ahead::{ReadAhead, Window},
    resident::Resident,
    source::Source,
};
use crate::{data::Batch, error::Result};

/// The minibatches of an epoch, in order; an error ends them.
#[derive(Debug)]
pub struct Batches {
    feed: Feed,
    order: Arc<[usize]>,
    batch_size: usize,
    next: usize,
}

#[derive(Debug)]
enum Feed {
    Memory(Arc<Vec<Source>>),
    Disk { sources: Arc<Vec<Source>>, windows: ReadAhead, window: Option<Window> },
    Resident(Resident),
}

impl Batches {
    pub(super) fn from_memory(
        sources: Arc<Vec<Source>>,
        order: Vec<usize>,
        batch_size: usize,
    ) -> Self {
        Self::new(Feed::Memory(sources), order.into(), batch_size)
    }

    /// Cells in the same `near` of the order are best read together.
    pub(super) fn from_disk(
        sources: Arc<Vec<Source>>,
        order: Vec<usize>,
        batch_size: usize,
        near: usize,
    ) -> Self {
        let order: Arc<[usize]> = order.into();
        let windows = ReadAhead::start(sources.clone(), order.clone(), batch_size, near);
        Self::new(Feed::Disk { sources, windows, window: None }, order, batch_size)
    }

    pub(super) fn resident(resident: Resident, order: Vec<usize>, batch_size: usize) -> Self {
        Self::new(Feed::Resident(resident), order.into(), batch_size)
    }

    fn new(feed: Feed, order: Arc<[usize]>, batch_size: usize) -> Self {
        Self { feed, order, batch_size, next: 0 }
    }

    fn make(&mut self, start: usize, end: usize) -> Result<Batch> {
        let cells = &self.order[start..end];
        let (sources, window) = match &mut self.feed {
            Feed::Resident(resident) => return resident.batch(cells),
            Feed::Memory(sources) => (sources, None),
            Feed::Disk { sources, windows, window } => {
                if window.as_ref().is_none_or(|w| w.cells.end <= start) {
                    *window = None; // frees it before the next one comes
                    *window = Some(windows.next()?);
                }
                (sources, window.as_ref())
            }
        };
        let mut tensors = Vec::with_capacity(sources.len());
        for (i, source) in sources.iter().enumerate() {
            let tensor = match window.and_then(|w| Some((w.cells.start, w.rows[i].as_ref()?))) {
                Some((from, fetched)) => {
                    let local: Vec<usize> = (start - from..end - from).collect();
                    source.gather_from(fetched, &local)?
                }
                None => source.gather(cells)?,
            };
            tensors.push((source.key.clone(), tensor));
        }
        Ok(Batch::new(tensors))
    }
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        let (start, n_cells) = (self.next, self.order.len());
        if start >= n_cells {
            return None;
        }
        self.next = start.saturating_add(self.batch_size).min(n_cells);
        let batch = self.make(start, self.next);
        if batch.is_err() {
            self.next = n_cells; // nothing comes after an error
        }
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.order.len() - self.next).div_ceil(self.batch_size);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batches {}
