//! Rules on tables of arguments.

use serde_json::{Value, json};

use super::Broken;
use crate::{
    error::{Error, Result},
    params::{Args, ParamKind, ParamSpec, Params},
};

/// Checks the table of `P` and how values are read and refused.
pub(super) fn check<P: Params>(table: &str) -> Broken {
    let specs = P::specs();
    let mut broken = check_table(table, &specs);
    let written = P::default().to_args();
    match P::from_args(&written) {
        Ok(read) if read.to_args() == written => {}
        Ok(_) => broken.push(format!("{table}: defaults change when they are written and read")),
        Err(e) => broken.push(format!("{table}: defaults are refused: {e}")),
    }
    for spec in &specs {
        let about = |problem: String| format!("{table}: `{}` {problem}", spec.name);
        if written.get(&spec.name) != Some(&spec.default) {
            broken.push(about("has one default in its table and another in `Default`".into()));
        }
        broken.extend(accepted::<P>(spec).into_iter().map(about));
        broken.extend(refused::<P>(spec).into_iter().map(about));
    }
    broken.extend(unknown::<P>().map(|problem| format!("{table}: {problem}")));
    broken
}

/// Checks names and help texts.
pub(super) fn check_table(table: &str, specs: &[ParamSpec]) -> Broken {
    let mut broken = Vec::new();
    for (i, spec) in specs.iter().enumerate() {
        let name = &spec.name;
        if spec.help.trim().is_empty() {
            broken.push(format!("{table}: `{name}` has no help text"));
        }
        if !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
            broken.push(format!("{table}: `{name}` is not in snake case"));
        }
        if specs[..i].iter().any(|other| other.name == *name) {
            broken.push(format!("{table}: `{name}` is there twice"));
        }
    }
    broken
}

/// The default, the ends of the range and every choice are taken as they are.
fn accepted<P: Params>(spec: &ParamSpec) -> Broken {
    let mut values = vec![spec.default.clone()];
    values.extend([spec.min, spec.max].into_iter().flatten().map(|end| number(&spec.kind, end)));
    if let ParamKind::Choice(words) = &spec.kind {
        values.extend(words.iter().map(|word| json!(word)));
    }
    let mut broken = Vec::new();
    for value in values {
        match read::<P>(&spec.name, value.clone()) {
            Ok(read) if read.to_args()[&spec.name] == value => {}
            Ok(read) => {
                let other = &read.to_args()[&spec.name];
                broken.push(format!("takes {value} and makes {other} of it"));
            }
            Err(e) => broken.push(format!("refuses {value}, which is valid: {e}")),
        }
    }
    broken
}

/// Values out of range or of the wrong type are refused, by name.
fn refused<P: Params>(spec: &ParamSpec) -> Broken {
    let mut values: Vec<Value> = Vec::new();
    values.extend(spec.min.map(|min| number(&spec.kind, min - 1.0)));
    values.extend(spec.max.map(|max| number(&spec.kind, max + 1.0)));
    match spec.kind {
        ParamKind::Json => {}
        ParamKind::Choice(_) => values.extend([json!("no such word"), json!(7)]),
        _ => values.push(json!({ "neither": "number, text nor list" })),
    }
    let mut broken = Vec::new();
    for value in values {
        match read::<P>(&spec.name, value.clone()) {
            Err(Error::Argument { name, .. }) if name == spec.name => {}
            Err(e) => broken.push(format!("refuses {value} without being named: {e}")),
            Ok(_) => broken.push(format!("takes {value}; expected {}", spec.expected())),
        }
    }
    broken
}

/// A name that nobody declared is refused.
fn unknown<P: Params>() -> Option<String> {
    let name = "no_such_argument";
    match read::<P>(name, json!(1)) {
        Err(Error::UnknownArgument { name: named, .. }) if named == name => None,
        Err(e) => Some(format!("an unknown argument is refused without being named: {e}")),
        Ok(_) => Some("an unknown argument is taken and forgotten".into()),
    }
}

fn read<P: Params>(name: &str, value: Value) -> Result<P> {
    P::from_args(&Args::from_iter([(name.to_owned(), value)]))
}

/// A number as JSON of the argument's kind.
fn number(kind: &ParamKind, value: f64) -> Value {
    match kind {
        ParamKind::Int => json!(value as i64),
        _ => json!(value),
    }
}
