//! The `scvi` command, as `host/src/main.rs` has it.

use std::process::ExitCode;

fn main() -> ExitCode {
    scvi_host::run(std::env::args_os().collect())
}
