//! What a module and its outputs can offer, and queries can be built on.

use tch::Tensor;

use super::Ctx;
use crate::{
    distributions::{Likelihood, Normal},
    error::Result,
    nn::{Embedding, LatentDistribution},
};

/// A posterior over a latent space: the latent queries need no more.
pub trait HasQz: Sized {
    /// q(z|x) before [`HasQz::latent_distribution`] transforms it `[n_cells, n_latent]`.
    fn qz(&self) -> &Normal;

    /// The transformed sample that was drawn `[.., n_cells, n_latent]`.
    fn z(&self) -> &Tensor;

    /// How samples of [`HasQz::qz`] become latent variables.
    fn latent_distribution(&self) -> LatentDistribution {
        LatentDistribution::Normal
    }

    /// The same posterior at other draws of [`HasQz::qz`] `[n_samples, n_cells, n_latent]`; whatever
    /// else is random is drawn anew, `n_samples` times.
    ///
    /// # Errors
    /// When the shape of the draws does not fit.
    fn at(&self, ctx: &Ctx<'_>, draws: &Tensor) -> Result<Self>;
}

/// A library size per cell, observed or latent.
pub trait HasLibrary {
    /// Log library size, observed or a sample `[.., n_cells, 1]`.
    fn library(&self) -> &Tensor;

    /// q(l|x) of the log library size `[n_cells, 1]`; `None` where it is observed.
    fn ql(&self) -> Option<&Normal>;
}

/// A distribution of counts: the expression queries need no more.
pub trait HasPx {
    /// p(x|z).
    fn px(&self) -> &Likelihood;

    /// Expected frequency of each gene `[.., n_cells, n_vars]`.
    fn px_scale(&self) -> Tensor;

    /// Prior of the log library size `[n_cells, 1]`; `None` where it is observed.
    fn pl(&self) -> Option<&Normal> {
        None
    }
}

/// Batches that a module may know by learnt vectors.
pub trait HasBatchEmbedding {
    /// The vectors; `None` where batches go in as one-hots.
    fn batch_embedding(&self) -> Option<&Embedding>;
}
