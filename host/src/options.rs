//! Options that plugins declare: from [`ParamSpec`]s to clap and back to JSON.

use std::{collections::BTreeSet, fmt};

use clap::{
    Arg, ArgAction, ArgMatches, Command,
    builder::{PossibleValuesParser, TypedValueParser, ValueParser},
    parser::ValueSource,
};
use scvi_framework::{
    params::{Args, ParamKind, ParamSpec},
    serde_json::{self, Value},
};

/// What a set of options belongs to; the heading in the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Arguments of `setup_anndata`.
    Setup,
    /// Arguments of the constructor.
    Model,
    /// Arguments of `train`.
    Training,
    /// Arguments of a query.
    Query,
    /// Arguments of `load_query_data`.
    Mapping,
    /// Arguments of `minify_adata`.
    Minification,
    /// Arguments of a simulation.
    Simulation,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Group::Setup => "Set-up",
            Group::Model => "Model",
            Group::Training => "Training",
            Group::Query => "Query",
            Group::Mapping => "Mapping",
            Group::Minification => "Minification",
            Group::Simulation => "Simulation",
        })
    }
}

impl Group {
    /// Put before an option's name when another option has it already.
    fn prefix(self) -> &'static str {
        match self {
            Group::Setup => "setup",
            Group::Model => "model",
            Group::Training => "train",
            Group::Query => "query",
            Group::Mapping => "map",
            Group::Minification => "minify",
            Group::Simulation => "simulation",
        }
    }
}

/// One option: its long name and the arguments it sets.
#[derive(Clone, Debug)]
struct Bound {
    long: String,
    spec: ParamSpec,
    groups: Vec<Group>,
}

/// All options that plugins add to one command.
#[derive(Clone, Debug, Default)]
pub struct Options {
    bound: Vec<Bound>,
}

impl Options {
    /// Names the options of `groups` beside those that `command` and its parents (`inherited`)
    /// already have. The same argument in two groups is one option that sets both; a name that is
    /// taken otherwise gets its group's word in front (`--train-seed`).
    pub fn new(command: &Command, inherited: &Command, groups: &[(Group, &[ParamSpec])]) -> Self {
        let fixed = [command, inherited].into_iter().flat_map(Command::get_arguments);
        let mut taken: BTreeSet<String> =
            fixed.filter_map(|a| Some(a.get_long()?.to_owned())).collect();
        taken.extend(["help".into(), "version".into()]);
        let mut options = Self::default();
        for &(group, specs) in groups {
            for spec in specs {
                options.add(&mut taken, group, spec);
            }
        }
        options
    }

    fn add(&mut self, taken: &mut BTreeSet<String>, group: Group, spec: &ParamSpec) {
        let same = self.bound.iter_mut().find(|b| {
            b.spec.name == spec.name && b.spec.kind == spec.kind && !b.groups.contains(&group)
        });
        if let Some(bound) = same {
            bound.groups.push(group);
            return;
        }
        let mut long = kebab(&spec.name);
        while taken.contains(&long) || taken.contains(&format!("no-{long}")) {
            long = format!("{}-{long}", group.prefix());
        }
        if spec.kind == ParamKind::Flag {
            taken.insert(format!("no-{long}"));
        }
        taken.insert(long.clone());
        self.bound.push(Bound { long, spec: spec.clone(), groups: vec![group] });
    }

    /// The command with these options.
    pub fn extend(&self, command: Command) -> Command {
        self.bound.iter().fold(command, |command, bound| command.args(bound.args()))
    }

    /// The arguments of `group` that were given, typed.
    pub fn given(&self, matches: &ArgMatches, group: Group) -> Args {
        let of_group = self.bound.iter().filter(|b| b.groups.contains(&group));
        of_group.filter_map(|b| Some((b.spec.name.clone(), b.value(matches)?))).collect()
    }
}

impl Bound {
    fn id(&self) -> String {
        format!("dynamic:{}", self.long)
    }

    fn off_id(&self) -> String {
        format!("dynamic:no-{}", self.long)
    }

    fn args(&self) -> Vec<Arg> {
        let heading = self.groups[0].to_string();
        let arg = Arg::new(self.id()).long(self.long.clone()).help_heading(heading.clone());
        if self.spec.kind != ParamKind::Flag {
            let append = matches!(self.spec.kind, ParamKind::List(_));
            let action = if append { ArgAction::Append } else { ArgAction::Set };
            let arg = arg.action(action).value_name(value_name(&self.spec.kind));
            return vec![
                arg.value_parser(parser(&self.spec))
                    .allow_hyphen_values(takes_minus(&self.spec.kind))
                    .help(help(&self.spec)),
            ];
        }
        let on = arg.action(ArgAction::SetTrue).overrides_with(self.off_id());
        let off = Arg::new(self.off_id()).long(format!("no-{}", self.long)).help_heading(heading);
        let off = off.action(ArgAction::SetTrue).overrides_with(self.id());
        let text = self.spec.help.trim().trim_end_matches('.');
        match self.spec.default {
            Value::Bool(true) => {
                vec![on.hide(true), off.help(format!("Turn off (on by default): {text}"))]
            }
            Value::Bool(false) => vec![on.help(text.to_owned()), off.hide(true)],
            _ => {
                vec![on.help(text.to_owned()), off.help(format!("The opposite of --{}", self.long))]
            }
        }
    }

