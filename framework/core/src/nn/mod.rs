//! Building blocks of modules, and the parameters they hold.

pub mod convert;
mod store;

pub use store::{Init, Path, Store};
