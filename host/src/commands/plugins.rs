//! `scvi plugins`: which are there, and what is in a file.

use std::path::{Path, PathBuf};

use scvi_framework::{
    abi::Manifest,
    serde_json::{Value, json},
};

use crate::{
    failure::Result,
    plan::{Format, Ui},
    plugins::{self, Found},
    term,
};

/// Lists the plugins found, and the files refused.
pub fn list(plugin_dirs: &[PathBuf], ui: &Ui) -> Result<()> {
    let folders = plugins::search_path(plugin_dirs);
    let found = plugins::discover(&folders);
    if ui.format == Format::Json {
        let accepted: Vec<Value> = found.accepted.iter().map(programs).collect();
        let refused = found.refused.iter();
        let refused: Vec<Value> =
            refused.map(|r| json!({ "path": r.path, "reason": r.reason.to_string() })).collect();
        return term::print_json(&json!({ "plugins": accepted, "refused": refused }));
    }
    if found.accepted.is_empty() {
        ui.say("no plugins found; looked in");
        for folder in &folders {
            ui.say(format!("  {}", folder.path().display()));
        }
    } else {
        let rows = found.accepted.iter().map(|Found { path, manifest }| {
            let path = path.display().to_string();
            [
                manifest.plugin.clone(),
                manifest.version.clone(),
                models(manifest),
                fields(manifest),
                path,
            ]
        });
        term::print(&term::table(["Plugin", "Version", "Models", "Fields", "File"], rows))?;
    }
    if !found.refused.is_empty() {
        let lines = found.refused.iter().map(|r| format!("  {}\n", r.reason));
        term::print(&format!("\nRefused\n{}", lines.collect::<String>()))?;
    }
    Ok(())
}

/// Reads the manifest of `file`; none of its code runs.
pub fn inspect(file: &Path, ui: &Ui) -> Result<()> {
    let found = plugins::inspect(file)?;
    if ui.format == Format::Json {
        return term::print_json(&programs(&found));
    }
    let m = &found.manifest;
    let rows = [
        ("plugin", format!("{} {}", m.plugin, m.version)),
        ("interface", m.abi.to_string()),
        ("framework", m.framework.clone()),
        ("libtorch", format!("{} (tch {})", m.libtorch, m.tch)),
        ("built for", m.target.clone()),
    ];
    let models: Vec<_> =
        m.models.iter().map(|model| (model.name.clone(), model.about.clone())).collect();
    let fields: Vec<_> =
        m.fields.iter().map(|field| (field.kind.clone(), field.about.clone())).collect();
    let mut text = term::section(&file.display().to_string(), &term::pairs(rows));
    for (title, listed) in [("Models", models), ("Fields", fields)] {
        if !listed.is_empty() {
            text += &term::section(title, &term::pairs(listed));
        }
    }
    text.truncate(text.trim_end().len());
    term::print(&(text + "\n"))
}

fn models(manifest: &Manifest) -> String {
    let names: Vec<&str> = manifest.models.iter().map(|m| m.name.as_str()).collect();
    names.join(", ")
}

fn fields(manifest: &Manifest) -> String {
    let kinds: Vec<&str> = manifest.fields.iter().map(|f| f.kind.as_str()).collect();
    kinds.join(", ")
}

fn programs(found: &Found) -> Value {
    json!({ "path": found.path, "manifest": found.manifest })
}
