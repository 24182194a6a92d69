//! How well the model describes the cells: ELBO and reconstruction error.

use tch::{Kind, Tensor};

use crate::{
    Params,
    anndata::{DType, Element, Slot},
    data::Cells,
    error::Result,
    model::{BaseModelClass, BaseModule, LossOutput, Model, Observer, OutputSpec, Query, Sink},
    params::Params as _,
};

/// Arguments of [`get_elbo`] and [`get_reconstruction_error`].
#[derive(Clone, Debug, PartialEq, Params)]
pub struct ElboParams {
    /// Rows to use; all when not given.
    pub indices: Option<Vec<usize>>,
    /// Cells per minibatch.
    #[param(default = 128usize, min = 1)]
    pub batch_size: usize,
    /// Average over the cells, in place of a value per cell.
    #[param(default = true)]
    pub return_mean: bool,
}

/// `get_elbo`: evidence lower bound, higher is better.
pub fn get_elbo<M: BaseModelClass>() -> Query<M> {
    let about = "Evidence lower bound of the cells: -(reconstruction loss + KL divergence); higher is better.";
    Query::new::<ElboParams>("get_elbo", about, |model, adata, args, sink, observer| {
        let params = ElboParams::from_args(args)?;
        let elbo = model.get_elbo(adata, &params, observer)?;
        push("elbo", &elbo, params.return_mean, sink)
    })
}

/// `get_reconstruction_error`: −log p(x|z), lower is better.
pub fn get_reconstruction_error<M: BaseModelClass>() -> Query<M> {
    let about = "Reconstruction error of the cells, -log p(x|z); lower is better.";
    Query::new::<ElboParams>(
        "get_reconstruction_error",
        about,
        |model, adata, args, sink, observer| {
            let params = ElboParams::from_args(args)?;
            let loss = model.get_reconstruction_error(adata, &params, observer)?;
            push("reconstruction_loss", &loss, params.return_mean, sink)
        },
    )
}

impl<M: BaseModelClass> Model<M> {
    /// Evidence lower bound per cell, in the order asked for; one sample of z each.
    ///
    /// Memory: the answer, and some five float32 for each of `batch_size * n_vars`.
    ///
    /// # Errors
    /// When the data do not fit the model.
    pub fn get_elbo(
        &self,
        cells: &mut (impl Cells + ?Sized),
        params: &ElboParams,
        observer: &mut dyn Observer,
    ) -> Result<Vec<f64>> {
        self.per_cell(cells, params, observer, |loss| {
            -(&loss.reconstruction_loss + loss.kl_local_sum())
        })
    }

    /// −log p(x|z) per cell, in the order asked for; one sample of z each.
    ///
    /// Memory: as [`Model::get_elbo`].
    ///
    /// # Errors
    /// When the data do not fit the model.
    pub fn get_reconstruction_error(
        &self,
        cells: &mut (impl Cells + ?Sized),
        params: &ElboParams,
        observer: &mut dyn Observer,
    ) -> Result<Vec<f64>> {
        self.per_cell(cells, params, observer, |loss| loss.reconstruction_loss.shallow_clone())
    }

    fn per_cell(
        &self,
        cells: &mut (impl Cells + ?Sized),
        params: &ElboParams,
        observer: &mut dyn Observer,
        value: impl Fn(&LossOutput) -> Tensor,
    ) -> Result<Vec<f64>> {
        let mut values = Vec::new();
        let indices = params.indices.as_deref();
        self.for_each_batch(cells, indices, params.batch_size, observer, |ctx, batch| {
            let inferred = self.module.inference(ctx, batch)?;
            let generated = self.module.generative(ctx, batch, &inferred)?;
            let loss = self.module.loss(ctx, batch, &inferred, &generated)?;
            let cells = value(&loss).to_kind(Kind::Double).view(-1).to_device(tch::Device::Cpu);
            values.extend(Vec::<f64>::try_from(&cells)?);
            Ok(())
        })?;
        Ok(values)
    }
}

/// Sends a value per cell, or their mean.
pub(super) fn push(
    name: &str,
    values: &[f64],
    return_mean: bool,
    sink: &mut dyn Sink,
) -> Result<()> {
    let spec = |shape, slot| OutputSpec {
        name: name.into(),
        shape,
        dtype: Some(DType::Float64),
        place: (slot, name.into()),
        columns: None,
    };
    if return_mean {
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        sink.begin(&spec(vec![], Slot::Uns))?;
        return sink.rows(Element::vector(vec![mean]));
    }
    sink.begin(&spec(vec![values.len()], Slot::Obs))?;
    sink.rows(Element::vector(values.to_vec()))
}
