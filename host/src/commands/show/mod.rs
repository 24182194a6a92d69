//! `scvi show`: describe a saved model, whether or not its plugin is there.

mod attribute;
mod registry;

use std::path::Path;

use scvi_framework::{
    model::Settings,
    saved::SavedModel,
    serde_json::{Value, json},
};

use crate::{
    facts::{self, Facts},
    failure::Result,
    plan::{Format, Part, Ui},
    session::Session,
    term,
};

/// Describes the model saved in `dir`.
pub fn run(dir: &Path, part: &Part, session: &Session, settings: &Settings, ui: &Ui) -> Result<()> {
    let saved = session.saved(dir)?;
    match part {
        Part::Summary => summarise(dir, &saved, session, ui),
        Part::Attribute { attribute, key } => {
            attribute::show(*attribute, key.as_deref(), dir, &saved, ui)
        }
        Part::Setup { adata, states } => {
            let registry = registry::of(dir, saved, adata.as_deref(), session, settings)?;
            super::setup::show(&registry, *states, ui)
        }
    }
}

fn summarise(dir: &Path, saved: &SavedModel, session: &Session, ui: &Ui) -> Result<()> {
    match ui.format {
        Format::Json => term::print_json(&programs(saved)),
        Format::Text => term::print(&people(dir, saved, session)),
    }
}

fn programs(saved: &SavedModel) -> Value {
    json!({ "model": saved.meta, "weights": attribute::shapes(saved) })
}

fn people(dir: &Path, saved: &SavedModel, session: &Session) -> String {
    let mut text = String::new();
    for section in facts::of(dir, saved, session) {
        let block = match section.facts {
            Facts::Pairs(pairs) => term::pairs(pairs),
            Facts::Table(header, rows) => term::table(header, rows),
        };
        text += &term::section(&section.title, &block);
    }
    for note in &saved.meta.notes {
        text += &format!("note: {note}\n");
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}
