//! The `scvi` command: finds plugins, loads them, and talks to the user.
//!
//! [`cli`] is what was typed, [`plan`] what is meant, `commands` what is done.

pub mod cli;
mod commands;
mod describe;
pub mod error;
mod facts;
pub mod failure;
pub mod field_kinds;
mod files;
mod folder;
mod interrupt;
mod keeper;
mod labels;
mod memory;
pub mod options;
pub mod parse;
pub mod plan;
mod plots;
pub mod plugins;
mod progress;
mod questions;
pub mod registry;
mod report;
mod results;
pub mod session;
mod staged;
mod term;
mod trained;

use std::{ffi::OsString, panic, process::ExitCode};

pub use error::{HostError, Result};
use plan::{Job, Plan};
use session::Session;

/// Runs a whole command line, program name first, and says how it ended: 0 done, 1 the user's input
/// is wrong, 2 usage, 3 a plugin failed, 130 interrupted.
pub fn run(argv: Vec<OsString>) -> ExitCode {
    memory::keep_what_is_given_back();
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
    let computes =
        matches!(plan.job, Job::Train(_) | Job::Query(_) | Job::Plot(_) | Job::Report(_));
    if computes && plan.settings.device != "cpu" {
        scvi_framework::abi::cuda::enable();
    }
    commands::run(&plan, &session)
}
