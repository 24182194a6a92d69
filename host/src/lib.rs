//! The `scvi` command: finds plugins, loads them, and talks to the user.

pub mod error;
pub mod plugins;
pub mod registry;

pub use error::{HostError, Result};
