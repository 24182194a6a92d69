//! Between tensors and arrays of the data set.

use tch::{Kind, Tensor};

use crate::{
    anndata::{Dense, Values},
    error::{Error, Result},
};

/// Copies a tensor to memory.
///
/// # Errors
/// When the tensor is of a kind that files do not hold.
pub fn to_dense(tensor: &Tensor) -> Result<Dense> {
    let shape: Vec<usize> = tensor.size().iter().map(|&n| n as usize).collect();
    let flat = tensor.detach().to_device(tch::Device::Cpu).contiguous().view(-1);
    let values: Values = match tensor.kind() {
        Kind::Float => Vec::<f32>::try_from(&flat)?.into(),
        Kind::Double => Vec::<f64>::try_from(&flat)?.into(),
        Kind::Int64 => Vec::<i64>::try_from(&flat)?.into(),
        Kind::Int => Vec::<i32>::try_from(&flat)?.into(),
        Kind::Bool => Vec::<bool>::try_from(&flat)?.into(),
        other => {
            return Err(Error::Kind {
                what: "tensor".into(),
                expected: "float32, float64, int32, int64 or bool".into(),
                found: format!("{other:?}"),
            });
        }
    };
    Ok(Dense { shape, values })
}

/// Copies an array into a tensor of the same dtype on the CPU.
///
/// # Errors
/// When libtorch has no such dtype.
pub fn to_tensor(dense: &Dense) -> Result<Tensor> {
    let shape: Vec<i64> = dense.shape.iter().map(|&n| n as i64).collect();
    let flat = match &dense.values {
        Values::Bool(b) => Tensor::from_slice(b),
        Values::Int8(b) => Tensor::from_slice(b),
        Values::Int16(b) => Tensor::from_slice(b),
        Values::Int32(b) => Tensor::from_slice(b),
        Values::Int64(b) => Tensor::from_slice(b),
        Values::UInt8(b) => Tensor::from_slice(b),
        Values::Float16(b) => Tensor::from_slice(b),
        Values::Float32(b) => Tensor::from_slice(b),
        Values::Float64(b) => Tensor::from_slice(b),
        other => {
            return Err(Error::Kind {
                what: "array".into(),
                expected: "a dtype that tensors have".into(),
                found: other.dtype().name().into(),
            });
        }
    };
    Ok(flat.f_view(shape.as_slice())?)
}
