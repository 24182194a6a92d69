//! Which categories a query has that its reference does not know.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    error::{Error, Result},
    fields::Category,
};

/// Column → categories that `query` has beside those of `reference`, two saved registries of one kind.
pub fn new_categories(reference: &Value, query: &Value) -> IndexMap<String, Vec<Category>> {
    let known = categories(reference);
    let more = categories(query).into_iter().filter_map(|(column, all)| {
        let n_known = known.get(&column).map_or(0, Vec::len);
        (all.len() > n_known).then(|| (column, all[n_known..].to_vec()))
    });
    more.collect()
}

/// Refuses new categories that differ from known ones as 1 from "1".
pub(super) fn check_kinds(reference: &Value, query: &Value) -> Result<()> {
    let known = categories(reference);
    for (column, new) in new_categories(reference, query) {
        let same = |new: &Category| {
            let known = known.get(&column)?.iter().find(|known| known.looks_like(new))?;
            Some((new.json(), known.json()))
        };
        let (found, known): (Vec<_>, Vec<_>) = new.iter().filter_map(same).unzip();
        if !found.is_empty() {
            return Err(Error::OtherKindOfCategory { column, found, known });
        }
    }
    Ok(())
}

/// Column → its categories, of all fields that remember some.
fn categories(registry: &Value) -> IndexMap<String, Vec<Category>> {
    let fields = registry["field_registries"].as_object();
    let mut found = IndexMap::new();
    for state in fields.into_iter().flatten().map(|(_, field)| &field["state_registry"]) {
        let read = |list: &Value| Vec::<Category>::deserialize(list).ok();
        if let (Some(key), Some(of)) =
            (state["original_key"].as_str(), read(&state["categorical_mapping"]))
        {
            found.insert(key.to_owned(), of);
        }
        for (key, list) in state["mappings"].as_object().into_iter().flatten() {
            found.extend(read(list).map(|of| (key.clone(), of)));
        }
    }
    found
}
