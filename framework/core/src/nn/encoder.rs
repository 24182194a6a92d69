//! From features to a posterior over latent variables.

use tch::{Kind, Tensor};

use super::{FcConfig, FcLayers, Linear, Part, Path, fc_layers::fc_setters};
use crate::{distributions::Normal, error::Result, model::Ctx};

crate::choices! {
    /// How a normal sample becomes a latent variable.
    pub enum LatentDistribution {
        /// As it is.
        #[default]
        Normal = "normal",
        /// By softmax: a point of the simplex (logistic normal).
        LogisticNormal = "ln",
    }
}

impl LatentDistribution {
    /// The latent variable of a normal sample `[.., n_latent]`.
    pub fn transform(self, sample: Tensor) -> Tensor {
        match self {
            Self::Normal => sample,
            Self::LogisticNormal => sample.softmax(-1, None::<Kind>),
        }
    }
}

crate::choices! {
    /// How variances are made positive.
    pub enum VarActivation {
        /// Exponential.
        #[default]
        Exp = "exp",
        /// log(1 + exp).
        Softplus = "softplus",
    }
}

/// Fully connected layers with two heads: mean and variance of a normal posterior.
///
/// ```
/// use scvi_framework::{model::Ctx, nn::{Encoder, Store}, tch::{Device, Kind, Tensor}};
///
/// let store = Store::new(Device::Cpu);
/// let z_encoder = Encoder::builder(100, 10).n_hidden(64).build(store.root() / "z_encoder");
/// let x = Tensor::ones([4, 100], (Kind::Float, Device::Cpu));
/// let qz = z_encoder.forward(&Ctx::eval(Device::Cpu), &x, &[])?;
/// assert_eq!(qz.mean().size(), [4, 10]);
/// # Ok::<_, scvi_framework::Error>(())
/// ```
#[derive(Debug)]
pub struct Encoder {
    pub(super) encoder: FcLayers,
    mean_encoder: Linear,
    var_encoder: Linear,
    var_activation: VarActivation,
}

/// Describes an [`Encoder`].
#[derive(Clone, Debug)]
pub struct EncoderBuilder {
    n_input: i64,
    n_output: i64,
    fc: FcConfig,
    var_activation: VarActivation,
}

impl Encoder {
    /// Added to variances.
    const VAR_EPS: f64 = 1e-4;

    /// An encoder from `n_input` features to `n_output` latent variables.
    pub fn builder(n_input: i64, n_output: i64) -> EncoderBuilder {
        let (fc, var_activation) = (FcConfig::default(), VarActivation::default());
        EncoderBuilder { n_input, n_output, fc, var_activation }
    }

    /// The posterior `[n_cells, n_output]` of `x` `[n_cells, n_input]`, given codes of covariates.
    ///
    /// # Errors
    /// Those of [`FcLayers::forward`].
    pub fn forward(&self, ctx: &Ctx<'_>, x: &Tensor, covariates: &[Tensor]) -> Result<Normal> {
        let h = self.encoder.forward(ctx, x, covariates)?; // [n_cells, n_hidden]
        let mean = self.mean_encoder.forward(&h)?; // [n_cells, n_output]
        let variance = self.var_encoder.forward(&h)?;
        let variance = match self.var_activation {
            VarActivation::Exp => variance.exp(),
            VarActivation::Softplus => variance.softplus(),
        };
        Ok(Normal::from_variance(mean, &(variance + Self::VAR_EPS)))
    }
}

impl EncoderBuilder {
    fc_setters!();

    /// How variances are made positive; `exp` by default.
    pub fn var_activation(mut self, var_activation: VarActivation) -> Self {
        self.var_activation = var_activation;
        self
    }

    /// Fresh parameters under `path`.
    pub fn build(self, path: Path<'_>) -> Encoder {
        let path = path.in_part(Part::Encoder);
        let n_hidden = self.fc.n_hidden;
        Encoder {
            encoder: FcLayers::new(&path / "encoder", self.n_input, n_hidden, &self.fc),
            mean_encoder: Linear::new(&path / "mean_encoder", n_hidden, self.n_output),
            var_encoder: Linear::new(&path / "var_encoder", n_hidden, self.n_output),
            var_activation: self.var_activation,
        }
    }
}
