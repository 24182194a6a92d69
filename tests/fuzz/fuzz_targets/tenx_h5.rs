//! The readers of .h5 files of 10x and of .loom files.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| scvi_fuzz::tenx_h5(bytes));
