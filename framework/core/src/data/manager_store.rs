//! Which manager registered which data set.

use indexmap::IndexMap;

use super::AnnDataManager;
use crate::{
    anndata::AnnData,
    error::{Error, Result},
};

/// The managers of one class of models, by the data sets that they registered. Whoever sets up data
/// sets before there are models for them keeps one for the class; whoever queries a model about many
/// data sets may keep one for the model.
#[derive(Clone, Debug)]
pub struct ManagerStore {
    class: String,
    managers: IndexMap<String, AnnDataManager>,
}

impl ManagerStore {
    /// An empty store for models of `class`.
    pub fn new(class: &str) -> Self {
        Self { class: class.into(), managers: IndexMap::new() }
    }

    /// Keeps a manager, in place of an earlier one of the same data set.
    ///
    /// # Errors
    /// [`Error::NotSetUp`] when another class of models made it.
    pub fn register_manager(&mut self, manager: AnnDataManager) -> Result<()> {
        manager.check_class(&self.class)?;
        self.managers.insert(manager.adata_uuid().into(), manager);
        Ok(())
    }

    /// The manager of `adata`.
    ///
    /// # Errors
    /// [`Error::NotSetUp`] when there is none, e.g. because `adata` is a copy of a data set that has
    /// one.
    pub fn get_anndata_manager(&self, adata: &AnnData) -> Result<&AnnDataManager> {
        self.managers.get(&adata.id().to_string()).ok_or_else(|| Error::NotSetUp {
            what: "the data set",
            class: self.class.clone(),
            problem: "call setup_anndata with it first; a copy of a data set that was set up is \
                      another one"
                .into(),
        })
    }

    /// Forgets the manager of `adata`, or all of them when it is `None`: a model keeps its own itself.
    pub fn deregister_manager(&mut self, adata: Option<&AnnData>) {
        match adata {
            Some(adata) => drop(self.managers.shift_remove(&adata.id().to_string())),
            None => self.managers.clear(),
        }
    }

    /// All managers, the one kept first at the beginning.
    pub fn iter(&self) -> impl Iterator<Item = &AnnDataManager> {
        self.managers.values()
    }
}
