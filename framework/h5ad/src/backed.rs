//! Matrices left on disk and read by row ranges.

use std::{any::Any, ops::Range, sync::Arc};

use half::f16;
use hdf5::{Dataset, H5Type};
use scvi_framework::{
    Error as CoreError, Result as CoreResult,
    anndata::{Backed, Buffer, DType, Dense, Element, Number, Sparse, SparseFormat, Values},
};

use crate::{
    array, encoding,
    error::Result,
    node::{At, Node, descriptor, unreadable},
};

/// A matrix in an open file.
#[derive(Debug)]
pub struct OnDisk {
    /// The matrix in its file.
    pub node: Node,
    shape: [usize; 2],
    dtype: DType,
    layout: Layout,
}

#[derive(Debug)]
enum Layout {
    Dense(Dataset),
    Csr {
        starts: Buffer<i64>,
        width: DType,
        data: Dataset,
        indices: Dataset,
    },
    /// Whose rows nobody can have; it can still be copied as it is.
    Csc,
}

/// The matrix at `node`, left there; `None` when it cannot be read by rows.
pub fn open(node: &Node) -> Result<Option<Element>> {
    let found = match node.attr_string("encoding-type")?.as_str() {
        "csr_matrix" => csr(node, "shape")?,
        "csc_matrix" => csc(node, "shape")?,
        "" if node.attr_string("h5sparse_format")? == "csr" => csr(node, "h5sparse_shape")?,
        "" if node.attr_string("h5sparse_format")? == "csc" => csc(node, "h5sparse_shape")?,
        "" | "array" if node.dataset().is_ok() => dense(node)?,
        _ => None,
    };
    Ok(found.map(|matrix| Element::Backed(Arc::new(matrix))))
}

impl Backed for OnDisk {
    fn shape(&self) -> Vec<usize> {
        self.shape.to_vec()
    }

    fn dtype(&self) -> DType {
        self.dtype
    }

