//! Files of every age and kind: read and written by this crate, judged by Python's anndata.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod backed;
mod encodings;
mod faults;
mod import;
mod loading;
mod python;
mod round_trip;
mod spool;
mod stream;
