//! Named arrays in a file: safetensors.

use std::{borrow::Cow, fs, io, path::Path};

use indexmap::IndexMap;
use safetensors::{Dtype, SafeTensorError, SafeTensors, View};

use super::{
    numbers::{self, ByteOrder},
    place::failed,
};
use crate::{
    anndata::{DType, Dense},
    error::{Error, Result},
};

struct Array<'a>(&'a Dense);

impl View for Array<'_> {
    fn dtype(&self) -> Dtype {
        match self.0.values.dtype() {
            DType::Bool => Dtype::BOOL,
            DType::Int8 => Dtype::I8,
            DType::Int16 => Dtype::I16,
            DType::Int32 => Dtype::I32,
            DType::Int64 => Dtype::I64,
            DType::UInt8 => Dtype::U8,
            DType::UInt16 => Dtype::U16,
            DType::UInt32 => Dtype::U32,
            DType::UInt64 => Dtype::U64,
            DType::Float16 => Dtype::F16,
            DType::Float32 => Dtype::F32,
            DType::Float64 => Dtype::F64,
        }
    }
    fn shape(&self) -> &[usize] {
        &self.0.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        numbers::encode(&self.0.values).into()
    }
    fn data_len(&self) -> usize {
        self.0.values.len() * self.0.values.dtype().size()
    }
}

fn dtype(dtype: Dtype) -> Option<DType> {
    Some(match dtype {
        Dtype::BOOL => DType::Bool,
        Dtype::I8 => DType::Int8,
        Dtype::I16 => DType::Int16,
        Dtype::I32 => DType::Int32,
        Dtype::I64 => DType::Int64,
        Dtype::U8 => DType::UInt8,
        Dtype::U16 => DType::UInt16,
        Dtype::U32 => DType::UInt32,
        Dtype::U64 => DType::UInt64,
        Dtype::F16 => DType::Float16,
        Dtype::F32 => DType::Float32,
        Dtype::F64 => DType::Float64,
        _ => return None,
    })
}

/// Writes arrays to a file.
///
/// # Errors
/// What the operating system refuses.
pub(super) fn write(path: &Path, arrays: &IndexMap<String, Dense>) -> io::Result<()> {
    let views = arrays.iter().map(|(name, dense)| (name, Array(dense)));
    safetensors::serialize_to_file(views, None, path).map_err(|e| match e {
        SafeTensorError::IoError(source) => source,
        other => io::Error::other(other.to_string()),
    })
}

/// Reads all arrays of a file, sorted by name; `expected` says for messages what it should be.
///
/// # Errors
/// [`Error::Io`]; [`Error::SavedFile`] when the file is damaged.
pub(super) fn read(path: &Path, expected: &'static str) -> Result<IndexMap<String, Dense>> {
    let bytes = fs::read(path).map_err(failed(path, "read"))?;
    let wrong = |found: String| Error::SavedFile { path: path.into(), expected, found };
    let file = SafeTensors::deserialize(&bytes).map_err(|e| wrong(format!("{e}")))?;
    let mut arrays = IndexMap::new();
    for (name, tensor) in file.iter() {
        let dtype = dtype(tensor.dtype());
        let dtype = dtype.ok_or_else(|| wrong(format!("`{name}` of type {:?}", tensor.dtype())))?;
        let values = numbers::decode(dtype, tensor.data(), ByteOrder::Little);
        arrays.insert(name.to_owned(), Dense { shape: tensor.shape().to_vec(), values });
    }
    arrays.sort_unstable_keys();
    Ok(arrays)
}
