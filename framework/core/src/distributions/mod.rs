//! Probability distributions of latent variables and of counts.

mod fused;
mod likelihood;
mod negative_binomial;
mod nonzero;
mod normal;
mod poisson;
#[cfg(test)]
mod tests;

pub use likelihood::{GeneLikelihood, Likelihood};
pub(crate) use negative_binomial::{EPSILON, draw_gamma};
pub use negative_binomial::{NegativeBinomial, ZeroInflatedNegativeBinomial};
pub use normal::Normal;
pub use poisson::Poisson;
