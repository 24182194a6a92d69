//! The calls for which the `hdf5` crate has no safe form: reading in a memory type known only at
//! run time (columns of structured arrays, strings of any fixed length), looking at the lengths of
//! strings before they are read, and adding a filter.
#![allow(unsafe_code, reason = "HDF5 offers these through pointers only")]

mod lengths;
mod zstd;

use std::{
    ffi::{CStr, c_char, c_void},
    ptr,
};

use hdf5::{
    Container, Datatype, Error, Result,
    sync::sync,
    types::{TypeDescriptor, TypeDescriptor as Td},
};
use hdf5_sys::{
    h5a::H5Aread, h5d::H5Dread, h5i::H5I_type_t, h5p::H5P_DEFAULT, h5s::H5S_ALL, h5t::H5Treclaim,
};

pub use self::{lengths::lengths, zstd::register_zstd};

/// All values as bytes in memory type `memory`, which must be of fixed size.
pub fn bytes(container: &Container, memory: &Datatype) -> Result<Vec<u8>> {
    if !is_plain(&memory.to_descriptor()?) {
        return Err("the type has no fixed size".into());
    }
    let size = container.space()?.size().checked_mul(memory.size()).ok_or("size overflows")?;
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(size).map_err(|e| Error::from(e.to_string()))?;
    buffer.resize(size, 0);
    // SAFETY: the buffer holds every element of the container in the memory type, which is plain
    // data, as checked above.
    unsafe { read_into(container, memory, buffer.as_mut_ptr().cast()) }?;
    Ok(buffer)
}

/// All variable-length strings, laid end to end: where each ends, and the bytes. `memory` is the
/// string type or a structure of just one such field.
pub fn strings(container: &Container, memory: &Datatype) -> Result<(Vec<u64>, Vec<u8>)> {
    let is_string = |t: &TypeDescriptor| matches!(t, Td::VarLenAscii | Td::VarLenUnicode);
    let fits = match &memory.to_descriptor()? {
        Td::Compound(c) => c.fields.len() == 1 && is_string(&c.fields[0].ty),
        other => is_string(other),
    };
    if !fits || memory.size() != size_of::<*const c_char>() {
        return Err("not a type of variable-length strings".into());
    }
    let space = container.space()?;
    let n = space.size();
    let mut pointers: Vec<*const c_char> = Vec::new();
    pointers.try_reserve_exact(n).map_err(|e| Error::from(e.to_string()))?;
    pointers.resize(n, ptr::null());
    // SAFETY: one pointer per element, as checked above; HDF5 sets each to null or to a
    // zero-terminated string of its own, which is copied before it is given back.
    unsafe {
        let read = read_into(container, memory, pointers.as_mut_ptr().cast());
        let (mut offsets, mut text) = (Vec::with_capacity(n + 1), Vec::new());
        offsets.push(0);
        for &pointer in &pointers {
            if !pointer.is_null() {
                text.extend_from_slice(CStr::from_ptr(pointer).to_bytes());
            }
            offsets.push(text.len() as u64);
        }
        sync(|| {
            H5Treclaim(memory.id(), space.id(), H5P_DEFAULT, pointers.as_mut_ptr().cast());
        });
        read.map(|()| (offsets, text))
    }
}

unsafe fn read_into(container: &Container, memory: &Datatype, buffer: *mut c_void) -> Result<()> {
    let (id, memory) = (container.id(), memory.id());
    let is_attribute = container.id_type() == H5I_type_t::H5I_ATTR;
    // SAFETY: the caller vouches for the buffer.
    let status = sync(|| unsafe {
        let status = match is_attribute {
            true => H5Aread(id, memory, buffer),
            false => H5Dread(id, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer),
        };
        hdf5::h5check(status)
    });
    status.map(drop)
}

fn is_plain(descriptor: &TypeDescriptor) -> bool {
    match descriptor {
        Td::Integer(_) | Td::Unsigned(_) | Td::Float(_) | Td::Boolean => true,
        Td::FixedAscii(_) | Td::FixedUnicode(_) => true,
        Td::FixedArray(inner, _) => is_plain(inner),
        Td::Compound(c) => c.fields.iter().all(|f| is_plain(&f.ty)),
        _ => false,
    }
}
