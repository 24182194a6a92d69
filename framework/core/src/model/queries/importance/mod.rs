//! Importance weights: posterior samples that explain many cells of a group well are drawn more often.

#[cfg(test)]
mod tests;

use rand::{
    Rng,
    distr::{Distribution, weighted::WeightedIndex},
    rngs::StdRng,
    seq::index,
};
use tch::{Device, Kind, Tensor};

use super::{
    decoding::{Generative, Inference, in_batch},
    marginal_ll::MarginalLlParams,
};
use crate::{
    Params,
    anndata::AnnData,
    distributions::Normal,
    error::{Error, Result},
    model::{BaseModelClass, BaseModule, HasLibrary, HasPx, HasQz, Model, Observer},
};

crate::choices! {
    /// How often each posterior sample is drawn.
    pub enum Weights {
        /// All alike.
        #[default]
        Uniform = "uniform",
        /// The more often, the better it explains the cells of its group (Boyeau et al. 2023).
        Importance = "importance",
    }
}

/// How posterior samples are weighted.
#[derive(Clone, Debug, PartialEq, Params)]
pub struct ImportanceParams {
    /// How often each posterior sample is drawn: all alike, or by importance.
    pub weights: Weights,
    /// For importance: cells that samples have to explain, at most.
    #[param(default = 1024usize, min = 1)]
    pub max_cells: usize,
    /// For importance: cap large weights, at the mean times the root of their number.
    pub truncation: bool,
    /// For importance: draws for the marginal likelihood of a cell.
    #[param(default = 500usize, min = 1)]
    pub n_mc_samples: usize,
    /// For importance: such draws at a time.
    #[param(default = 250usize, min = 1)]
    pub n_mc_samples_per_pass: usize,
}

/// Samples of a group of cells to draw.
pub(super) struct Wanted<'a> {
    /// Rows of the group.
    pub cells: &'a [usize],
    /// Code of the batch to decode in; each cell's own when `None`.
    pub batch: Option<i64>,
    /// How many.
    pub n_samples: usize,
    /// Cells per minibatch.
    pub batch_size: usize,
}

/// Cells that samples have to explain.
struct Anchors {
    /// Counts, each `[1, n_vars]`.
    x: Vec<Tensor>,
    /// Log of what frequencies are multiplied by to give the mean counts of each cell.
    log_library: Vec<f64>,
    /// q(z|x) `[n_anchors, n_latent]`.
    qz: Normal,
    /// log p(x) of each cell.
    log_px: Vec<f64>,
}

/// Cells times draws of a cell that are decoded at once.
const ROWS_PER_PASS: usize = 1280;

impl<M: BaseModelClass> Model<M>
where
    Inference<M>: HasQz + HasLibrary,
    Generative<M>: HasPx,
{
    /// Draws posterior samples of a group, with replacement, from at least as many candidates; each
    /// is as likely as its importance
    /// `w(z) = p(z) / Σₐ q(z|xₐ) · Σₐ p(xₐ|z) / p(xₐ)`, a sum over cells `a` of the group
    /// (Boyeau et al., PNAS 2023). `value` says what of a candidate is wanted `[1, n_cells, ..]`; the
    /// answer is `[n_samples, ..]`.
    ///
    /// Where a group has more cells than samples are wanted, candidates are of so many of its cells.
    ///
    /// # Errors
    /// When the data do not fit the model, or no candidate explains any cell.
    pub(super) fn weighted_samples(
        &self,
        adata: &mut AnnData,
        wanted: &Wanted<'_>,
        params: &ImportanceParams,
        rng: &mut StdRng,
        observer: &mut dyn Observer,
        value: impl Fn(&Generative<M>) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let anchors = self.anchors(adata, wanted.cells, params, rng, observer)?;
        let candidates = candidates(wanted.cells, wanted.n_samples, rng);
        let (mut values, mut log_weights) = (Vec::new(), Vec::new());
        let size = wanted.batch_size;
        self.for_each_batch(adata, Some(&candidates), size, observer, |ctx, batch| {
            let inferred = self.module.inference(ctx, batch)?;
            let draws = inferred.qz().rsample_n(ctx, 1); // [1, n_cells, n_latent]
            let at = inferred.at(ctx, &draws)?;
            let generated = self.module.generative(ctx, &in_batch(batch, wanted.batch)?, &at)?;
            let log_ratio = anchors.log_explained(&generated)? + anchors.log_prior_ratio(&draws)?;
            log_weights.extend(Vec::<f64>::try_from(&log_ratio.to_device(Device::Cpu))?);
            values.push(value(&generated)?.f_squeeze_dim(0)?);
            Ok(())
        })?;
        let weights = weights(log_weights, params.truncation);
        let drawn = WeightedIndex::new(weights).map_err(|e| Error::Kind {
            what: "importance weights".into(),
            expected: "samples that explain the cells".into(),
            found: e.to_string(),
        })?;
        let rows: Vec<i64> = (0..wanted.n_samples).map(|_| drawn.sample(rng) as i64).collect();
        Ok(Tensor::f_cat(&values, 0)?.f_index_select(0, &Tensor::from_slice(&rows))?)
    }

    fn anchors(
        &self,
        adata: &mut AnnData,
        cells: &[usize],
        params: &ImportanceParams,
        rng: &mut StdRng,
        observer: &mut dyn Observer,
    ) -> Result<Anchors> {
        let n_anchors = cells.len().min(params.max_cells);
        let chosen = index::sample(rng, cells.len(), n_anchors).into_iter().map(|i| cells[i]);
        let chosen: Vec<usize> = chosen.collect();
        let marginal = MarginalLlParams {
            n_mc_samples: params.n_mc_samples,
            n_mc_samples_per_pass: params.n_mc_samples_per_pass,
            batch_size: (ROWS_PER_PASS / params.n_mc_samples_per_pass).max(1),
            ..Default::default()
        };
        let (mut x, mut loc, mut scale) = (Vec::new(), Vec::new(), Vec::new());
        let (mut log_library, mut log_px) = (Vec::new(), Vec::new());
        self.for_each_batch(adata, Some(&chosen), marginal.batch_size, observer, |ctx, batch| {
            let inferred = self.module.inference(ctx, batch)?;
            let generated = self.module.generative(ctx, batch, &inferred)?;
            let sum = |rate: Tensor| rate.sum_dim_intlist(-1, false, Kind::Double);
            let library = (sum(generated.px().rate()) / sum(generated.px_scale())).log();
            log_library.extend(Vec::<f64>::try_from(&library.to_device(Device::Cpu))?);
            let cells = self.marginal_ll(ctx, batch, &marginal)?;
            log_px.extend(Vec::<f64>::try_from(&cells.to_device(Device::Cpu))?);
            x.extend(batch.x()?.f_split(1, 0)?);
            loc.push(inferred.qz().mean().shallow_clone());
            scale.push(inferred.qz().scale().shallow_clone());
            Ok(())
        })?;
        let qz = Normal::new(Tensor::f_cat(&loc, 0)?, Tensor::f_cat(&scale, 0)?);
        Ok(Anchors { x, log_library, qz, log_px })
    }
}

