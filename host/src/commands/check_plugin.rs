//! `scvi plugins check`: loads a plugin, has it describe everything, and says what is wrong.

use std::path::{Path, PathBuf};

use scvi_framework::{abi::Plugin, model::ModelDescription, serde_json::json};

use crate::{
    failure::{Error, Result},
    plan::{Format, Ui},
    plugins::{self, Found},
    term,
};

/// Checks the plugin of this name, or in this file.
pub fn run(plugin: &str, plugin_dirs: &[PathBuf], ui: &Ui) -> Result<()> {
    let found = find(plugin, plugin_dirs)?;
    let loaded = Plugin::load(&found.path)?;
    let models: Vec<ModelDescription> =
        loaded.classes()?.iter().map(|class| class.description()).collect();
    let kinds = loaded.known_fields()?;
    let problems = problems(&found, &models, &kinds);
    if ui.format == Format::Json {
        term::print_json(&json!({
            "path": found.path, "manifest": found.manifest, "models": models, "problems": problems,
        }))?;
    } else {
        term::print(&text(&found, &models))?;
    }
    if problems.is_empty() {
        ui.say(format!("{}: in order", found.manifest.plugin));
        return Ok(());
    }
    Err(Error::PluginCheck { path: found.path, problems })
}

/// A file when there is one, and else a plugin by its name.
fn find(plugin: &str, plugin_dirs: &[PathBuf]) -> Result<Found> {
    if Path::new(plugin).is_file() {
        return Ok(plugins::inspect(Path::new(plugin))?);
    }
    let accepted = plugins::discover(&plugins::search_path(plugin_dirs)).accepted;
    let known = accepted.iter().map(|found| found.manifest.plugin.clone()).collect();
    let named = accepted.into_iter().find(|found| found.manifest.plugin == plugin);
    named.ok_or_else(|| Error::UnknownPlugin { name: plugin.into(), known })
}

/// What the manifest promises and the plugin does not have, what it keeps to itself, and what says
/// nothing about itself.
fn problems(found: &Found, models: &[ModelDescription], kinds: &[String]) -> Vec<String> {
    let manifest = &found.manifest;
    let mut problems = Vec::new();
    for listed in &manifest.models {
        if !models.iter().any(|model| model.name == listed.name) {
            problems.push(format!(
                "the manifest lists model `{}`, which it does not have",
                listed.name
            ));
        }
    }
    for model in models {
        let name = &model.name;
        if !manifest.models.iter().any(|listed| listed.name == *name) {
            problems.push(format!("it has a model `{name}` that the manifest does not list"));
        }
        if model.about.trim().is_empty() {
            problems.push(format!("model `{name}` does not say what it is"));
        }
        let methods = model.methods.iter().flat_map(|method| &method.args);
        let args = model.setup.iter().chain(&model.init).chain(&model.train).chain(methods);
        for arg in args.filter(|arg| arg.help.trim().is_empty()) {
            problems.push(format!("argument `{}` of model `{name}` has no help", arg.name));
        }
    }
    for listed in &manifest.fields {
        if !kinds.contains(&listed.kind) {
            let kind = &listed.kind;
            problems
                .push(format!("the manifest lists field kind `{kind}`, which it does not have"));
        }
    }
    problems
}

fn text(found: &Found, models: &[ModelDescription]) -> String {
    let manifest = &found.manifest;
    let title = format!("{} {} ({})", manifest.plugin, manifest.version, found.path.display());
    let mut rows = vec![("loaded".to_owned(), "its door opens".to_owned())];
    rows.extend(models.iter().map(|model| {
        let counts = [(&model.setup, "set-up"), (&model.init, "model"), (&model.train, "training")];
        let args = counts.map(|(args, of)| format!("{} of {of}", args.len())).join(", ");
        let methods = term::count(model.methods.len(), "method");
        (format!("model {}", model.name), format!("arguments: {args}; {methods}"))
    }));
    rows.extend(manifest.fields.iter().map(|f| (format!("field {}", f.kind), f.about.clone())));
    format!("{title}\n{}", term::pairs(rows))
}
