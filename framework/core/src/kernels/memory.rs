//! The memory of tensors as slices.

use tch::{Device, Kind, Tensor};

/// The values of a contiguous float32 tensor in memory, in C order; `None` for any other tensor.
///
/// # Safety
/// Nobody writes to the tensor's storage while the slice lives.
pub unsafe fn floats(tensor: &Tensor) -> Option<&[f32]> {
    let (start, len) = parts(tensor)?;
    // SAFETY: `parts` vouches for `len` contiguous floats, which live as long as the handle; the
    // caller for nobody writing.
    Some(unsafe { std::slice::from_raw_parts(start, len) })
}

/// As [`floats`], to be written.
///
/// # Safety
/// Nobody else reads or writes the tensor's storage while the slice lives.
pub unsafe fn floats_mut(tensor: &mut Tensor) -> Option<&mut [f32]> {
    let (start, len) = parts(tensor)?;
    // SAFETY: as above; the caller vouches for nobody else being there.
    Some(unsafe { std::slice::from_raw_parts_mut(start, len) })
}

fn parts(tensor: &Tensor) -> Option<(*mut f32, usize)> {
    let fits = tensor.defined()
        && tensor.device() == Device::Cpu
        && tensor.f_kind().is_ok_and(|kind| kind == Kind::Float)
        && !tensor.is_sparse()
        && tensor.is_contiguous();
    let start: *mut f32 = if fits { tensor.data_ptr().cast() } else { return None };
    (!start.is_null()).then_some((start, tensor.numel()))
}
