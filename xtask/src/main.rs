//! `cargo xtask`: everything that is done to this repository, each command with all of its set-up.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

mod bench;
mod cache;
mod check;
mod demo;
mod dist;
mod files;
mod fuzz;
mod licences;
mod prerequisites;
mod process;
mod python;
mod setup;
mod standalone;
mod test;
mod workspace;

use workspace::Workspace;

/// Set-up, demo, tests, build, checks and benches. Every command sets up what it needs first.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
enum Command {
    /// Train SCVI on simulated counts (or on --adata FILE) and draw what became of the batches.
    Demo(demo::Args),
    /// Run all tests.
    Test(test::Args),
    /// Lay out target/dist: the command, its plugins and its libraries, to be copied anywhere.
    Build(dist::Args),
    /// Format, lints, documentation, dependency licences, and the rules on the source tree.
    Check,
    /// Feed the readers of files with bytes that nobody wrote.
    Fuzz(fuzz::Args),
    /// Compare speed with scvi-tools, side by side.
    Bench(bench::Args),
    /// Fetch what plain `cargo build` and `cargo test` need, and nothing else.
    Setup,
}

fn main() -> ExitCode {
    if let Some(code) = fuzz::compile() {
        return code;
    }
    let Err(error) = run(Command::parse()) else { return ExitCode::SUCCESS };
    let (what, reasons) = (error.to_string(), error.chain().skip(1));
    eprintln!("\nerror: {what}");
    for reason in reasons {
        eprintln!("  because: {reason}");
    }
    ExitCode::FAILURE
}

fn run(command: Command) -> Result<()> {
    let workspace = Workspace::here()?;
    match command {
        Command::Demo(args) => demo::run(&workspace, &args),
        Command::Test(args) => test::run(&workspace, &args),
        Command::Build(args) => dist::run(&workspace, &args),
        Command::Check => check::run(&workspace),
        Command::Fuzz(args) => fuzz::run(&workspace, &args),
        Command::Bench(args) => bench::run(&workspace, &args),
        Command::Setup => setup::ensure(&workspace),
    }
}
