//! Tensors of PyTorch and arrays of numpy, from the calls that rebuild them.

use std::borrow::Cow;

use super::{
    decode::{Decoded, Decoder, Known},
    pickle::{Call, Id, Node},
};
use crate::{
    anndata::{DType, Dense, Values},
    saved::numbers::{self, ByteOrder},
};

/// numpy's own limit.
const MAX_AXES: usize = 64;

/// An array as it was found, in C order.
#[derive(Debug)]
pub(super) enum Array {
    Numbers(Dense),
    Texts(Vec<usize>, Vec<String>),
    /// Any values of Python.
    Objects(Vec<usize>, Vec<Id>),
}

/// What one entry of a numpy array is.
#[derive(Clone, Copy, Debug)]
enum Entry {
    Number(DType),
    /// Text of so many characters, four bytes each.
    Text(usize),
    Object,
}

/// The numbers of a tensor's storage.
enum Storage {
    Of(DType),
    BFloat16,
}

impl<'a> Decoder<'a> {
    /// The array, tensor or scalar that `id` is; `None` without note when it is something else.
    pub fn array(&mut self, id: Id) -> Decoded<Array> {
        match self.call(id) {
            Some((Known::Reconstruct, call)) => self.reconstructed(call),
            Some((Known::FromBuffer, call)) => self.buffered(call),
            Some((Known::NumpyScalar, call)) => self.scalar(call),
            Some((Known::NewIndex, call)) => {
                let data = self.entries(call.args).get(1).and_then(|data| self.get(*data, "data"));
                data.map_or(Ok(None), |data| self.under("index", |d| d.array(data)))
            }
            Some((Known::RebuildTensor | Known::RebuildParameter, _)) => {
                Ok(self.tensor(id)?.map(Array::Numbers))
            }
            _ => Ok(None),
        }
    }

    // --- numpy -----------------------------------------------------------------------------

    fn reconstructed(&mut self, call: &'a Call) -> Decoded<Array> {
        let Some(state) = call.state else { return Ok(None) };
        let state = self.entries(state);
        let &[shape, dtype, fortran, data] =
            state.get(state.len().saturating_sub(4)..).unwrap_or(&[])
        else {
            return self.broken("a numpy array without data");
        };
        let Some((entry, order)) = self.dtype(dtype) else { return Ok(None) };
        let shape = self.shape(shape)?;
        let array = match (entry, self.node(data)) {
            (Entry::Object, Node::List(ids)) => {
                self.charge(4 * ids.len())?;
                Array::Objects(shape, ids.clone())
            }
            (Entry::Object, _) => return self.broken("a numpy array of objects without objects"),
            _ => {
                let Some(bytes) = self.bytes(data)? else { return Ok(None) };
                self.entries_of(entry, order, shape, &bytes)?
            }
        };
        let array = if matches!(self.node(fortran), Node::Bool(true)) {
            array.into_c_order()
        } else {
            array
        };
        self.checked(array)
    }

    fn buffered(&mut self, call: &'a Call) -> Decoded<Array> {
        let &[data, dtype, shape, layout] = self.entries(call.args) else { return Ok(None) };
        let Some((entry, order)) = self.dtype(dtype) else { return Ok(None) };
        let shape = self.shape(shape)?;
        let Some(bytes) = self.bytes(data)? else { return Ok(None) };
        let array = self.entries_of(entry, order, shape, &bytes)?;
        let array = if self.text(layout) == Some("F") { array.into_c_order() } else { array };
        self.checked(array)
    }

    fn scalar(&mut self, call: &'a Call) -> Decoded<Array> {
        let &[dtype, data] = self.entries(call.args) else { return Ok(None) };
        let Some((entry, order)) = self.dtype(dtype) else { return Ok(None) };
        let Some(bytes) = self.bytes(data)? else { return Ok(None) };
        let array = self.entries_of(entry, order, Vec::new(), &bytes)?;
        self.checked(array)
    }

    fn entries_of(
        &mut self,
        entry: Entry,
        order: ByteOrder,
        shape: Vec<usize>,
        bytes: &[u8],
    ) -> Result<Array, String> {
        self.charge(bytes.len())?;
        match entry {
            Entry::Number(dtype) if bytes.len().is_multiple_of(dtype.size()) => {
                let values = numbers::decode(dtype, bytes, order);
                Ok(Array::Numbers(Dense { shape, values }))
            }
            Entry::Text(n) if n > 0 && bytes.len().is_multiple_of(4 * n) => {
                let text = |bytes: &[u8]| {
                    let codes = numbers::decode(DType::UInt32, bytes, order).to_i64();
                    let chars =
                        codes.iter().map(|&c| char::from_u32(c as u32).unwrap_or('\u{fffd}'));
                    chars.collect::<String>().trim_end_matches('\0').to_owned()
                };
                Ok(Array::Texts(shape, bytes.chunks_exact(4 * n).map(text).collect()))
            }
            Entry::Text(0) if bytes.is_empty() => {
                let n = product(&shape).filter(|n| *n <= 1 << 20);
                let n = n.ok_or("a numpy array of more texts than the file can hold")?;
                Ok(Array::Texts(shape, vec![String::new(); n]))
            }
            _ => Err(format!(
                "{}: a numpy array of {} bytes, which is no whole number of entries",
                self.place(),
                bytes.len()
            )),
        }
    }

