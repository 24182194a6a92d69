//! Normalisation over cells and over features.

use tch::{Kind, Tensor};

use super::{Init, Part, Path, Role};
use crate::{
    error::{Error, Result},
    model::Ctx,
};

crate::choices! {
    /// Where a normalisation is used.
    pub enum NormUse {
        /// In encoder and decoder.
        #[default]
        Both = "both",
        /// In the encoder.
        Encoder = "encoder",
        /// In the decoder.
        Decoder = "decoder",
        /// Nowhere.
        None = "none",
    }
}

impl NormUse {
    /// Whether encoders use it.
    pub fn in_encoder(self) -> bool {
        matches!(self, Self::Both | Self::Encoder)
    }

    /// Whether decoders use it.
    pub fn in_decoder(self) -> bool {
        matches!(self, Self::Both | Self::Decoder)
    }
}

/// Normalises each feature over the cells of a minibatch; in evaluation by running statistics.
#[derive(Debug)]
pub struct BatchNorm1d {
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    num_batches_tracked: Tensor,
    part: Part,
}

impl BatchNorm1d {
    /// Added to the variance.
    const EPS: f64 = 1e-3;
    /// Share of a minibatch in the running statistics.
    const MOMENTUM: f64 = 0.01;

    /// The identity, up to normalisation.
    pub fn new(path: Path<'_>, n_features: i64) -> Self {
        let (part, path) = (path.part(), path.in_role(Role::Norm));
        let device = path.device();
        let zeros = Tensor::zeros([n_features], (Kind::Float, device));
        let count = Tensor::zeros([0i64; 0], (Kind::Int64, device));
        Self {
            weight: path.param("weight", &[n_features], Init::Constant(1.0)),
            bias: path.param("bias", &[n_features], Init::Constant(0.0)),
            running_mean: path.buffer("running_mean", &zeros),
            running_var: path.buffer("running_var", &zeros.ones_like()),
            num_batches_tracked: path.buffer("num_batches_tracked", &count),
            part,
        }
    }

    /// From `[n_cells, n_features]` to the same shape. Of `[n_samples, n_cells, n_features]` each
    /// sample is a minibatch of its own.
    ///
    /// # Errors
    /// [`Error::SmallBatch`] while training on one cell; when the last axis is not `n_features`.
    pub fn forward(&self, ctx: &Ctx<'_>, x: &Tensor) -> Result<Tensor> {
        if !ctx.train {
            return self.normalise(ctx, x);
        }
        if x.dim() == 2 {
            return self.train(ctx, x);
        }
        let samples = (0..x.size()[0]).map(|i| self.train(ctx, &x.get(i)));
        Ok(Tensor::f_stack(&samples.collect::<Result<Vec<_>>>()?, 0)?)
    }

    fn train(&self, ctx: &Ctx<'_>, x: &Tensor) -> Result<Tensor> {
        let found = x.size()[0];
        if found < 2 {
            return Err(Error::SmallBatch { found });
        }
        if !self.is_frozen(ctx) {
            let _ = self.num_batches_tracked.shallow_clone().f_add_scalar_(1)?;
        }
        self.normalise(ctx, x)
    }

    fn is_frozen(&self, ctx: &Ctx<'_>) -> bool {
        ctx.freezing.is_some_and(|freezing| freezing.norms(self.part))
    }

    fn normalise(&self, ctx: &Ctx<'_>, x: &Tensor) -> Result<Tensor> {
        // A frozen one goes on normalising by the minibatch while training, and remembers nothing.
        let remembers = !ctx.train || !self.is_frozen(ctx);
        let running = |statistic| remembers.then_some(statistic);
        let flat = x.f_reshape([-1, self.weight.size()[0]])?;
        let normalised = flat.f_batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            running(&self.running_mean),
            running(&self.running_var),
            ctx.train,
            Self::MOMENTUM,
            Self::EPS,
            true,
        )?;
        Ok(normalised.f_view_as(x)?)
    }
}

/// Normalises each cell over its features; no parameters.
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm {
    n_features: i64,
}

impl LayerNorm {
    /// Added to the variance.
    const EPS: f64 = 1e-5;

    /// Over this many features.
    pub fn new(n_features: i64) -> Self {
        Self { n_features }
    }

    /// From `[.., n_features]` to the same shape.
    ///
    /// # Errors
    /// When the last axis is not `n_features`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let none = None::<&Tensor>;
        Ok(x.f_layer_norm([self.n_features], none, none, Self::EPS, true)?)
    }
}
