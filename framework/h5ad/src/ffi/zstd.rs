//! zstd, with which hdf5plugin compresses, as a filter of HDF5.

use std::{
    ffi::{c_uint, c_void},
    ptr, slice,
    sync::Once,
};

use hdf5::sync::sync;
use hdf5_sys::{
    h5::{H5allocate_memory, H5free_memory},
    h5z::{H5Z_CLASS_T_VERS, H5Z_FLAG_REVERSE, H5Z_class2_t, H5Zregister},
};

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