    fn checked(&self, array: Array) -> Decoded<Array> {
        let (shape, n) = match &array {
            Array::Numbers(dense) => (&dense.shape, dense.values.len()),
            Array::Texts(shape, texts) => (shape, texts.len()),
            Array::Objects(shape, ids) => (shape, ids.len()),
        };
        if product(shape) != Some(n) {
            return self.broken(&format!("a numpy array of shape {shape:?} with {n} entries"));
        }
        Ok(Some(array))
    }

    fn broken<T>(&self, what: &str) -> Decoded<T> {
        Err(format!("{}: {what}", self.place()))
    }

    fn dtype(&self, id: Id) -> Option<(Entry, ByteOrder)> {
        let (Known::NumpyDtype, call) = self.call(id)? else { return None };
        let code = self.text(*self.entries(call.args).first()?)?;
        let mark = call.state.and_then(|s| self.text(*self.entries(s).get(1)?));
        let (mark, code) = match code.strip_prefix(['<', '>', '|', '=']) {
            Some(rest) => (mark.or(code.get(..1)), rest),
            None => (mark, code),
        };
        let order = if mark == Some(">") { ByteOrder::Big } else { ByteOrder::Little };
        let entry = match code {
            "b1" | "?" => Entry::Number(DType::Bool),
            "i1" => Entry::Number(DType::Int8),
            "i2" => Entry::Number(DType::Int16),
            "i4" => Entry::Number(DType::Int32),
            "i8" => Entry::Number(DType::Int64),
            "u1" => Entry::Number(DType::UInt8),
            "u2" => Entry::Number(DType::UInt16),
            "u4" => Entry::Number(DType::UInt32),
            "u8" => Entry::Number(DType::UInt64),
            "f2" => Entry::Number(DType::Float16),
            "f4" => Entry::Number(DType::Float32),
            "f8" => Entry::Number(DType::Float64),
            "O" | "O8" | "O4" => Entry::Object,
            _ => Entry::Text(code.strip_prefix('U')?.parse().ok().filter(|n| *n < 1 << 28)?),
        };
        Some((entry, order))
    }

    /// Bytes; protocol 2 writes them as text to be encoded in Latin-1.
    fn bytes(&mut self, id: Id) -> Decoded<Cow<'a, [u8]>> {
        if let Node::Bytes(bytes) = self.node(id) {
            return Ok(Some(Cow::Borrowed(bytes)));
        }
        let args = |call: &'a Call| self.entries(call.args);
        match self.call(id) {
            Some((Known::Bytes, call)) if args(call).is_empty() => Ok(Some(Cow::Borrowed(&[]))),
            Some((Known::Encode, call)) => {
                let &[text, encoding] = args(call) else { return Ok(None) };
                let (Some(text), Some("latin1" | "latin-1")) =
                    (self.text(text), self.text(encoding))
                else {
                    return Ok(None);
                };
                self.charge(text.len())?;
                let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
                bytes.map(|b| Some(Cow::Owned(b))).or_else(|_| self.broken("bytes beyond 255"))
            }
            _ => Ok(None),
        }
    }

    fn shape(&self, id: Id) -> Result<Vec<usize>, String> {
        let shape: Option<Vec<usize>> = self.entries(id).iter().map(|n| self.size(*n)).collect();
        let shape =
            shape.filter(|s| s.len() <= MAX_AXES && matches!(self.node(id), Node::Tuple(_)));
        shape.ok_or_else(|| format!("{}: a shape that is none", self.place()))
    }

    fn size(&self, id: Id) -> Option<usize> {
        match self.node(id) {
            Node::Int(n) => usize::try_from(*n).ok(),
            _ => None,
        }
    }

    // --- PyTorch ---------------------------------------------------------------------------

    /// The tensor that `id` is, whatever device it was on; `None` without note when it is something
    /// else.
    pub fn tensor(&mut self, mut id: Id) -> Decoded<Dense> {
        if let Some((Known::RebuildParameter, call)) = self.call(id) {
            let Some(inner) = self.entries(call.args).first() else { return Ok(None) };
            id = *inner;
        }
        let Some((Known::RebuildTensor, call)) = self.call(id) else { return Ok(None) };
        let &[storage, offset, shape, strides, ..] = self.entries(call.args) else {
            return Ok(None);
        };
        let Some((storage, key)) = self.storage(storage) else { return Ok(None) };
        let (shape, strides) = (self.shape(shape)?, self.shape(strides)?);
        let Some(archive) = &mut self.archive else { return Ok(None) };
        let (order, bytes) = (archive.order, archive.storage(key));
        let bytes = bytes.map_err(|e| format!("{}: {e}", self.place()))?;
        let size = match storage {
            Storage::Of(dtype) => dtype.size(),
            Storage::BFloat16 => 2,
        };
        let (present, offset) = (bytes.len() / size, self.size(offset));
        let span = offset.and_then(|offset| span(offset, &shape, &strides));
        let Some((first, n)) =
            span.filter(|s| s.end <= present).map(|s| (s.start, product(&shape)))
        else {
            return self.broken(&format!(
                "a tensor of shape {shape:?} that reaches beyond its {present} stored numbers"
            ));
        };
        let n = n.ok_or("a tensor of impossible size")?;
        self.charge(n.checked_mul(2 * size).ok_or("a tensor of impossible size")?)?;
        let run = if is_contiguous(&shape, &strides) {
            Cow::Borrowed(&bytes[first * size..(first + n) * size])
        } else {
            Cow::Owned(gather(&bytes, size, first, &shape, &strides))
        };
        let values = match storage {
            Storage::Of(dtype) => numbers::decode(dtype, &run, order),
            Storage::BFloat16 => numbers::decode_bf16(&run, order),
        };
        Ok(Some(Dense { shape, values }))
    }

    /// Kind and name of a storage: `("storage", FloatStorage, "0", "cpu", 60)`.
    fn storage(&self, id: Id) -> Option<(Storage, &'a str)> {
        let Node::Persistent(id) = self.node(id) else { return None };
        let &[tag, kind, key, ..] = self.entries(*id) else { return None };
        let Node::Global("torch", kind) = self.node(kind) else { return None };
        let storage = match *kind {
            "BoolStorage" => Storage::Of(DType::Bool),
            "CharStorage" => Storage::Of(DType::Int8),
            "ShortStorage" => Storage::Of(DType::Int16),
            "IntStorage" => Storage::Of(DType::Int32),
            "LongStorage" => Storage::Of(DType::Int64),
            "ByteStorage" => Storage::Of(DType::UInt8),
            "HalfStorage" => Storage::Of(DType::Float16),
            "FloatStorage" => Storage::Of(DType::Float32),
            "DoubleStorage" => Storage::Of(DType::Float64),
            "BFloat16Storage" => Storage::BFloat16,
            _ => return None,
        };
        Some((storage, self.text(key).filter(|_| self.text(tag) == Some("storage"))?))
    }
}

