//! Expected expression, free of depth and, if wished, of batch effects.

use rand::{Rng, SeedableRng, rngs::StdRng};
use tch::Tensor;

use super::{
    decoding::{Decoding, Generative, Inference, mean, select},
    importance::{ImportanceParams, Wanted, Weights},
};
use crate::{
    Params,
    anndata::{AnnData, DType, Element},
    error::{Error, Result},
    model::{BaseModelClass, HasLibrary, HasPx, HasQz, Model, Observer, OutputSpec, Query, Sink},
    nn::convert,
    params::Params as _,
};

/// Arguments of [`get_normalized_expression`].
#[derive(Clone, Debug, PartialEq, Params)]
pub struct NormalizedExpressionParams {
    /// Rows to use; all when not given.
    pub indices: Option<Vec<usize>>,
    /// Batches to decode in, by category; the mean over several. Each cell's own when not given.
    pub transform_batch: Vec<String>,
    /// Genes to return, in the order of the data; all when not given.
    pub gene_list: Option<Vec<String>>,
    /// What frequencies are multiplied by: a number, or `latent` for each cell's own library size.
    pub library_size: LibrarySize,
    /// Draws of the latent variables per cell.
    #[param(default = 1usize, min = 1)]
    pub n_samples: usize,
    /// Draws in all, each of a cell picked at random, in place of `n_samples` of each cell.
    pub n_samples_overall: Option<usize>,
    /// Cells per minibatch.
    #[param(default = 128usize, min = 1)]
    pub batch_size: usize,
    /// Average over the draws of a cell, in place of all of them.
    #[param(default = true)]
    pub return_mean: bool,
    /// How draws in all are weighted.
    #[param(flatten)]
    pub importance: ImportanceParams,
}

crate::number_or! {
    /// What frequencies are multiplied by.
    pub enum LibrarySize {
        /// The same number for all cells.
        Fixed = 1.0,
        /// The library size that the model ascribes to each cell.
        Latent = "latent",
    }
}

/// `get_normalized_expression`: expected frequencies, or counts at a library size.
pub fn get_normalized_expression<M: BaseModelClass>() -> Query<M>
where
    Inference<M>: HasQz + HasLibrary,
    Generative<M>: HasPx,
{
    let about = "Expected expression of each gene in each cell, decoded from the latent variables.";
    Query::new::<NormalizedExpressionParams>(
        "get_normalized_expression",
        about,
        |model, adata, args, sink, observer| {
            let params = NormalizedExpressionParams::from_args(args)?;
            model.get_normalized_expression(adata, &params, sink, observer)
        },
    )
}

impl<M: BaseModelClass> Model<M>
where
    Inference<M>: HasQz + HasLibrary,
    Generative<M>: HasPx,
{
    /// Sends expected expression to `sink`, minibatch by minibatch, as `normalized_expression`,
    /// float32: `[n_cells, n_genes]` in the order asked for; `[n_samples, n_cells, n_genes]` for
    /// several draws without their mean; `[n_samples_overall, n_genes]` for draws in all.
    ///
    /// Memory: some five float32 for each of `batch_size * n_samples * n_vars` (one draw at a time
    /// without the mean); with importance weights `n_samples_overall * n_genes` more.
    ///
    /// # Errors
    /// When batches or genes are unknown, or the data do not fit the model.
    pub fn get_normalized_expression(
        &self,
        adata: &mut AnnData,
        params: &NormalizedExpressionParams,
        sink: &mut dyn Sink,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let genes = self.gene_positions(params.gene_list.as_deref())?;
        let batches = self.batch_codes("transform_batch", &params.transform_batch)?;
        let all = adata.n_obs();
        let n_cells = params.indices.as_ref().map_or(all, Vec::len);
        check_weights(params, n_cells)?;
        let rows = || params.indices.clone().unwrap_or_else(|| (0..all).collect());
        let mut rng = StdRng::seed_from_u64(self.settings.seed as u64);
        let weighs = params.importance.weights == Weights::Importance;
        let (indices, draws_per_pass, n_passes) = match params.n_samples_overall {
            Some(n) if n_cells > 0 && !weighs => {
                let rows = rows();
                let drawn = (0..n).map(|_| rows[rng.random_range(0..rows.len())]).collect();
                (Some(drawn), 1, 1)
            }
            _ if params.return_mean => (params.indices.clone(), params.n_samples, 1),
            _ => (params.indices.clone(), 1, params.n_samples),
        };
        let n_rows = match (weighs, params.n_samples_overall) {
            (true, Some(n)) => n,
            _ => indices.as_ref().map_or(all, Vec::len),
        };
        let mut shape = vec![n_rows, genes.len()];
        if n_passes > 1 {
            shape.insert(0, n_passes);
        }
        sink.begin(&OutputSpec {
            name: "normalized_expression".into(),
            place: self.place_of_expression("normalized", shape.len(), genes.len()),
            shape,
            dtype: Some(DType::Float32),
            columns: Some(self.names_of(&genes)),
        })?;
        let genes = Tensor::from_slice(&genes);
        let expression = |px: &Generative<M>| match params.library_size {
            LibrarySize::Fixed(size) => px.px_scale() * size,
            LibrarySize::Latent => px.px().rate(),
        };
        if weighs {
            let wanted = Wanted {
                cells: &rows(),
                batch: batches[0],
                n_samples: n_rows,
                batch_size: params.batch_size,
            };
            let values = |px: &Generative<M>| select(&expression(px), &genes);
            let drawn = self.weighted_samples(
                adata,
                &wanted,
                &params.importance,
                &mut rng,
                observer,
                values,
            )?;
            return sink.rows(Element::Dense(convert::to_dense(&drawn)?));
        }
        let how =
            Decoding { indices, batch_size: params.batch_size, n_samples: draws_per_pass, batches };
        for _ in 0..n_passes {
            self.decode(adata, &how, observer, |generated| {
                let values = mean(generated.iter().map(expression));
                let values = select(&values, &genes)?;
                let values = match draws_per_pass {
                    1 => values,
                    _ => values.mean_dim(0i64, false, None),
                };
                sink.rows(Element::Dense(convert::to_dense(&values)?))
            })?;
        }
        Ok(())
    }
}

/// # Errors
/// [`Error::Argument`] when importance weights are asked for where there are none.
fn check_weights(params: &NormalizedExpressionParams, n_cells: usize) -> Result<()> {
    let expected = match (params.importance.weights, params.n_samples_overall) {
        (Weights::Uniform, _) => return Ok(()),
        (_, None) => "uniform, unless `n_samples_overall` says how many samples are drawn",
        _ if params.transform_batch.len() > 1 => "uniform where several batches are averaged",
        _ if n_cells == 0 => "uniform where there are no cells",
        _ => return Ok(()),
    };
    let found = params.importance.weights.word().into();
    Err(Error::Argument { name: "weights".into(), expected: expected.into(), found })
}
