//! Registries of saved models.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| scvi_fuzz::registry(bytes));
