//! Whether what the table names is there.

use std::collections::BTreeSet;

use clap::{CommandFactory, ValueEnum};
use scvi_framework::abi::native_models;
use scvi_host::{
    cli::{Attribute, Cli},
    options::kebab,
};

use crate::tidy::{Source, sources};

/// What there is.
pub struct Known {
    library: Vec<Source>,
    tests: BTreeSet<String>,
    options: BTreeSet<String>,
    shown: BTreeSet<String>,
    queries: BTreeSet<String>,
}

impl Known {
    pub fn new() -> Self {
        let sources = sources(&["rs"]);
        let tests = sources.iter().flat_map(|s| tests(&s.text)).collect();
        let rooms = ["framework/core/src", "plugins/scvi/src"];
        let is_library = |s: &Source| rooms.iter().any(|room| s.path.starts_with(room));
        let library = sources.into_iter().filter(|s| is_library(s) && !s.is_test()).collect();
        let models = native_models();
        let class = models.iter().find(|m| m.name == "SCVI").map(|m| (m.make)().description());
        let class = class.unwrap();
        let mut options = BTreeSet::new();
        longs(&Cli::command(), &mut options);
        let methods = class.methods.iter();
        let args = methods.clone().flat_map(|m| &m.args).chain(&class.setup).chain(&class.init);
        for spec in args.chain(&class.train).chain(&class.minify) {
            options.extend([
                format!("--{}", kebab(&spec.name)),
                format!("--no-{}", kebab(&spec.name)),
            ]);
        }
        let shown = Attribute::value_variants().iter().filter_map(Attribute::to_possible_value);
        let shown =
            shown.flat_map(|v| v.get_name_and_aliases().map(str::to_owned).collect::<Vec<_>>());
        Self {
            library,
            tests,
            options,
            shown: shown.collect(),
            queries: methods.map(|m| kebab(&m.name)).collect(),
        }
    }

    /// The items of `text`, which has `::` in them, that are not in the library.
    pub fn missing_items(&self, text: &str) -> Vec<String> {
        let words = text.split(|c: char| !(c.is_alphanumeric() || "_:".contains(c)));
        let paths = words.map(|word| word.trim_end_matches(':')).filter(|word| word.contains("::"));
        paths.filter(|path| !self.has_item(path)).map(|path| format!("item {path}")).collect()
    }

    fn has_item(&self, path: &str) -> bool {
        let (before, last) = path.rsplit_once("::").unwrap();
        let owner = before.rsplit("::").next().unwrap();
        let is_type = |name: &str| name.starts_with(char::is_uppercase);
        let declares = |text: &str, name: &str| {
            ["struct", "enum", "trait"].iter().any(|kind| {
                let head = format!("pub {kind} {name}");
                text.match_indices(&head).any(|(at, _)| ends_a_word(&text[at + head.len()..]))
            })
        };
        let owns = |text: &str| {
            !is_type(owner)
                || declares(text, owner)
                || text.contains(&format!("> {owner}<M> {{")) // impl<M: …> Model<M> {
                || text.contains(&format!("> {owner}<M>\nwhere"))
                || text.contains(&format!("impl {owner} {{"))
        };
        let member = |text: &str| {
            [format!("pub fn {last}("), format!("pub fn {last}<"), format!("pub {last}:")]
                .iter()
                .any(|head| text.contains(head))
        };
        self.library.iter().any(|source| match is_type(last) {
            true => declares(&source.text, last),
            false => owns(&source.text) && member(&source.text),
        })
    }

    /// Why `text` cannot be typed.
    pub fn missing_command(&self, text: &str) -> Option<String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let known = match words.as_slice() {
            ["scvi", "show", "DIR", attribute] => self.shown.contains(*attribute),
            ["scvi", "query", "DIR", "METHOD"] => true,
            ["scvi", "query", "DIR", method] => self.queries.contains(*method),
            [option, ..] if option.starts_with("--") => self.options.contains(*option),
            _ => true,
        };
        (!known).then(|| format!("command {text}"))
    }

    /// A test that is not there.
    pub fn missing_test(&self, name: &str) -> Option<String> {
        (!name.is_empty() && !self.tests.contains(name)).then(|| format!("test {name}"))
    }
}

fn ends_a_word(rest: &str) -> bool {
    !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// Names of the functions under `#[test]`.
fn tests(text: &str) -> Vec<String> {
    let behind = text.split("#[test]").skip(1);
    let named = behind.filter_map(|rest| rest.trim_start().strip_prefix("fn ")?.split_once('('));
    named.map(|(name, _)| name.to_owned()).collect()
}

fn longs(command: &clap::Command, found: &mut BTreeSet<String>) {
    found.extend(command.get_arguments().filter_map(|arg| Some(format!("--{}", arg.get_long()?))));
    command.get_subcommands().for_each(|sub| longs(sub, found));
}
