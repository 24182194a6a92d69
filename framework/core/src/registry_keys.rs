//! The names of registered tensors, in one table.

/// Names under which fields are registered and tensors reach a module.
#[derive(Debug)]
pub struct RegistryKeys {
    /// Count matrix.
    pub x: &'static str,
    /// Batch code per cell.
    pub batch: &'static str,
    /// Label code per cell.
    pub labels: &'static str,
    /// Further categorical covariates, one column each.
    pub cat_covs: &'static str,
    /// Continuous covariates, one column each.
    pub cont_covs: &'static str,
    /// Size factor per cell, replaces the library size.
    pub size_factor: &'static str,
    /// Row number of a cell.
    pub indices: &'static str,
    /// Mean of the posterior, where a data set was reduced to it.
    pub latent_qzm: &'static str,
    /// Variance of the posterior, where a data set was reduced to it.
    pub latent_qzv: &'static str,
    /// Total count of a cell, where the counts are gone.
    pub observed_lib_size: &'static str,
    /// To what a data set was reduced.
    pub minify_type: &'static str,
}

/// The one table of registry keys; spelt as scvi-tools writes them into files.
pub const REGISTRY_KEYS: RegistryKeys = RegistryKeys {
    x: "X",
    batch: "batch",
    labels: "labels",
    cat_covs: "extra_categorical_covs",
    cont_covs: "extra_continuous_covs",
    size_factor: "size_factor",
    indices: "ind_x",
    latent_qzm: "latent_qzm",
    latent_qzv: "latent_qzv",
    observed_lib_size: "observed_lib_size",
    minify_type: "minify_type",
};

/// `uns` key of the data set's own identity.
pub const SCVI_UUID: &str = "_scvi_uuid";
/// `uns` key of the manager that registered the data set last.
pub const MANAGER_UUID: &str = "_scvi_manager_uuid";
/// `uns` key of what the data set was reduced to.
pub const MINIFY_TYPE: &str = "_scvi_adata_minify_type";
