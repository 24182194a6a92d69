//! Files of every age and kind: read and written by this crate, judged by Python's anndata.

mod python;
mod round_trip;
