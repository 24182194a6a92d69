//! What a module's outputs can offer, and queries can be built on.

use tch::Tensor;

use crate::{distributions::Normal, nn::LatentDistribution};

/// A posterior over a latent space: the latent queries need no more.
pub trait HasQz {
    /// q(z|x) before [`HasQz::latent_distribution`] transforms it `[n_cells, n_latent]`.
    fn qz(&self) -> &Normal;

    /// The transformed sample that was drawn `[.., n_cells, n_latent]`.
    fn z(&self) -> &Tensor;

    /// How samples of [`HasQz::qz`] become latent variables.
    fn latent_distribution(&self) -> LatentDistribution {
        LatentDistribution::Normal
    }
}
