//! The rows of the table, made of the page, of what is declared, and of what is written about places.

use std::fmt;

use scvi_framework::{
    abi::native_models, model::ModelDescription, params::ParamSpec, serde_json::Value,
};
use scvi_host::options::kebab;
use scvi_plugin_scvi as _;

use super::{
    SAME, not_yet,
    page::{self, Name, Parameter},
    places::{Found, Place, Places},
};

/// A name or parameter, and where it is.
#[derive(Debug)]
pub struct Row {
    pub name: &'static str,
    /// On the page.
    pub default: &'static str,
    /// Here, as Python writes it, where it is declared.
    pub declared: Option<String>,
    pub rust: String,
    pub command: String,
    pub test: &'static str,
}

/// A name with its parameters.
struct Entry {
    row: Row,
    parameters: Vec<Row>,
}

/// The whole table.
pub struct Rows {
    page: Vec<Entry>,
    later: Vec<Entry>,
    ours: Vec<String>,
}

impl Rows {
    /// # Panics
    /// When a name or a parameter has no place, or stands in the list of what is not there yet and is.
    pub fn new() -> Self {
        let (class, places) = (class(), Places::new());
        let entry = |name: Name| entry(name, &class, &places);
        let page: Vec<Entry> = page::page().into_iter().map(entry).collect();
        let later: Vec<Entry> = page::later().into_iter().map(entry).collect();
        let ours = ours(&class, page.iter().chain(&later));
        Self { page, later, ours }
    }

    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, &Row)> {
        let entries = self.page.iter().chain(&self.later);
        entries.flat_map(|e| e.parameters.iter().map(|row| (e.row.name, row)))
    }

    pub fn all(&self) -> impl Iterator<Item = &Row> {
        let names = self.page.iter().chain(&self.later).map(|entry| &entry.row);
        names.chain(self.parameters().map(|(_, row)| row))
    }
}

/// What SCVI says about itself: what the command line offers.
fn class() -> ModelDescription {
    let models = native_models();
    let scvi = models.iter().find(|model| model.name == "SCVI").unwrap();
    (scvi.make)().description()
}

/// The arguments that `name` declares.
fn specs<'a>(name: &str, class: &'a ModelDescription) -> &'a [ParamSpec] {
    match name.split('.').next().unwrap() {
        "SCVI" => &class.init,
        "setup_anndata" => &class.setup,
        "train" => &class.train,
        "minify_adata" => &class.minify,
        query => class.methods.iter().find(|m| m.name == query).map_or(&[], |m| &m.args),
    }
}

fn entry(name: Name, class: &ModelDescription, places: &Places) -> Entry {
    let Name { name, parameters } = name;
    let (place, missing) = (places.get(name), not_yet(name, ""));
    let is_there = !specs(name, class).is_empty() || place.is_some();
    assert!(
        missing.is_some() != is_there,
        "{name} must have a place or stand in the list of what is not there yet, not both"
    );
    let Some(place) = place else {
        let row = absent(name, "", format!("not yet: {}", missing.unwrap_or_default()));
        return Entry { row, parameters: Vec::new() };
    };
    let row = Row {
        rust: place.rust.into(),
        command: place.command.into(),
        ..absent(name, "", String::new())
    };
    let row = Row { test: place.test, ..row };
    let parameter = |p: Parameter| parameter(name, &p, place, specs(name, class), places);
    Entry { row, parameters: parameters.into_iter().map(parameter).collect() }
}

fn parameter(
    name: &str,
    parameter: &Parameter,
    place: &Place,
    specs: &[ParamSpec],
    places: &Places,
) -> Row {
    let Parameter { name: own, default } = *parameter;
    let spec = specs.iter().find(|spec| spec.name == own);
    let (found, missing) = (places.parameter(name, own), not_yet(name, own));
    match (missing, found, spec) {
        (Some(reason), None, None) => absent(own, default, format!("not yet: {reason}")),
        (Some(_), ..) => panic!("{name}({own}) is there: take it off the list of what is not"),
        (None, Some(Found::Never(reason)), None) => absent(own, default, format!("- {reason}")),
        (None, Some(Found::At { rust, command, test }), spec) => {
            let (rust, command) = (rust.to_owned(), command.to_owned());
            let declared = spec.map(|spec| python(&spec.default));
            Row { name: own, default, declared, rust, command, test }
        }
        (None, None | Some(Found::Tested(_)), Some(spec)) => {
            let test = match found {
                Some(Found::Tested(test)) => test,
                _ => place.test,
            };
            declared(own, default, place, spec, test)
        }
        (None, Some(found), _) => {
            panic!("{name}({own}) is {found:?}, and that is not what is declared")
        }
        (None, None, None) => panic!("{name}({own}) has no place"),
    }
}

