//! One progress for the many passes of a long job.

use crate::model::{Event, Observer};

/// Passes news on, as parts of the whole.
pub(super) struct Part<'a> {
    inner: &'a mut dyn Observer,
    before: usize,
    total: usize,
}

impl<'a> Part<'a> {
    /// For a job of `total` rows in all its passes.
    pub fn new(inner: &'a mut dyn Observer, total: usize) -> Self {
        Self { inner, before: 0, total }
    }
}

impl Observer for Part<'_> {
    fn hear(&mut self, event: &Event) {
        let Event::Progress { done, total } = *event else { return self.inner.hear(event) };
        self.inner.hear(&Event::Progress { done: self.before + done, total: self.total });
        if done == total {
            self.before += total;
        }
    }

    fn cancelled(&self) -> bool {
        self.inner.cancelled()
    }
}
