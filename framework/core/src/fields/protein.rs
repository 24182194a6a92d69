//! Counts of proteins, of which a batch may have measured only some.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    AnnDataField, AttrLocation, FieldState, LayerField, ObsmField, SummaryStats, Transfer,
    axis::kinds, column::numbers, matrix::as_matrix,
};
use crate::{
    anndata::AnnData,
    data::for_each_value,
    error::{Error, Result},
};

const PROTEIN_BATCH_MASK: &str = "protein_batch_mask";

/// Counts of proteins as the field `F` finds them, with a mask of what each batch measured: a protein
/// is missing from a batch when all its cells have none of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProteinField<F> {
    #[serde(flatten)]
    counts: F,
    #[serde(default)]
    batch: Option<AttrLocation>,
}

/// Counts of proteins in `obsm`.
pub type ProteinObsmField = ProteinField<ObsmField>;
/// Counts of proteins as the matrix of a modality.
pub type ProteinLayerField = ProteinField<LayerField>;

impl<F: AnnDataField> ProteinField<F> {
    /// Counts that every batch measured.
    pub fn new(counts: F) -> Self {
        Self { counts, batch: None }
    }

    /// The same with a mask by the codes of `batch`, a field that is registered before this one.
    #[must_use]
    pub fn batch_mask(self, batch: &dyn AnnDataField) -> Self {
        Self { batch: batch.location(), ..self }
    }

    /// What each batch measured, by its code: for each protein, whether any cell has some. None when
    /// no protein is missing from any batch.
    fn mask(&self, adata: &AnnData) -> Result<Option<BTreeMap<i64, Vec<bool>>>> {
        let (Some(batch), Some(place)) = (&self.batch, self.counts.location()) else {
            return Ok(None);
        };
        let (codes, what) = (batch.find(adata)?, place.to_string());
        let codes = numbers(codes).ok_or_else(|| Error::Kind {
            what: batch.to_string(),
            expected: "codes of batches".into(),
            found: codes.kind(),
        })?;
        let matrix = as_matrix(place.find(adata)?, &what)?;
        let n_proteins = matrix.shape().get(1).copied().unwrap_or(0);
        let batches = codes.iter().map(|&code| (code as i64, vec![false; n_proteins]));
        let mut mask: BTreeMap<i64, Vec<bool>> = batches.collect();
        for_each_value(&matrix, &what, |cell, protein, count| {
            if let Some(measured) = codes.get(cell).and_then(|code| mask.get_mut(&(*code as i64))) {
                measured[protein] |= count != 0.0;
            }
        })?;
        Ok(mask.values().flatten().any(|measured| !measured).then_some(mask))
    }

    fn with_mask(&self, mut state: FieldState, adata: &AnnData) -> Result<FieldState> {
        if let Some(mask) = self.mask(adata)? {
            state.0.insert(PROTEIN_BATCH_MASK.into(), json!(mask));
        }
        Ok(state)
    }
}

kinds! {
    "ProteinObsmField" => ProteinObsmField, "ProteinLayerField" => ProteinLayerField;
    {
        fn registry_key(&self) -> &str {
            self.counts.registry_key()
        }

        fn location(&self) -> Option<AttrLocation> {
            self.counts.location()
        }

        fn validate_field(&self, adata: &AnnData) -> Result<()> {
            self.counts.validate_field(adata)
        }

        fn register_field(&self, adata: &mut AnnData) -> Result<FieldState> {
            let state = self.counts.register_field(adata)?;
            self.with_mask(state, adata)
        }

        fn transfer_field(
            &self,
            state: &FieldState,
            target: &mut AnnData,
            how: Transfer,
        ) -> Result<FieldState> {
            let state = self.counts.transfer_field(state, target, how)?;
            self.with_mask(state, target)
        }

        fn get_summary_stats(&self, state: &FieldState) -> SummaryStats {
            self.counts.get_summary_stats(state)
        }
    }
}
