//! The reader of scvi-tools' `model.pt`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| scvi_fuzz::model_pt(bytes));
