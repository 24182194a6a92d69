//! From rows to tensors of the dtype asked for.

use std::ops::AddAssign;

use tch::{Device, Kind, Tensor, kind};

use super::rows::Rows;
use crate::error::Result;

/// A number that tensors hold here.
pub(super) trait Loaded: kind::Element + Copy + Default + AddAssign {
    fn from_f64(value: f64) -> Self;
}

macro_rules! loaded {
    ($($type:ty),*) => {
        $(impl Loaded for $type {
            fn from_f64(value: f64) -> Self {
                value as $type
            }
        })*
    };
}
loaded!(i32, i64, f32, f64);

/// Room for a dense minibatch of each dtype; all zeros between uses.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    int32: Vec<i32>,
    int64: Vec<i64>,
    float32: Vec<f32>,
    float64: Vec<f64>,
}

/// A dense tensor `[at.len(), n_cols]` of the rows `at`; entries stored twice add up.
pub(super) fn dense(
    rows: &Rows,
    at: &[usize],
    kind: Kind,
    scratch: &mut Scratch,
) -> Result<Tensor> {
    match kind {
        Kind::Int => dense_of(rows, at, &mut scratch.int32),
        Kind::Int64 => dense_of(rows, at, &mut scratch.int64),
        Kind::Double => dense_of(rows, at, &mut scratch.float64),
        _ => dense_of(rows, at, &mut scratch.float32),
    }
}

/// A sparse CSR tensor `[at.len(), n_cols]` of the rows `at`; entries stored twice add up.
pub(super) fn sparse(rows: &Rows, at: &[usize], kind: Kind) -> Result<Tensor> {
    match kind {
        Kind::Int => sparse_of::<i32>(rows, at),
        Kind::Int64 => sparse_of::<i64>(rows, at),
        Kind::Double => sparse_of::<f64>(rows, at),
        _ => sparse_of::<f32>(rows, at),
    }
}

fn dense_of<T: Loaded>(rows: &Rows, at: &[usize], scratch: &mut Vec<T>) -> Result<Tensor> {
    let n_cols = rows.n_cols();
    let len = at.len() * n_cols;
    if scratch.len() < len {
        scratch.resize(len, T::default());
    }
    let out = &mut scratch[..len];
    rows.add(at, out);
    let tensor = Tensor::f_from_slice(out);
    rows.clear(at, out);
    Ok(tensor?.f_view([at.len() as i64, n_cols as i64])?)
}

fn sparse_of<T: Loaded>(rows: &Rows, at: &[usize]) -> Result<Tensor> {
    let (mut ends, mut columns, mut values) = (vec![0i64], Vec::new(), Vec::new());
    let mut entries: Vec<(i64, T)> = Vec::new();
    for &row in at {
        entries.clear();
        rows.stored(row, &mut |column, value| entries.push((column as i64, T::from_f64(value))));
        entries.sort_by_key(|entry| entry.0);
        for &(column, value) in &entries {
            let own = &columns[ends[ends.len() - 1] as usize..];
            match values.last_mut() {
                Some(last) if own.last() == Some(&column) => *last += value,
                _ => {
                    columns.push(column);
                    values.push(value);
                }
            }
        }
        ends.push(columns.len() as i64);
    }
    let [ends, columns] = [&ends, &columns].map(|positions| Tensor::f_from_slice(positions));
    let (values, size) = (Tensor::f_from_slice(&values)?, [at.len() as i64, rows.n_cols() as i64]);
    let options = (T::KIND, Device::Cpu);
    Ok(Tensor::f_sparse_csr_tensor_crow_col_value_size(&ends?, &columns?, &values, size, options)?)
}
