//! Reads rows from disk before they are needed.

use std::{
    ops::Range,
    panic::resume_unwind,
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    thread::JoinHandle,
};

use super::{order::BUFFER, rows::Rows, source::Source};
use crate::error::{Error, Result};

/// Cells that have been read, for the sources on disk.
#[derive(Debug)]
pub(super) struct Window {
    /// Which of the order.
    pub cells: Range<usize>,
    /// Their rows in that order, per source; none for what is in memory.
    pub rows: Vec<Option<Rows>>,
}

/// Windows in the order of an epoch, read by a thread that is one window ahead; it ends when nobody
/// receives any more.
#[derive(Debug)]
pub(super) struct ReadAhead {
    windows: Receiver<Result<Window>>,
    thread: Option<JoinHandle<()>>,
}

/// Bytes in a window, about; two are in memory at a time.
const BYTES: usize = 128 << 20;
/// Cells in the first window, when their size is not known yet.
const FIRST: usize = 1024;

impl ReadAhead {
    /// Starts to read the cells of `order`, in windows of whole minibatches. Each `near` cells of the
    /// order are read at once if memory allows.
    pub(super) fn start(
        sources: Arc<Vec<Source>>,
        order: Arc<[usize]>,
        batch_size: usize,
        near: usize,
    ) -> Self {
        let (send, windows) = sync_channel(0);
        let thread = std::thread::spawn(move || {
            let (mut start, mut n_cells) = (0, FIRST);
            while start < order.len() {
                let end = (start + n_cells).min((start / near + 1) * near);
                let end = end.div_ceil(batch_size).saturating_mul(batch_size).min(order.len());
                let window = Window::read(&sources, &order, start..end);
                n_cells = window.as_ref().map_or(0, Window::next_size);
                let failed = window.is_err();
                if send.send(window).is_err() || failed {
                    return;
                }
                start = end;
            }
        });
        Self { windows, thread: Some(thread) }
    }

    /// The next window.
    pub(super) fn next(&mut self) -> Result<Window> {
        self.windows.recv().unwrap_or_else(|_| {
            if let Some(Err(fault)) = self.thread.take().map(JoinHandle::join) {
                resume_unwind(fault); // a fault in the thread is a fault here
            }
            Err(Error::OnDisk { reason: "reading ahead has ended early".into() })
        })
    }
}

impl Window {
    fn read(sources: &[Source], order: &[usize], cells: Range<usize>) -> Result<Self> {
        let rows = sources.iter().map(|source| source.fetch(&order[cells.clone()]));
        Ok(Self { rows: rows.collect::<Result<_>>()?, cells })
    }

    /// As many cells of this size as a window should hold.
    fn next_size(&self) -> usize {
        let n_bytes: usize = self.rows.iter().flatten().map(Rows::n_bytes).sum();
        let each = (n_bytes / self.cells.len().max(1)).max(1);
        (BYTES / each).clamp(1, BUFFER)
    }
}
