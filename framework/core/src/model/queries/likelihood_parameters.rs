//! The parameters of the distribution of counts.

use tch::{Kind, Tensor};

use super::decoding::{Decoding, Generative, Inference};
use crate::{
    Params,
    anndata::{AnnData, DType, Element},
    error::Result,
    model::{BaseModelClass, HasPx, HasQz, Model, Observer, OutputSpec, Query, Sink},
    nn::convert,
    params::Params as _,
};

/// Arguments of [`get_likelihood_parameters`].
#[derive(Clone, Debug, PartialEq, Params)]
pub struct LikelihoodParams {
    /// Rows to use; all when not given.
    pub indices: Option<Vec<usize>>,
    /// Draws of the latent variables per cell.
    #[param(default = 1usize, min = 1)]
    pub n_samples: usize,
    /// Average over the draws of a cell, in place of all of them.
    pub give_mean: bool,
    /// Cells per minibatch.
    #[param(default = 128usize, min = 1)]
    pub batch_size: usize,
}

/// `get_likelihood_parameters`: mean, dropout, dispersions.
pub fn get_likelihood_parameters<M: BaseModelClass>() -> Query<M>
where
    Inference<M>: HasQz,
    Generative<M>: HasPx,
{
    let about = "Parameters of the distribution of each gene's counts in each cell: mean, and where \
                 the likelihood has them, dispersions and the probability of an extra zero.";
    Query::new::<LikelihoodParams>(
        "get_likelihood_parameters",
        about,
        |model, adata, args, sink, observer| {
            let params = LikelihoodParams::from_args(args)?;
            model.get_likelihood_parameters(adata, &params, sink, observer)
        },
    )
}

/// Something that a distribution of counts may have `[.., n_cells, n_vars]`.
type Parameter<G> = (&'static str, fn(&G) -> Option<Tensor>);

impl<M: BaseModelClass> Model<M>
where
    Inference<M>: HasQz,
    Generative<M>: HasPx,
{
    /// Sends `mean`, `dropout` (zero-inflated likelihoods) and `dispersions` (negative binomials) to
    /// `sink`, float32, each `[n_cells, n_vars]` in the order asked for, or
    /// `[n_samples, n_cells, n_vars]` for several draws without their mean. One pass over the cells
    /// for each, with the same draws, so that none is held.
    ///
    /// Memory: some five float32 for each of `batch_size * n_samples * n_vars`.
    ///
    /// # Errors
    /// When the data do not fit the model.
    pub fn get_likelihood_parameters(
        &self,
        adata: &mut AnnData,
        params: &LikelihoodParams,
        sink: &mut dyn Sink,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let all: [Parameter<Generative<M>>; 3] = [
            ("mean", |px| Some(px.px().rate())),
            ("dropout", |px| px.px().zi_logits().map(Tensor::sigmoid)),
            ("dispersions", |px| Some(px.px().theta()?.expand_as(&px.px_scale()))),
        ];
        // Every pass sees the same draws, so that the parameters of a cell belong together.
        let seed =
            Tensor::randint(i64::from(i32::MAX), [1], tch::kind::INT64_CPU).int64_value(&[0]);
        for parameter in all {
            tch::manual_seed(seed);
            self.likelihood_parameter(adata, params, parameter, sink, observer)?;
        }
        Ok(())
    }

    fn likelihood_parameter(
        &self,
        adata: &mut AnnData,
        params: &LikelihoodParams,
        (name, value): Parameter<Generative<M>>,
        sink: &mut dyn Sink,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let n_cells = params.indices.as_ref().map_or(adata.n_obs(), Vec::len);
        let n_vars = self.var_names.len();
        let (draws_per_pass, n_passes) = match params.give_mean {
            true => (params.n_samples, 1),
            false => (1, params.n_samples),
        };
        let mut shape = vec![n_cells, n_vars];
        if n_passes > 1 {
            shape.insert(0, n_passes);
        }
        let spec = OutputSpec {
            name: name.into(),
            place: self.place_of_expression(name, shape.len(), n_vars),
            shape,
            dtype: Some(DType::Float32),
            columns: Some(self.var_names.clone()),
        };
        let how = Decoding {
            indices: params.indices.clone(),
            batch_size: params.batch_size,
            n_samples: draws_per_pass,
            batches: vec![None],
        };
        let mut announced = false;
        for _ in 0..n_passes {
            self.decode(adata, &how, observer, |generated| {
                let Some(values) = generated.iter().find_map(value) else { return Ok(()) };
                if !announced {
                    sink.begin(&spec)?;
                    announced = true;
                }
                let values = match draws_per_pass {
                    1 => values,
                    _ => values.mean_dim(0i64, false, None),
                };
                let values = values.to_kind(Kind::Float).to_device(tch::Device::Cpu);
                sink.rows(Element::Dense(convert::to_dense(&values)?))
            })?;
        }
        Ok(())
    }
}