    fn rows(&self, rows: Range<usize>) -> CoreResult<Element> {
        let [n_rows, n_cols] = self.shape;
        if rows.start > rows.end || rows.end > n_rows {
            return Err(CoreError::Shape {
                what: format!("rows {}..{} of a matrix on disk", rows.start, rows.end),
                expected: vec![n_rows, n_cols],
                found: vec![rows.end, n_cols],
            });
        }
        let on_disk = |e: crate::Error| CoreError::OnDisk { reason: e.to_string() };
        let n = rows.len();
        match &self.layout {
            Layout::Csc => Err(on_disk(self.node.at.by_column())),
            Layout::Dense(dataset) => {
                let values = slab(dataset, self.dtype, rows, &self.node.at).map_err(on_disk)?;
                Ok(Element::Dense(Dense { shape: vec![n, n_cols], values }))
            }
            Layout::Csr { starts, width, data, indices } => {
                let starts = &starts[rows.start..=rows.end];
                let (from, to) = (starts[0], starts[n]);
                let starts = starts.iter().map(|s| s - from);
                let indptr: Values = match width {
                    DType::Int32 => starts.map(|s| s as i32).collect::<Vec<_>>().into(),
                    _ => starts.collect::<Vec<_>>().into(),
                };
                let part = from as usize..to as usize;
                let at = &self.node.at;
                let data = run(data, self.dtype, part.clone(), at).map_err(on_disk)?;
                let indices = positions(indices, part, at).map_err(on_disk)?;
                let shape = [n, n_cols];
                let rows = Sparse::new(SparseFormat::Csr, shape, data, indices, indptr)?;
                Ok(Element::Sparse(rows))
            }
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn dense(node: &Node) -> Result<Option<OnDisk>> {
    let dataset = node.dataset()?.clone();
    let (Some(dtype), &[n, m]) = (number(&dataset, &node.at)?, &dataset.shape()[..]) else {
        return Ok(None);
    };
    array::plausible(&dataset, &node.at, dtype.size())?;
    let layout = Layout::Dense(dataset);
    Ok(Some(OnDisk { node: node.clone(), shape: [n, m], dtype, layout }))
}

fn csc(node: &Node, shape: &str) -> Result<Option<OnDisk>> {
    let (shape, data) = (node.attr_shape(shape)?, node.get("data")?);
    let Some(dtype) = number(data.dataset()?, &data.at)? else { return Ok(None) };
    Ok(Some(OnDisk { node: node.clone(), shape, dtype, layout: Layout::Csc }))
}

fn csr(node: &Node, shape: &str) -> Result<Option<OnDisk>> {
    let shape = node.attr_shape(shape)?;
    let (data, indices, indptr) = (node.get("data")?, node.get("indices")?, node.get("indptr")?);
    let Some(dtype) = number(data.dataset()?, &data.at)? else { return Ok(None) };
    array::plausible(data.dataset()?, &data.at, dtype.size())?;
    array::plausible(indices.dataset()?, &indices.at, DType::Int64.size())?;
    let (data, indices) = (data.dataset()?.clone(), indices.dataset()?.clone());
    let (width, starts) =
        match array::numbers(indptr.dataset()?, &indptr.at)?.map(encoding::position) {
            Some(values) => (values.dtype(), values.to_i64()),
            None => return Err(indptr.at.invalid("integers", "others")),
        };
    let rises = starts.first() == Some(&0) && starts.windows(2).all(|w| w[0] <= w[1]);
    if starts.len() != shape[0] + 1 || !rises {
        let expected = format!("{} values rising from 0", shape[0] + 1);
        return Err(indptr.at.invalid(expected, format!("{} values", starts.len())));
    }
    let n_stored = starts[shape[0]] as usize;
    if data.shape() != [n_stored] || indices.shape() != [n_stored] {
        return Err(node.at.child("data").shape(vec![n_stored], data.shape()));
    }
    let layout = Layout::Csr { starts, width, data, indices };
    Ok(Some(OnDisk { node: node.clone(), shape, dtype, layout }))
}

/// The dtype of numbers that can be read in parts.
fn number(dataset: &Dataset, at: &At) -> Result<Option<DType>> {
    use hdf5::types::{FloatSize as F, IntSize as I, TypeDescriptor as Td};
    Ok(descriptor(dataset, at)?.and_then(|kind| {
        Some(match kind {
            Td::Integer(I::U1) => DType::Int8,
            Td::Integer(I::U2) => DType::Int16,
            Td::Integer(I::U4) => DType::Int32,
            Td::Integer(I::U8) => DType::Int64,
            Td::Unsigned(I::U1) => DType::UInt8,
            Td::Unsigned(I::U2) => DType::UInt16,
            Td::Unsigned(I::U4) => DType::UInt32,
            Td::Unsigned(I::U8) => DType::UInt64,
            Td::Float(F::U2) => DType::Float16,
            Td::Float(F::U4) => DType::Float32,
            Td::Float(F::U8) => DType::Float64,
            _ => return None,
        })
    }))
}

/// Runs `$body` with type alias `$type` for the numbers of `$dtype`.
macro_rules! with_type {
    ($dtype:expr, $type:ident => $body:expr) => {
        match $dtype {
            DType::Bool | DType::UInt8 => {
                type $type = u8;
                $body
            }
            DType::Int8 => {
                type $type = i8;
                $body
            }
            DType::Int16 => {
                type $type = i16;
                $body
            }
            DType::Int32 => {
                type $type = i32;
                $body
            }
            DType::Int64 => {
                type $type = i64;
                $body
            }
            DType::UInt16 => {
                type $type = u16;
                $body
            }
            DType::UInt32 => {
                type $type = u32;
                $body
            }
            DType::UInt64 => {
                type $type = u64;
                $body
            }
            DType::Float16 => {
                type $type = f16;
                $body
            }
            DType::Float32 => {
                type $type = f32;
                $body
            }
            DType::Float64 => {
                type $type = f64;
                $body
            }
        }
    };
}

fn slab(dataset: &Dataset, dtype: DType, rows: Range<usize>, at: &At) -> Result<Values> {
    fn read<T: Number + H5Type>(dataset: &Dataset, rows: Range<usize>) -> hdf5::Result<Values> {
        let read = dataset.read_slice_2d::<T, _>((rows, ..))?;
        Ok(read.into_raw_vec_and_offset().0.into())
    }
    with_type!(dtype, T => read::<T>(dataset, rows)).map_err(|e| unreadable(dataset, at, e))
}

/// Some columns of a dense matrix, in C order; `None` when it holds no numbers.
pub fn columns(dataset: &Dataset, columns: Range<usize>, at: &At) -> Result<Option<Values>> {
    fn read<T: Number + H5Type>(dataset: &Dataset, part: Range<usize>) -> hdf5::Result<Values> {
        let read = dataset.read_slice_2d::<T, _>((.., part))?;
        Ok(read.into_raw_vec_and_offset().0.into())
    }
    let Some(dtype) = number(dataset, at)? else { return Ok(None) };
    let values = with_type!(dtype, T => read::<T>(dataset, columns));
    values.map(Some).map_err(|e| unreadable(dataset, at, e))
}

fn run(dataset: &Dataset, dtype: DType, part: Range<usize>, at: &At) -> Result<Values> {
    fn read<T: Number + H5Type>(dataset: &Dataset, part: Range<usize>) -> hdf5::Result<Values> {
        let read = dataset.read_slice_1d::<T, _>(part)?;
        Ok(read.into_raw_vec_and_offset().0.into())
    }
    with_type!(dtype, T => read::<T>(dataset, part)).map_err(|e| unreadable(dataset, at, e))
}

fn positions(dataset: &Dataset, part: Range<usize>, at: &At) -> Result<Values> {
    let Some(dtype) = number(dataset, at)? else { return Err(at.invalid("integers", "others")) };
    run(dataset, dtype, part, at).map(encoding::position)
}
