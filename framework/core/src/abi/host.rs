//! The host's side of a running request: data on disk, sink and observer.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::{self, ThreadId},
};

use super::{
    messages::{Flat, HostRequest, Incoming, WireHostReply},
    packet::RawPacket,
    panics,
    peer::Homes,
    port::{RawPort, Serve},
    wire::{Packer, Unpacker},
};
use crate::{
    anndata::{Backed, DType, Opaque},
    error::{Error, Result},
    model::{Event, Observer, Sink},
};

/// Answers what a plugin asks while a request runs. Matrices on disk are answered for as long as the
/// plugin holds them; sink and observer until the request is over.
pub struct HostSide {
    backed: Vec<Arc<dyn Backed>>,
    opaque: Vec<Arc<dyn Opaque>>,
    job: Mutex<Option<Job>>,
    failure: Mutex<Option<Error>>,
}

/// The borrowed part of a request.
struct Job {
    sink: Option<*mut dyn Sink>,
    observer: *mut dyn Observer,
    thread: ThreadId,
}

// SAFETY: the pointers are followed on the thread that lent them only, see `HostSide::with_job`.
unsafe impl Send for Job {}

impl HostSide {
    /// Keeps what `packer` only pointed at.
    pub fn new(packer: &mut Packer) -> Arc<Self> {
        Arc::new(Self {
            backed: std::mem::take(&mut packer.backed),
            opaque: std::mem::take(&mut packer.opaque),
            job: Mutex::default(),
            failure: Mutex::default(),
        })
    }

    /// Runs `request` with `sink` and `observer` at the plugin's disposal.
    pub fn lend<T>(
        &self,
        sink: Option<&mut dyn Sink>,
        observer: &mut dyn Observer,
        request: impl FnOnce() -> T,
    ) -> T {
        struct Close<'a>(&'a HostSide);
        impl Drop for Close<'_> {
            fn drop(&mut self) {
                *self.0.job() = None;
            }
        }
        // SAFETY: only the lifetimes change; `Close` takes the pointers back before they end.
        let sink = sink.map(|s| unsafe {
            std::mem::transmute::<*mut (dyn Sink + '_), *mut (dyn Sink + 'static)>(s)
        });
        // SAFETY: as above.
        let observer = unsafe {
            std::mem::transmute::<*mut (dyn Observer + '_), *mut (dyn Observer + 'static)>(observer)
        };
        *self.job() = Some(Job { sink, observer, thread: thread::current().id() });
        let _close = Close(self);
        request()
    }

    /// The host's own error, when that is why a plugin failed with `text`.
    pub fn failure(&self, text: &str) -> Option<Error> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take_if(|e| e.to_string() == text)
    }

    fn job(&self) -> std::sync::MutexGuard<'_, Option<Job>> {
        self.job.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_job<T>(
        &self,
        work: impl FnOnce(Option<&mut dyn Sink>, &mut dyn Observer) -> Result<T>,
    ) -> Result<T> {
        let mut job = self.job();
        let Some(job) = job.as_mut().filter(|job| job.thread == thread::current().id()) else {
            return Err(Error::Message {
                expected: "results and news on the thread of the request, while it runs",
                reason: "they came at another time or from another thread".into(),
            });
        };
        // SAFETY: `lend` is still on this thread's stack, below us, with the borrows that the
        // pointers came from; the lock is held, so nobody else follows them.
        let (sink, observer) = unsafe { (job.sink.map(|s| &mut *s), &mut *job.observer) };
        work(sink, observer)
    }

    fn answer(&self, request: RawPacket, packer: &mut Packer) -> Result<WireHostReply> {
        let Incoming { message, buffers, .. } = Incoming::<HostRequest>::open(request)?;
        match message {
            HostRequest::Rows { id, start, end } => {
                let (matrix, rows) = (self.matrix(id)?, start..end);
                return Ok(WireHostReply::Element(packer.element(&matrix.rows(rows)?)?));
            }
            HostRequest::Begin(spec) => {
                self.with_job(|sink, _| sink.ok_or_else(no_sink)?.begin(&spec))?;
            }
            HostRequest::Block(block) => {
                let block = Unpacker { buffers: &buffers, homes: self }.element(block)?;
                self.with_job(|sink, _| sink.ok_or_else(no_sink)?.rows(block))?;
            }
            HostRequest::Hear { mut event, loss_bits } => {
                if let (Event::Training { loss, .. }, Some(bits)) = (&mut event, loss_bits) {
                    *loss = f64::from_bits(bits);
                }
                self.with_job(|_, observer| {
                    observer.hear(&event);
                    Ok(())
                })?;
            }
            HostRequest::Cancelled => {
                let cancelled = self.with_job(|_, observer| Ok(observer.cancelled()))?;
                return Ok(WireHostReply::Cancelled(cancelled));
            }
        }
        Ok(WireHostReply::Done)
    }

    fn matrix(&self, id: usize) -> Result<&Arc<dyn Backed>> {
        self.backed.get(id).ok_or_else(|| no_such("a matrix on disk", id, self.backed.len()))
    }
}

fn no_sink() -> Error {
    Error::Message {
        expected: "results from queries only",
        reason: "one from another request".into(),
    }
}

fn no_such(expected: &'static str, id: usize, n: usize) -> Error {
    Error::Message { expected, reason: format!("number {id} of {n}") }
}

impl Serve for HostSide {
    fn serve(&self, request: RawPacket) -> RawPacket {
        let mut packer = Packer::default();
        let reply = match panics::catch(|| self.answer(request, &mut packer)) {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => {
                let flat = Flat::from(&error);
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Err(flat)
            }
            Err(message) => Err(Flat::panic(message)),
        };
        packer.seal(&reply, RawPort::none())
    }
}

impl Homes for HostSide {
    fn backed(&self, id: usize, _: Vec<usize>, _: DType) -> Result<Arc<dyn Backed>> {
        self.matrix(id).cloned()
    }

    fn opaque(&self, id: usize, _: String) -> Result<Arc<dyn Opaque>> {
        let found = self.opaque.get(id).cloned();
        found.ok_or_else(|| no_such("an element not understood", id, self.opaque.len()))
    }
}
