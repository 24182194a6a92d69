//! The side that lends a data set: answers for data on disk and fields, and in the host for sink and
//! observer.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::{self, ThreadId},
};

use super::{
    changes::{Changes, on_loan},
    field_job::{FieldJob, FieldReply},
    fields::FieldServer,
    messages::{Flat, Incoming, LenderRequest, WireLenderReply, call_lender},
    packet::RawPacket,
    panics,
    peer::{AtLender, Homes, Lendable},
    port::{Port, RawPort, Serve},
    wire::{Packer, Unpacker, WireData, numbered},
};
use crate::{
    anndata::{AnnData, Backed, DType, Opaque, Values},
    error::{Error, Result},
    model::{Checkpoint, Event, Observer, Sink},
};

/// Answers what the borrower asks. Matrices on disk and fields are answered for as long as the
/// borrower holds them; sink and observer until the request is over.
pub struct Lender {
    lent: Lendable,
    job: Mutex<Option<Job>>,
    failure: Mutex<Option<Error>>,
}

/// A data set that came with a request to the lender, for a field to work on.
struct Loan {
    data: WireData,
    buffers: Vec<Values>,
    port: Option<Arc<Port>>,
}

/// The borrowed part of a request.
struct Job {
    sink: Option<*mut dyn Sink>,
    observer: *mut dyn Observer,
    thread: ThreadId,
}

// SAFETY: the pointers are followed on the thread that lent them only, see `Lender::with_job`.
unsafe impl Send for Job {}

impl Lender {
    /// Keeps what `packer` only pointed at.
    pub fn new(packer: &mut Packer) -> Arc<Self> {
        Arc::new(Self {
            lent: std::mem::take(&mut packer.lent),
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
        struct Close<'a>(&'a Lender);
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

    /// The lender's own error, when that is why the borrower failed with `text`.
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

    fn answer(&self, request: RawPacket, packer: &mut Packer) -> Result<WireLenderReply> {
        let Incoming { message, buffers, port } = Incoming::<LenderRequest>::open(request)?;
        match message {
            LenderRequest::Rows { id, start, end } => {
                let (matrix, rows) = (self.matrix(id)?, start..end);
                return Ok(WireLenderReply::Element(packer.element(&matrix.rows(rows)?)?));
            }
            LenderRequest::Field { id, job, data } => {
                let loan = data.map(|data| Loan { data: *data, buffers, port });
                return self.field(id, job, loan, packer);
            }
            LenderRequest::Begin(spec) => {
                numbered(&spec.shape)?;
                self.with_job(|sink, _| sink.ok_or_else(no_sink)?.begin(&spec))?;
            }
            LenderRequest::Block(block) => {
                let block = Unpacker { buffers: &buffers, homes: self }.element(block)?;
                self.with_job(|sink, _| sink.ok_or_else(no_sink)?.rows(block))?;
            }
            LenderRequest::Hear { mut event, loss_bits } => {
                if let (Event::Training { loss, .. }, Some(bits)) = (&mut event, loss_bits) {
                    *loss = f64::from_bits(bits);
                }
                self.with_job(|_, observer| {
                    observer.hear(&event);
                    Ok(())
                })?;
            }
            LenderRequest::Checkpoint { model, is_best } => {
                let model = Unpacker { buffers: &buffers, homes: self }.saved(*model)?;
                self.with_job(|_, observer| observer.checkpoint(&Checkpoint { model, is_best }))?;
            }
            LenderRequest::Cancelled => {
                let cancelled = self.with_job(|_, observer| Ok(observer.cancelled()))?;
                return Ok(WireLenderReply::Cancelled(cancelled));
            }
        }
        Ok(WireLenderReply::Done)
    }

    fn field(
        &self,
        id: usize,
        job: FieldJob,
        loan: Option<Loan>,
        packer: &mut Packer,
    ) -> Result<WireLenderReply> {
        let fields = &self.lent.fields;
        let field = fields.get(id).ok_or_else(|| no_such("a field", id, fields.len()))?;
        let Some(Loan { data, buffers, port }) = loan else {
            return Ok(WireLenderReply::Field(job.run(&**field, None)?, Changes::default()));
        };
        packer.home = port.clone();
        let unpacker = Unpacker { buffers: &buffers, homes: &AtLender(port) };
        let work = |adata: &mut AnnData| job.run(&**field, Some(adata));
        let (reply, changes) = on_loan(data, &unpacker, packer, work)?;
        Ok(WireLenderReply::Field(reply?, changes))
    }

    fn matrix(&self, id: usize) -> Result<&Arc<dyn Backed>> {
        let backed = &self.lent.backed;
        backed.get(id).ok_or_else(|| no_such("a matrix on disk", id, backed.len()))
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

impl Serve for Lender {
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

impl Homes for Lender {
    fn backed(&self, id: usize, _: Vec<usize>, _: DType) -> Result<Arc<dyn Backed>> {
        self.matrix(id).cloned()
    }

    fn opaque(&self, id: usize, _: String) -> Result<Arc<dyn Opaque>> {
        let opaque = &self.lent.opaque;
        let found = opaque.get(id).cloned();
        found.ok_or_else(|| no_such("an element not understood", id, opaque.len()))
    }
}

/// A field that was lent: its lender does its work, for as long as it is held.
#[derive(Debug)]
pub struct LentField {
    /// The lender.
    pub port: Arc<Port>,
    /// The lender's number of it.
    pub id: usize,
}

impl FieldServer for LentField {
    fn work(&self, job: FieldJob, adata: Option<&mut AnnData>) -> Result<FieldReply> {
        let verb = job.verb();
        let mut packer = Packer::default();
        let data = adata.as_deref().map(|adata| packer.data(adata).map(Box::new)).transpose()?;
        let request = LenderRequest::Field { id: self.id, job, data };
        let lender = Lender::new(&mut packer);
        let packet = packer.seal(&request, RawPort::new(lender.clone()));
        let (reply, buffers) = call_lender(&self.port, packet, verb)?;
        let WireLenderReply::Field(reply, changes) = reply else {
            let reason = format!("{reply:?}");
            return Err(Error::Message { expected: "a field's reply", reason });
        };
        if let Some(adata) = adata {
            changes.apply(adata, &Unpacker { buffers: &buffers, homes: &*lender })?;
        }
        Ok(reply)
    }
}
