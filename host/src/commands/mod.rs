//! One file per command.

mod check_plugin;
mod convert;
mod convert_model;
mod data;
mod fields;
mod latent_map;
mod map;
mod minify;
mod models;
mod new_plugin;
mod plot;
mod plugins;
mod query;
mod report;
mod setup;
mod show;
mod train;

use crate::{
    failure::Result,
    plan::{Job, Plan},
    session::Session,
};

/// Does what the plan says.
///
/// # Errors
/// Whatever the job meets.
pub fn run(plan: &Plan, session: &Session) -> Result<()> {
    let Plan { job, plugin_dirs, settings, ui } = plan;
    match job {
        Job::ListPlugins => plugins::list(plugin_dirs, ui),
        Job::InspectPlugin { file } => plugins::inspect(file, ui),
        Job::CheckPlugin { plugin } => check_plugin::run(plugin, plugin_dirs, ui),
        Job::NewPlugin { dir, checkout } => new_plugin::run(dir, checkout.as_deref(), ui),
        Job::ListModels => models::list(session, ui),
        Job::ShowModel { model } => models::show(session, model, ui),
        Job::ListFields => fields::list(session, ui),
        Job::Simulate(plan) => data::synthetic(plan, settings.seed, ui),
        Job::Convert(plan) => convert::run(plan, ui),
        Job::ShowData { file } => data::show(file, ui),
        Job::Setup(plan) => setup::run(plan, session, ui),
        Job::Train(plan) => train::run(plan, session, settings, ui),
        Job::ShowSaved { dir, part } => show::run(dir, part, session, settings, ui),
        Job::ConvertModel(plan) => convert_model::run(plan, session, ui),
        Job::Query(plan) => query::run(plan, session, settings, ui),
        Job::Map(plan) => map::run(plan, session, settings, ui),
        Job::Minify(plan) => minify::run(plan, session, settings, ui),
        Job::Plot(plan) => plot::run(plan, session, settings, ui),
        Job::Report(plan) => report::run(plan, session, settings, ui),
    }
}

#[cfg(test)]
mod tests;
