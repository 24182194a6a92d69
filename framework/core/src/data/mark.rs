//! What tells a data set from others.

use serde::{Deserialize, Serialize};

use super::{AnnDataLoader, LoaderOptions, Registry};
use crate::{anndata::AnnData, error::Result, nn::convert::to_dense};

/// Cells that are looked at, evenly spread.
const LOOKED_AT: usize = 64;

/// What tells a data set from others, wherever it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataMark {
    /// Cells.
    pub n_obs: usize,
    /// Digest of what a model reads of some cells, in hexadecimal digits.
    pub digest: String,
}

impl DataMark {
    /// The mark of a registered data set.
    ///
    /// # Errors
    /// As [`AnnDataLoader::new`], and when the data cannot be read.
    pub fn of(adata: &AnnData, registry: &Registry) -> Result<Self> {
        let n_obs = adata.n_obs();
        let n_rows = LOOKED_AT.min(n_obs);
        let rows: Vec<usize> = (0..n_rows).map(|i| i * n_obs / n_rows).collect();
        let options = LoaderOptions { indices: Some(rows.into()), ..Default::default() };
        let mut digest = Fnv::default();
        for batch in &AnnDataLoader::new(adata, registry, options)? {
            let batch = batch?;
            for key in batch.keys() {
                let values = to_dense(batch.require(key)?)?;
                digest.add(key.bytes());
                digest.add(values.shape.iter().flat_map(|n| n.to_le_bytes()));
                digest.add(values.values.to_f64().into_iter().flat_map(f64::to_le_bytes));
            }
        }
        Ok(Self { n_obs, digest: format!("{:016x}", digest.0) })
    }
}

/// FNV-1a of 64 bits: against mistakes, not against malice.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: impl IntoIterator<Item = u8>) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
