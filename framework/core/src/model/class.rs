//! What makes a model: its name, arguments, fields and module.

use super::{BaseModule, ModuleData};
use crate::{error::Result, fields::AnnDataField, nn, params::Params, train::TrainingPlan};

/// A class of models. Everything else (set-up, training, queries, saving) is
/// [`super::Model`]'s, once for all.
pub trait BaseModelClass: Sized + 'static {
    /// Name as scvi-tools spells it; written into saved models.
    const NAME: &'static str;
    /// Where its latent space goes: `obsm` key that scanpy users expect.
    const LATENT_KEY: &'static str = "X_latent";
    /// One sentence and the paper.
    const ABOUT: &'static str;
    /// Arguments of `setup_anndata`.
    type Setup: Params;
    /// Arguments of the constructor.
    type Params: Params;
    /// Its computational part.
    type Module: BaseModule;

    /// What the model reads from a data set.
    fn fields(setup: &Self::Setup) -> Vec<Box<dyn AnnDataField>>;

    /// Builds the module, with fresh parameters under `path`, sized by the registered data.
    ///
    /// # Errors
    /// When arguments contradict each other or the data.
    fn module(params: &Self::Params, data: &ModuleData, path: &nn::Path) -> Result<Self::Module>;

    /// How the model is trained.
    fn training_plan() -> TrainingPlan {
        TrainingPlan::elbo()
    }
}
