//! Kinds of fields by name: those of this framework, and those that this library knows.

use std::fmt;

use serde::{
    Deserialize,
    de::{self, value::MapDeserializer},
};
use serde_json::Value;

use super::AnnDataField;
use crate::error::{Error, Result};

/// The key of a field's JSON that names its kind.
pub const KIND: &str = "field";

/// The framework's own kinds, which every program and every plugin knows: name, what it reads, and
/// what its JSON takes.
pub const BUILT_IN: [(&str, &str); 15] = [
    ("CategoricalJointObsField", "Several categorical columns of obs: registry_key, attr_keys"),
    ("CategoricalJointVarField", "Several categorical columns of var: registry_key, attr_keys"),
    ("CategoricalObsField", "A categorical column of obs: registry_key, attr_key"),
    ("CategoricalVarField", "A categorical column of var: registry_key, attr_key"),
    (
        "LabelsWithUnlabeledObsField",
        "Labels, one of which stands for none: registry_key, attr_key, unlabeled_category",
    ),
    ("LayerField", "A matrix, X or a layer: registry_key, layer, allow_noncounts"),
    ("NumericalJointObsField", "Several columns of numbers of obs: registry_key, attr_keys"),
    ("NumericalJointVarField", "Several columns of numbers of var: registry_key, attr_keys"),
    ("NumericalObsField", "A column of numbers of obs: registry_key, attr_key"),
    ("NumericalVarField", "A column of numbers of var: registry_key, attr_key"),
    ("ObsmField", "A matrix with a row per cell: registry_key, attr_key, is_count_data"),
    ("ProteinLayerField", "Counts of proteins in a layer: those of LayerField"),
    ("ProteinObsmField", "Counts of proteins in obsm: those of ObsmField"),
    ("StringUnsField", "A word about the data set: registry_key, attr_key"),
    ("VarmField", "A matrix with a row per gene: registry_key, attr_key, is_count_data"),
];

/// A field from its JSON: `{"field": "CategoricalObsField", "registry_key": "batch", …}`.
///
/// ```
/// use scvi_framework::{fields::from_json, serde_json::json};
///
/// let json = json!({ "field": "CategoricalObsField", "registry_key": "batch", "attr_key": "donor" });
/// assert_eq!(from_json(&json)?.registry_key(), "batch");
/// # Ok::<_, scvi_framework::Error>(())
/// ```
///
/// # Errors
/// [`Error::FieldJson`] when it names no kind, or the kind does not take the rest of it;
/// [`Error::UnknownField`] for a kind that this library does not know.
pub fn from_json(json: &Value) -> Result<Box<dyn AnnDataField>> {
    let kind = kind_of(json)?;
    if !knows(kind) {
        let known = known_kinds().into_iter().map(str::to_owned).collect();
        return Err(Error::UnknownField { kind: kind.into(), known });
    }
    Box::<dyn AnnDataField>::deserialize(json)
        .map_err(|e| Error::FieldJson { kind: kind.into(), reason: e.to_string() })
}

/// The kind that a field's JSON names.
///
/// # Errors
/// [`Error::FieldJson`] when it names none.
pub fn kind_of(json: &Value) -> Result<&str> {
    json.get(KIND).and_then(Value::as_str).ok_or_else(|| Error::FieldJson {
        kind: "?".into(),
        reason: format!("expected a JSON object with \"{KIND}\", the kind of field; found {json}"),
    })
}

/// Whether this library knows the kind.
pub(crate) fn knows(kind: &str) -> bool {
    known_kinds().contains(&kind)
}

/// All kinds that this library knows, in order of name.
pub(crate) fn known_kinds() -> Vec<&'static str> {
    // typetag tells what it knows to whoever asks for what it does not.
    let none = MapDeserializer::<_, Known>::new([(KIND, "")].into_iter());
    let mut kinds = match Box::<dyn AnnDataField>::deserialize(none) {
        Ok(_) => Vec::new(),
        Err(Known(kinds)) => kinds.to_vec(),
    };
    kinds.sort_unstable();
    kinds
}

/// What is known, as an error.
#[derive(Debug)]
struct Known(&'static [&'static str]);

impl de::Error for Known {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self(expected)
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Known {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_of_the_framework_are_listed() {
        let listed: Vec<&str> = BUILT_IN.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(listed, known_kinds());
    }
}
