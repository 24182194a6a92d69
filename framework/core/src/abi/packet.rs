//! A message and the memory that goes with it.

use std::{ffi::c_void, ptr, sync::Arc};

use abi_stable::{
    StableAbi,
    std_types::{RString, RVec},
};
use half::f16;
use serde::{Serialize, de::DeserializeOwned};

use super::port::{Port, RawPort};
use crate::{
    anndata::{Buffer, DType, Number, Slice, Values},
    error::{Error, Result},
    with_values,
};

/// A run of numbers in memory of whoever sent the packet.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawBuffer {
    dtype: u8,
    start: *const c_void,
    len: usize,
}

/// A message as it crosses: JSON, the memory beside it, and a port to ask back.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawPacket {
    head: RString,
    buffers: RVec<RawBuffer>,
    owner: RawOwner,
    port: RawPort,
}

/// Whatever keeps the memory of a packet alive; released once, by the side that made it.
#[repr(C)]
#[derive(StableAbi)]
struct RawOwner {
    values: *mut c_void,
    release: extern "C" fn(*mut c_void),
}

// SAFETY: `values` is a `Box<Vec<Values>>`, which is Send and Sync, and is only ever dropped.
unsafe impl Send for RawOwner {}
// SAFETY: as above; nothing reads through a shared `RawOwner`.
unsafe impl Sync for RawOwner {}

impl Drop for RawOwner {
    fn drop(&mut self) {
        (self.release)(self.values);
    }
}

extern "C" fn release_values(values: *mut c_void) {
    // SAFETY: `values` came from `Box::into_raw` in `RawPacket::new`, and `RawOwner` is dropped once.
    drop(unsafe { Box::from_raw(values.cast::<Vec<Values>>()) });
}

impl RawPacket {
    /// Packs a message; `values` stay where they are and live until the receiver lets go of them.
    pub fn new(message: &impl Serialize, values: Vec<Values>, port: RawPort) -> Self {
        let head = serde_json::to_string(message).expect("messages have string keys only");
        let buffers = values.iter().map(RawBuffer::new).collect();
        let values = Box::into_raw(Box::new(values)).cast();
        let owner = RawOwner { values, release: release_values };
        Self { head: head.into(), buffers, owner, port }
    }

    /// Unpacks a message, its numbers (still in the sender's memory) and the port that came along.
    ///
    /// # Errors
    /// When the message is not a `T` or the memory is not what it is said to be.
    pub fn open<T: DeserializeOwned>(self) -> Result<(T, Vec<Values>, Option<Arc<Port>>)> {
        let RawPacket { head, buffers, owner, port } = self;
        let message = serde_json::from_str(&head)
            .map_err(|e| Error::Message { expected: type_name::<T>(), reason: e.to_string() })?;
        let owner = Arc::new(owner);
        let values = buffers.iter().map(|b| b.open(&owner)).collect::<Result<_>>()?;
        Ok((message, values, Port::new(port).map(Arc::new)))
    }
}

fn type_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    name.rsplit("::").next().unwrap_or(name)
}

/// Values in the sender's memory.
struct Lent<T> {
    start: *const T,
    len: usize,
    _owner: Arc<RawOwner>,
}

// SAFETY: the memory is an immutable `Buffer<T>` of the sender, kept alive by the owner.
unsafe impl<T: Send + Sync> Send for Lent<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Lent<T> {}

impl<T: Send + Sync> Slice<T> for Lent<T> {
    fn as_slice(&self) -> &[T] {
        // SAFETY: checked for null and alignment in `RawBuffer::lend`; the sender vouches for `len`
        // values of this type, immutable while the owner lives.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

/// The dtypes in the order of their numbers at the boundary; only ever appended to.
const DTYPES: [DType; 12] = [
    DType::Bool,
    DType::Int8,
    DType::Int16,
    DType::Int32,
    DType::Int64,
    DType::UInt8,
    DType::UInt16,
    DType::UInt32,
    DType::UInt64,
    DType::Float16,
    DType::Float32,
    DType::Float64,
];

impl RawBuffer {
    fn new(values: &Values) -> Self {
        let number = DTYPES.iter().position(|d| *d == values.dtype());
        let dtype = number.expect("every dtype has a number") as u8;
        let (start, len) = with_values!(values, b => (b.as_ptr().cast(), b.len()));
        Self { dtype, start, len }
    }

    fn open(&self, owner: &Arc<RawOwner>) -> Result<Values> {
        let wrong = |found: String| Error::Message { expected: "array memory", reason: found };
        let dtype = *DTYPES
            .get(usize::from(self.dtype))
            .ok_or_else(|| wrong(format!("no dtype has the number {}", self.dtype)))?;
        let misaligned = !self.start.addr().is_multiple_of(dtype.size());
        if self.start.is_null() || misaligned || self.len > isize::MAX as usize / dtype.size() {
            return Err(wrong(format!("{} {} values at {:p}", self.len, dtype.name(), self.start)));
        }
        Ok(match dtype {
            DType::Bool => {
                let bytes = self.lend::<u8>(owner);
                if let Some(byte) = bytes.iter().find(|b| **b > 1) {
                    return Err(wrong(format!("the byte {byte} among booleans")));
                }
                Values::Bool(self.lend(owner))
            }
            DType::Int8 => i8::wrap(self.lend(owner)),
            DType::Int16 => i16::wrap(self.lend(owner)),
            DType::Int32 => i32::wrap(self.lend(owner)),
            DType::Int64 => i64::wrap(self.lend(owner)),
            DType::UInt8 => u8::wrap(self.lend(owner)),
            DType::UInt16 => u16::wrap(self.lend(owner)),
            DType::UInt32 => u32::wrap(self.lend(owner)),
            DType::UInt64 => u64::wrap(self.lend(owner)),
            DType::Float16 => f16::wrap(self.lend(owner)),
            DType::Float32 => f32::wrap(self.lend(owner)),
            DType::Float64 => f64::wrap(self.lend(owner)),
        })
    }

    fn lend<T: Send + Sync + 'static>(&self, owner: &Arc<RawOwner>) -> Buffer<T> {
        let start = self.start.cast();
        Buffer::shared(Lent { start, len: self.len, _owner: owner.clone() })
    }
}

impl RawPort {
    /// No port: nothing can be asked back.
    pub fn none() -> Self {
        Self::from_parts(ptr::null(), nobody, nothing)
    }
}

extern "C" fn nobody(_: *const c_void, request: RawPacket) -> RawPacket {
    request
}

extern "C" fn nothing(_: *const c_void) {}
