//! What the counts themselves say of a group: means and shares; or, where a minified data set has none,
//! which means the model expects.

use tch::{Kind, Tensor};

use super::groups::Groups;
use crate::{
    anndata::AnnData,
    data::MinifiedDataType,
    error::Result,
    fields::numbers,
    model::{BaseModelClass, Model, Observer},
    registry_keys::REGISTRY_KEYS,
};

/// Counts that a cell is scaled to before its normalized mean is taken.
const PER_CELL: f64 = 1e4;

/// Sums over the cells of each class, each `[n_classes, n_vars]` in rows.
pub(super) struct CountStatistics {
    n_vars: usize,
    sums: [Vec<f64>; 3],
    n_cells: Vec<f64>,
}

/// Means over the cells of a group, each `[n_vars]`.
pub(super) struct OfGroup {
    /// Of the counts.
    pub mean: Vec<f64>,
    /// Of whether they are not zero.
    pub non_zeros: Vec<f64>,
    /// Of counts scaled to 10,000 per cell.
    pub normalized: Vec<f64>,
}

/// What is known of the counts.
pub(super) enum Counts {
    /// They are there.
    Measured(CountStatistics),
    /// They are gone: how many of them each cell had.
    Expected(Vec<f64>),
}

/// What is known of the counts of a group.
pub(super) struct Known {
    /// Which genes have a mean count below the threshold.
    pub silent: Vec<bool>,
    /// The means themselves, where they were measured.
    pub measured: Option<OfGroup>,
}

impl Counts {
    /// Of the cells of these classes, whose frequencies are `scale` on average `[n_vars]`. Where the
    /// counts are gone, a mean count is frequency times the mean total count.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn of(
        &self,
        classes: &[i64],
        groups: &Groups,
        scale: &Tensor,
        threshold: f64,
    ) -> Result<Known> {
        let below = |mean: &f64| *mean < threshold;
        match self {
            Self::Measured(statistics) => {
                let means = statistics.of(classes);
                let silent = means.mean.iter().map(below).collect();
                Ok(Known { silent, measured: Some(means) })
            }
            Self::Expected(totals) => {
                let cells = groups.cells(classes);
                let total: f64 = cells.iter().map(|&cell| totals[cell]).sum();
                let expected = scale.to_kind(Kind::Double) * (total / cells.len() as f64);
                let expected = Vec::<f64>::try_from(&expected.to_device(tch::Device::Cpu))?;
                Ok(Known { silent: expected.iter().map(below).collect(), measured: None })
            }
        }
    }
}

impl CountStatistics {
    /// Of the cells of these classes.
    fn of(&self, classes: &[i64]) -> OfGroup {
        let n_cells: f64 = classes.iter().map(|&class| self.n_cells[class as usize]).sum();
        let mean = |sums: &Vec<f64>| {
            let of = |gene: usize| {
                classes.iter().map(|&class| sums[class as usize * self.n_vars + gene]).sum::<f64>()
            };
            (0..self.n_vars).map(|gene| of(gene) / n_cells).collect()
        };
        let [counts, non_zeros, normalized] = &self.sums;
        let (counts, non_zeros, normalized) = (mean(counts), mean(non_zeros), mean(normalized));
        OfGroup { mean: counts, non_zeros, normalized }
    }
}

impl<M: BaseModelClass> Model<M> {
    /// What is known of the counts of all cells.
    pub(super) fn counts(
        &self,
        adata: &mut AnnData,
        groups: &Groups,
        batch_size: usize,
        observer: &mut dyn Observer,
    ) -> Result<Counts> {
        if MinifiedDataType::of(adata)?.is_none_or(MinifiedDataType::has_counts) {
            let statistics = self.count_statistics(adata, groups, batch_size, observer)?;
            return Ok(Counts::Measured(statistics));
        }
        self.manager.validate(adata)?;
        let registry = self.registry();
        let depth = registry.location(REGISTRY_KEYS.size_factor);
        let depth = depth.or_else(|_| registry.location(REGISTRY_KEYS.observed_lib_size))?;
        Ok(Counts::Expected(numbers(depth.find(adata)?).unwrap_or_default()))
    }

    /// Sums over all cells by class, in one pass and in float64.
    fn count_statistics(
        &self,
        adata: &mut AnnData,
        groups: &Groups,
        batch_size: usize,
        observer: &mut dyn Observer,
    ) -> Result<CountStatistics> {
        let n_vars = self.var_names.len();
        let shape = [groups.n_classes as i64, n_vars as i64];
        let device = self.store.device();
        let mut sums: [Tensor; 3] =
            std::array::from_fn(|_| Tensor::zeros(shape, (Kind::Double, device)));
        let classes = Tensor::from_slice(&groups.classes).to_device(device);
        let mut start = 0;
        self.for_each_batch(adata, None, batch_size, observer, |_, batch| {
            let x = batch.x()?.to_kind(Kind::Double);
            let n = batch.n_cells();
            let class = classes.narrow(0, start, n);
            start += n;
            let totals = x.sum_dim_intlist(-1, true, None).clamp_min(f64::MIN_POSITIVE);
            let parts =
                [x.shallow_clone(), x.ne(0).to_kind(Kind::Double), &x * (PER_CELL / totals)];
            for (sum, part) in sums.iter_mut().zip(&parts) {
                let _ = sum.f_index_add_(0, &class, part)?;
            }
            Ok(())
        })?;
        let mut n_cells = vec![0.0; groups.n_classes];
        groups.classes.iter().for_each(|&class| n_cells[class as usize] += 1.0);
        let [a, b, c] = sums.map(|sum| Vec::<f64>::try_from(&sum.view(-1)));
        Ok(CountStatistics { n_vars, sums: [a?, b?, c?], n_cells })
    }
}
