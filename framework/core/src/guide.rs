//! Writing a model.
//!
#![doc = include_str!("guide.md")]
