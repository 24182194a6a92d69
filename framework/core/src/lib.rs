//! Single-cell variational models as plugins.
//!
//! An author implements [`model::BaseModelClass`] and [`model::BaseModule`]; set-up, training,
//! queries and saving are the framework's.

extern crate self as scvi_framework;

pub mod abi;
pub mod anndata;
pub mod data;
pub mod distributions;
pub mod error;
pub mod fields;
pub mod model;
pub mod nn;
pub mod params;
pub mod registry_keys;
pub mod saved;
pub mod train;

pub use error::{Error, Result};
pub use inventory;
pub use scvi_framework_derive::Params;
pub use serde_json;
pub use tch;
pub use typetag;
