//! One generic call across the boundary.

use std::{ffi::c_void, sync::Arc};

use abi_stable::StableAbi;

use super::packet::RawPacket;

/// Somebody on the other side who answers packets.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawPort {
    server: *const c_void,
    call: extern "C" fn(*const c_void, RawPacket) -> RawPacket,
    release: extern "C" fn(*const c_void),
}

/// Answers packets. Must not panic: it is called from the other side.
pub trait Serve: Send + Sync + 'static {
    /// The answer to one packet.
    fn serve(&self, request: RawPacket) -> RawPacket;
}

impl RawPort {
    /// A port at which `server` answers; the port keeps it alive.
    pub fn new<S: Serve>(server: Arc<S>) -> Self {
        Self::from_parts(Arc::into_raw(server).cast(), call::<S>, release::<S>)
    }

    pub(super) fn from_parts(
        server: *const c_void,
        call: extern "C" fn(*const c_void, RawPacket) -> RawPacket,
        release: extern "C" fn(*const c_void),
    ) -> Self {
        Self { server, call, release }
    }
}

impl Drop for RawPort {
    fn drop(&mut self) {
        (self.release)(self.server);
    }
}

extern "C" fn call<S: Serve>(server: *const c_void, request: RawPacket) -> RawPacket {
    // SAFETY: `server` came from `Arc::into_raw` in `RawPort::new::<S>` and is released on drop only.
    unsafe { &*server.cast::<S>() }.serve(request)
}

extern "C" fn release<S: Serve>(server: *const c_void) {
    // SAFETY: as in `call`; a port is dropped once.
    drop(unsafe { Arc::from_raw(server.cast::<S>()) });
}

/// A port that is there.
pub struct Port(RawPort);

// SAFETY: the server behind it is Send and Sync (`Serve` demands it).
unsafe impl Send for Port {}
// SAFETY: as above.
unsafe impl Sync for Port {}

impl Port {
    /// `None` for [`RawPort::none`].
    pub fn new(raw: RawPort) -> Option<Self> {
        (!raw.server.is_null()).then_some(Self(raw))
    }

    /// Asks, and waits for the answer.
    pub fn call(&self, request: RawPacket) -> RawPacket {
        (self.0.call)(self.0.server, request)
    }
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Port")
    }
}
