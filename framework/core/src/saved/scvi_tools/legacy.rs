//! Models saved by scvi-tools before 0.15: weights, names of genes and attributes in three files.

use std::{fs, path::Path};

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::{Decoder, open, pickle};
use crate::{
    error::{Error, Result},
    registry_keys::REGISTRY_KEYS,
    saved::SavedModel,
};

/// The file with the weights before 0.15, after the prefix.
pub const LEGACY_FILE: &str = "model_params.pt";
const ATTRIBUTES: &str = "attr.pkl";
const VAR_NAMES: &str = "var_names.csv";

const EXPECTED: &str = "a file of a model saved by scvi-tools before 0.15";

/// Reads a model from a folder in the layout before 0.15, `prefix` before the names of its files. They
/// do not say of which class it is; `model_name` does.
///
/// # Errors
/// When a file is missing, cannot be read or is damaged.
pub fn read_legacy(dir: &Path, prefix: Option<&str>, model_name: &str) -> Result<SavedModel> {
    let path = |name: &str| dir.join(format!("{}{name}", prefix.unwrap_or_default()));
    let wrong = |name: &str| {
        let path = path(name);
        move |found| Error::SavedFile { path, expected: EXPECTED, found }
    };
    let (weights, archive) = open(&path(LEGACY_FILE), EXPECTED)?;
    let graph = pickle::parse(&weights).map_err(wrong(LEGACY_FILE))?;
    let mut decoder = Decoder::new(&graph, archive.file_len, Some(archive));
    let weights = decoder.weights(graph.root).map_err(wrong(LEGACY_FILE))?;

    let var_names = read(&path(VAR_NAMES))?;
    let var_names = String::from_utf8(var_names).map_err(|_| "text that is not UTF-8".to_owned());
    let var_names = var_names.map_err(wrong(VAR_NAMES))?;
    let var_names = var_names.lines().map(str::to_owned).collect();

    let attributes = read(&path(ATTRIBUTES))?;
    let graph = pickle::parse(&attributes).map_err(wrong(ATTRIBUTES))?;
    let mut decoder = Decoder::new(&graph, attributes.len() as u64, None);
    let mut meta = decoder.attributes(graph.root, var_names).map_err(wrong(ATTRIBUTES))?;
    let unlabeled = decoder.get(graph.root, "unlabeled_category_");
    let unlabeled = unlabeled.and_then(|id| decoder.text(id));
    meta.registry = registry(&meta.registry, model_name, unlabeled)
        .ok_or("attributes without a set-up of the data".to_owned())
        .map_err(wrong(ATTRIBUTES))?;
    meta.model_name = model_name.into();
    Ok(SavedModel { meta, weights, optimizer: IndexMap::new() })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| Error::Io { path: path.into(), action: "read", source })
}

/// A field of today's registry by its key of that time.
fn registry_key(legacy: &str) -> Option<&'static str> {
    Some(match legacy {
        "X" => REGISTRY_KEYS.x,
        "batch_indices" => REGISTRY_KEYS.batch,
        "labels" => REGISTRY_KEYS.labels,
        "cat_covs" => REGISTRY_KEYS.cat_covs,
        "cont_covs" => REGISTRY_KEYS.cont_covs,
        "protein_expression" => "proteins",
        "ind_x" => REGISTRY_KEYS.indices,
        _ => return None,
    })
}

/// The registry that says what the set-up of that time said; `None` when it is none.
fn registry(setup: &Value, model_name: &str, unlabeled: Option<&str>) -> Option<Value> {
    let (mut fields, mut args) = (Map::new(), Map::new());
    for (legacy_key, place) in setup.get("data_registry")?.as_object()? {
        let Some(key) = registry_key(legacy_key) else { continue };
        let attr_name = place.get("attr_name")?.as_str()?;
        let attr_key = place.get("attr_key")?.as_str().filter(|key| *key != "None");
        let (state, stats) = field(setup, key, attr_key, unlabeled);
        args.extend(arguments(attr_name, attr_key, key, &state));
        let attr_key = match attr_key {
            Some(own) if own.starts_with("_scvi") => Some(format!("_scvi_{key}")),
            other => other.map(str::to_owned),
        };
        let part = json!({
            "data_registry": { "attr_name": attr_name, "attr_key": attr_key },
            "state_registry": state,
            "summary_stats": stats,
        });
        fields.insert(key.into(), part);
    }
    args.extend(unlabeled.map(|category| ("unlabeled_category".into(), category.into())));
    Some(json!({
        "scvi_version": setup.get("scvi_version"),
        "model_name": model_name,
        "setup_args": args,
        "field_registries": fields,
    }))
}

/// What a field remembers, and its statistics.
fn field(
    setup: &Value,
    key: &str,
    attr_key: Option<&str>,
    unlabeled: Option<&str>,
) -> (Value, Value) {
    let stat = |name: &str| setup["summary_stats"].get(name).cloned().unwrap_or_default();
    let count = |names: &Value| names.as_array().map_or(0, Vec::len);
    if key == REGISTRY_KEYS.x {
        let n_vars = json!({ "n_vars": stat("n_vars") });
        return (n_vars.clone(), n_vars);
    }
    let statistic = format!("n_{key}");
    let (state, n) = if key == REGISTRY_KEYS.cont_covs {
        let columns = &setup["extra_continuous_keys"];
        (json!({ "columns": columns }), count(columns).into())
    } else if key == REGISTRY_KEYS.cat_covs {
        let extra = &setup["extra_categoricals"];
        let state = json!({
            "mappings": extra["mappings"],
            "n_cats_per_key": extra["n_cats_per_key"],
            "field_keys": extra["keys"],
        });
        (state, count(&extra["keys"]).into())
    } else if key == "proteins" {
        let names = &setup["protein_names"];
        let mut state = json!({ "column_names": names });
        if let Some(mask) = setup.get("totalvi_batch_mask") {
            state["protein_batch_mask"] = mask.clone();
        }
        (state, count(names).into())
    } else {
        let mapping = &setup["categorical_mappings"][attr_key.unwrap_or_default()];
        let mut state = json!({
            "categorical_mapping": mapping["mapping"],
            "original_key": mapping["original_key"],
        });
        if let Some(category) = unlabeled.filter(|_| key == REGISTRY_KEYS.labels) {
            state["unlabeled_category"] = category.into();
        }
        (state, stat(&statistic))
    };
    (state, json!({ statistic: n }))
}

/// The arguments of the set-up that made this field.
fn arguments(
    attr_name: &str,
    attr_key: Option<&str>,
    key: &str,
    state: &Value,
) -> Vec<(String, Value)> {
    let argument = |name: &str, value: Value| vec![(name.to_owned(), value)];
    match (attr_name, key) {
        ("X", _) => argument("layer", Value::Null),
        ("layers", _) => argument("layer", attr_key.into()),
        ("obs", key) if [REGISTRY_KEYS.batch, REGISTRY_KEYS.labels].contains(&key) => {
            argument(&format!("{key}_key"), state["original_key"].clone())
        }
        ("obsm", key) if key == REGISTRY_KEYS.cont_covs => {
            argument("continuous_covariate_keys", state["columns"].clone())
        }
        ("obsm", key) if key == REGISTRY_KEYS.cat_covs => {
            argument("categorical_covariate_keys", state["field_keys"].clone())
        }
        ("obsm", "proteins") => {
            let mut both = argument("protein_expression_obsm_key", attr_key.into());
            both.extend(argument("protein_names_uns_key", "_protein_names".into()));
            both
        }
        _ => Vec::new(),
    }
}
