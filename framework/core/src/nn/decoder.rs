//! From latent variables to the parameters of a distribution of counts.

use tch::Tensor;

use super::{FcConfig, FcLayers, Linear, Part, Path, fc_layers::fc_setters};
use crate::{error::Result, model::Ctx};

/// How expected frequencies are made positive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScaleActivation {
    /// Softmax: the frequencies of a cell sum to one.
    #[default]
    Softmax,
    /// log(1 + exp), gene by gene.
    Softplus,
}

/// Fully connected layers with three heads: expected frequency, dispersion per cell, and log odds of
/// an extra zero. Heads are evaluated one by one, so that nothing is computed for nobody.
#[derive(Debug)]
pub struct DecoderScvi {
    px_decoder: FcLayers,
    px_scale_decoder: Linear,
    px_r_decoder: Linear,
    px_dropout_decoder: Linear,
    scale_activation: ScaleActivation,
}

/// Describes a [`DecoderScvi`].
#[derive(Clone, Debug)]
pub struct DecoderScviBuilder {
    n_input: i64,
    n_output: i64,
    fc: FcConfig,
    scale_activation: ScaleActivation,
}

impl DecoderScvi {
    /// Keeps the logarithm of frequencies that vanish, and its gradient, finite.
    const LEAST_SCALE: f64 = 1e-30;

    /// A decoder from `n_input` latent variables to `n_output` genes.
    pub fn builder(n_input: i64, n_output: i64) -> DecoderScviBuilder {
        let (fc, scale_activation) = (FcConfig::default(), ScaleActivation::default());
        DecoderScviBuilder { n_input, n_output, fc, scale_activation }
    }

    /// What all heads start from: `[.., n_cells, n_hidden]` of `z` `[.., n_cells, n_input]`, given
    /// codes of covariates.
    ///
    /// # Errors
    /// Those of [`FcLayers::forward`].
    pub fn hidden(&self, ctx: &Ctx<'_>, z: &Tensor, covariates: &[Tensor]) -> Result<Tensor> {
        self.px_decoder.forward(ctx, z, covariates)
    }

    /// Log expected frequency `[.., n_cells, n_vars]`.
    ///
    /// # Errors
    /// When `hidden` is not of [`DecoderScvi::hidden`].
    pub fn log_scale(&self, hidden: &Tensor) -> Result<Tensor> {
        let logits = self.px_scale_decoder.forward(hidden)?;
        Ok(match self.scale_activation {
            ScaleActivation::Softmax => logits.log_softmax(-1, None),
            ScaleActivation::Softplus => (logits.softplus() + Self::LEAST_SCALE).log(),
        })
    }

    /// Log inverse dispersion of each cell and gene `[.., n_cells, n_vars]`.
    ///
    /// # Errors
    /// When `hidden` is not of [`DecoderScvi::hidden`].
    pub fn log_theta(&self, hidden: &Tensor) -> Result<Tensor> {
        self.px_r_decoder.forward(hidden)
    }

    /// Log odds of an extra zero `[.., n_cells, n_vars]`.
    ///
    /// # Errors
    /// When `hidden` is not of [`DecoderScvi::hidden`].
    pub fn zi_logits(&self, hidden: &Tensor) -> Result<Tensor> {
        self.px_dropout_decoder.forward(hidden)
    }
}

impl DecoderScviBuilder {
    fc_setters!();

    /// How frequencies are made positive; softmax by default.
    pub fn scale_activation(mut self, scale_activation: ScaleActivation) -> Self {
        self.scale_activation = scale_activation;
        self
    }

    /// Fresh parameters under `path`; decoders drop no nodes, whatever the rate.
    pub fn build(self, path: Path<'_>) -> DecoderScvi {
        let path = path.in_part(Part::Decoder);
        let (n_hidden, n_vars) = (self.fc.n_hidden, self.n_output);
        let fc = FcConfig { dropout_rate: 0.0, ..self.fc };
        DecoderScvi {
            px_decoder: FcLayers::new(&path / "px_decoder", self.n_input, n_hidden, &fc),
            px_scale_decoder: Linear::new(&path / "px_scale_decoder" / 0, n_hidden, n_vars),
            px_r_decoder: Linear::new(&path / "px_r_decoder", n_hidden, n_vars),
            px_dropout_decoder: Linear::new(&path / "px_dropout_decoder", n_hidden, n_vars),
            scale_activation: self.scale_activation,
        }
    }
}
