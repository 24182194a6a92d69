//! Runs of numbers of any dtype that AnnData files hold.

use std::io::{self, Write};

use half::f16;

use super::Buffer;

/// The type of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum DType {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float16,
    Float32,
    Float64,
}

/// Numbers of one dtype.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Values {
    Bool(Buffer<bool>),
    Int8(Buffer<i8>),
    Int16(Buffer<i16>),
    Int32(Buffer<i32>),
    Int64(Buffer<i64>),
    UInt8(Buffer<u8>),
    UInt16(Buffer<u16>),
    UInt32(Buffer<u32>),
    UInt64(Buffer<u64>),
    Float16(Buffer<f16>),
    Float32(Buffer<f32>),
    Float64(Buffer<f64>),
}

/// A number type that [`Values`] can hold.
pub trait Number: Copy + Send + Sync + PartialEq + std::fmt::Debug + 'static {
    /// Its dtype.
    const DTYPE: DType;
    /// Wraps a buffer.
    fn wrap(buffer: Buffer<Self>) -> Values;
    /// The buffer inside, when it is of this type.
    fn unwrap(values: &Values) -> Option<&Buffer<Self>>;
    /// As float64; exact up to 2^53.
    fn to_f64(self) -> f64;
}

/// Runs `$body` with `$buffer` bound to the typed buffer inside `$values`.
#[macro_export]
macro_rules! with_values {
    ($values:expr, $buffer:ident => $body:expr) => {
        match $values {
            $crate::anndata::Values::Bool($buffer) => $body,
            $crate::anndata::Values::Int8($buffer) => $body,
            $crate::anndata::Values::Int16($buffer) => $body,
            $crate::anndata::Values::Int32($buffer) => $body,
            $crate::anndata::Values::Int64($buffer) => $body,
            $crate::anndata::Values::UInt8($buffer) => $body,
            $crate::anndata::Values::UInt16($buffer) => $body,
            $crate::anndata::Values::UInt32($buffer) => $body,
            $crate::anndata::Values::UInt64($buffer) => $body,
            $crate::anndata::Values::Float16($buffer) => $body,
            $crate::anndata::Values::Float32($buffer) => $body,
            $crate::anndata::Values::Float64($buffer) => $body,
        }
    };
}

macro_rules! number {
    ($type:ty, $variant:ident, $to_f64:expr) => {
        impl Number for $type {
            const DTYPE: DType = DType::$variant;
            fn wrap(buffer: Buffer<Self>) -> Values {
                Values::$variant(buffer)
            }
            fn unwrap(values: &Values) -> Option<&Buffer<Self>> {
                match values {
                    Values::$variant(buffer) => Some(buffer),
                    _ => None,
                }
            }
            fn to_f64(self) -> f64 {
                let convert: fn(Self) -> f64 = $to_f64;
                convert(self)
            }
        }
    };
}
number!(bool, Bool, |v| v as u8 as f64);
number!(i8, Int8, |v| v as f64);
number!(i16, Int16, |v| v as f64);
number!(i32, Int32, |v| v as f64);
number!(i64, Int64, |v| v as f64);
number!(u8, UInt8, |v| v as f64);
number!(u16, UInt16, |v| v as f64);
number!(u32, UInt32, |v| v as f64);
number!(u64, UInt64, |v| v as f64);
number!(f16, Float16, f64::from);
number!(f32, Float32, |v| v as f64);
number!(f64, Float64, |v| v);

impl Values {
    /// No numbers of this dtype.
    pub fn empty(dtype: DType) -> Self {
        match dtype {
            DType::Bool => Vec::<bool>::new().into(),
            DType::Int8 => Vec::<i8>::new().into(),
            DType::Int16 => Vec::<i16>::new().into(),
            DType::Int32 => Vec::<i32>::new().into(),
            DType::Int64 => Vec::<i64>::new().into(),
            DType::UInt8 => Vec::<u8>::new().into(),
            DType::UInt16 => Vec::<u16>::new().into(),
            DType::UInt32 => Vec::<u32>::new().into(),
            DType::UInt64 => Vec::<u64>::new().into(),
            DType::Float16 => Vec::<f16>::new().into(),
            DType::Float32 => Vec::<f32>::new().into(),
            DType::Float64 => Vec::<f64>::new().into(),
        }
    }

