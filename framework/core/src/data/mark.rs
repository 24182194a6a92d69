//! What tells a data set from others.

use crc32fast::Hasher;
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
        let mut digest = Hasher::new(); // against mistakes, not against malice
        for batch in &AnnDataLoader::new(adata, registry, options)? {
            let batch = batch?;
            for key in batch.keys() {
                let values = to_dense(batch.require(key)?)?;
                digest.update(key.as_bytes());
                values.shape.iter().for_each(|n| digest.update(&n.to_le_bytes()));
                values.values.to_f64().iter().for_each(|v| digest.update(&v.to_le_bytes()));
            }
        }
        Ok(Self { n_obs, digest: format!("{:08x}", digest.finalize()) })
    }
}
