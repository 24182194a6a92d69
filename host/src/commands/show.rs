//! `scvi show`: describe a saved model, whether or not its plugin is there.

use std::path::Path;

use scvi_framework::{
    saved::SavedModel,
    serde_json::{Value, json},
};

use crate::{
    facts::{self, Facts},
    failure::Result,
    plan::{Format, Ui},
    session::Session,
    term,
};

/// Describes the model saved in `dir`.
pub fn run(dir: &Path, session: &Session, ui: &Ui) -> Result<()> {
    let saved = session.saved(dir)?;
    match ui.format {
        Format::Json => term::print_json(&programs(&saved)),
        Format::Text => term::print(&people(dir, &saved, session)),
    }
}

fn programs(saved: &SavedModel) -> Value {
    let weights = saved.weights.iter();
    let weights: scvi_framework::params::Args =
        weights.map(|(name, array)| (name.clone(), json!(array.shape))).collect();
    json!({ "model": saved.meta, "weights": weights })
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
