//! `scvi setup`: how a model would read a data set.

use scvi_framework::{data, model, serde_json};

use crate::{
    failure::Result,
    files,
    plan::{Format, Setup, Ui},
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
    match ui.format {
        Format::Json => {
            let registry = serde_json::to_value(&registry).map_err(crate::failure::unwritable)?;
            term::print_json(&registry)
        }
        Format::Text => term::print(&registry.view().to_string()),
    }
}
