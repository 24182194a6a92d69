//! A registry for people: what a model reads from a data set, and in which terms.

use scvi_framework::serde_json::{Map, Value};

use crate::{options::plain, term};

/// The registry as tables: arguments, summary statistics, data registry, state registries.
pub fn show(registry: &Value) -> String {
    let fields = fields(registry);
    let mut text = String::new();
    let given = given(registry.get("setup_args"));
    if !given.is_empty() {
        text += &term::section("Arguments", &term::pairs(given));
    }
    let stats = summary_stats(registry).into_iter().map(|(key, n)| [key, n.to_string()]);
    text +=
        &term::section("Summary statistics", &term::table(["Summary Stat Key", "Value"], stats));
    let located = fields.iter().filter_map(|(key, field)| Some([key.clone(), location(field)?]));
    text += &term::section(
        "Data registry",
        &term::table(["Registry Key", "scvi-tools Location"], located),
    );
    for (key, field) in &fields {
        if let Some(table) = state_table(field) {
            text += &term::section(&format!("{key} state registry"), &table);
        }
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

/// All summary statistics, in order of registration.
pub fn summary_stats(registry: &Value) -> Vec<(String, i64)> {
    let all = fields(registry);
    let of = |field: &Value| field.get("summary_stats").and_then(Value::as_object).cloned();
    let all = all.iter().filter_map(|(_, field)| of(field)).flatten();
    all.filter_map(|(name, n)| Some((name, n.as_i64()?))).collect()
}

/// The arguments that say something, for people.
pub fn given(args: Option<&Value>) -> Vec<(String, String)> {
    let args = args.and_then(Value::as_object).into_iter().flatten();
    let said = args.filter(|(_, value)| !value.is_null() && **value != Value::Array(vec![]));
    said.map(|(name, value)| (name.clone(), plain(value))).collect()
}

fn fields(registry: &Value) -> Vec<(String, Value)> {
    let fields = registry.get("field_registries").and_then(Value::as_object);
    fields.into_iter().flatten().map(|(key, field)| (key.clone(), field.clone())).collect()
}

fn location(field: &Value) -> Option<String> {
    let place = field.get("data_registry")?;
    let slot = place.get("attr_name")?.as_str()?;
    let slot_of = |modality: &str| format!("mdata.mod['{modality}'].{slot}");
    let slot = match place.get("mod_key").and_then(Value::as_str) {
        Some(modality) => slot_of(modality),
        None => format!("adata.{slot}"),
    };
    Some(match place.get("attr_key").and_then(Value::as_str) {
        Some(key) => format!("{slot}['{key}']"),
        None => slot,
    })
}

/// Categories and their codes, or the columns of a joint field; none for fields that have neither.
fn state_table(field: &Value) -> Option<String> {
    let state = field.get("state_registry")?.as_object()?;
    let slot = field.get("data_registry")?.get("attr_name")?.as_str()?;
    // Joint fields gather columns of obs (var) in obsm (varm).
    let source = |key: &str| format!("adata.{}['{key}']", slot.trim_end_matches('m'));
    if let Some(columns) = strings(state, "columns") {
        return Some(term::table(["Source Location"], columns.iter().map(|key| [source(key)])));
    }
    let mut rows = Vec::new();
    if let Some(mapping) = state.get("categorical_mapping").and_then(Value::as_array) {
        let key = state.get("original_key").and_then(Value::as_str).unwrap_or_default();
        rows = encoding(source(key), mapping);
    }
    for key in strings(state, "field_keys").unwrap_or_default() {
        let mapping = state.get("mappings").and_then(|m| m.get(&key)).and_then(Value::as_array);
        if !rows.is_empty() {
            rows.push(Default::default());
        }
        rows.extend(encoding(source(&key), mapping?));
    }
    let header = ["Source Location", "Categories", "scvi-tools Encoding"];
    (!rows.is_empty()).then(|| term::table(header, rows))
}

fn encoding(source: String, mapping: &[Value]) -> Vec<[String; 3]> {
    let mut sources = std::iter::once(source).chain(std::iter::repeat(String::new()));
    let numbered = mapping.iter().enumerate();
    numbered
        .map(|(code, category)| {
            [sources.next().unwrap_or_default(), plain(category), code.to_string()]
        })
        .collect()
}

fn strings(state: &Map<String, Value>, key: &str) -> Option<Vec<String>> {
    let entries = state.get(key)?.as_array()?;
    Some(entries.iter().map(plain).collect())
}

#[cfg(test)]
mod tests {
    use scvi_framework::serde_json::json;

    use super::*;

    #[test]
    fn a_registry_is_shown_as_tables() {
        let registry = json!({
            "setup_args": { "batch_key": "batch", "layer": null },
            "field_registries": {
                "X": {
                    "data_registry": { "attr_name": "X", "attr_key": null },
                    "state_registry": { "n_obs": 400, "n_vars": 100 },
                    "summary_stats": { "n_vars": 100, "n_cells": 400 }
                },
                "batch": {
                    "data_registry": { "attr_name": "obs", "attr_key": "_scvi_batch" },
                    "state_registry": {
                        "categorical_mapping": ["batch_0", "batch_1"], "original_key": "batch"
                    },
                    "summary_stats": { "n_batch": 2 }
                },
                "size_factor": {
                    "data_registry": null, "state_registry": {}, "summary_stats": {}
                },
                "extra_continuous_covs": {
                    "data_registry": { "attr_name": "obsm", "attr_key": "_scvi_extra" },
                    "state_registry": { "columns": ["mito"] },
                    "summary_stats": { "n_extra_continuous_covs": 1 }
                }
            }
        });
        let expected = "\
Arguments
 batch_key   batch

Summary statistics
 Summary Stat Key          Value
──────────────────────────────────
 n_vars                    100
 n_cells                   400
 n_batch                   2
 n_extra_continuous_covs   1

Data registry
 Registry Key            scvi-tools Location
──────────────────────────────────────────────────────
 X                       adata.X
 batch                   adata.obs['_scvi_batch']
 extra_continuous_covs   adata.obsm['_scvi_extra']

batch state registry
 Source Location      Categories   scvi-tools Encoding
────────────────────────────────────────────────────────
 adata.obs['batch']   batch_0      0
                      batch_1      1

extra_continuous_covs state registry
 Source Location
────────────────────
 adata.obs['mito']
";
        assert_eq!(show(&registry), expected);
    }
}
