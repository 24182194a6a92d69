//! How a model is trained.

/// How a model is trained: which losses, in which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrainingPlan {
    /// One optimiser on the negative evidence lower bound.
    #[default]
    Elbo,
}

impl TrainingPlan {
    /// One optimiser on the negative evidence lower bound.
    pub fn elbo() -> Self {
        Self::Elbo
    }
}
