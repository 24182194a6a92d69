//! Queries by name: what a model class offers beyond training.

use std::sync::Arc;

use super::{
    BaseModelClass, DynModel, DynModelClass, MappingParams, MethodDescription, MinifyParams, Model,
    ModelDescription, Observer, Settings, Setup, Sink, queries::get_from_registry,
};
use crate::{
    anndata::AnnData,
    data::Registry,
    error::{Error, Result},
    fields::AnnDataField,
    params::{Args, ParamSpec, Params, nearest},
    saved::SavedModel,
    train::{Ending, TrainParams},
};

/// How a query is run.
type Run<M> = fn(&Model<M>, &mut AnnData, &Args, &mut dyn Sink, &mut dyn Observer) -> Result<()>;

/// A query that models of class `M` answer.
pub struct Query<M: BaseModelClass> {
    name: &'static str,
    about: &'static str,
    tables: bool,
    args: fn() -> Vec<ParamSpec>,
    run: Run<M>,
}

impl<M: BaseModelClass> Query<M> {
    /// A query with arguments `P`.
    pub fn new<P: Params>(name: &'static str, about: &'static str, run: Run<M>) -> Self {
        Self { name, about, tables: false, args: P::specs, run }
    }

    /// The query answers with tables in place of arrays.
    #[must_use]
    pub fn with_tables(self) -> Self {
        Self { tables: true, ..self }
    }

    fn description(&self) -> MethodDescription {
        let (name, about) = (self.name.into(), self.about.into());
        MethodDescription { name, about, tables: self.tables, args: (self.args)() }
    }
}

/// The class `M` with these queries and those of every model, as a trait object.
pub fn class_of<M: BaseModelClass>(mut queries: Vec<Query<M>>) -> Arc<dyn DynModelClass> {
    queries.push(get_from_registry());
    Arc::new(Class { queries: queries.into() })
}

struct Class<M: BaseModelClass> {
    queries: Arc<[Query<M>]>,
}

struct Instance<M: BaseModelClass> {
    model: Model<M>,
    queries: Arc<[Query<M>]>,
}

impl<M: BaseModelClass> Class<M> {
    fn instance(&self, model: Model<M>) -> Box<dyn DynModel> {
        Box::new(Instance { model, queries: self.queries.clone() })
    }
}

impl<M: BaseModelClass> DynModelClass for Class<M> {
    fn description(&self) -> ModelDescription {
        ModelDescription {
            name: M::NAME.into(),
            about: M::ABOUT.into(),
            setup: M::Setup::specs(),
            init: M::Params::specs(),
            train: TrainParams::specs(),
            mapping: MappingParams::specs(),
            minify: MinifyParams::specs(),
            methods: self.queries.iter().map(Query::description).collect(),
        }
    }

    fn setup_anndata(&self, adata: &mut AnnData, setup: &Setup<Args>) -> Result<Registry> {
        Ok(Model::<M>::setup_anndata(adata, typed::<M>(setup)?)?.into_registry())
    }

    fn create(
        &self,
        adata: &mut AnnData,
        setup: &Setup<Args>,
        init: &Args,
        settings: &Settings,
    ) -> Result<Box<dyn DynModel>> {
        let (setup, params) = (typed::<M>(setup)?, M::Params::from_args(init)?);
        Ok(self.instance(Model::new(adata, setup, &params, settings)?))
    }

    fn load(
        &self,
        saved: SavedModel,
        lent: &[Arc<dyn AnnDataField>],
        settings: &Settings,
    ) -> Result<Box<dyn DynModel>> {
        Ok(self.instance(Model::load_with(saved, lent, settings)?))
    }

    fn load_query_data(
        &self,
        adata: &mut AnnData,
        reference: SavedModel,
        lent: &[Arc<dyn AnnDataField>],
        args: &Args,
        settings: &Settings,
    ) -> Result<Box<dyn DynModel>> {
        let params = MappingParams::from_args(args)?;
        let reference = Model::<M>::load_with(reference, lent, settings)?;
        Ok(self.instance(Model::load_query_data(adata, &reference, &params, settings)?))
    }
}

fn typed<M: BaseModelClass>(setup: &Setup<Args>) -> Result<Setup<M::Setup>> {
    Ok(Setup { args: M::Setup::from_args(&setup.args)?, fields: setup.fields.clone() })
}

impl<M: BaseModelClass> DynModel for Instance<M> {
    fn class_name(&self) -> &str {
        M::NAME
    }

    fn train(
        &mut self,
        adata: &mut AnnData,
        args: &Args,
        observer: &mut dyn Observer,
    ) -> Result<Ending> {
        self.model.train(adata, &TrainParams::from_args(args)?, observer)
    }

    fn resume(
        &mut self,
        adata: &mut AnnData,
        changes: &Args,
        observer: &mut dyn Observer,
    ) -> Result<Ending> {
        let mut args = self.model.training.as_ref().map(|t| t.args.clone()).unwrap_or_default();
        args.extend(changes.clone());
        self.model.resume(adata, &TrainParams::from_args(&args)?, observer)
    }

    fn query(
        &self,
        method: &str,
        adata: &mut AnnData,
        args: &Args,
        sink: &mut dyn Sink,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let query = self.queries.iter().find(|q| q.name == method).ok_or_else(|| {
            let known: Vec<String> = self.queries.iter().map(|q| q.name.to_owned()).collect();
            let nearest = nearest(method, &known);
            Error::UnknownQuery { model: M::NAME, name: method.into(), nearest, known }
        })?;
        tch::no_grad(|| (query.run)(&self.model, adata, args, sink, observer))
    }

    fn minify_adata(
        &mut self,
        adata: &mut AnnData,
        args: &Args,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        *adata = self.model.minify_adata(adata, &MinifyParams::from_args(args)?, observer)?;
        Ok(())
    }

    fn save(&self) -> Result<SavedModel> {
        self.model.save()
    }
}
