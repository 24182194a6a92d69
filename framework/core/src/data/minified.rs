//! Data sets of which the posterior of each cell was kept, and not its counts.

use crate::{
    anndata::{AnnData, Element, Scalar, Slot},
    error::{Error, Result},
};

/// `uns` key of what a data set was reduced to.
const MINIFY_TYPE: &str = "_scvi_adata_minify_type";
/// What stands there when the counts are gone.
const WITHOUT_COUNTS: &str = "latent_posterior_parameters";

/// Refuses a data set whose counts scvi-tools took out: what is left in their place are zeros, which
/// would be answered about as if they had been measured.
///
/// # Errors
/// [`Error::Minified`].
pub fn check_counts_are_there(adata: &AnnData) -> Result<()> {
    match adata.get(Slot::Uns, MINIFY_TYPE) {
        Ok(Element::Scalar(Scalar::String(kind))) if kind == WITHOUT_COUNTS => {
            Err(Error::Minified { kind: kind.clone() })
        }
        _ => Ok(()),
    }
}
