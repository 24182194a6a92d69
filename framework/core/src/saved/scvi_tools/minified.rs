//! What minified data sets keep, under the names that scvi-tools has for it since 1.2.1; before, it had
//! ours.

use crate::{anndata::AnnData, data::STORED, error::Result};

/// The name there of what the field `registry_key` reads from `attr_key`; `None` where it is the same.
pub(super) fn theirs(registry_key: &str, attr_key: &str, model_name: &str) -> Option<String> {
    let mut stored = STORED.iter();
    let stored = stored.find(|s| (s.registry_key, s.name) == (registry_key, attr_key))?;
    Some(stored.in_scvi_tools(model_name))
}

/// Gives what a data set keeps of its posterior the names that it has in scvi-tools, for a class of
/// models. Says whether there was any.
///
/// # Errors
/// Never, unless an element does not fit its own place.
pub fn rename_minified(adata: &mut AnnData, model_name: &str) -> Result<bool> {
    let mut any = false;
    for stored in &STORED {
        if let Some(values) = adata.remove(stored.slot, stored.name) {
            adata.set(stored.slot, &stored.in_scvi_tools(model_name), values)?;
            any = true;
        }
    }
    Ok(any)
}
