//! Data sets that were reduced to the posterior of each cell: "minified".
//!
//! | where | what |
//! |---|---|
//! | `uns["_scvi_adata_minify_type"]` | to what it was reduced |
//! | `obsm["_scvi_latent_qzm"]`, `obsm["_scvi_latent_qzv"]` | mean and variance of q(z\|x) `[n_cells, n_latent]` |
//! | `obs["_scvi_observed_lib_size"]` | total count of each cell |
//!
//! scvi-tools since 1.2.1 calls the last two rows `<class>_latent_qzm`, `<class>_latent_qzv` and
//! `observed_lib_size`; where only these are there, they are taken.

use std::sync::Arc;

use super::Registry;
use crate::{
    anndata::{AnnData, Element, Scalar, Slot, Sparse},
    error::{Error, Result},
    fields::{AnnDataField, NumericalObsField, ObsmField, StringUnsField},
    registry_keys::{MINIFY_TYPE, REGISTRY_KEYS},
};

/// Mean of the posterior.
pub const LATENT_QZM: &str = "_scvi_latent_qzm";
/// Variance of the posterior.
pub const LATENT_QZV: &str = "_scvi_latent_qzv";
/// Total count of each cell.
pub const OBSERVED_LIB_SIZE: &str = "_scvi_observed_lib_size";

/// What stands in place of counts.
#[derive(Debug)]
pub struct Stored {
    /// The field that reads it.
    pub registry_key: &'static str,
    /// Where it lies.
    pub slot: Slot,
    /// Its name.
    pub name: &'static str,
    of_class: bool,
}

impl Stored {
    /// Its name in scvi-tools since 1.2.1, for a class of models.
    pub fn in_scvi_tools(&self, class: &str) -> String {
        match self.of_class {
            true => format!("{}_{}", class.to_lowercase(), self.registry_key),
            false => self.registry_key.into(),
        }
    }
}

/// All that stands in place of counts.
pub const STORED: [Stored; 3] = {
    let keys = REGISTRY_KEYS;
    let (obs, obsm) = (Slot::Obs, Slot::Obsm);
    [
        Stored { registry_key: keys.latent_qzm, slot: obsm, name: LATENT_QZM, of_class: true },
        Stored { registry_key: keys.latent_qzv, slot: obsm, name: LATENT_QZV, of_class: true },
        Stored {
            registry_key: keys.observed_lib_size,
            slot: obs,
            name: OBSERVED_LIB_SIZE,
            of_class: false,
        },
    ]
};

crate::choices! {
    /// What a data set is reduced to.
    pub enum MinifiedDataType {
        /// The posterior of each cell and its library size.
        #[default]
        LatentPosterior = "latent_posterior_parameters",
        /// These, and the counts stay.
        LatentPosteriorWithCounts = "latent_posterior_parameters_with_counts",
    }
}

impl MinifiedDataType {
    /// What `adata` was reduced to; `None` for one that was not.
    ///
    /// # Errors
    /// [`Error::Kind`] when it says something else.
    pub fn of(adata: &AnnData) -> Result<Option<Self>> {
        let Ok(found) = adata.get(Slot::Uns, MINIFY_TYPE) else { return Ok(None) };
        let known = match found {
            Element::Scalar(Scalar::String(word)) => word.parse().ok(),
            _ => None,
        };
        known.map(Some).ok_or_else(|| Error::Kind {
            what: format!("uns[{MINIFY_TYPE:?}]"),
            expected: format!(
                "`{}` or `{}`",
                Self::LatentPosterior.word(),
                Self::LatentPosteriorWithCounts.word()
            ),
            found: match found {
                Element::Scalar(Scalar::String(word)) => format!("`{word}`"),
                other => other.kind(),
            },
        })
    }

    /// Whether the counts are still there.
    pub fn has_counts(self) -> bool {
        self == Self::LatentPosteriorWithCounts
    }
}

/// Refuses a data set whose counts are gone: what stands in their place are zeros, which would be
/// taken for measured ones.
///
/// # Errors
/// [`Error::Minified`].
pub fn check_counts_are_there(adata: &AnnData) -> Result<()> {
    match MinifiedDataType::of(adata)? {
        Some(kind) if !kind.has_counts() => Err(Error::Minified(kind.word())),
        _ => Ok(()),
    }
}

/// The fields of a minified data set, beside those of its model.
pub fn minified_fields() -> Vec<Arc<dyn AnnDataField>> {
    let stored = STORED.iter().map(|s| -> Arc<dyn AnnDataField> {
        match s.slot {
            Slot::Obs => Arc::new(NumericalObsField::new(s.registry_key, Some(s.name))),
            _ => Arc::new(ObsmField::new(s.registry_key, s.name)),
        }
    });
    let kind = StringUnsField::new(REGISTRY_KEYS.minify_type, Some(MINIFY_TYPE));
    stored.chain([Arc::new(kind) as Arc<dyn AnnDataField>]).collect()
}

/// Whether `key` is of one of [`minified_fields`].
pub fn is_minified_field(key: &str) -> bool {
    key == REGISTRY_KEYS.minify_type || STORED.iter().any(|stored| stored.registry_key == key)
}

/// The registered fields that `adata` has a tensor for: full data have no stored posterior, and
/// minified ones without counts no matrices over the genes.
pub(super) fn is_there(adata: &AnnData, key: &str, slot: Slot) -> Result<bool> {
    Ok(match MinifiedDataType::of(adata)? {
        None => !is_minified_field(key),
        Some(kind) => kind.has_counts() || !matches!(slot, Slot::X | Slot::Layers),
    })
}

/// Takes the counts out of a data set and of its modalities: `X` and layers become empty CSR matrices,
/// and what is kept beside them as `raw` goes.
///
/// # Errors
/// When an empty matrix cannot take a place, which does not happen.
pub fn take_counts_out(adata: &mut AnnData) -> Result<()> {
    let [n_obs, n_vars] = [adata.n_obs(), adata.n_vars()];
    let layers: Vec<String> =
        adata.mapping(Slot::Layers).into_iter().flatten().map(|(key, _)| key.clone()).collect();
    let x = adata.x().map(|_| (Slot::X, String::new()));
    for (slot, key) in x.into_iter().chain(layers.into_iter().map(|key| (Slot::Layers, key))) {
        adata.set(slot, &key, Element::Sparse(Sparse::zeros([n_obs, n_vars])))?;
    }
    adata.set_raw(None);
    let modalities: Vec<String> = adata.modalities().keys().cloned().collect();
    modalities.iter().try_for_each(|key| take_counts_out(adata.modality_mut(key)?))
}

/// Gives what scvi-tools stored the names that it has here.
pub(super) fn take_newer_names(adata: &mut AnnData, registry: &Registry) -> Result<()> {
    if MinifiedDataType::of(adata)?.is_none() {
        return Ok(());
    }
    let class = registry.model_name.as_deref().unwrap_or_default();
    for stored in &STORED {
        let (slot, newer) = (stored.slot, stored.in_scvi_tools(class));
        if let (Err(_), Ok(found)) = (adata.get(slot, stored.name), adata.get(slot, &newer)) {
            let found = found.clone();
            adata.set(slot, stored.name, found)?;
        }
    }
    Ok(())
}
