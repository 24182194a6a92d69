//! Integration tests.

mod golden;
mod tidy;
