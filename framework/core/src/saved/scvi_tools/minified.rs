//! What minified data sets keep, under the names that scvi-tools has for it since 1.2.1; before, it had
//! ours.

use crate::{
    anndata::{AnnData, Slot},
    error::Result,
};

/// An element that is called otherwise there.
struct Element {
    /// The field that reads it.
    registry_key: &'static str,
    slot: Slot,
    ours: &'static str,
    /// The name there, after that of the class where it begins with it.
    theirs: &'static str,
    of_class: bool,
}

const ELEMENTS: [Element; 3] = [
    Element {
        registry_key: "latent_qzm",
        slot: Slot::Obsm,
        ours: "_scvi_latent_qzm",
        theirs: "latent_qzm",
        of_class: true,
    },
    Element {
        registry_key: "latent_qzv",
        slot: Slot::Obsm,
        ours: "_scvi_latent_qzv",
        theirs: "latent_qzv",
        of_class: true,
    },
    Element {
        registry_key: "observed_lib_size",
        slot: Slot::Obs,
        ours: "_scvi_observed_lib_size",
        theirs: "observed_lib_size",
        of_class: false,
    },
];

impl Element {
    fn theirs(&self, model_name: &str) -> String {
        match self.of_class {
            true => format!("{}_{}", model_name.to_lowercase(), self.theirs),
            false => self.theirs.into(),
        }
    }
}

/// The name there of what the field `registry_key` reads from `attr_key`; `None` where it is the same.
pub(super) fn theirs(registry_key: &str, attr_key: &str, model_name: &str) -> Option<String> {
    let is_it = |e: &&Element| (e.registry_key, e.ours) == (registry_key, attr_key);
    Some(ELEMENTS.iter().find(is_it)?.theirs(model_name))
}

/// Gives what a data set keeps of its posterior the names that it has in scvi-tools, for a class of
/// models. Says whether there was any.
///
/// # Errors
/// Never, unless an element does not fit its own place.
pub fn rename_minified(adata: &mut AnnData, model_name: &str) -> Result<bool> {
    let mut any = false;
    for element in &ELEMENTS {
        if let Some(values) = adata.remove(element.slot, element.ours) {
            adata.set(element.slot, &element.theirs(model_name), values)?;
            any = true;
        }
    }
    Ok(any)
}
