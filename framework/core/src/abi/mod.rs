//! The plug-in boundary: the one room with foreign memory, and everything that crosses.
//!
//! A plugin is a shared library with a manifest that is read without loading it ([`manifest`]), and
//! one exported door (`door`). Through the door host and plugin exchange *packets*: a typed message
//! as JSON and the memory of arrays beside it, never copied (`packet`, `wire`). A request of the host
//! is answered by the plugin's side (`export`) and comes back to the host as ordinary trait objects
//! (`foreign`); while a request runs, the plugin reaches the data set's files, fields of other
//! plugins, the sink and the observer of the host through a port that came with the request
//! (`lender`). Fields of the other side are ordinary fields (`fields`), and a data set comes back as
//! what changed in it (`changes`). A new verb is a new
//! variant in `messages`; nothing here has a table of functions to grow.
#![allow(unsafe_code, reason = "foreign memory is handled here and nowhere else")]

mod changes;
pub mod cuda;
mod door;
#[doc(hidden)]
pub mod export;
mod field_job;
mod fields;
mod foreign;
mod lender;
mod load;
pub mod manifest;
mod messages;
mod packet;
mod panics;
mod peer;
mod port;
mod registration;
mod section;
mod wire;

#[cfg(test)]
mod tests;

pub use load::{LoadError, Plugin};
pub use manifest::{Manifest, ManifestField, ManifestModel};
pub use messages::Fault;
pub use registration::{FieldRegistration, ModelRegistration, native_fields, native_models};

/// The version of the boundary; a host takes plugins of this version only. Written as text, because
/// it goes into the manifest while a plugin is compiled.
#[doc(hidden)]
pub const ABI_TEXT: &str = "2";

/// The version of the boundary; a host takes plugins of this version only.
pub const ABI_VERSION: u32 = match u32::from_str_radix(ABI_TEXT, 10) {
    Ok(version) => version,
    Err(_) => panic!("the boundary's version is a number"),
};

/// The version of this framework.
pub const FRAMEWORK_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of the `tch` crate that this framework is built with.
pub const TCH_VERSION: &str = "0.24.0";

/// The version of libtorch that [`TCH_VERSION`] is made for.
pub const LIBTORCH_VERSION: &str = "2.11.0";
