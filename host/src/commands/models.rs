//! `scvi models`: which there are, and what they take.

use scvi_framework::{
    model::ModelDescription,
    params::ParamSpec,
    serde_json::{Value, json},
};

use crate::{
    failure::Result,
    options::{Group, default_text, kebab},
    plan::{Format, Ui},
    session::Session,
    term,
};

/// Lists the models of all plugins, from their manifests.
pub fn list(session: &Session, ui: &Ui) -> Result<()> {
    let models = session.listed();
    if ui.format == Format::Json {
        let models = models.iter().map(|m| {
            json!({ "name": m.name, "about": m.about, "plugin": m.plugin, "version": m.version })
        });
        return term::print_json(&models.collect());
    }
    if models.is_empty() {
        ui.say("no models: no plugin was found; `scvi plugins list` says where was looked");
        return Ok(());
    }
    let rows = models.into_iter().map(|m| [m.name, format!("{} {}", m.plugin, m.version), m.about]);
    term::print(&term::table(["Model", "Plugin", "About"], rows))
}

/// Shows a model's arguments and methods.
pub fn show(session: &Session, name: &str, ui: &Ui) -> Result<()> {
    let description = session.open(name)?.description();
    match ui.format {
        Format::Json => term::print_json(&json!(description)),
        Format::Text => term::print(&text(&description)),
    }
}

fn text(model: &ModelDescription) -> String {
    let mut text = format!("{}: {}\n\n", model.name, model.about.trim());
    let groups = [
        (Group::Setup, "setup_anndata", &model.setup),
        (Group::Model, "the constructor", &model.init),
        (Group::Training, "train", &model.train),
    ];
    for (group, of, specs) in groups {
        text += &term::section(&format!("{group} (arguments of {of})"), &arguments(specs));
    }
    text += "Methods (scvi query DIR METHOD)\n";
    let methods = model.methods.iter();
    text += &term::pairs(methods.map(|m| (kebab(&m.name), m.about.trim().to_owned())));
    for method in model.methods.iter().filter(|m| !m.args.is_empty()) {
        text += &format!("\n{}\n{}", kebab(&method.name), arguments(&method.args));
    }
    text
}

fn arguments(specs: &[ParamSpec]) -> String {
    if specs.is_empty() {
        return " (none)\n".into();
    }
    let rows = specs.iter().map(|spec| {
        let long = match spec.default {
            Value::Bool(true) => format!("--no-{}", kebab(&spec.name)),
            _ => format!("--{}", kebab(&spec.name)),
        };
        [long, spec.expected(), default_text(spec), spec.help.trim().to_owned()]
    });
    term::table(["Option", "Value", "Default", "Meaning"], rows)
}
