//! New tensors, written in place.

use tch::{Device, Tensor, kind};

use crate::error::Result;

/// A tensor `[n_rows, n_cols]` in memory; `write` gets its values in C order, all zero.
///
/// libtorch's own way from a slice to a tensor goes over the memory twice, and wakes its threads.
///
/// # Errors
/// When libtorch has no memory for it.
pub(crate) fn fresh<T: kind::Element>(
    n_rows: usize,
    n_cols: usize,
    write: impl FnOnce(&mut [T]),
) -> Result<Tensor> {
    let shape = [n_rows as i64, n_cols as i64];
    let tensor = Tensor::f_empty(shape, (T::KIND, Device::Cpu))?;
    let (start, len): (*mut T, _) = (tensor.data_ptr().cast(), n_rows * n_cols);
    if len > 0 {
        // SAFETY: the tensor holds `len` contiguous numbers of this type, nobody else has it yet, and
        // zero bytes are a number of every type.
        let values = unsafe {
            start.write_bytes(0, len);
            std::slice::from_raw_parts_mut(start, len)
        };
        write(values);
    }
    Ok(tensor)
}
