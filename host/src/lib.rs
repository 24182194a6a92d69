//! The `scvi` command: finds plugins, loads them, and talks to the user.
//!
//! [`cli`] is what was typed.

pub mod cli;
mod describe;
pub mod error;
mod interrupt;
pub mod options;
pub mod parse;
mod progress;
mod registry_view;
mod staged;
mod term;

