//! Moments of the library size, which set the prior of a latent library.

use super::{Registry, counts::row_sums};
use crate::{
    anndata::{AnnData, Slot},
    error::{Error, Result},
    fields::numbers,
    registry_keys::REGISTRY_KEYS,
};

/// Mean and population variance of the log of each cell's total count, per batch, each `[n_batch]`.
/// Cells without counts take part with 0; batches without cells have mean 0, variance 1. All cells of
/// a model that reads no batch are one; a model that reads no counts has means 0, variances 1.
///
/// # Errors
/// When counts or batch codes cannot be read.
pub fn library_log_moments(adata: &AnnData, registry: &Registry) -> Result<(Vec<f32>, Vec<f32>)> {
    let given = |key: &str| {
        let (_, place) = registry.data_registry().find(|(known, _)| *known == key)?;
        Some(place.find(adata))
    };
    let n_batch = registry.summary_stats().n_batch().max(1) as usize;
    let Some(counts) = given(REGISTRY_KEYS.x).transpose()? else {
        return Ok((vec![0.0; n_batch], vec![1.0; n_batch]));
    };
    let sums = row_sums(counts, Slot::X.name())?;
    let logs: Vec<f64> = sums.iter().map(|&s| if s > 0.0 { s.ln() } else { 0.0 }).collect();
    let codes = match given(REGISTRY_KEYS.batch).transpose()? {
        Some(codes) => numbers(codes).ok_or_else(|| Error::Kind {
            what: format!("{} codes", REGISTRY_KEYS.batch),
            expected: "numbers".into(),
            found: codes.kind(),
        })?,
        None => vec![0.0; logs.len()],
    };

    let mut cells: Vec<Vec<f64>> = vec![Vec::new(); n_batch];
    for (&code, &log) in codes.iter().zip(&logs) {
        if let Some(batch) = cells.get_mut(code as usize) {
            batch.push(log);
        }
    }
    let moments = cells.iter().map(|logs| {
        if logs.is_empty() {
            return (0.0, 1.0);
        }
        let n = logs.len() as f64;
        let mean = logs.iter().sum::<f64>() / n;
        let variance = logs.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / n;
        (mean as f32, variance as f32)
    });
    Ok(moments.unzip())
}
