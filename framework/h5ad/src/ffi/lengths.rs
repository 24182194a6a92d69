//! The lengths of strings as they stand in a file, read without the strings.
//!
//! HDF5 asks for as much memory as the longest string says it takes, and fills it, before it looks
//! for the string. A conversion of its own kind shows what it would believe: from a reference to a
//! string, which is a length of 4 bytes and a place in a heap, to that length.

use std::{ffi::c_void, sync::Once};

use hdf5::{
    Container, Datatype, Result,
    sync::sync,
    types::{CompoundField, CompoundType, IntSize, TypeDescriptor as Td, VarLenUnicode},
};
use hdf5_sys::{
    h5i::hid_t,
    h5t::{
        H5T_CONV_CONV, H5T_CONV_FREE, H5T_CONV_INIT, H5T_PERS_SOFT, H5T_bkg_t, H5T_cdata_t,
        H5Tget_size, H5Tregister,
    },
};

use super::bytes;

/// A reference in a file: the length, the address of a heap, the number in there.
const REFERENCE: usize = 4 + 8 + 4;
const LENGTH: usize = size_of::<u32>();

/// The length of every variable-length string in bytes, as the file says; those in field `field` of
/// structures when there is one.
pub fn lengths(container: &Container, field: Option<&str>) -> Result<Vec<u32>> {
    register();
    let length = Td::Unsigned(IntSize::U4);
    let memory = match field {
        None => length,
        Some(name) => {
            let field = CompoundField { name: name.into(), ty: length, offset: 0, index: 0 };
            Td::Compound(CompoundType { fields: vec![field], size: LENGTH })
        }
    };
    let bytes = bytes(container, &Datatype::from_descriptor(&memory)?)?;
    let (lengths, _) = bytes.as_chunks();
    Ok(lengths.iter().map(|&length| u32::from_ne_bytes(length)).collect())
}

/// Tells HDF5 of the conversion, once.
fn register() {
    static ONCE: Once = Once::new();
    let types = Datatype::from_type::<VarLenUnicode>()
        .and_then(|text| Ok((text, Datatype::from_type::<u32>()?)));
    let Ok((text, length)) = types else { return };
    // SAFETY: both are types; HDF5 copies the name, and the function lives for ever. A refusal shows
    // later, as a conversion that is not there.
    ONCE.call_once(|| {
        sync(|| unsafe {
            H5Tregister(H5T_PERS_SOFT, c"length".as_ptr(), text.id(), length.id(), Some(convert));
        });
    });
}

/// Puts a length in the place of each reference; serves references of the usual size only.
extern "C" fn convert(
    from: hid_t,
    to: hid_t,
    job: *mut H5T_cdata_t,
    n: usize,
    stride: usize,
    _: usize,
    buffer: *mut c_void,
    _: *mut c_void,
    _: hid_t,
) -> i32 {
    // SAFETY: HDF5 hands over its own types and job and, when it wants a conversion, `n` references
    // in a buffer: `stride` bytes apart, where it also expects the lengths, or end to end, where a
    // length never reaches into the references after its own.
    unsafe {
        match (*job).command {
            H5T_CONV_INIT if H5Tget_size(from) != REFERENCE || H5Tget_size(to) != LENGTH => -1,
            H5T_CONV_INIT => {
                (*job).need_bkg = H5T_bkg_t::H5T_BKG_NO;
                0
            }
            H5T_CONV_FREE => 0,
            H5T_CONV_CONV => {
                let buffer = buffer.cast::<u8>();
                let step = |size| if stride == 0 { size } else { stride };
                for i in 0..n {
                    let bytes = buffer.add(i * step(REFERENCE)).cast::<[u8; LENGTH]>().read();
                    let length = u32::from_le_bytes(bytes).to_ne_bytes();
                    buffer.add(i * step(LENGTH)).cast::<[u8; LENGTH]>().write(length);
                }
                0
            }
        }
    }
}
