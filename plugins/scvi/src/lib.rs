//! SCVI: a conditional variational autoencoder of single-cell counts, as a plugin.

mod module;
mod params;

pub use module::ScviModule;
pub use params::{ScviParams, ScviSetup};

use scvi_framework::prelude::*;

/// The model class.
#[doc(alias = "SCVI")]
#[derive(Debug)]
pub struct Scvi;

impl BaseModelClass for Scvi {
    const NAME: &'static str = "SCVI";
    const LATENT_KEY: &'static str = "X_scVI";
    const ABOUT: &'static str = "Single-cell variational inference: a latent space of cells, free of \
                                 batch effects and depth (Lopez et al., Nature Methods 2018).";
    type Setup = ScviSetup;
    type Params = ScviParams;
    type Module = ScviModule;

    fn fields(setup: &ScviSetup) -> Vec<Box<dyn AnnDataField>> {
        let keys = REGISTRY_KEYS;
        let counts = LayerField::new(keys.x, setup.layer.as_deref());
        let (categorical, continuous) =
            (&setup.categorical_covariate_keys, &setup.continuous_covariate_keys);
        vec![
            counts.allow_noncounts(setup.allow_noncounts).boxed(),
            CategoricalObsField::new(keys.batch, setup.batch_key.as_deref()).boxed(),
            CategoricalObsField::new(keys.labels, setup.labels_key.as_deref()).boxed(),
            NumericalObsField::new(keys.size_factor, setup.size_factor_key.as_deref()).boxed(),
            CategoricalJointObsField::new(keys.cat_covs, categorical).boxed(),
            NumericalJointObsField::new(keys.cont_covs, continuous).boxed(),
        ]
    }

    fn module(
        params: &ScviParams,
        data: &ModuleData<'_>,
        path: &nn::Path<'_>,
    ) -> Result<ScviModule> {
        ScviModule::new(params, data, path)
    }
}

export_plugin!(Scvi => [
    get_latent_representation,
    get_normalized_expression,
    get_likelihood_parameters,
    posterior_predictive_sample,
    get_latent_library_size,
    get_elbo,
    get_reconstruction_error,
    get_marginal_ll,
    differential_expression,
    differential_abundance,
    get_feature_correlation_matrix,
    get_batch_representation,
]);
