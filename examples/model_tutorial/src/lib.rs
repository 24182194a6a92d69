//! The tutorial of scvi-tools on high-level models, "Constructing a high-level model", as three
//! programs. Each adds to the one before what the tutorial adds:
//!
//! | program | step of the tutorial | what it adds |
//! |---|---|---|
//! | `baseline` | Baseline version of `SCVI` class | set-up, training, saving |
//! | `vae_queries` | Mixing in pre-coded features | the queries of `VAEMixin`, listed |
//! | `own_query` | Writing methods to query the model | a query of one's own, listed beside them |
//!
//! `cargo run -p scvi-model-tutorial --bin baseline`
//!
//! The tutorial writes its class anew for each step, because the base classes change. Here the class
//! stays as it is ([`Scvi`]), and the steps differ in one line, `export_plugin!`, which says by which
//! names the class can be queried.

mod class;
mod vae;

pub use class::{Scvi, ScviParams, ScviSetup};
pub use vae::Vae;

use std::sync::Arc;

use anyhow::{Context, Result};
use scvi_framework::{
    abi::native_models,
    anndata::AnnData,
    data::{SyntheticIid, synthetic_iid},
    model::{BaseModelClass, DynModelClass},
};

/// 400 cells in two batches, 100 genes; as in the tutorial.
///
/// # Errors
/// Never, the arguments being in range.
pub fn synthetic() -> Result<AnnData> {
    Ok(synthetic_iid(&SyntheticIid::default())?)
}

/// The class as the program exports it, and as a host sees it: without its type.
///
/// # Errors
/// When the program exports none.
pub fn exported() -> Result<Arc<dyn DynModelClass>> {
    let models = native_models();
    let found = models.iter().find(|model| model.name == Scvi::NAME);
    Ok((found.context("the program has no line `export_plugin!`")?.make)())
}
