//! Integration tests.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod abi;
mod abundance;
mod api;
mod batch_representation;
mod cli;
mod differential;
mod draws;
mod expression;
mod fuzzed;
mod golden;
mod killed;
mod live;
mod mapping;
mod minified;
mod reference;
mod tidy;
mod tutorial;
