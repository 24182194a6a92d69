//! `scvi show`: describe a saved model, whether or not its plugin is there.

mod attribute;
mod registry;

use std::path::Path;

use scvi_framework::{
    fields::kind_of,
    model::Settings,
    saved::{GivenField, ModelMeta, SavedModel},
    serde_json::{Value, json},
};

use crate::{
    failure::Result,
    folder,
    options::plain,
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
    let meta = &saved.meta;
    let mut text = term::section(
        &format!("{} model in {}", meta.model_name, dir.display()),
        &term::pairs(summary(dir, saved, session)),
    );
    let groups = [
        ("Set-up", meta.registry.get("setup_args").cloned()),
        ("Model", Some(json!(meta.init_params))),
    ];
    for (title, args) in groups {
        let given = given(args.as_ref());
        if !given.is_empty() {
            text += &term::section(&format!("{title} arguments"), &term::pairs(given));
        }
    }
    let given: Vec<(String, String)> = meta.given().map(given_field).collect();
    if !given.is_empty() {
        text += &term::section("Fields given", &term::pairs(given));
    }
    let stats = attribute::summary_stats(&meta.registry);
    if !stats.is_empty() {
        let stats = stats.into_iter().map(|(key, n)| (key, n.to_string()));
        text += &term::section("Summary statistics", &term::pairs(stats));
    }
    let history: Vec<[String; 4]> = meta.history.iter().filter_map(metric).collect();
    if !history.is_empty() {
        let header = ["Metric", "Last", "Smallest", "At epoch"];
        text += &term::section("History", &term::table(header, history));
    }
    for note in &meta.notes {
        text += &format!("note: {note}\n");
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

/// The arguments that say something.
fn given(args: Option<&Value>) -> Vec<(String, String)> {
    let args = args.and_then(Value::as_object).into_iter().flatten();
    let said = args.filter(|(_, value)| !value.is_null() && **value != Value::Array(vec![]));
    said.map(|(name, value)| (name.clone(), plain(value))).collect()
}

fn summary(dir: &Path, saved: &SavedModel, session: &Session) -> Vec<(&'static str, String)> {
    let meta = &saved.meta;
    let n_weights: usize = saved.weights.values().map(|w| w.values.len()).sum();
    vec![
        ("trained", trained(meta)),
        ("made by", made_by(meta, session)),
        ("genes", term::grouped(meta.var_names.len())),
        ("cells", cells(meta)),
        ("weights", format!("{} in {} arrays", term::grouped(n_weights), saved.weights.len())),
        ("data set", data_set(dir)),
    ]
}

fn given_field(field: GivenField<'_>) -> (String, String) {
    let kind = kind_of(field.json).unwrap_or("?");
    let by = field.plugin.map(|(name, version)| format!(" of plugin {name} {version}"));
    (field.registry_key.into(), format!("{kind}{}", by.unwrap_or_default()))
}

fn trained(meta: &ModelMeta) -> String {
    let n_epochs = meta.history.values().map(Vec::len).max().unwrap_or(0);
    match (meta.is_trained, n_epochs) {
        (true, 0) => "yes".into(),
        (true, n) => format!("yes, {}", term::count(n, "epoch")),
        (false, 0) => "no".into(),
        (false, n) => format!("no, stopped after {}", term::count(n, "epoch")),
    }
}

fn made_by(meta: &ModelMeta, session: &Session) -> String {
    let maker = match (&meta.plugin, meta.registry.get("scvi_version").and_then(Value::as_str)) {
        (Some((name, version)), _) => format!("plugin {name} {version}"),
        (None, Some(version)) => format!("scvi-tools {version}"),
        (None, None) => "scvi-tools".into(),
    };
    let here = session.listed().iter().any(|m| m.name == meta.model_name);
    if here {
        return maker;
    }
    format!("{maker}; queries need a plugin with the model {}, none was found", meta.model_name)
}

fn cells(meta: &ModelMeta) -> String {
    let parts = [
        (&meta.train_indices, "trained on"),
        (&meta.validation_indices, "for validation"),
        (&meta.test_indices, "never used"),
    ];
    let said = parts.iter().filter(|(rows, _)| !rows.is_empty());
    let said: Vec<String> =
        said.map(|(rows, what)| format!("{} {what}", term::grouped(rows.len()))).collect();
    if said.is_empty() { "not recorded".into() } else { said.join(", ") }
}

fn data_set(dir: &Path) -> String {
    match folder::data_set(dir, None) {
        Ok(file) => file.display().to_string(),
        Err(_) => "not kept; queries need --adata FILE".into(),
    }
}

fn metric((name, values): (&String, &Vec<f64>)) -> Option<[String; 4]> {
    let last = values.last()?;
    let numbered = values.iter().enumerate().filter(|(_, v)| !v.is_nan());
    let (epoch, min) = numbered.min_by(|a, b| a.1.total_cmp(b.1))?;
    let number = |v: &f64| term::number(*v);
    Some([name.clone(), number(last), number(min), (epoch + 1).to_string()])
}
