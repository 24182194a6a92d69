//! The `scvi` command: finds plugins, loads them, and talks to the user.
//!
//! [`cli`] is what was typed, [`plan`] what is meant, `commands` what is done.

pub mod cli;
mod commands;
mod describe;
pub mod error;
pub mod failure;
pub mod field_kinds;
mod files;
mod folder;
mod interrupt;
pub mod options;
pub mod parse;
pub mod plan;
pub mod plugins;
mod progress;
pub mod registry;
mod results;
pub mod session;
mod staged;
mod term;

use std::{ffi::OsString, panic, process::ExitCode};

pub use error::{HostError, Result};
use plan::Plan;
use session::Session;

/// Runs a whole command line, program name first, and says how it ended: 0 done, 1 the user's input
/// is wrong, 2 usage, 3 a plugin failed, 130 interrupted.
pub fn run(argv: Vec<OsString>) -> ExitCode {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        term::tell(&format!("error: scvi itself is at fault ({place}); please report this"));
    }));
    let done = panic::catch_unwind(|| try_run(&argv));
    match done {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            error.report();
            error.exit_code().into()
        }
        Err(_) => ExitCode::from(70),
    }
}

fn try_run(argv: &[OsString]) -> failure::Result<()> {
    let session = Session::default();
    let plan = Plan::of(parse::parse(argv, &session)?)?;
    session.search(&plan.plugin_dirs);
    let computes = matches!(plan.job, plan::Job::Train(_) | plan::Job::Query(_));
    if computes && plan.settings.device != "cpu" {
        scvi_framework::abi::cuda::enable();
    }
    commands::run(&plan, &session)
}
