//! Arrays of numpy, tensors of PyTorch and data frames of pandas, as their own pickles have them.

use serde_json::Value;

use super::pickle::{Call, Name, Py};
use crate::anndata::{DType, Dense};

/// The array of these JSON values: of bools, whole numbers or numbers if all are such, else of objects.
pub(super) fn array(list: &[Value]) -> Py {
    let bytes = |numbers: Vec<[u8; 8]>| numbers.concat();
    let bools: Option<Vec<u8>> = list.iter().map(|v| v.as_bool().map(u8::from)).collect();
    let whole: Option<Vec<_>> = list.iter().map(|v| Some(v.as_i64()?.to_le_bytes())).collect();
    let floats: Option<Vec<_>> = list.iter().map(|v| Some(v.as_f64()?.to_le_bytes())).collect();
    match (bools, whole, floats) {
        _ if list.is_empty() => objects(&[0], Vec::new()),
        (Some(bools), ..) => ndarray(&[list.len()], "b1", raw(&bools)),
        (_, Some(whole), _) => ndarray(&[list.len()], "i8", raw(&bytes(whole))),
        (.., Some(floats)) => ndarray(&[list.len()], "f8", raw(&bytes(floats))),
        _ => objects(&[list.len()], list.iter().map(Py::from).collect()),
    }
}

/// The array of these names.
pub(super) fn names(names: &[String]) -> Py {
    objects(&[names.len()], names.iter().map(Py::text).collect())
}

/// The array of these row numbers, int64.
pub(super) fn indices(rows: &[usize]) -> Py {
    let bytes: Vec<u8> = rows.iter().flat_map(|&row| (row as i64).to_le_bytes()).collect();
    ndarray(&[rows.len()], "i8", raw(&bytes))
}

/// The tensor whose numbers are the storage called `key`; `None` for a dtype without storage.
pub(super) fn tensor(key: &str, dense: &Dense) -> Option<Py> {
    let kind: Name = ("torch", storage(dense.values.dtype())?);
    let n = dense.values.len().into();
    let place = [Py::text("storage"), Py::Global(kind), Py::text(key), Py::text("cpu"), n];
    let mut strides = vec![1; dense.shape.len()];
    for axis in (1..strides.len()).rev() {
        strides[axis - 1] = strides[axis] * dense.shape[axis].max(1);
    }
    let args = vec![
        Py::Persistent(Box::new(Py::Tuple(place.into()))),
        0.into(),
        Py::sizes(&dense.shape),
        Py::sizes(&strides),
        Py::Bool(false), // without gradient
        Py::ordered_dict(Vec::new()),
    ];
    Some(Py::call(("torch._utils", "_rebuild_tensor_v2"), args))
}

/// A data frame with the one column `metric`, a row per epoch, made by the constructors of pandas:
/// they change less from version to version than what it pickles itself.
pub(super) fn frame(metric: &str, values: &[f64]) -> Py {
    let n = values.len();
    let column = objects(&[n, 1], values.iter().map(|&x| Py::Float(x)).collect());
    let rows: Vec<usize> = (0..n).collect();
    let name = if metric.starts_with("lr-") { "step" } else { "epoch" };
    let index = [indices(&rows), Py::None, Py::Bool(false), Py::text(name)];
    let index = Py::call(("pandas.core.indexes.base", "Index"), index.into());
    let columns = Py::List(vec![Py::text(metric)]);
    Py::call(("pandas.core.frame", "DataFrame"), vec![column, index, columns])
}

fn objects(shape: &[usize], entries: Vec<Py>) -> Py {
    ndarray(shape, "O8", Py::List(entries))
}

fn ndarray(shape: &[usize], dtype: &'static str, data: Py) -> Py {
    let empty = [Py::Global(("numpy", "ndarray")), Py::sizes(&[0]), raw(b"b")];
    let state = [1.into(), Py::sizes(shape), numpy_dtype(dtype), Py::Bool(false), data];
    Py::Call(Box::new(Call {
        callable: ("numpy._core.multiarray", "_reconstruct"),
        args: empty.into(),
        state: Some(Py::Tuple(state.into())),
        items: Vec::new(),
    }))
}

fn numpy_dtype(code: &'static str) -> Py {
    let (order, flags) = match code {
        "O8" => ("|", 63),
        "b1" => ("|", 0),
        _ => ("<", 0),
    };
    let [unset, none] = [Py::Int(-1), Py::None];
    let state = [
        3.into(),
        Py::text(order),
        none.clone(),
        none.clone(),
        none,
        unset.clone(),
        unset,
        Py::Int(flags),
    ];
    Py::Call(Box::new(Call {
        callable: ("numpy", "dtype"),
        args: vec![Py::text(code), Py::Bool(false), Py::Bool(true)],
        state: Some(Py::Tuple(state.into())),
        items: Vec::new(),
    }))
}

/// Bytes, for which protocol 2 has text in Latin-1.
fn raw(bytes: &[u8]) -> Py {
    let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
    Py::call(("_codecs", "encode"), vec![Py::text(text), Py::text("latin1")])
}

fn storage(dtype: DType) -> Option<&'static str> {
    Some(match dtype {
        DType::Bool => "BoolStorage",
        DType::Int8 => "CharStorage",
        DType::Int16 => "ShortStorage",
        DType::Int32 => "IntStorage",
        DType::Int64 => "LongStorage",
        DType::UInt8 => "ByteStorage",
        DType::Float16 => "HalfStorage",
        DType::Float32 => "FloatStorage",
        DType::Float64 => "DoubleStorage",
        DType::UInt16 | DType::UInt32 | DType::UInt64 => return None,
    })
}
