//! What fields remember, as tables for people.

use std::iter;

use serde_json::Value;

use super::{
    AttrLocation, FieldState,
    categorical::{CATEGORICAL_MAPPING, ORIGINAL_KEY},
    categorical_joint::{FIELD_KEYS, MAPPINGS},
    numerical_joint::COLUMNS,
};
use crate::{anndata::Slot, table::Table};

/// The state of the field at `place`: categories and their codes, or columns; none for other states.
pub(super) fn state_view(
    registry_key: &str,
    place: &AttrLocation,
    state: &FieldState,
) -> Option<Table> {
    let title = format!("{registry_key} State Registry");
    let columns: Option<Vec<String>> = state.read(COLUMNS);
    if let Some(columns) = columns {
        let rows = columns.iter().map(|key| vec![source(place, key)]).collect();
        return Some(Table { title, header: vec!["Source Location"], rows });
    }
    let mut rows = Vec::new();
    if let Some(categories) = state.read::<Vec<Value>>(CATEGORICAL_MAPPING) {
        let key: String = state.read(ORIGINAL_KEY).unwrap_or_default();
        rows = encoding(source(place, &key), &categories);
    }
    for key in state.read::<Vec<String>>(FIELD_KEYS).unwrap_or_default() {
        let categories = state.0.get(MAPPINGS).and_then(|m| m.get(&key)).and_then(Value::as_array);
        if !rows.is_empty() {
            rows.push(vec![String::new(); 3]);
        }
        rows.extend(encoding(source(place, &key), categories?));
    }
    let header = vec!["Source Location", "Categories", "scvi-tools Encoding"];
    (!rows.is_empty()).then_some(Table { title, header, rows })
}

/// Where the user's column lies; joint fields gather columns of `obs` in `obsm`, of `var` in `varm`.
fn source(place: &AttrLocation, key: &str) -> String {
    let slot = match place.attr_name {
        Slot::Obsm => Slot::Obs,
        Slot::Varm => Slot::Var,
        other => other,
    };
    let column = AttrLocation::new(slot, key);
    AttrLocation { mod_key: place.mod_key.clone(), ..column }.to_string()
}

fn encoding(source: String, categories: &[Value]) -> Vec<Vec<String>> {
    let sources = iter::once(source).chain(iter::repeat(String::new()));
    let coded = sources.zip(categories).enumerate();
    coded.map(|(code, (source, category))| vec![source, text(category), code.to_string()]).collect()
}

/// A category as Python prints it.
fn text(category: &Value) -> String {
    match category {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        other => other.to_string(),
    }
}
