//! Modules that can work from a stored posterior in place of counts.

use super::Ctx;
use crate::{data::Batch, error::Result};

/// Inference from stored posterior parameters.
pub trait MinifiedMode {
    /// Same as the module's own.
    type Inference;

    /// Rebuilds q(z|x), a sample of it and the library size from what the data set stores.
    ///
    /// # Errors
    /// When a stored tensor is missing or does not fit.
    fn cached_inference(&self, ctx: &Ctx, batch: &Batch) -> Result<Self::Inference>;
}