fn absent(name: &'static str, default: &'static str, why: String) -> Row {
    Row { name, default, declared: None, rust: why, command: String::new(), test: "" }
}

fn declared(
    name: &'static str,
    default: &'static str,
    place: &Place,
    spec: &ParamSpec,
    test: &'static str,
) -> Row {
    let command = match spec.default {
        Value::Bool(true) => format!("--no-{}", kebab(name)),
        _ => format!("--{}", kebab(name)),
    };
    let rust = format!("{}::{name}", place.declared);
    Row { name, default, declared: Some(python(&spec.default)), rust, command, test }
}

/// A default as Python writes it.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    }
}

/// Declared arguments that scvi-tools does not have.
fn ours<'a>(class: &ModelDescription, entries: impl Iterator<Item = &'a Entry>) -> Vec<String> {
    let theirs: Vec<(&str, &str)> = entries
        .flat_map(|e| {
            let name = e.row.name.split('.').next().unwrap_or_default();
            e.parameters.iter().map(move |row| (name, row.name))
        })
        .collect();
    let mut tables =
        vec![("setup_anndata", &class.setup), ("SCVI", &class.init), ("train", &class.train)];
    tables.extend(class.methods.iter().map(|m| (m.name.as_str(), &m.args)));
    let mut ours = Vec::new();
    for (name, specs) in tables {
        let own = specs.iter().filter(|spec| !theirs.contains(&(name, spec.name.as_str())));
        ours.extend(own.map(|s| format!("| `{name}` | `{}` | {} |", s.name, s.help.trim())));
    }
    ours
}

const HEAD: &str = "\
# The API page of SCVI

Every name and parameter of scvi-tools' page `scvi.model.SCVI`, where it is here, and which test holds it. This page
is made by a test of what the code declares (`tests/it/api`); `SCVI_UPDATE_SNAPSHOTS=1` writes it anew.

Items are those of `scvi_framework`, unless they name another crate. What begins with `-` is a reason why there is
nothing. DIR is the folder of a saved model, FILE a data set.

";

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        f.write_str("## Names\n\n")?;
        names(f, &self.page)?;
        f.write_str("\n## Parameters\n")?;
        parameters(f, &self.page)?;
        f.write_str("\n## Beside the page, in scvi-tools 1.4.2\n\n")?;
        names(f, &self.later)?;
        parameters(f, &self.later)?;
        f.write_str(
            "\n## What scvi-tools does not have\n\n| of | parameter | meaning |\n|---|---|---|\n",
        )?;
        self.ours.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

fn names(f: &mut fmt::Formatter<'_>, entries: &[Entry]) -> fmt::Result {
    f.write_str("| scvi-tools | here | command line | test |\n|---|---|---|---|\n")?;
    for Entry { row, .. } in entries {
        let (rust, command) = (cell(&row.rust), cell(&row.command));
        writeln!(f, "| `{}` | {rust} | {command} | {} |", row.name, cell(row.test))?;
    }
    Ok(())
}

fn parameters(f: &mut fmt::Formatter<'_>, entries: &[Entry]) -> fmt::Result {
    for Entry { row, parameters } in entries.iter().filter(|entry| !entry.parameters.is_empty()) {
        writeln!(f, "\n### `{}`\n", row.name)?;
        f.write_str(
            "| parameter | default | here | command line | test |\n|---|---|---|---|---|\n",
        )?;
        for row in parameters {
            let (rust, command) = (cell(&row.rust), cell(&row.command));
            let (name, default) = (row.name, default(row));
            writeln!(f, "| `{name}` | {default} | {rust} | {command} | {} |", cell(row.test))?;
        }
    }
    Ok(())
}

/// The default on the page, and in what way it is written otherwise here.
fn default(row: &Row) -> String {
    let theirs = cell(row.default);
    let same = SAME.iter().find(|(p, page, here, _)| {
        (*p, *page) == (row.name, row.default) && row.declared.as_deref() == Some(here)
    });
    match same {
        Some((_, _, here, why)) => format!("{theirs}, here `{here}`: {why}"),
        None => theirs,
    }
}

/// Code as code, prose as prose.
fn cell(text: &str) -> String {
    let is_code = !text.contains(' ') || text.starts_with("scvi ") || text.starts_with("--");
    if is_code && !text.is_empty() { format!("`{text}`") } else { text.into() }
}
