//! The queries that a model class may list, one file per group.

mod elbo;
mod latent;

pub use elbo::{ElboParams, get_elbo, get_reconstruction_error};
pub use latent::{Latent, LatentParams, get_latent_representation};
