//! From rows to tensors of the dtype asked for.

use std::ops::AddAssign;

use tch::{Device, Kind, Tensor, kind};

use super::rows::Rows;
use crate::{error::Result, kernels::fresh};

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

/// A dense tensor `[at.len(), n_cols]` of the rows `at`; entries stored twice add up.
pub(super) fn dense(rows: &Rows, at: &[usize], kind: Kind) -> Result<Tensor> {
    let n_cols = rows.n_cols();
    match kind {
        Kind::Int => fresh::<i32>(at.len(), n_cols, |out| rows.add(at, out)),
        Kind::Int64 => fresh::<i64>(at.len(), n_cols, |out| rows.add(at, out)),
        Kind::Double => fresh::<f64>(at.len(), n_cols, |out| rows.add(at, out)),
        _ => fresh::<f32>(at.len(), n_cols, |out| rows.add(at, out)),
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
