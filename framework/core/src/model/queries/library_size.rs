//! The library size that the model ascribes to each cell.

use tch::{Kind, Tensor};

use super::decoding::Inference;
use crate::{
    Params,
    anndata::{AnnData, DType, Element, Slot},
    error::{Error, Result},
    model::{BaseModelClass, HasLibrary, Model, Observer, OutputSpec, Query},
    params::Params as _,
};

/// Arguments of [`get_latent_library_size`].
#[derive(Clone, Debug, PartialEq, Params)]
pub struct LibrarySizeParams {
    /// Rows to use; all when not given.
    pub indices: Option<Vec<usize>>,
    /// The mean of the posterior, in place of a sample (or of the observed size).
    #[param(default = true)]
    pub give_mean: bool,
    /// Cells per minibatch.
    #[param(default = 128usize, min = 1)]
    pub batch_size: usize,
}

/// `get_latent_library_size`: counts per cell, as the model sees them.
pub fn get_latent_library_size<M: BaseModelClass>() -> Query<M>
where
    Inference<M>: HasLibrary,
{
    let about =
        "Library size of each cell in counts: mean of its posterior, a sample, or as observed.";
    Query::new::<LibrarySizeParams>(
        "get_latent_library_size",
        about,
        |model, adata, args, sink, observer| {
            let params = LibrarySizeParams::from_args(args)?;
            let sizes = model.get_latent_library_size(adata, &params, observer)?;
            sink.begin(&OutputSpec {
                name: "latent_library_size".into(),
                shape: vec![sizes.len()],
                dtype: Some(DType::Float32),
                place: (Slot::Obs, "latent_library_size".into()),
                columns: None,
            })?;
            sink.rows(Element::vector(sizes))
        },
    )
}

impl<M: BaseModelClass> Model<M>
where
    Inference<M>: HasLibrary,
{
    /// Library size per cell, in counts, in the order asked for.
    ///
    /// Memory: the answer, and a minibatch.
    ///
    /// # Errors
    /// [`Error::NotTrained`]; [`Error::Argument`] when the mean of a posterior is asked for and the
    /// library size is observed; when the data do not fit the model.
    pub fn get_latent_library_size(
        &self,
        adata: &mut AnnData,
        params: &LibrarySizeParams,
        observer: &mut dyn Observer,
    ) -> Result<Vec<f32>> {
        self.require_trained()?;
        let mut sizes = Vec::new();
        let indices = params.indices.as_deref();
        self.for_each_batch(adata, indices, params.batch_size, observer, |ctx, batch| {
            let inferred = self.infer(ctx, batch)?;
            let size = match params.give_mean {
                true => posterior_mean(&inferred)?,
                false => inferred.library().exp(),
            };
            let size = size.to_kind(Kind::Float).view(-1).to_device(tch::Device::Cpu);
            sizes.extend(Vec::<f32>::try_from(&size)?);
            Ok(())
        })?;
        Ok(sizes)
    }
}

/// Mean of a log-normal posterior `[n_cells, 1]`.
fn posterior_mean(inferred: &impl HasLibrary) -> Result<Tensor> {
    let ql = inferred.ql().ok_or_else(|| Error::Argument {
        name: "give_mean".into(),
        expected: "false, since the library size of this model is observed and has no posterior"
            .into(),
        found: "true".into(),
    })?;
    Ok((ql.mean() + ql.variance() / 2.0).exp())
}
