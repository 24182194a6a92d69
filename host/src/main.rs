//! The `scvi` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    scvi_host::run(std::env::args_os().collect())
}
