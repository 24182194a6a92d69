//! One attribute of a saved model.

use std::path::Path;

use scvi_framework::{
    self as framework,
    data::{MinifiedDataType, SetupView},
    params::Args,
    saved::{ModelMeta, SavedModel},
    serde_json::{Value, json},
};

use scvi_h5ad::Backing;

use crate::{
    cli::Attribute,
    facts::summary_stats,
    failure::Result,
    files, folder,
    options::plain,
    plan::{Format, Ui},
    term,
};

/// Shows it, or the entry `key` of it.
pub fn show(
    attribute: Attribute,
    key: Option<&str>,
    dir: &Path,
    saved: &SavedModel,
    ui: &Ui,
) -> Result<()> {
    let value = value(attribute, key, dir, saved)?;
    match ui.format {
        Format::Json => term::print_json(&value),
        Format::Text => term::print(&text(attribute, &value, &saved.meta)),
    }
}

fn value(attribute: Attribute, key: Option<&str>, dir: &Path, saved: &SavedModel) -> Result<Value> {
    let meta = &saved.meta;
    Ok(match attribute {
        Attribute::Adata => json!(folder::data_set(dir, None)?),
        Attribute::SummaryString => json!(meta.summary_string()),
        Attribute::IsTrained => json!(meta.is_trained),
        Attribute::MinifiedDataType => match meta.is_minified() {
            true => {
                let adata = files::read_h5ad(&folder::data_set(dir, None)?, Backing::Disk)?;
                json!(MinifiedDataType::of(&adata)?.map(MinifiedDataType::word))
            }
            false => Value::Null,
        },
        Attribute::History => json!(meta)["history"].clone(), // numbers that are none are words
        Attribute::TrainIndices => json!(meta.train_indices),
        Attribute::ValidationIndices => json!(meta.validation_indices),
        Attribute::TestIndices => json!(meta.test_indices),
        Attribute::Module => Value::Object(shapes(saved)),
        Attribute::GetVarNames => json!(meta.var_names),
        Attribute::Registry | Attribute::ViewAnndataSetup => meta.registry.clone(),
        Attribute::SummaryStats => Value::Object(
            summary_stats(&meta.registry).into_iter().map(|(k, n)| (k, n.into())).collect(),
        ),
        Attribute::GetStateRegistry => entry("registry", &states(meta), key)?,
        Attribute::ViewSetupArgs | Attribute::GetSetupArg => {
            let args = meta.registry["setup_args"].as_object().cloned().unwrap_or_default();
            entry("setup_args", &args, key)?
        }
    })
}

fn text(attribute: Attribute, value: &Value, meta: &ModelMeta) -> String {
    match (attribute, value) {
        (Attribute::History, _) => history(meta),
        (Attribute::Module, Value::Object(shapes)) => {
            term::pairs(shapes.iter().map(|(name, shape)| (name, shape.to_string())))
        }
        (Attribute::SummaryStats, Value::Object(stats)) => {
            term::pairs(stats.iter().map(|(name, n)| (name, n.to_string())))
        }
        (Attribute::ViewSetupArgs, _) => {
            SetupView::of(&meta.registry).map(|view| view.to_string()).unwrap_or_default()
        }
        (_, Value::Object(_)) => format!("{value:#}\n"),
        (_, Value::Array(entries)) => entries.iter().map(|e| plain(e) + "\n").collect(),
        _ => plain(value) + "\n",
    }
}

/// The entry `key`, or all of them.
fn entry(slot: &'static str, entries: &Args, key: Option<&str>) -> Result<Value> {
    let Some(key) = key else { return Ok(Value::Object(entries.clone())) };
    let missing = || framework::Error::MissingElement {
        slot,
        key: key.into(),
        present: entries.keys().cloned().collect(),
    };
    Ok(entries.get(key).cloned().ok_or_else(missing)?)
}

/// What each field remembers.
fn states(meta: &ModelMeta) -> Args {
    let fields = meta.registry["field_registries"].as_object().into_iter().flatten();
    fields.map(|(key, part)| (key.clone(), part["state_registry"].clone())).collect()
}

/// Shapes of all weights by name.
pub fn shapes(saved: &SavedModel) -> Args {
    saved.weights.iter().map(|(name, array)| (name.clone(), json!(array.shape))).collect()
}

/// A row per epoch, tabs between metrics; a metric that was not computed each epoch ends earlier.
fn history(meta: &ModelMeta) -> String {
    let n_rows = meta.history.values().map(Vec::len).max().unwrap_or(0);
    let heads = std::iter::once("epoch").chain(meta.history.keys().map(String::as_str));
    let mut text = heads.collect::<Vec<_>>().join("\t") + "\n";
    for row in 0..n_rows {
        let value = |values: &Vec<f64>| values.get(row).map(f64::to_string).unwrap_or_default();
        let values = meta.history.values().map(value);
        let cells: Vec<String> = std::iter::once(row.to_string()).chain(values).collect();
        text += &(cells.join("\t") + "\n");
    }
    text
}
