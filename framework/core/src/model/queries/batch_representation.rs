//! Where the batches lie among each other.

use super::latent::{join, push};
use crate::{
    Params,
    anndata::{AnnData, Dense},
    error::{Error, Result},
    model::{BaseModelClass, HasBatchEmbedding, Model, Observer, Query},
    params::Params as _,
};

/// Arguments of [`get_batch_representation`].
#[derive(Clone, Debug, PartialEq, Params)]
pub struct BatchRepresentationParams {
    /// Rows to use; all when not given.
    pub indices: Option<Vec<usize>>,
    /// Cells per minibatch.
    #[param(default = 128usize, min = 1)]
    pub batch_size: usize,
}

/// `get_batch_representation`: learnt vectors of batches.
pub fn get_batch_representation<M: BaseModelClass>() -> Query<M>
where
    M::Module: HasBatchEmbedding,
{
    let about =
        "Learnt vector of each cell's batch, where the model does not take batches as one-hots.";
    Query::new::<BatchRepresentationParams>(
        "get_batch_representation",
        about,
        |model, adata, args, sink, observer| {
            let params = BatchRepresentationParams::from_args(args)?;
            let vectors = model.get_batch_representation(adata, &params, observer)?;
            let key = format!("X_{}_batch_representation", M::NAME.to_lowercase());
            push("batch_representation", &key, vectors, sink)
        },
    )
}

impl<M: BaseModelClass> Model<M>
where
    M::Module: HasBatchEmbedding,
{
    /// The vector of each cell's batch, float32 `[n_cells, n_dims]`, in the order asked for.
    ///
    /// Memory: the answer, and a minibatch.
    ///
    /// # Errors
    /// [`Error::Argument`] when batches go in as one-hots; when the data do not fit the model.
    pub fn get_batch_representation(
        &self,
        adata: &mut AnnData,
        params: &BatchRepresentationParams,
        observer: &mut dyn Observer,
    ) -> Result<Dense> {
        let embedding = self.module.batch_embedding().ok_or_else(|| Error::Argument {
            name: "batch_representation".into(),
            expected: "embedding, as only then batches have vectors; train a model with \
                       `batch_representation = embedding`"
                .into(),
            found: "one-hot".into(),
        })?;
        let mut vectors = Vec::new();
        let indices = params.indices.as_deref();
        self.for_each_batch(adata, indices, params.batch_size, observer, |_, batch| {
            vectors.push(embedding.forward(batch.batch_index()?)?.to_device(tch::Device::Cpu));
            Ok(())
        })?;
        join(&vectors)
    }
}
