//! Modules that can work from a stored posterior in place of counts.

use super::Ctx;
use crate::{data::Batch, distributions::Normal, error::Result};

/// Inference from the posterior to which a data set was reduced. A module that offers it answers
/// [`BaseModule::as_minified`](super::BaseModule::as_minified) with itself; everything else
/// ([`Model::minify_adata`](super::Model::minify_adata), queries about minified data) is the
/// framework's.
pub trait MinifiedMode {
    /// Same as the module's own.
    type Inference;

    /// The posterior to keep of what was inferred, before any transformation `[n_cells, n_latent]`.
    fn posterior<'a>(&self, inferred: &'a Self::Inference) -> &'a Normal;

    /// Rebuilds q(z|x), a sample of it and the library size from what the data set stores:
    /// [`Batch::latent_qz`] and [`Batch::observed_lib_size`].
    ///
    /// # Errors
    /// When a stored tensor is missing or does not fit; when the module keeps something of a cell that
    /// is not stored, e.g. a posterior of its library size.
    fn cached_inference(&self, ctx: &Ctx<'_>, batch: &Batch) -> Result<Self::Inference>;
}
