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
};

/// `uns` key of the data set's own identity.
pub const SCVI_UUID: &str = "_scvi_uuid";
/// `uns` key of the manager that registered the data set last.
pub const MANAGER_UUID: &str = "_scvi_manager_uuid";
