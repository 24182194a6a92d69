//! How a data set is set up for a model: its arguments, and fields of the user's own.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use super::BaseModelClass;
use crate::{
    anndata::AnnData,
    data::{AnnDataManager, Registry, check_counts_are_there, is_minified_field, minified_fields},
    error::{Error, Result},
    fields::{self, AnnDataField, FieldState},
    params::{Args, Params},
    saved::ModelMeta,
};

/// The arguments of a model's set-up, and fields beside the model's.
///
/// A field with the registry key of one of the model's own takes its place, and must give the
/// statistics that this one would give. Any other is added: its tensor reaches the module in each
/// minibatch under its key. Where arguments are enough, a reference to them will do.
///
/// ```
/// use scvi_framework::{fields::CategoricalObsField, model::Setup};
///
/// # #[derive(Default)] struct MyArguments;
/// let setup = Setup::new(MyArguments::default())
///     .with_field(CategoricalObsField::new("sample", Some("sample_id")));
/// assert_eq!(setup.fields.len(), 1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Setup<A> {
    /// The model's arguments.
    pub args: A,
    /// Fields beside the model's.
    pub fields: Vec<Arc<dyn AnnDataField>>,
}

impl<A> Setup<A> {
    /// Arguments alone.
    pub fn new(args: A) -> Self {
        Self { args, fields: Vec::new() }
    }

    /// With one field more.
    #[must_use]
    pub fn with_field(mut self, field: impl AnnDataField + 'static) -> Self {
        self.fields.push(Arc::new(field));
        self
    }
}

impl<A: Clone> From<&A> for Setup<A> {
    fn from(args: &A) -> Self {
        Self::new(args.clone())
    }
}

/// Registers a data set with the fields of `M` and those given.
pub(super) fn register<M: BaseModelClass>(
    adata: &mut AnnData,
    setup: &Setup<M::Setup>,
) -> Result<AnnDataManager> {
    check_counts_are_there(adata)?;
    let own = M::fields(&setup.args);
    for (i, field) in setup.fields.iter().enumerate() {
        let key = field.registry_key();
        if setup.fields[..i].iter().any(|other| other.registry_key() == key) {
            return Err(Error::DuplicateField { key: key.into() });
        }
    }
    check_arguments::<M>(&own, &setup.fields)?;
    let fields = placed(M::fields(&setup.args), &setup.fields);
    let mut target = adata.clone().with_id(adata.id()); // replaces `adata` when all went well
    let manager = AnnDataManager::register(fields, M::NAME, setup.args.to_args(), &mut target)?;
    check_replaced(&own, &setup.fields, manager.registry())?;
    *adata = target;
    Ok(manager)
}

/// The fields of a saved model's registry: those of `M`, those that were given, and those of minified
/// data sets if it knows of these; `lent` are of kinds that this library need not know.
pub(super) fn saved<M: BaseModelClass>(
    args: &M::Setup,
    meta: &ModelMeta,
    lent: &[Arc<dyn AnnDataField>],
) -> Result<Vec<Arc<dyn AnnDataField>>> {
    let mut given = Vec::new();
    for field in meta.given() {
        let lent = lent.iter().find(|lent| lent.registry_key() == field.registry_key);
        given.push(match lent {
            Some(lent) => lent.clone(),
            None => fields::from_json(field.json).map(Arc::from).map_err(|e| field.missing(e))?,
        });
    }
    let mut fields = placed(M::fields(args), &given);
    if meta.is_minified() {
        fields.extend(minified_fields());
    }
    Ok(fields)
}

/// Those of the arguments that `M` takes: scvi-tools before 1.0 wrote those of other models too.
pub(super) fn known<M: BaseModelClass>(args: Option<&Args>) -> Args {
    let specs = M::Setup::specs();
    let args = args.into_iter().flatten();
    let known = args.filter(|(name, _)| specs.iter().any(|spec| spec.name == **name));
    known.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The fields of a registry that the arguments of `M` did not make: registry key → name and version of
/// the plugin that serves it.
pub(super) fn given<M: BaseModelClass>(
    registry: &Registry,
) -> Result<IndexMap<String, Option<(String, String)>>> {
    let own = M::fields(&M::Setup::from_args(&known::<M>(registry.setup_args.as_ref()))?);
    let is_own = |field: &dyn AnnDataField| own.iter().any(|own| json(&**own) == json(field));
    let fields = registry.field_registries.iter();
    let given = fields.filter(|(key, part)| !is_own(&*part.field) && !is_minified_field(key));
    Ok(given.map(|(key, part)| (key.clone(), part.field.plugin())).collect())
}

/// A model's own fields with those given in their places, the others behind.
fn placed(
    own: Vec<Box<dyn AnnDataField>>,
    given: &[Arc<dyn AnnDataField>],
) -> Vec<Arc<dyn AnnDataField>> {
    let mut fields: Vec<Arc<dyn AnnDataField>> = own.into_iter().map(Arc::from).collect();
    for given in given {
        match fields.iter_mut().find(|field| field.registry_key() == given.registry_key()) {
            Some(place) => *place = given.clone(),
            None => fields.push(given.clone()),
        }
    }
    fields
}

/// Each given field with the model's own field of the same key.
fn replaced<'a>(
    own: &'a [Box<dyn AnnDataField>],
    given: &'a [Arc<dyn AnnDataField>],
) -> impl Iterator<Item = (&'a dyn AnnDataField, &'a dyn AnnDataField)> {
    given.iter().filter_map(|given| {
        let own = own.iter().find(|own| own.registry_key() == given.registry_key())?;
        Some((&**own, &**given))
    })
}

/// A field and arguments for the field that it replaces contradict each other.
fn check_arguments<M: BaseModelClass>(
    own: &[Box<dyn AnnDataField>],
    given: &[Arc<dyn AnnDataField>],
) -> Result<()> {
    let unset = M::fields(&M::Setup::default());
    for (own, given) in replaced(own, given) {
        let key = own.registry_key();
        let unset = unset.iter().find(|field| field.registry_key() == key);
        if unset.is_none_or(|unset| json(&**unset) != json(own)) {
            let (key, kind) = (key.into(), given.typetag_name().into());
            return Err(Error::FieldAndArgument { key, kind, own: json(own).to_string() });
        }
    }
    Ok(())
}

fn json(field: &dyn AnnDataField) -> Value {
    serde_json::to_value(field).unwrap_or(Value::Null)
}

/// A model is built on the statistics of its fields: who takes a place must give the same ones.
fn check_replaced(
    own: &[Box<dyn AnnDataField>],
    given: &[Arc<dyn AnnDataField>],
    registry: &Registry,
) -> Result<()> {
    for (own, given) in replaced(own, given) {
        let key = own.registry_key();
        let found = registry.field_registries.get(key);
        let has = |stat: &String| found.is_some_and(|f| f.summary_stats.0.contains_key(stat));
        let promised = own.get_summary_stats(&FieldState::default());
        let mut lacks: Vec<String> =
            promised.0.keys().filter(|stat| !has(stat)).map(|stat| format!("`{stat}`")).collect();
        if own.location().is_some() && given.location().is_none() {
            lacks.push("a tensor".into());
        }
        if !lacks.is_empty() {
            return Err(Error::UnfitField {
                key: key.into(),
                kind: given.typetag_name().into(),
                own: own.typetag_name().into(),
                lacks,
            });
        }
    }
    Ok(())
}
