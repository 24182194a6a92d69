//! Metrics per epoch, under scvi-tools' names.

use indexmap::IndexMap;
use tch::{Kind, Tensor};

use crate::model::LossOutput;

/// Metric → one value per epoch.
pub type History = IndexMap<String, Vec<f64>>;

/// Which cells a metric is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subset {
    /// Those trained on.
    Train,
    /// Those held out.
    Validation,
}

/// Sums over the minibatches of an epoch, on the device, in float64.
#[derive(Debug, Default)]
pub struct EpochSums {
    sums: Option<Tensor>,
    n_cells: i64,
}

impl EpochSums {
    /// Adds a minibatch.
    pub fn add(&mut self, loss: &LossOutput) {
        let n = loss.reconstruction_loss.size()[0];
        let sum = |t: &Tensor| t.detach().sum(Kind::Double);
        let kl_global = match &loss.kl_global {
            Some(kl) => kl.detach().to_kind(Kind::Double) * n,
            None => Tensor::zeros([], (Kind::Double, loss.loss.device())),
        };
        let parts = [
            loss.loss.detach().to_kind(Kind::Double) * n,
            sum(&loss.reconstruction_loss),
            sum(&loss.kl_local_sum()),
            kl_global,
        ];
        let parts = Tensor::stack(&parts, 0);
        self.sums = Some(match self.sums.take() {
            Some(sums) => sums + parts,
            None => parts,
        });
        self.n_cells += n;
    }

    /// Averages per cell by metric name; `n_all` cells share the global divergence.
    pub fn metrics(&self, subset: Subset, n_all: usize) -> Vec<(String, f64)> {
        let Some(sums) = &self.sums else { return Vec::new() };
        let at = |i: i64| sums.double_value(&[i]) / self.n_cells as f64;
        let (loss, reconstruction, kl_local, kl_global) = (at(0), at(1), at(2), at(3));
        let elbo = reconstruction + kl_local + kl_global / n_all.max(1) as f64;
        let (loss_name, suffix) = match subset {
            Subset::Train => ("train_loss", "train"),
            Subset::Validation => ("validation_loss", "validation"),
        };
        vec![
            (loss_name.into(), loss),
            (format!("elbo_{suffix}"), elbo),
            (format!("reconstruction_loss_{suffix}"), reconstruction),
            (format!("kl_local_{suffix}"), kl_local),
            (format!("kl_global_{suffix}"), kl_global),
        ]
    }

    /// Mean loss so far.
    pub fn mean_loss(&self) -> f64 {
        self.sums.as_ref().map_or(f64::NAN, |s| s.double_value(&[0]) / self.n_cells as f64)
    }
}
