//! Arrays of strings, stored end to end.

use super::Buffer;
use crate::error::{Error, Result};

/// An array of UTF-8 strings: one run of bytes and where each string ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Strings {
    shape: Vec<usize>,
    offsets: Buffer<u64>,
    bytes: Buffer<u8>,
}

impl Strings {
    /// From its parts: string `i` is `bytes[offsets[i]..offsets[i + 1]]`.
    ///
    /// # Errors
    /// When offsets do not rise from 0 to the end, do not fit the shape, or the bytes are not UTF-8.
    pub fn from_parts(shape: Vec<usize>, offsets: Buffer<u64>, bytes: Buffer<u8>) -> Result<Self> {
        let n: usize = shape.iter().product();
        let fits = offsets.len() == n + 1
            && offsets[0] == 0
            && offsets[n] == bytes.len() as u64
            && offsets.windows(2).all(|w| w[0] <= w[1]);
        let utf8 = || {
            let text = std::str::from_utf8(&bytes).ok()?;
            offsets.iter().all(|&o| text.is_char_boundary(o as usize)).then_some(())
        };
        if !fits || utf8().is_none() {
            return Err(Error::Kind {
                what: "string array".into(),
                expected: format!("{n} UTF-8 strings laid end to end"),
                found: format!(
                    "{} offsets over {} bytes that do not fit",
                    offsets.len(),
                    bytes.len()
                ),
            });
        }
        Ok(Self { shape, offsets, bytes })
    }

    /// The same strings in another shape of equal size.
    ///
    /// # Errors
    /// When the sizes differ.
    pub fn reshape(self, shape: Vec<usize>) -> Result<Self> {
        Self::from_parts(shape, self.offsets, self.bytes)
    }

    /// Lengths of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many strings.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// String `i` in C order.
    pub fn get(&self, i: usize) -> &str {
        let bytes = &self.bytes[self.offsets[i] as usize..self.offsets[i + 1] as usize];
        std::str::from_utf8(bytes).unwrap_or_default() // checked in from_parts
    }

    /// All strings in C order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|i| self.get(i))
    }

    /// Where each string ends, and the bytes.
    pub fn parts(&self) -> (&Buffer<u64>, &Buffer<u8>) {
        (&self.offsets, &self.bytes)
    }
}

impl<S: AsRef<str>> FromIterator<S> for Strings {
    fn from_iter<I: IntoIterator<Item = S>>(strings: I) -> Self {
        let (mut offsets, mut bytes) = (vec![0], Vec::new());
        for s in strings {
            bytes.extend_from_slice(s.as_ref().as_bytes());
            offsets.push(bytes.len() as u64);
        }
        Self { shape: vec![offsets.len() - 1], offsets: offsets.into(), bytes: bytes.into() }
    }
}
