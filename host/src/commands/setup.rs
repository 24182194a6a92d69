//! `scvi setup`: how a model would read a data set.

use scvi_framework::{
    data::{self, Registry},
    model, serde_json,
};

use crate::{
    failure::{self, Result},
    files,
    plan::{Format, Setup, States, Ui},
    session::Session,
    term,
};

/// Registers the data set in memory and shows the registry.
pub fn run(plan: &Setup, session: &Session, ui: &Ui) -> Result<()> {
    let class = session.open(&plan.model)?;
    let setup = model::Setup { args: plan.setup.clone(), fields: session.fields(&plan.fields)? };
    let mut adata = files::read_h5ad(&plan.file, plan.backed)?;
    let registry = class.setup_anndata(&mut adata, &setup)?;
    for note in data::rare_categories(&adata, &registry) {
        ui.say(format!("note: {note}"));
    }
    show(&registry, States::Shown, ui)
}

/// Shows a registry.
pub fn show(registry: &Registry, states: States, ui: &Ui) -> Result<()> {
    if ui.format == Format::Json {
        let registry = serde_json::to_value(registry).map_err(failure::unwritable)?;
        return term::print_json(&registry);
    }
    let view = match states {
        States::Shown => registry.view(),
        States::Hidden => registry.view().hide_state_registries(),
    };
    term::print(&view.to_string())
}
