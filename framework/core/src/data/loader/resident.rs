//! Tensors that are moved to a device once and selected from there.

use std::sync::Arc;

use tch::{Device, Tensor};

use super::{batches::Batches, source::Source};
use crate::{data::Batch, error::Result};

/// The tensors of some cells on a device.
#[derive(Debug)]
pub(super) struct Resident {
    /// The cells, rising; row `i` of each tensor is cell `cells[i]`.
    cells: Arc<[usize]>,
    tensors: Vec<(String, Tensor)>,
    device: Device,
}

/// Cells that are moved at a time.
const PORTION: usize = 4096;

impl Resident {
    /// Moves the tensors of `cells`, a portion at a time.
    pub(super) fn new(sources: Arc<Vec<Source>>, cells: &[usize], device: Device) -> Result<Self> {
        let mut cells = cells.to_vec();
        cells.sort_unstable();
        cells.dedup();
        let mut tensors = Vec::with_capacity(sources.len());
        for source in sources.iter() {
            let (size, kind) = source.tensor_of(cells.len());
            tensors.push((source.key.clone(), Tensor::f_empty(size, (kind, device))?));
        }
        let batches = match sources.iter().any(Source::on_disk) {
            true => Batches::from_disk(sources, cells.clone(), PORTION, PORTION),
            false => Batches::from_memory(sources, cells.clone(), PORTION),
        };
        let mut start = 0;
        for batch in batches {
            let batch = batch?;
            for (key, tensor) in &tensors {
                tensor.f_narrow(0, start, batch.n_cells())?.f_copy_(batch.require(key)?)?;
            }
            start += batch.n_cells();
        }
        Ok(Self { cells: cells.into(), tensors, device })
    }

    pub(super) fn n_cells(&self) -> usize {
        self.cells.len()
    }

    pub(super) fn holds(&self, cell: usize) -> bool {
        self.cells.binary_search(&cell).is_ok()
    }

    /// The minibatch of `cells`, selected on the device.
    pub(super) fn batch(&self, cells: &[usize]) -> Result<Batch> {
        let place = |cell: &usize| self.cells.partition_point(|c| c < cell) as i64;
        let places: Vec<i64> = cells.iter().map(place).collect();
        let places = Tensor::f_from_slice(&places)?.f_to(self.device)?;
        let mut tensors = Vec::with_capacity(self.tensors.len());
        for (key, tensor) in &self.tensors {
            tensors.push((key.clone(), tensor.f_index_select(0, &places)?));
        }
        Ok(Batch::new(tensors))
    }
}

impl Clone for Resident {
    /// The same tensors in another's hands.
    fn clone(&self) -> Self {
        let shared = self.tensors.iter().map(|(key, tensor)| (key.clone(), tensor.shallow_clone()));
        Self { cells: self.cells.clone(), tensors: shared.collect(), device: self.device }
    }
}
