//! Probability distributions of latent variables and of counts.

mod likelihood;
mod negative_binomial;
mod nonzero;
mod normal;
mod poisson;
#[cfg(test)]
mod tests;

pub use likelihood::{GeneLikelihood, Likelihood};
pub use negative_binomial::{NegativeBinomial, ZeroInflatedNegativeBinomial};
pub use normal::Normal;
pub use poisson::Poisson;
