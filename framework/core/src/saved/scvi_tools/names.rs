//! Names that differ between ours and scvi-tools, or between versions of scvi-tools.

use serde_json::{Map, Value};

use crate::{params::Args, registry_keys::REGISTRY_KEYS};

/// Arguments that constructors of scvi-tools declare; all others they hand on to their module.
pub(super) const DECLARED: [&str; 8] = [
    "n_hidden",
    "n_latent",
    "n_layers",
    "dropout_rate",
    "dispersion",
    "gene_likelihood",
    "use_observed_lib_size",
    "latent_distribution",
];
/// Arguments of a set-up that scvi-tools does not know.
pub(super) const OURS_ALONE: [&str; 1] = ["allow_noncounts"];
/// The argument that there is an entry `embedding_dim` of [`EMBEDDING_ARGS`].
pub(super) const EMBEDDING_DIM: &str = "batch_embedding_dim";
/// Arguments in an argument.
pub(super) const EMBEDDING_ARGS: &str = "batch_embedding_kwargs";
/// The argument that there is a function, and here its name.
pub(super) const ACTIVATION: &str = "var_activation";

/// Entries of a field's state that are arrays there.
pub(super) const ARRAYS: [&str; 3] = ["categorical_mapping", "column_names", "columns"];
/// Entries of a field's state that are dicts of arrays there.
pub(super) const DICTS_OF_ARRAYS: [&str; 2] = ["mappings", "protein_batch_mask"];

/// Arguments of the constructor that are data, or that change no result.
const NOT_KEPT: [&str; 5] = ["adata", "mdata", "registry", "extra_payload_autotune", "use_cuda"];
/// Arguments that say nothing while they are empty.
const EXTRA: [&str; 2] = ["extra_encoder_kwargs", "extra_decoder_kwargs"];

/// `{"non_kwargs": {a: 1}, "kwargs": {"kwargs": {b: 2}}}` → `{a: 1, b: 2}`; before 0.15
/// `{a: 1, "model_kwargs": {b: 2}}`.
pub(super) fn flat_init_params(params: Args) -> Args {
    let mut flat = Args::new();
    for (group, value) in params {
        match (group.as_str(), value) {
            ("non_kwargs", Value::Object(named)) => keep_all(named, &mut flat),
            ("kwargs", Value::Object(variadic)) => {
                for (name, value) in variadic {
                    match value {
                        Value::Object(args) => keep_all(args, &mut flat),
                        other => keep(name, other, &mut flat),
                    }
                }
            }
            ("model_kwargs", Value::Object(args)) => keep_all(args, &mut flat),
            (_, value) => keep(group, value, &mut flat),
        }
    }
    flat
}

fn keep_all(args: Args, flat: &mut Args) {
    args.into_iter().for_each(|(name, value)| keep(name, value, flat));
}

fn keep(name: String, value: Value, flat: &mut Args) {
    match value {
        _ if NOT_KEPT.contains(&name.as_str()) => {}
        Value::Null if EXTRA.contains(&name.as_str()) || name == EMBEDDING_ARGS => {}
        Value::Object(extra) if extra.is_empty() && EXTRA.contains(&name.as_str()) => {}
        Value::Object(mut embedding) if name == EMBEDDING_ARGS => {
            if let Some(dim) = embedding.shift_remove("embedding_dim") {
                flat.insert(EMBEDDING_DIM.into(), dim);
            }
            if !embedding.is_empty() {
                flat.insert(name, embedding.into());
            }
        }
        value => drop(flat.insert(name, value)),
    }
}

/// Entries of a field's state by their names in earlier versions: the first version without that name,
/// the field, the name then and now.
const RENAMED: [(&str, &str, &str, &str); 1] = [("1.0", REGISTRY_KEYS.x, "n_cells", "n_obs")];

/// What 1.4.2 would have written in the place of this registry. Before 1.0 the main matrix did not
/// remember the names of its columns, which are those of the model.
pub(crate) fn completed(mut registry: Value, var_names: &[String]) -> Value {
    for (_, key, then, now) in RENAMED {
        let Some(state) = state(&mut registry, key) else { continue };
        if let Some(value) = state.remove(then) {
            state.entry(now).or_insert(value);
        }
    }
    if let Some(state) = state(&mut registry, REGISTRY_KEYS.x) {
        let n_vars = state.get("n_vars").and_then(Value::as_u64);
        if n_vars == Some(var_names.len() as u64) {
            state.entry("column_names").or_insert_with(|| var_names.into());
        }
    }
    registry
}

fn state<'a>(registry: &'a mut Value, key: &str) -> Option<&'a mut Map<String, Value>> {
    let field = registry.get_mut("field_registries")?.get_mut(key)?;
    field.get_mut("state_registry")?.as_object_mut()
}
