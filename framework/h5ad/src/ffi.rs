//! The calls for which the `hdf5` crate has no safe form: reading in a memory type known only at
//! run time (columns of structured arrays, strings of any fixed length) and adding a filter.
#![allow(unsafe_code, reason = "HDF5 offers these through pointers only")]

use std::{
    ffi::{CStr, c_char, c_uint, c_void},
    ptr, slice,
    sync::Once,
};

use hdf5::{
    Container, Datatype, Error, Result,
    sync::sync,
    types::{TypeDescriptor, TypeDescriptor as Td},
};
use hdf5_sys::{
    h5::{H5allocate_memory, H5free_memory},
    h5a::H5Aread,
    h5d::H5Dread,
    h5i::H5I_type_t,
    h5p::H5P_DEFAULT,
    h5s::H5S_ALL,
    h5t::H5Treclaim,
    h5z::{H5Z_CLASS_T_VERS, H5Z_FLAG_REVERSE, H5Z_class2_t, H5Zregister},
};

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

/// Makes data readable that hdf5plugin compressed with zstd.
pub fn register_zstd() {
    static ONCE: Once = Once::new();
    let class = &H5Z_class2_t {
        version: H5Z_CLASS_T_VERS as _,
        id: ZSTD,
        encoder_present: 0,
        decoder_present: 1,
        name: c"zstd".as_ptr(),
        can_apply: None,
        set_local: None,
        filter: Some(unzstd),
    };
    // SAFETY: HDF5 copies the description; the function in it lives for ever. A refusal shows
    // later, as a filter that is not available.
    ONCE.call_once(|| {
        sync(|| unsafe { H5Zregister(ptr::from_ref(class).cast()) });
    });
}

/// The number under which zstd is known to HDF5.
const ZSTD: i32 = 32015;
/// Binary logarithm of a ratio that zstd does not reach on a chunk.
const MAX_ZSTD_RATIO: u32 = 16;

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

unsafe extern "C" fn unzstd(
    flags: c_uint,
    _: usize,
    _: *const c_uint,
    n_bytes: usize,
    buffer_size: *mut usize,
    buffer: *mut *mut c_void,
) -> usize {
    if flags & H5Z_FLAG_REVERSE == 0 {
        return 0;
    }
    // SAFETY: HDF5 hands over `n_bytes` readable bytes that were made by its allocator and takes
    // back what replaces them; on failure nothing is changed.
    unsafe {
        let packed = slice::from_raw_parts((*buffer).cast::<u8>(), n_bytes);
        let Ok(Some(size)) = zstd_safe::get_frame_content_size(packed) else { return 0 };
        if size >> MAX_ZSTD_RATIO > packed.len() as u64 {
            return 0; // nobody means that, and it would be allocated
        }
        let size = size as usize;
        let unpacked = H5allocate_memory(size, 1);
        if unpacked.is_null() {
            return 0;
        }
        let target = slice::from_raw_parts_mut(unpacked.cast::<u8>(), size);
        if zstd_safe::decompress(target, packed) != Ok(size) {
            H5free_memory(unpacked);
            return 0;
        }
        H5free_memory(*buffer);
        *buffer = unpacked;
        *buffer_size = size;
        size
    }
}
