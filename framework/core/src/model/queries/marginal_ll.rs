//! The marginal log likelihood, by importance sampling.

use tch::{Kind, Tensor};

use super::{
    decoding::{Generative, Inference},
    elbo::push,
};
use crate::{
    Params,
    data::{Batch, Cells},
    error::Result,
    model::{BaseModelClass, BaseModule, Ctx, HasLibrary, HasPx, HasQz, Model, Observer, Query},
    params::Params as _,
};

/// Arguments of [`get_marginal_ll`].
#[derive(Clone, Debug, PartialEq, Params)]
pub struct MarginalLlParams {
    /// Rows to use; all when not given.
    pub indices: Option<Vec<usize>>,
    /// Draws of the latent variables per cell.
    #[param(default = 1000usize, min = 1)]
    pub n_mc_samples: usize,
    /// Draws at a time: more need more memory.
    #[param(default = 10usize, min = 1)]
    pub n_mc_samples_per_pass: usize,
    /// Cells per minibatch.
    #[param(default = 128usize, min = 1)]
    pub batch_size: usize,
    /// Average over the cells, in place of a value per cell.
    #[param(default = true)]
    pub return_mean: bool,
}

/// `get_marginal_ll`: log p(x), higher is better.
pub fn get_marginal_ll<M: BaseModelClass>() -> Query<M>
where
    Inference<M>: HasQz + HasLibrary,
    Generative<M>: HasPx,
{
    let about =
        "Marginal log likelihood of the cells, log p(x), estimated from below; higher is better.";
    Query::new::<MarginalLlParams>(
        "get_marginal_ll",
        about,
        |model, adata, args, sink, observer| {
            let params = MarginalLlParams::from_args(args)?;
            let values = model.get_marginal_ll(adata, &params, observer)?;
            push("marginal_ll", &values, params.return_mean, sink)
        },
    )
}

impl<M: BaseModelClass> Model<M>
where
    Inference<M>: HasQz + HasLibrary,
    Generative<M>: HasPx,
{
    /// Estimate of log p(x) per cell, in the order asked for: the log of the mean over draws from the
    /// posterior of `p(x|z) p(z) / q(z|x)`, and likewise for a latent library size (Burda et al. 2016).
    ///
    /// Memory: some five float32 for each of `batch_size * n_mc_samples_per_pass * n_vars`.
    ///
    /// # Errors
    /// When the data do not fit the model.
    pub fn get_marginal_ll(
        &self,
        cells: &mut (impl Cells + ?Sized),
        params: &MarginalLlParams,
        observer: &mut dyn Observer,
    ) -> Result<Vec<f64>> {
        let mut values = Vec::new();
        let indices = params.indices.as_deref();
        self.for_each_batch(cells, indices, params.batch_size, observer, |ctx, batch| {
            let cells = self.marginal_ll(ctx, batch, params)?;
            values.extend(Vec::<f64>::try_from(&cells.to_device(tch::Device::Cpu))?);
            Ok(())
        })?;
        Ok(values)
    }

    /// Of a minibatch `[n_cells]`, float64.
    pub(super) fn marginal_ll(
        &self,
        ctx: &Ctx<'_>,
        batch: &Batch,
        params: &MarginalLlParams,
    ) -> Result<Tensor> {
        let inferred = self.module.inference(ctx, batch)?;
        let mut sums = Vec::new(); // log of the sum over the draws of a pass, each [n_cells]
        let mut left = params.n_mc_samples;
        while left > 0 {
            let n_samples = left.min(params.n_mc_samples_per_pass);
            left -= n_samples;
            let draws = inferred.qz().rsample_n(ctx, n_samples as i64);
            let at = inferred.at(ctx, &draws)?;
            let generated = self.module.generative(ctx, batch, &at)?;
            // In terms of the draws before any transformation: its volume cancels.
            let log_prior = -0.5 * (draws.square() + std::f64::consts::TAU.ln());
            let log_ratio: Tensor = log_prior - inferred.qz().log_prob(&draws)?;
            let log_ratio = log_ratio.sum_dim_intlist(-1, false, Kind::Double);
            let loss = generated.px().reconstruction_loss(batch.x()?)?;
            let mut log_weights = log_ratio - loss.to_kind(Kind::Double); // [n_samples, n_cells]
            if let (Some(ql), Some(pl)) = (at.ql(), generated.pl()) {
                let library = at.library(); // [n_samples, n_cells, 1]
                let log_ratio = pl.log_prob(library)? - ql.log_prob(library)?;
                log_weights += log_ratio.squeeze_dim(-1).to_kind(Kind::Double);
            }
            sums.push(log_weights.logsumexp(0i64, false));
        }
        Ok(Tensor::f_stack(&sums, 0)?.logsumexp(0i64, false) - (params.n_mc_samples as f64).ln())
    }
}
