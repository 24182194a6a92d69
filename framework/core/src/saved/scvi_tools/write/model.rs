//! A saved model in the words of scvi-tools 1.4.2.

use serde_json::{Map, Value};

use super::{arrays, pickle::Py};
use crate::{
    params::Args,
    saved::{
        ModelMeta, SavedModel,
        scvi_tools::{minified, names},
    },
};

/// What `model.pt` holds; the numbers of weight `i` are the storage called `i`. The error names a
/// weight that PyTorch has no storage for.
pub(super) fn file(saved: &SavedModel) -> Result<Py, String> {
    let mut weights = Vec::new();
    for (i, (name, dense)) in saved.weights.iter().enumerate() {
        let tensor = arrays::tensor(&i.to_string(), dense);
        let tensor =
            tensor.ok_or_else(|| format!("`{name}` of {}", dense.values.dtype().name()))?;
        weights.push((Py::text(name), tensor));
    }
    let pyro = ["params", "constraints"].map(|part| (part, Py::Dict(Vec::new())));
    weights.push((Py::text("pyro_param_store"), Py::dict(pyro)));
    Ok(Py::dict([
        ("model_state_dict", Py::ordered_dict(weights)),
        ("var_names", arrays::names(&saved.meta.var_names)),
        ("attr_dict", Py::dict(attributes(&saved.meta))),
    ]))
}

/// Those that a fresh object of the class has other values of.
fn attributes(meta: &ModelMeta) -> Vec<(&'static str, Py)> {
    let indices = |rows: &[usize]| match meta.is_trained {
        true => arrays::indices(rows),
        false => Py::None,
    };
    let history = meta.history.iter().map(|(metric, v)| (metric, arrays::frame(metric, v)));
    vec![
        ("history_", if meta.is_trained { Py::dict(history) } else { Py::None }),
        ("init_params_", init_params(&meta.init_params)),
        ("is_trained_", Py::Bool(meta.is_trained)),
        ("registry_", registry(meta)),
        ("test_indices_", indices(&meta.test_indices)),
        ("train_indices_", indices(&meta.train_indices)),
        ("validation_indices_", indices(&meta.validation_indices)),
    ]
}

/// Arguments, those apart that constructors hand on to their module.
fn init_params(args: &Args) -> Py {
    let args = args.iter().filter_map(|(name, value)| argument(name, value));
    let (declared, handed_on): (Vec<_>, Vec<_>) =
        args.partition(|(name, _)| names::DECLARED.contains(&name.as_str()));
    Py::dict([
        ("kwargs", Py::dict([("kwargs", Py::dict(handed_on))])),
        ("non_kwargs", Py::dict(declared)),
    ])
}

fn argument(name: &str, value: &Value) -> Option<(String, Py)> {
    if name == names::EMBEDDING_DIM {
        let inner = Py::dict([("embedding_dim", value.into())]);
        return Some((names::EMBEDDING_ARGS.into(), inner));
    }
    let activation = value.as_str().filter(|_| name == names::ACTIVATION);
    let value = match activation {
        Some("exp") => return None, // what a module does without being told
        Some("softplus") => Py::Global(("torch.nn.functional", "softplus")),
        _ => value.into(),
    };
    Some((name.into(), value))
}

fn registry(meta: &ModelMeta) -> Py {
    let parts = meta.registry.as_object().into_iter().flatten();
    Py::dict(parts.map(|(key, value)| {
        let value = match (key.as_str(), value) {
            ("setup_args", Value::Object(args)) => setup_args(args),
            ("field_registries", Value::Object(fields)) => {
                let fields = fields.iter().map(|(key, part)| (key, field(meta, key, part)));
                Py::dict(fields)
            }
            (_, value) => value.into(),
        };
        (key, value)
    }))
}

/// Arguments of the set-up; a list without entries is none there.
fn setup_args(args: &Map<String, Value>) -> Py {
    let args = args.iter().filter(|(name, _)| !names::OURS_ALONE.contains(&name.as_str()));
    Py::dict(args.map(|(name, value)| match value {
        Value::Array(list) if list.is_empty() => (name, Py::None),
        value => (name, value.into()),
    }))
}

/// A field's part of the registry, without the field itself.
fn field(meta: &ModelMeta, registry_key: &str, part: &Value) -> Py {
    let parts = part.as_object().into_iter().flatten().filter(|(key, _)| *key != "field");
    Py::dict(parts.map(|(key, value)| {
        let value = match (key.as_str(), value) {
            ("state_registry", Value::Object(state)) => self::state(state),
            ("data_registry", Value::Object(place)) => {
                Py::dict(place.iter().map(|(key, value)| (key, located(meta, registry_key, value))))
            }
            (_, value) => value.into(),
        };
        (key, value)
    }))
}

/// A part of the place of a field; what minified data sets keep is called otherwise there.
fn located(meta: &ModelMeta, registry_key: &str, part: &Value) -> Py {
    let ours = part.as_str().unwrap_or_default();
    let theirs = minified::theirs(registry_key, ours, &meta.model_name);
    theirs.map_or_else(|| part.into(), Py::Text)
}

/// What a field remembers: some lists are arrays there.
fn state(state: &Map<String, Value>) -> Py {
    let inner = |value: &Value| match value {
        Value::Array(list) => arrays::array(list),
        value => value.into(),
    };
    Py::dict(state.iter().map(|(key, value)| {
        let value = match value {
            Value::Object(map) if names::DICTS_OF_ARRAYS.contains(&key.as_str()) => {
                Py::dict(map.iter().map(|(key, value)| (key, inner(value))))
            }
            value if names::ARRAYS.contains(&key.as_str()) => inner(value),
            value => value.into(),
        };
        (key, value)
    }))
}