impl Array {
    /// The same array, found with its first axis fastest.
    fn into_c_order(self) -> Self {
        let reordered = |shape: &[usize], n: usize| {
            let mut strides = Vec::with_capacity(shape.len());
            let mut stride = 1_usize;
            for &len in shape {
                strides.push(stride);
                stride = stride.saturating_mul(len);
            }
            (product(shape) == Some(n)).then(|| positions(0, shape.to_vec(), strides))
        };
        match self {
            Array::Numbers(Dense { shape, values }) => {
                let values: Values = match reordered(&shape, values.len()) {
                    Some(positions) => values.take(positions),
                    None => values,
                };
                Array::Numbers(Dense { shape, values })
            }
            Array::Texts(shape, texts) => match reordered(&shape, texts.len()) {
                Some(positions) => {
                    let texts = positions.map(|i| texts[i].clone()).collect();
                    Array::Texts(shape, texts)
                }
                None => Array::Texts(shape, texts),
            },
            objects => objects, // numpy lists them in C order in any case
        }
    }
}

fn product(shape: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().try_fold(1_usize, |n, &len| n.checked_mul(len))
}

/// The stretch of a storage from the first number of a tensor to its last.
fn span(offset: usize, shape: &[usize], strides: &[usize]) -> Option<std::ops::Range<usize>> {
    if shape.len() != strides.len() {
        return None;
    }
    if shape.contains(&0) {
        return Some(0..0);
    }
    let last = shape
        .iter()
        .zip(strides)
        .try_fold(offset, |at, (&len, &stride)| at.checked_add((len - 1).checked_mul(stride)?))?;
    Some(offset..last.checked_add(1)?)
}

fn is_contiguous(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1_usize;
    shape.iter().zip(strides).rev().all(|(&len, &stride)| {
        let fits = len == 1 || stride == expected;
        expected = expected.saturating_mul(len);
        fits
    })
}

/// Where each entry lies, in C order; `shape` has an entry.
fn positions(offset: usize, shape: Vec<usize>, strides: Vec<usize>) -> impl Iterator<Item = usize> {
    let n = product(&shape).unwrap_or(0);
    let mut index = vec![0_usize; shape.len()];
    let mut at = offset;
    (0..n).map(move |_| {
        let here = at;
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
        here
    })
}

fn gather(bytes: &[u8], size: usize, first: usize, shape: &[usize], strides: &[usize]) -> Vec<u8> {
    let runs = positions(first, shape.to_vec(), strides.to_vec())
        .map(|i| &bytes[i * size..(i + 1) * size]);
    runs.flatten().copied().collect()
}
