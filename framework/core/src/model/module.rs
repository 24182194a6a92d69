//! The computational part of a model: encoder, decoder, loss.

use indexmap::IndexMap;
use tch::{Device, Tensor};

use super::MinifiedMode;
use crate::{data::Batch, error::Result, nn::Freezing};

/// Where standard normal noise comes from.
pub trait Noise {
    /// Standard normal noise of the shape, dtype and device of `like`.
    fn randn_like(&self, like: &Tensor) -> Tensor;
}

/// Noise from libtorch's generator, which `seed` fixes.
#[derive(Clone, Copy, Debug, Default)]
pub struct TorchNoise;

impl Noise for TorchNoise {
    fn randn_like(&self, like: &Tensor) -> Tensor {
        like.randn_like()
    }
}

/// What a module must know beside the minibatch.
pub struct Ctx<'a> {
    /// Training (dropout on, batch statistics) or evaluation.
    pub train: bool,
    /// Weight of the KL divergence in the loss, 0 to 1.
    pub kl_weight: f64,
    /// Where tensors live.
    pub device: Device,
    /// Where noise comes from; tests inject their own.
    pub noise: &'a dyn Noise,
    /// What training leaves as it is, in a model that continues another one.
    pub freezing: Option<Freezing>,
}

impl Ctx<'_> {
    /// Evaluation on `device`, KL weight 1, noise from libtorch.
    pub fn eval(device: Device) -> Self {
        Ctx { train: false, kl_weight: 1.0, device, noise: &TorchNoise, freezing: None }
    }

    /// Training on `device` with this KL weight, noise from libtorch.
    pub fn training(device: Device, kl_weight: f64) -> Self {
        Ctx { train: true, kl_weight, ..Ctx::eval(device) }
    }
}

/// What a loss is made of; the trainer minimises `loss` and reports the parts.
#[derive(Debug)]
pub struct LossOutput {
    /// Scalar to minimise: mean over cells of reconstruction and weighted divergences.
    pub loss: Tensor,
    /// −log p(x|z) per cell `[n_cells]`.
    pub reconstruction_loss: Tensor,
    /// Divergences per cell by name, unweighted, each `[n_cells]`.
    pub kl_local: IndexMap<&'static str, Tensor>,
    /// Scalar divergence of what all cells share; `None` is zero.
    pub kl_global: Option<Tensor>,
}

impl LossOutput {
    /// The negative evidence lower bound: mean of `reconstruction_loss + kl_weight * kl_z`.
    pub fn elbo(reconstruction_loss: Tensor, kl_z: Tensor, kl_weight: f64) -> Self {
        let loss = (&reconstruction_loss + kl_weight * &kl_z).mean(None);
        let kl_local = IndexMap::from([("kl_divergence_z", kl_z)]);
        Self { loss, reconstruction_loss, kl_local, kl_global: None }
    }

    /// Sum of all local divergences per cell `[n_cells]`.
    pub fn kl_local_sum(&self) -> Tensor {
        let zeros = || self.reconstruction_loss.zeros_like();
        self.kl_local
            .values()
            .fold(None, |sum: Option<Tensor>, kl| {
                Some(sum.map_or_else(|| kl.shallow_clone(), |s| s + kl))
            })
            .unwrap_or_else(zeros)
    }
}

/// The computational part of a model. Implementations hold their layers; parameters live in the
/// [`crate::nn::Store`] they were built from.
pub trait BaseModule: Send {
    /// q(z|x) and a sample of it.
    type Inference;
    /// p(x|z).
    type Generative;

    /// Encodes a minibatch.
    ///
    /// # Errors
    /// When a tensor is missing or does not fit.
    fn inference(&self, ctx: &Ctx, batch: &Batch) -> Result<Self::Inference>;

    /// Decodes a sample.
    ///
    /// # Errors
    /// When a tensor is missing or does not fit.
    fn generative(
        &self,
        ctx: &Ctx,
        batch: &Batch,
        inferred: &Self::Inference,
    ) -> Result<Self::Generative>;

    /// Compares the minibatch with what was decoded.
    ///
    /// # Errors
    /// When a tensor is missing or does not fit.
    fn loss(
        &self,
        ctx: &Ctx,
        batch: &Batch,
        inferred: &Self::Inference,
        generated: &Self::Generative,
    ) -> Result<LossOutput>;

    /// The cached path, for modules that can work from stored posterior parameters.
    fn as_minified(&self) -> Option<&dyn MinifiedMode<Inference = Self::Inference>> {
        None
    }
}