    fn value(&self, matches: &ArgMatches) -> Option<Value> {
        let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        match &self.spec.kind {
            ParamKind::Flag if given(&self.id()) => Some(true.into()),
            ParamKind::Flag if given(&self.off_id()) => Some(false.into()),
            ParamKind::Flag => None,
            ParamKind::List(_) => {
                let values = matches.get_many::<Value>(&self.id())?;
                Some(values.flat_map(|v| v.as_array().cloned().unwrap_or_default()).collect())
            }
            _ => matches.get_one::<Value>(&self.id()).cloned(),
        }
    }
}

/// Python's name of an argument or method as the command line spells it.
pub fn kebab(name: &str) -> String {
    name.replace('_', "-")
}

/// The default for people: empty when there is none.
pub fn default_text(spec: &ParamSpec) -> String {
    match (&spec.kind, &spec.default) {
        (_, Value::Null) => String::new(),
        (ParamKind::Flag, Value::Bool(on)) => (if *on { "on" } else { "off" }).into(),
        (_, value) => plain(value),
    }
}

/// A JSON value as one would type it.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(entries) => entries.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn help(spec: &ParamSpec) -> String {
    let mut text = spec.help.trim().trim_end_matches('.').to_owned();
    let default = default_text(spec);
    if !default.is_empty() {
        text += &format!(" [default: {default}]");
    }
    match (spec.min, spec.max) {
        (Some(min), Some(max)) => text += &format!(" [{min} to {max}]"),
        (Some(min), None) => text += &format!(" [at least {min}]"),
        (None, Some(max)) => text += &format!(" [at most {max}]"),
        (None, None) => {}
    }
    text
}

fn value_name(kind: &ParamKind) -> &'static str {
    match kind {
        ParamKind::Flag => "",
        ParamKind::Int => "N",
        ParamKind::Float => "X",
        ParamKind::Text => "TEXT",
        ParamKind::Choice(_) => "WORD",
        ParamKind::List(of) => match **of {
            ParamKind::Int => "N,N,…",
            ParamKind::Float => "X,X,…",
            _ => "A,B,…",
        },
        ParamKind::Rows => "ROWS",
        ParamKind::Json => "JSON",
    }
}

fn takes_minus(kind: &ParamKind) -> bool {
    match kind {
        ParamKind::Int | ParamKind::Float => true,
        ParamKind::List(of) => takes_minus(of),
        _ => false,
    }
}

fn parser(spec: &ParamSpec) -> ValueParser {
    if let ParamKind::Choice(words) = &spec.kind {
        return PossibleValuesParser::new(words.clone()).map(Value::from).into();
    }
    let spec = spec.clone();
    ValueParser::from(move |text: &str| read(&spec, &spec.kind, text))
}

fn read(spec: &ParamSpec, kind: &ParamKind, text: &str) -> Result<Value, String> {
    let wrong =
        || format!("expected {}", ParamSpec { kind: kind.clone(), ..spec.clone() }.expected());
    let in_range =
        |v: f64| spec.min.is_none_or(|min| v >= min) && spec.max.is_none_or(|max| v <= max);
    let value = match kind {
        ParamKind::Flag => text.parse::<bool>().ok().map(Value::from),
        ParamKind::Int => text.parse::<i64>().ok().filter(|&v| in_range(v as f64)).map(Value::from),
        ParamKind::Float => text.parse::<f64>().ok().filter(|&v| in_range(v)).map(Value::from),
        ParamKind::Text => Some(text.into()),
        ParamKind::Choice(words) => words.iter().any(|w| w == text).then(|| text.into()),
        ParamKind::List(of) => return read_list(spec, of, text),
        // A bare word is short for a JSON string.
        ParamKind::Rows | ParamKind::Json => {
            Some(serde_json::from_str(text).unwrap_or_else(|_| text.into()))
        }
    };
    value.filter(|v| !v.is_null() || *kind == ParamKind::Json).ok_or_else(wrong)
}

/// Entries between commas, or a JSON list for entries that contain commas.
fn read_list(spec: &ParamSpec, of: &ParamKind, text: &str) -> Result<Value, String> {
    if text.starts_with('[') {
        return match serde_json::from_str(text) {
            Ok(list @ Value::Array(_)) => Ok(list),
            _ => Err("expected entries between commas, or a JSON list".into()),
        };
    }
    text.split(',').map(|entry| read(spec, of, entry.trim())).collect()
}

#[cfg(test)]
mod tests;