impl Anchors {
    /// `log Σₐ p(xₐ|z) / p(xₐ)` of each candidate `[n_cells]`, float64: its frequencies at the
    /// library size of each anchor.
    fn log_explained(&self, generated: &impl HasPx) -> Result<Tensor> {
        let (log_scale, px) = (generated.px_scale().log(), generated.px());
        let shape = &log_scale.size()[1..];
        let mut log_ratios = Vec::with_capacity(self.x.len());
        for ((x, log_library), log_px) in self.x.iter().zip(&self.log_library).zip(&self.log_px) {
            let px = px.at_log_rate(&log_scale + *log_library);
            let loss = px.reconstruction_loss(&x.f_expand(shape, false)?.contiguous())?;
            log_ratios.push(-loss.f_squeeze_dim(0)?.to_kind(Kind::Double) - *log_px);
        }
        Ok(Tensor::f_stack(&log_ratios, 0)?.logsumexp(0i64, false))
    }

    /// `log p(z) / Σₐ q(z|xₐ)` of draws `[1, n_cells, n_latent]`; `[n_cells]`, float64.
    fn log_prior_ratio(&self, draws: &Tensor) -> Result<Tensor> {
        let of_cells = draws.f_squeeze_dim(0)?;
        let log_pz = -0.5 * (of_cells.square() + std::f64::consts::TAU.ln());
        let log_qz = self.qz.log_prob(&of_cells.unsqueeze(1))?; // [n_cells, n_anchors, n_latent]
        let sum = |terms: Tensor| terms.sum_dim_intlist(-1, false, Kind::Double);
        Ok(sum(log_pz) - sum(log_qz).logsumexp(1i64, false))
    }
}

/// Cells that are looked at for `n_samples` samples of a group of `n_cells`.
pub(super) fn n_visited(n_cells: usize, n_samples: usize, params: &ImportanceParams) -> usize {
    match params.weights {
        Weights::Uniform => n_samples,
        Weights::Importance => n_cells.min(params.max_cells) + n_candidates(n_cells, n_samples),
    }
}

fn n_candidates(n_cells: usize, n_samples: usize) -> usize {
    if n_cells >= n_samples { n_samples } else { n_cells * n_samples.div_ceil(n_cells) }
}

/// Rows whose samples can be drawn: different cells when there are enough, otherwise all as often as
/// needed.
fn candidates(cells: &[usize], n_samples: usize, rng: &mut impl Rng) -> Vec<usize> {
    let n = n_candidates(cells.len(), n_samples);
    match cells.len() < n {
        true => cells.repeat(n / cells.len()),
        false => index::sample(rng, cells.len(), n).into_iter().map(|i| cells[i]).collect(),
    }
}

/// Weights up to a factor. With `truncation` none is larger than the mean times the root of their
/// number (Ionides 2008).
fn weights(mut log_weights: Vec<f64>, truncation: bool) -> Vec<f64> {
    let largest = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if truncation {
        let sum: f64 = log_weights.iter().map(|log| (log - largest).exp()).sum();
        let cap = largest + sum.ln() - 0.5 * (log_weights.len() as f64).ln();
        log_weights.iter_mut().for_each(|log| *log = log.min(cap));
    }
    log_weights.into_iter().map(|log| (log - largest).exp()).collect()
}
