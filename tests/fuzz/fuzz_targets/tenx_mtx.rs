//! The reader of 10x folders.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| scvi_fuzz::tenx_mtx(bytes));
