//! The .h5ad reader, matrices in memory and on disk.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| scvi_fuzz::h5ad(bytes));
