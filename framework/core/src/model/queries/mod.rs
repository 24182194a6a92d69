//! The queries that a model class may list, one file per group.

mod aggregated_posterior;
mod batch_representation;
mod correlation;
mod decoding;
mod differential;
mod differential_abundance;
mod elbo;
mod feature_correlation;
mod from_registry;
mod importance;
mod latent;
mod library_size;
mod likelihood_parameters;
mod marginal_ll;
mod minibatches;
mod normalized_expression;
mod posterior_predictive;
mod progress;

pub use aggregated_posterior::{AggregatedPosterior, AggregatedPosteriorParams};
pub use batch_representation::{BatchRepresentationParams, get_batch_representation};
pub use differential::{
    ChangeFn, ChangeFunctions, DeMode, Delta, DifferentialExpressionParams, DomainFn, TestMode,
    differential_expression,
};
pub use differential_abundance::{DifferentialAbundanceParams, differential_abundance};
pub use elbo::{ElboParams, get_elbo, get_reconstruction_error};
pub use feature_correlation::{
    CorrelationType, FeatureCorrelationParams, get_feature_correlation_matrix,
};
pub use from_registry::{FromRegistryParams, get_from_registry};
pub use importance::{ImportanceParams, Weights};
pub use latent::{Latent, LatentParams, get_latent_representation};
pub use library_size::{LibrarySizeParams, get_latent_library_size};
pub use likelihood_parameters::{LikelihoodParams, get_likelihood_parameters};
pub use marginal_ll::{MarginalLlParams, get_marginal_ll};
pub use normalized_expression::{
    LibrarySize, NormalizedExpressionParams, get_normalized_expression,
};
pub use posterior_predictive::{PosteriorPredictiveParams, posterior_predictive_sample};
