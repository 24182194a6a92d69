//! Counts as the model would draw them.

use tch::{Kind, Tensor};

use super::decoding::{Decoding, Generative, Inference, mean, select};
use crate::{
    Params,
    anndata::{AnnData, DType, Element, Sparse},
    error::Result,
    model::{BaseModelClass, HasPx, HasQz, Model, Observer, OutputSpec, Query, Sink},
    nn::convert,
    params::Params as _,
};

/// Arguments of [`posterior_predictive_sample`].
#[derive(Clone, Debug, PartialEq, Params)]
pub struct PosteriorPredictiveParams {
    /// Rows to use; all when not given.
    pub indices: Option<Vec<usize>>,
    /// Draws per cell.
    #[param(default = 1usize, min = 1)]
    pub n_samples: usize,
    /// Genes to return, in the order of the data; all when not given.
    pub gene_list: Option<Vec<String>>,
    /// Batches to decode in, by category; the mean over several. Each cell's own when not given.
    pub transform_batch: Vec<String>,
    /// Cells per minibatch.
    #[param(default = 128usize, min = 1)]
    pub batch_size: usize,
}

/// `posterior_predictive_sample`: simulated counts of the cells.
pub fn posterior_predictive_sample<M: BaseModelClass>() -> Query<M>
where
    Inference<M>: HasQz,
    Generative<M>: HasPx,
{
    let about = "Counts drawn from the posterior predictive distribution of each cell.";
    Query::new::<PosteriorPredictiveParams>(
        "posterior_predictive_sample",
        about,
        |model, adata, args, sink, observer| {
            let params = PosteriorPredictiveParams::from_args(args)?;
            model.posterior_predictive_sample(adata, &params, sink, observer)
        },
    )
}

impl<M: BaseModelClass> Model<M>
where
    Inference<M>: HasQz,
    Generative<M>: HasPx,
{
    /// Sends drawn counts to `sink`, minibatch by minibatch, as `posterior_predictive_sample`, float32:
    /// `[n_cells, n_genes]` in the order asked for, in CSR blocks, or dense
    /// `[n_cells, n_genes, n_samples]` for several draws.
    ///
    /// Memory: some six float32 for each of `batch_size * n_samples * n_vars`.
    ///
    /// # Errors
    /// When batches or genes are unknown, or the data do not fit the model.
    pub fn posterior_predictive_sample(
        &self,
        adata: &mut AnnData,
        params: &PosteriorPredictiveParams,
        sink: &mut dyn Sink,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let genes = self.gene_positions(params.gene_list.as_deref())?;
        let n_cells = params.indices.as_ref().map_or(adata.n_obs(), Vec::len);
        let mut shape = vec![n_cells, genes.len()];
        if params.n_samples > 1 {
            shape.push(params.n_samples);
        }
        sink.begin(&OutputSpec {
            name: "posterior_predictive_sample".into(),
            place: self.place_of_expression("posterior_predictive", shape.len(), genes.len()),
            shape,
            dtype: Some(DType::Float32),
            columns: Some(self.names_of(&genes)),
        })?;
        let genes = Tensor::from_slice(&genes);
        let how = Decoding {
            indices: params.indices.clone(),
            batch_size: params.batch_size,
            n_samples: params.n_samples,
            batches: self.batch_codes("transform_batch", &params.transform_batch)?,
        };
        self.decode(adata, &how, observer, |generated| {
            let draws = generated.iter().map(|px| px.px().sample());
            let draws = mean(draws.collect::<Result<Vec<_>>>()?.into_iter());
            let draws = select(&draws, &genes)?.to_kind(Kind::Float);
            if params.n_samples == 1 {
                return sink
                    .rows(Element::Sparse(Sparse::from_dense(&convert::to_dense(&draws)?)?));
            }
            let draws = draws.movedim_int(0, -1); // [n_cells, n_genes, n_samples]
            sink.rows(Element::Dense(convert::to_dense(&draws)?))
        })
    }
}
