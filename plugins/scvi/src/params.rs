//! Arguments of SCVI, by their names in scvi-tools.

use scvi_framework::prelude::*;

/// What SCVI reads from a data set.
#[derive(Clone, Debug, PartialEq, Params)]
pub struct ScviSetup {
    /// Layer that holds raw counts; X when not given.
    pub layer: Option<String>,
    /// Column of obs with the batch of each cell; its effect is removed.
    pub batch_key: Option<String>,
    /// Column of obs with the label of each cell; used by `dispersion` gene-label only.
    pub labels_key: Option<String>,
    /// Column of obs with the size factor of each cell, which then replaces the library size.
    pub size_factor_key: Option<String>,
    /// Columns of obs with further categories whose effects are removed, e.g. donors.
    pub categorical_covariate_keys: Vec<String>,
    /// Columns of obs with numbers whose effects are removed, e.g. the share of mitochondrial counts.
    pub continuous_covariate_keys: Vec<String>,
    /// Accept values that are not counts (negative, fractional or normalised).
    pub allow_noncounts: bool,
}

/// Hyperparameters of SCVI.
#[derive(Clone, Debug, PartialEq, Params)]
pub struct ScviParams {
    /// Nodes per hidden layer.
    #[param(default = 128, min = 1)]
    pub n_hidden: i64,
    /// Dimension of the latent space.
    #[param(default = 10, min = 1)]
    pub n_latent: i64,
    /// Hidden layers of encoder and decoder.
    #[param(default = 1, min = 1)]
    pub n_layers: i64,
    /// Share of the encoder's nodes that training drops at random.
    #[param(default = 0.1, min = 0, max = 1)]
    pub dropout_rate: f64,
    /// What the dispersion of a gene depends on.
    pub dispersion: Dispersion,
    /// How counts are distributed around their mean.
    pub gene_likelihood: GeneLikelihood,
    /// Take the sum of a cell's counts for its library size, in place of inferring it.
    #[param(default = true)]
    pub use_observed_lib_size: bool,
    /// Shape of the latent space: normal, or ln (logistic normal) for a simplex.
    pub latent_distribution: LatentDistribution,
    /// Encode log(1 + counts) in place of counts.
    #[param(default = true)]
    pub log_variational: bool,
    /// Show batch and covariates to the encoder too.
    pub encode_covariates: bool,
    /// Inject batch and categorical covariates into every layer, not only the first.
    #[param(default = true)]
    pub deeply_inject_covariates: bool,
    /// Whether the batch goes in as a one-hot or as a learnt vector.
    pub batch_representation: BatchRepresentation,
    /// Dimension of the learnt vector of a batch.
    #[param(default = 5, min = 1)]
    pub batch_embedding_dim: i64,
    /// Where to normalise over the minibatch.
    #[param(default = NormUse::Both)]
    pub use_batch_norm: NormUse,
    /// Where to normalise over features.
    #[param(default = NormUse::None)]
    pub use_layer_norm: NormUse,
    /// How the variances of the posterior are made positive.
    pub var_activation: VarActivation,
}
