//! Runs of numbers as bytes, the way files hold them.

use half::{bf16, f16};

use crate::anndata::{DType, Values};

/// Which byte of a number comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

macro_rules! decode {
    ($type:ty, $bytes:expr, $order:expr) => {{
        let chunks = $bytes.as_chunks::<{ size_of::<$type>() }>().0.iter();
        let values: Vec<$type> = match $order {
            ByteOrder::Little => chunks.map(|c| <$type>::from_le_bytes(*c)).collect(),
            ByteOrder::Big => chunks.map(|c| <$type>::from_be_bytes(*c)).collect(),
        };
        Values::from(values)
    }};
}

/// The numbers that `bytes` hold; a rest too short for a number is ignored.
pub(super) fn decode(dtype: DType, bytes: &[u8], order: ByteOrder) -> Values {
    match dtype {
        DType::Bool => bytes.iter().map(|&b| b != 0).collect::<Vec<bool>>().into(),
        DType::Int8 => decode!(i8, bytes, order),
        DType::Int16 => decode!(i16, bytes, order),
        DType::Int32 => decode!(i32, bytes, order),
        DType::Int64 => decode!(i64, bytes, order),
        DType::UInt8 => decode!(u8, bytes, order),
        DType::UInt16 => decode!(u16, bytes, order),
        DType::UInt32 => decode!(u32, bytes, order),
        DType::UInt64 => decode!(u64, bytes, order),
        DType::Float16 => decode!(f16, bytes, order),
        DType::Float32 => decode!(f32, bytes, order),
        DType::Float64 => decode!(f64, bytes, order),
    }
}

/// The numbers that `bytes` hold in bfloat16, as float32, which loses nothing.
pub(super) fn decode_bf16(bytes: &[u8], order: ByteOrder) -> Values {
    let pairs = bytes.as_chunks::<2>().0.iter();
    let number = |pair: &[u8; 2]| match order {
        ByteOrder::Little => bf16::from_le_bytes(*pair).to_f32(),
        ByteOrder::Big => bf16::from_be_bytes(*pair).to_f32(),
    };
    pairs.map(number).collect::<Vec<f32>>().into()
}

/// Bytes of numbers, least significant first.
pub(super) fn encode(values: &Values) -> Vec<u8> {
    trait Bytes: Copy {
        fn put(self, into: &mut Vec<u8>);
    }
    macro_rules! bytes {
        ($($type:ty)*) => {
            $(impl Bytes for $type {
                fn put(self, into: &mut Vec<u8>) {
                    into.extend_from_slice(&self.to_le_bytes());
                }
            })*
        };
    }
    bytes!(i8 i16 i32 i64 u8 u16 u32 u64 f16 f32 f64);
    impl Bytes for bool {
        fn put(self, into: &mut Vec<u8>) {
            into.push(self.into());
        }
    }
    let mut bytes = Vec::with_capacity(values.len() * values.dtype().size());
    crate::with_values!(values, b => b.iter().for_each(|v| v.put(&mut bytes)));
    bytes
}
