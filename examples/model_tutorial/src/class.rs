//! The class, `SCVI` in the tutorial.
//!
//! | tutorial | here |
//! |---|---|
//! | arguments of `__init__`, kept by `_get_init_params` | [`ScviParams`]: declared, so that nobody has to keep them |
//! | arguments of `setup_anndata` | [`ScviSetup`] |
//! | `anndata_fields` in `setup_anndata` | [`Scvi::fields`](BaseModelClass::fields) |
//! | dummy fields that `VAE` requires | none: a minibatch has what was registered |
//! | `self.module = VAE(...)` from `self.summary_stats` | [`Scvi::module`](BaseModelClass::module) |
//! | `_model_summary_string` | `Model::summary_string`, made of the arguments |
//! | `UnsupervisedTrainingMixin` | `Model::train`, with `BaseModelClass::training_plan` |

use scvi_framework::prelude::*;

use crate::Vae;

/// What is read from a data set.
#[derive(Clone, Debug, PartialEq, Params)]
pub struct ScviSetup {
    /// Column of obs with the batch of each cell; its effect is removed.
    pub batch_key: Option<String>,
    /// Layer that holds raw counts; X when not given.
    pub layer: Option<String>,
}

/// The one argument that the tutorial shows to users.
#[derive(Clone, Debug, PartialEq, Params)]
pub struct ScviParams {
    /// Dimension of the latent space.
    #[param(default = 10, min = 1)]
    pub n_latent: i64,
}

/// Single-cell variational inference, with as few arguments as can be.
#[doc(alias = "SCVI")]
#[derive(Debug)]
pub struct Scvi;

impl BaseModelClass for Scvi {
    const NAME: &'static str = "SCVI";
    const ABOUT: &'static str = "Single-cell variational inference, as built in the tutorial.";
    type Setup = ScviSetup;
    type Params = ScviParams;
    type Module = Vae;

    fn fields(setup: &ScviSetup) -> Vec<Box<dyn AnnDataField>> {
        vec![
            LayerField::new(REGISTRY_KEYS.x, setup.layer.as_deref()).boxed(),
            CategoricalObsField::new(REGISTRY_KEYS.batch, setup.batch_key.as_deref()).boxed(),
        ]
    }

    fn module(params: &ScviParams, data: &ModuleData<'_>, path: &nn::Path<'_>) -> Result<Vae> {
        Ok(Vae::new(params.n_latent, data, path))
    }
}
