//! Arrays of numbers and strings.

use half::f16;
use hdf5::{
    Container, H5Type,
    types::{FloatSize, IntSize, TypeDescriptor as Td},
};
use scvi_framework::anndata::{Dense, Element, Number, Scalar, Strings, Values};

use crate::{
    error::{Error, Result},
    ffi,
    node::{At, descriptor, unreadable},
};

/// Sizes from which on a file must hold a plausible number of bytes for what it declares.
const LARGE: usize = 32 << 20;
/// More than any compressor reaches on real data.
const MAX_RATIO: usize = 1 << 14;
/// Bytes that HDF5 takes to note which part of a chunk is asked for.
const NOTE: usize = 3 << 10;

/// All numbers in C order; `None` when they are no numbers.
pub fn numbers(container: &Container, at: &At) -> Result<Option<Values>> {
    let Some(kind) = descriptor(container, at)? else { return Ok(None) };
    let values = match kind {
        Td::Boolean => truths(container, at)?,
        Td::Integer(IntSize::U1) => typed::<i8>(container, at)?,
        Td::Integer(IntSize::U2) => typed::<i16>(container, at)?,
        Td::Integer(IntSize::U4) => typed::<i32>(container, at)?,
        Td::Integer(IntSize::U8) => typed::<i64>(container, at)?,
        Td::Unsigned(IntSize::U1) => typed::<u8>(container, at)?,
        Td::Unsigned(IntSize::U2) => typed::<u16>(container, at)?,
        Td::Unsigned(IntSize::U4) => typed::<u32>(container, at)?,
        Td::Unsigned(IntSize::U8) => typed::<u64>(container, at)?,
        Td::Float(FloatSize::U2) => typed::<f16>(container, at)?,
        Td::Float(FloatSize::U4) => typed::<f32>(container, at)?,
        Td::Float(FloatSize::U8) => typed::<f64>(container, at)?,
        _ => return Ok(None),
    };
    Ok(Some(values))
}

/// All strings in C order; `None` when they are no strings.
pub fn strings(container: &Container, at: &At) -> Result<Option<Strings>> {
    let Some(kind) = descriptor(container, at)? else { return Ok(None) };
    let datatype = container.dtype().map_err(|e| at.damaged(e))?;
    let failed = |e| unreadable(container, at, e);
    let (offsets, bytes) = match kind {
        Td::VarLenAscii | Td::VarLenUnicode => {
            claim_strings(container, None, at)?;
            ffi::strings(container, &datatype).map_err(failed)?
        }
        Td::FixedAscii(size) | Td::FixedUnicode(size) => {
            claim(container, at, size)?;
            end_to_end(&ffi::bytes(container, &datatype).map_err(failed)?, size)
        }
        _ => return Ok(None),
    };
    let strings = Strings::from_parts(container.shape(), offsets.into(), bytes.into());
    strings.map(Some).map_err(|e| at.refused(e))
}

/// The array as an element: numbers, strings or, without axes, a scalar; `None` when it is neither.
pub fn element(container: &Container, at: &At) -> Result<Option<Element>> {
    let space = container.space().map_err(|e| at.damaged(e))?;
    if space.is_null() {
        return Ok(None);
    }
    let shape = space.shape();
    if let Some(values) = numbers(container, at)? {
        return Ok(Some(match shape.is_empty() {
            true => Element::Scalar(Scalar::Number(values)),
            false => Element::Dense(Dense { shape, values }),
        }));
    }
    Ok(strings(container, at)?.map(|strings| match shape.is_empty() {
        true => Element::Scalar(Scalar::String(strings.get(0).to_owned())),
        false => Element::Strings(strings),
    }))
}

/// Fixed-length strings without their padding: where each ends, and the bytes.
pub fn end_to_end(bytes: &[u8], size: usize) -> (Vec<u64>, Vec<u8>) {
    let (mut offsets, mut text) = (vec![0], Vec::with_capacity(bytes.len()));
    for field in bytes.chunks_exact(size.max(1)) {
        let end = field.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
        text.extend_from_slice(&field[..end]);
        offsets.push(text.len() as u64);
    }
    (offsets, text)
}

/// Refuses what would take more memory than the file can mean, before it is asked for. `size` is
/// that of one value in memory.
pub fn claim(container: &Container, at: &At, size: usize) -> Result<()> {
    let n = plausible(container, at, size)?;
    let mut probe: Vec<u8> = Vec::new();
    match at.charge(n) && probe.try_reserve_exact(n).is_ok() {
        true => Ok(()),
        false => Err(too_large(container, at, size)),
    }
}

/// The same for strings, in field `field` of structures when there is one: none is longer than the
/// file, and all together, many of which may be one string, are not more than it can mean.
pub fn claim_strings(container: &Container, field: Option<&str>, at: &At) -> Result<()> {
    claim(container, at, size_of::<usize>())?;
    let lengths = ffi::lengths(container, field).map_err(|e| unreadable(container, at, e))?;
    let longest = lengths.iter().max().copied().unwrap_or(0);
    if u64::from(longest) > at.file_size() {
        return Err(at.damaged(format!("a string of {longest} bytes is beyond the file")));
    }
    let total = lengths.iter().map(|&length| length as usize).sum();
    match at.charge(total) {
        true => Ok(()),
        false => Err(at.invalid("strings that fit the file", format!("{total} bytes of them"))),
    }
}

/// The bytes that all values take; refused when they, or those of a chunk, which HDF5 holds in
/// memory, or its notes of all chunks cannot be meant.
pub fn plausible(container: &Container, at: &At, size: usize) -> Result<usize> {
    let bytes = |axes: &[usize]| {
        let most = axes.iter().try_fold(size, |n, &axis| n.checked_mul(axis.max(1)))?;
        Some(if axes.contains(&0) { 0 } else { most })
    };
    let stored = container.storage_size() as usize;
    let fits = |n: &usize| *n < LARGE || n / MAX_RATIO <= stored;
    let shape = container.shape();
    let chunk = container.as_dataset().ok().and_then(|dataset| dataset.chunk());
    let chunk = chunk.unwrap_or_else(|| shape.clone());
    let along = shape.iter().zip(&chunk).map(|(&axis, &step)| axis.div_ceil(step.max(1)));
    let notes = along.fold(NOTE, usize::saturating_mul);
    match (bytes(&shape).filter(fits), bytes(&chunk).filter(fits)) {
        (Some(n), Some(_)) if at.charge(notes) => Ok(n),
        _ => Err(too_large(container, at, size)),
    }
}

fn too_large(container: &Container, at: &At, size: usize) -> Error {
    let (shape, stored) = (container.shape(), container.storage_size());
    at.invalid(
        "an array that fits the file and the memory",
        format!("shape {shape:?} of {size} bytes each in {stored} stored bytes"),
    )
}

fn typed<T: Number + H5Type>(container: &Container, at: &At) -> Result<Values> {
    claim(container, at, size_of::<T>())?;
    let values = container.read_raw::<T>().map_err(|e| unreadable(container, at, e))?;
    Ok(values.into())
}

fn truths(container: &Container, at: &At) -> Result<Values> {
    claim(container, at, 1)?;
    let datatype = container.dtype().map_err(|e| at.damaged(e))?;
    let bytes = ffi::bytes(container, &datatype).map_err(|e| unreadable(container, at, e))?;
    Ok(bytes.into_iter().map(|b| b != 0).collect::<Vec<bool>>().into())
}
