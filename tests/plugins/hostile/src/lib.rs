//! A library with a good manifest whose constructor writes a file: whoever runs it is found out.
#![allow(unsafe_code, reason = "a constructor is what this is for")]

/// Runs when the library is loaded, before anybody asked for anything.
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = constructor;

extern "C" fn constructor() {
    let trace = format!("scvi_hostile_{}", std::process::id());
    let _ = std::fs::write(std::env::temp_dir().join(trace), "ran");
}

scvi_framework::export_models! {
    "Hostile", "Says so" => panic!("it never describes itself")
}
