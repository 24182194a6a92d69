//! Models as trait objects: what the host's registry holds, native or from a plugin alike.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Observer, Settings, Setup, Sink};
use crate::{
    anndata::AnnData,
    data::Registry,
    error::{Error, Result},
    fields::AnnDataField,
    params::{Args, ParamSpec},
    saved::SavedModel,
    train::Ending,
};

/// What a model class says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelDescription {
    /// `SCVI`
    pub name: String,
    /// One sentence and the paper.
    pub about: String,
    /// Arguments of `setup_anndata`.
    pub setup: Vec<ParamSpec>,
    /// Arguments of the constructor.
    pub init: Vec<ParamSpec>,
    /// Arguments of `train`.
    pub train: Vec<ParamSpec>,
    /// Arguments of `load_query_data`.
    pub mapping: Vec<ParamSpec>,
    /// Arguments of `minify_adata`.
    pub minify: Vec<ParamSpec>,
    /// The queries, by name.
    pub methods: Vec<MethodDescription>,
}

/// What a query says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MethodDescription {
    /// `get_latent_representation`
    pub name: String,
    /// What it computes, in one sentence.
    pub about: String,
    /// Whether it answers with tables in place of arrays.
    #[serde(default)]
    pub tables: bool,
    /// Its arguments.
    pub args: Vec<ParamSpec>,
}

/// A class of models behind one interface.
pub trait DynModelClass: Send + Sync {
    /// Names, arguments and methods.
    fn description(&self) -> ModelDescription;

    /// Registers a data set with the model's fields and those given: writes the `_scvi_*` columns
    /// into it.
    ///
    /// # Errors
    /// When arguments or data are wrong.
    fn setup_anndata(&self, adata: &mut AnnData, setup: &Setup<Args>) -> Result<Registry>;

    /// A new model with fresh parameters for a data set, which it registers.
    ///
    /// # Errors
    /// When arguments or data are wrong.
    fn create(
        &self,
        adata: &mut AnnData,
        setup: &Setup<Args>,
        init: &Args,
        settings: &Settings,
    ) -> Result<Box<dyn DynModel>>;

    /// A model from its saved state; data sets come with each call and are registered in its terms.
    /// `lent` are its given fields ([`ModelMeta::given`](crate::saved::ModelMeta::given)), or those
    /// of them whose kind the model's plugin may not know.
    ///
    /// # Errors
    /// When the state does not belong to this class, or reads a field of a kind not known there.
    fn load(
        &self,
        saved: SavedModel,
        lent: &[Arc<dyn AnnDataField>],
        settings: &Settings,
    ) -> Result<Box<dyn DynModel>>;

    /// A model for a query that continues the reference, of this class; `lent` is as in
    /// [`DynModelClass::load`]. See [`Model::load_query_data`](super::Model::load_query_data).
    ///
    /// # Errors
    /// As [`DynModelClass::load`]; when the query does not fit the reference.
    fn load_query_data(
        &self,
        adata: &mut AnnData,
        reference: SavedModel,
        lent: &[Arc<dyn AnnDataField>],
        args: &Args,
        settings: &Settings,
    ) -> Result<Box<dyn DynModel>>;
}

/// A model behind one interface.
pub trait DynModel: Send {
    /// The name of its class.
    fn class_name(&self) -> &str;

    /// Trains on a data set.
    ///
    /// # Errors
    /// When arguments or data are wrong, or the loss is not finite.
    fn train(
        &mut self,
        adata: &mut AnnData,
        args: &Args,
        observer: &mut dyn Observer,
    ) -> Result<Ending>;

    /// Goes on with the last training as if it had never stopped, with the arguments of that training
    /// but for `changes`. Models that keep no state of a training refuse.
    ///
    /// # Errors
    /// [`Error::NothingToResume`]; when the data set or an argument is another than the training's;
    /// as [`DynModel::train`].
    fn resume(
        &mut self,
        _adata: &mut AnnData,
        _changes: &Args,
        _observer: &mut dyn Observer,
    ) -> Result<Ending> {
        let model = self.class_name().to_owned();
        Err(Error::NothingToResume { model, reason: "it keeps no state of a training" })
    }

    /// Answers a query about a data set.
    ///
    /// # Errors
    /// When there is no such method, or arguments or data are wrong.
    fn query(
        &self,
        method: &str,
        adata: &mut AnnData,
        args: &Args,
        sink: &mut dyn Sink,
        observer: &mut dyn Observer,
    ) -> Result<()>;

    /// Reduces a data set to the posterior of its cells, in place; see
    /// [`Model::minify_adata`](super::Model::minify_adata).
    ///
    /// # Errors
    /// When the model does not support it, or arguments or data are wrong; the data set is then as it
    /// was.
    fn minify_adata(
        &mut self,
        adata: &mut AnnData,
        args: &Args,
        observer: &mut dyn Observer,
    ) -> Result<()>;

    /// Everything worth keeping.
    ///
    /// # Errors
    /// When parameters cannot be read off their device.
    fn save(&self) -> Result<SavedModel>;
}