    /// How many numbers.
    pub fn len(&self) -> usize {
        with_values!(self, b => b.len())
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The dtype of the numbers.
    pub fn dtype(&self) -> DType {
        fn of<T: Number>(_: &Buffer<T>) -> DType {
            T::DTYPE
        }
        with_values!(self, b => of(b))
    }

    /// Number `i` as float64.
    pub fn get_f64(&self, i: usize) -> f64 {
        with_values!(self, b => b[i].to_f64())
    }

    /// All numbers as float64, in order.
    pub fn to_f64(&self) -> Vec<f64> {
        with_values!(self, b => b.iter().map(|v| v.to_f64()).collect())
    }

    /// All numbers as float32, in order; no copy when they already are.
    pub fn to_f32(&self) -> Buffer<f32> {
        match self {
            Values::Float32(b) => b.clone(),
            other => with_values!(other, b => b.iter().map(|v| v.to_f64() as f32).collect()),
        }
    }

    /// All numbers as int64, in order; floats lose their fraction.
    pub fn to_i64(&self) -> Buffer<i64> {
        match self {
            Values::Int64(b) => b.clone(),
            other => with_values!(other, b => b.iter().map(|v| v.to_f64() as i64).collect()),
        }
    }

    /// Writes all numbers in order, little-endian, truths as bytes of 0 and 1.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_le(&self, out: &mut impl Write) -> io::Result<()> {
        /// Numbers that are turned into bytes at a time.
        const PORTION: usize = 1 << 12;
        fn all<T: Copy, const N: usize>(
            out: &mut impl Write,
            numbers: &[T],
            bytes: fn(T) -> [u8; N],
        ) -> io::Result<()> {
            let mut portion = Vec::with_capacity(PORTION.min(numbers.len()));
            for numbers in numbers.chunks(PORTION) {
                portion.clear();
                portion.extend(numbers.iter().map(|&number| bytes(number)));
                out.write_all(portion.as_flattened())?;
            }
            Ok(())
        }
        match self {
            Values::Bool(b) => all(out, b, |v| [u8::from(v)]),
            Values::Int8(b) => all(out, b, i8::to_le_bytes),
            Values::Int16(b) => all(out, b, i16::to_le_bytes),
            Values::Int32(b) => all(out, b, i32::to_le_bytes),
            Values::Int64(b) => all(out, b, i64::to_le_bytes),
            Values::UInt8(b) => all(out, b, u8::to_le_bytes),
            Values::UInt16(b) => all(out, b, u16::to_le_bytes),
            Values::UInt32(b) => all(out, b, u32::to_le_bytes),
            Values::UInt64(b) => all(out, b, u64::to_le_bytes),
            Values::Float16(b) => all(out, b, f16::to_le_bytes),
            Values::Float32(b) => all(out, b, f32::to_le_bytes),
            Values::Float64(b) => all(out, b, f64::to_le_bytes),
        }
    }

    /// The numbers at `positions`, in that order.
    pub fn take(&self, positions: impl Iterator<Item = usize>) -> Values {
        fn gather<T: Number>(b: &Buffer<T>, positions: impl Iterator<Item = usize>) -> Values {
            T::wrap(positions.map(|i| b[i]).collect())
        }
        with_values!(self, b => gather(b, positions))
    }
}

impl<T: Number> From<Vec<T>> for Values {
    fn from(values: Vec<T>) -> Self {
        T::wrap(values.into())
    }
}

impl DType {
    /// numpy's name of it.
    pub fn name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::Int8 => "int8",
            DType::Int16 => "int16",
            DType::Int32 => "int32",
            DType::Int64 => "int64",
            DType::UInt8 => "uint8",
            DType::UInt16 => "uint16",
            DType::UInt32 => "uint32",
            DType::UInt64 => "uint64",
            DType::Float16 => "float16",
            DType::Float32 => "float32",
            DType::Float64 => "float64",
        }
    }

    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            DType::Bool | DType::Int8 | DType::UInt8 => 1,
            DType::Int16 | DType::UInt16 | DType::Float16 => 2,
            DType::Int32 | DType::UInt32 | DType::Float32 => 4,
            DType::Int64 | DType::UInt64 | DType::Float64 => 8,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_written_once_and_in_order() {
        let numbers: Vec<f32> = (0..10_000).map(|i| i as f32 * 0.1).collect();
        let expected: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        let mut written = Vec::new();
        Values::from(numbers).write_le(&mut written).unwrap();
        assert!(written == expected);

        written.clear();
        Values::from(vec![true, false, true]).write_le(&mut written).unwrap();
        assert_eq!(written, [1, 0, 1]);
    }
}
