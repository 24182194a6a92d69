//! A registry for people: what is read from a data set, and in which terms.

use std::fmt;

use serde_json::Value;

use super::Registry;
use crate::{anndata::quoted, params::Args, table::Table};

/// A registry as tables; as text, one below the other.
#[derive(Clone, Debug, PartialEq)]
pub struct RegistryView {
    /// The version of scvi-tools whose format the registry has.
    pub scvi_version: String,
    /// How the data set was set up, when a class of models did it.
    pub setup: Option<SetupView>,
    /// Summary statistics.
    pub summary_stats: Table,
    /// Where each tensor lies.
    pub data_registry: Table,
    /// What fields remember, of those that have something to show.
    pub state_registries: Vec<Table>,
}

/// The arguments of a set-up; as text, a Python dictionary.
#[derive(Clone, Debug, PartialEq)]
pub struct SetupView {
    /// The class of models.
    pub model_name: String,
    /// What its `setup_anndata` was given.
    pub setup_args: Args,
}

impl RegistryView {
    /// The same without the tables of what fields remember.
    #[must_use]
    pub fn hide_state_registries(self) -> Self {
        Self { state_registries: Vec::new(), ..self }
    }
}

impl SetupView {
    /// The arguments of the set-up in a saved registry; `None` where there are none.
    pub fn of(registry: &Value) -> Option<Self> {
        let model_name = registry.get("model_name")?.as_str()?.to_owned();
        let setup_args = registry.get("setup_args")?.as_object()?.clone();
        Some(Self { model_name, setup_args })
    }
}

impl Registry {
    /// The registry as tables.
    pub fn view(&self) -> RegistryView {
        let stats = self.summary_stats();
        let stats = stats.0.iter().map(|(key, n)| vec![key.clone(), n.to_string()]);
        let places = self.data_registry().map(|(key, place)| vec![key.into(), place.to_string()]);
        let fields = self.field_registries.values();
        RegistryView {
            scvi_version: self.scvi_version.clone(),
            setup: self.view_setup_method_args(),
            summary_stats: Table {
                title: "Summary Statistics".into(),
                header: vec!["Summary Stat Key", "Value"],
                rows: stats.collect(),
            },
            data_registry: Table {
                title: "Data Registry".into(),
                header: vec!["Registry Key", "scvi-tools Location"],
                rows: places.collect(),
            },
            state_registries: fields
                .filter_map(|part| part.field.view_state_registry(&part.state_registry))
                .collect(),
        }
    }

    /// The arguments of the set-up; `None` when no class of models did it.
    pub fn view_setup_method_args(&self) -> Option<SetupView> {
        let (model_name, setup_args) = (self.model_name.clone()?, self.setup_args.clone()?);
        Some(SetupView { model_name, setup_args })
    }
}

impl fmt::Display for RegistryView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Anndata setup with scvi-tools version {}.", self.scvi_version)?;
        self.setup.iter().try_for_each(|setup| write!(f, "\n{setup}"))?;
        let tables = [&self.summary_stats, &self.data_registry];
        let mut tables = tables.into_iter().chain(&self.state_registries);
        tables.try_for_each(|table| write!(f, "\n{table}"))
    }
}

impl fmt::Display for SetupView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Setup via `{}.setup_anndata` with arguments:\n{{", self.model_name)?;
        for (name, value) in &self.setup_args {
            writeln!(f, "    {}: {},", quoted(name), python(value))?;
        }
        writeln!(f, "}}")
    }
}

/// A value as Python writes it.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(entries) => {
            format!("[{}]", entries.iter().map(python).collect::<Vec<_>>().join(", "))
        }
        Value::Object(entries) => {
            let entry =
                |(name, value): (&String, &Value)| format!("{}: {}", quoted(name), python(value));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}
