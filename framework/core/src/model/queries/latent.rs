//! Where the cells lie in the latent space.

use tch::{Kind, Tensor};

use crate::{
    Params,
    anndata::{DType, Dense, Element, Slot},
    data::Cells,
    error::Result,
    model::{BaseModelClass, BaseModule, Ctx, HasQz, Model, Observer, OutputSpec, Query, Sink},
    nn::{LatentDistribution, convert},
    params::Params as _,
};

/// Arguments of [`get_latent_representation`].
#[derive(Clone, Debug, PartialEq, Params)]
pub struct LatentParams {
    /// Rows to use; all when not given.
    pub indices: Option<Vec<usize>>,
    /// The mean of the posterior, in place of a sample.
    #[param(default = true)]
    pub give_mean: bool,
    /// Samples for the mean where it has no closed form (latent distribution `ln`).
    #[param(default = 5000i64, min = 1)]
    pub mc_samples: i64,
    /// Cells per minibatch.
    #[param(default = 128usize, min = 1)]
    pub batch_size: usize,
    /// Mean and variance of the posterior, before any transformation.
    pub return_dist: bool,
}

/// What [`Model::get_latent_representation`] answers; rows in the order asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Latent {
    /// A point per cell, float32 `[n_cells, n_latent]`.
    Points(Dense),
    /// Mean and variance per cell, each float32 `[n_cells, n_latent]`.
    Moments {
        /// Mean of q(z|x).
        qzm: Dense,
        /// Variance of q(z|x).
        qzv: Dense,
    },
}

/// `get_latent_representation`: posterior of the latent variables.
pub fn get_latent_representation<M: BaseModelClass>() -> Query<M>
where
    <M::Module as BaseModule>::Inference: HasQz,
{
    let about =
        "Posterior of the latent variables of each cell: its mean, a sample, or mean and variance.";
    Query::new::<LatentParams>(
        "get_latent_representation",
        about,
        |model, adata, args, sink, observer| {
            let params = LatentParams::from_args(args)?;
            match model.get_latent_representation(adata, &params, observer)? {
                Latent::Points(z) => push("latent", M::LATENT_KEY, z, sink),
                Latent::Moments { qzm, qzv } => {
                    push("qzm", "X_latent_qzm", qzm, sink)?;
                    push("qzv", "X_latent_qzv", qzv, sink)
                }
            }
        },
    )
}

impl<M: BaseModelClass> Model<M>
where
    <M::Module as BaseModule>::Inference: HasQz,
{
    /// Posterior of the latent variables, rows in the order asked for.
    ///
    /// Memory: the answer, and a minibatch; for latent distribution `ln` also
    /// `batch_size * mc_samples * n_latent` float32.
    ///
    /// # Errors
    /// [`crate::Error::NotTrained`]; when the data do not fit the model.
    pub fn get_latent_representation(
        &self,
        cells: &mut (impl Cells + ?Sized),
        params: &LatentParams,
        observer: &mut dyn Observer,
    ) -> Result<Latent> {
        self.require_trained()?;
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let indices = params.indices.as_deref();
        self.for_each_batch(cells, indices, params.batch_size, observer, |ctx, batch| {
            let inferred = self.infer(ctx, batch)?;
            if params.return_dist {
                first.push(inferred.qz().mean().to_device(tch::Device::Cpu));
                second.push(inferred.qz().variance().to_device(tch::Device::Cpu));
            } else {
                first.push(point(ctx, &inferred, params).to_device(tch::Device::Cpu));
            }
            Ok(())
        })?;
        if params.return_dist {
            return Ok(Latent::Moments { qzm: join(&first)?, qzv: join(&second)? });
        }
        Ok(Latent::Points(join(&first)?))
    }
}

/// The mean, its estimate from samples, or one sample `[n_cells, n_latent]`.
fn point(ctx: &Ctx, inferred: &impl HasQz, params: &LatentParams) -> Tensor {
    if !params.give_mean {
        return inferred.z().shallow_clone();
    }
    let qz = inferred.qz();
    let distribution = inferred.latent_distribution();
    if distribution == LatentDistribution::Normal {
        return qz.mean().shallow_clone();
    }
    let mut sum = qz.mean().zeros_like();
    for _ in 0..params.mc_samples {
        sum += distribution.transform(qz.rsample(ctx));
    }
    sum / params.mc_samples as f64
}

/// Blocks of rows as one float32 matrix.
pub(super) fn join(blocks: &[Tensor]) -> Result<Dense> {
    convert::to_dense(&stacked(blocks).to_kind(Kind::Float))
}

/// Blocks of rows, one upon the other; `[0, 0]` for none.
pub(super) fn stacked(blocks: &[Tensor]) -> Tensor {
    match blocks {
        [] => Tensor::zeros([0, 0], tch::kind::FLOAT_CPU),
        blocks => Tensor::cat(blocks, 0),
    }
}

/// Sends rows of cells, to `obsm`.
pub(super) fn push(name: &str, key: &str, values: Dense, sink: &mut dyn Sink) -> Result<()> {
    sink.begin(&OutputSpec {
        name: name.into(),
        shape: values.shape.clone(),
        dtype: Some(DType::Float32),
        place: (Slot::Obsm, key.into()),
        columns: None,
    })?;
    sink.rows(Element::Dense(values))
}
