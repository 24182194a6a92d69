//! The choice among distributions of counts.

use tch::Tensor;

use super::{NegativeBinomial, Normal, Poisson, ZeroInflatedNegativeBinomial, fused};
use crate::error::Result;

crate::choices! {
    /// How counts are distributed around their mean.
    pub enum GeneLikelihood {
        /// Negative binomial with extra zeros.
        #[default]
        Zinb = "zinb",
        /// Negative binomial.
        Nb = "nb",
        /// Poisson.
        Poisson = "poisson",
        /// Normal, for data that are no counts.
        Normal = "normal",
    }
}

impl GeneLikelihood {
    /// The distribution with log mean `log_rate` `[.., n_cells, n_vars]`. What not every
    /// distribution has is asked for when needed: `log_theta` (of the inverse dispersion, or of the
    /// standard deviation) `[n_vars]` or `[.., n_cells, n_vars]`, and `zi_logits` of the shape of
    /// `log_rate`.
    ///
    /// # Errors
    /// Those of `log_theta` and `zi_logits`.
    pub fn distribution(
        self,
        log_rate: Tensor,
        log_theta: impl FnOnce() -> Result<Tensor>,
        zi_logits: impl FnOnce() -> Result<Tensor>,
    ) -> Result<Likelihood> {
        Ok(match self {
            Self::Zinb => {
                let counts = NegativeBinomial::from_logs(log_rate, log_theta()?);
                Likelihood::Zinb(ZeroInflatedNegativeBinomial::new(counts, zi_logits()?))
            }
            Self::Nb => Likelihood::Nb(NegativeBinomial::from_logs(log_rate, log_theta()?)),
            Self::Poisson => Likelihood::Poisson(Poisson::from_log(log_rate)),
            Self::Normal => Likelihood::Normal(Normal::new(log_rate.exp(), log_theta()?.exp())),
        })
    }
}

/// A distribution of counts `[.., n_cells, n_vars]`.
#[derive(Debug)]
pub enum Likelihood {
    /// Negative binomial with extra zeros.
    Zinb(ZeroInflatedNegativeBinomial),
    /// Negative binomial.
    Nb(NegativeBinomial),
    /// Poisson.
    Poisson(Poisson),
    /// Normal.
    Normal(Normal),
}

impl Likelihood {
    /// Log probability of each value of `x` `[n_cells, n_vars]`; `[.., n_cells, n_vars]`.
    ///
    /// # Errors
    /// When the shapes do not fit, or a value is outside the distribution's support.
    pub fn log_prob(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Zinb(px) => px.log_prob(x),
            Self::Nb(px) => px.log_prob(x),
            Self::Poisson(px) => px.log_prob(x),
            Self::Normal(px) => px.log_prob(x),
        }
    }

    /// Minus the log probability of each cell of `x` `[n_cells, n_vars]`; `[.., n_cells]`.
    /// The one place through which every training step goes.
    ///
    /// # Errors
    /// As [`Likelihood::log_prob`].
    pub fn reconstruction_loss(&self, x: &Tensor) -> Result<Tensor> {
        let fused = match self {
            Self::Zinb(px) => fused::reconstruction_loss(&px.explain(x)),
            Self::Nb(px) => fused::reconstruction_loss(&px.explain(x)),
            Self::Poisson(_) | Self::Normal(_) => None,
        };
        match fused {
            Some(loss) => Ok(loss),
            None => Ok(-self.log_prob(x)?.sum_dim_intlist(-1, false, None)),
        }
    }

    /// The same distribution at log rate `log_rate` `[.., n_cells, n_vars]`: dispersion and extra
    /// zeros stay.
    #[must_use]
    pub fn at_log_rate(&self, log_rate: Tensor) -> Self {
        match self {
            Self::Zinb(px) => {
                let counts = px.counts().at_log_rate(log_rate);
                let zi_logits = px.zi_logits().shallow_clone();
                Self::Zinb(ZeroInflatedNegativeBinomial::new(counts, zi_logits))
            }
            Self::Nb(px) => Self::Nb(px.at_log_rate(log_rate)),
            Self::Poisson(_) => Self::Poisson(Poisson::from_log(log_rate)),
            Self::Normal(px) => {
                Self::Normal(Normal::new(log_rate.exp(), px.scale().shallow_clone()))
            }
        }
    }

    /// A draw of counts `[.., n_cells, n_vars]`, from libtorch's generator.
    ///
    /// # Errors
    /// When a parameter is not a number.
    pub fn sample(&self) -> Result<Tensor> {
        match self {
            Self::Zinb(px) => px.sample(),
            Self::Nb(px) => px.sample(),
            Self::Poisson(px) => px.sample(),
            Self::Normal(px) => px.sample(),
        }
    }

    /// Mean `[.., n_cells, n_vars]`.
    pub fn mean(&self) -> Tensor {
        match self {
            Self::Zinb(px) => px.mean(),
            Self::Nb(px) => px.mean(),
            Self::Poisson(px) => px.mean(),
            Self::Normal(px) => px.mean().shallow_clone(),
        }
    }

    /// Mean of the counts before any extra zeros `[.., n_cells, n_vars]`: scvi-tools' `px_rate`.
    pub fn rate(&self) -> Tensor {
        match self {
            Self::Zinb(px) => px.counts().mean(),
            other => other.mean(),
        }
    }

    /// Inverse dispersion `[n_vars]` or `[.., n_cells, n_vars]`, where the distribution has one.
    pub fn theta(&self) -> Option<Tensor> {
        match self {
            Self::Zinb(px) => Some(px.counts().theta()),
            Self::Nb(px) => Some(px.theta()),
            Self::Poisson(_) | Self::Normal(_) => None,
        }
    }

    /// Log odds of an extra zero `[.., n_cells, n_vars]`, where the distribution has them.
    pub fn zi_logits(&self) -> Option<&Tensor> {
        match self {
            Self::Zinb(px) => Some(px.zi_logits()),
            _ => None,
        }
    }
}
