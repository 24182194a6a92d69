//! Two passes over the command line: find out which model or method is meant, then parse
//! everything with that one's options.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::{Command, CommandFactory, FromArgMatches};
use scvi_framework::{
    model::ModelDescription,
    params::{Args, ParamSpec},
};

use crate::{
    cli::Cli,
    failure::Result,
    options::{Group, Options, kebab},
    questions::{DIFFERENTIAL_EXPRESSION, find_method},
};

/// Says what models and simulations take.
pub trait Describe {
    /// The model called `name`.
    ///
    /// # Errors
    /// When no plugin has it.
    fn model(&self, plugin_dirs: &[PathBuf], name: &str) -> Result<ModelDescription>;

    /// The model saved in `dir`.
    ///
    /// # Errors
    /// When there is none, or no plugin has its class.
    fn saved(&self, plugin_dirs: &[PathBuf], dir: &Path) -> Result<ModelDescription>;

    /// The arguments of a simulation, structured or `iid`.
    fn simulation(&self, iid: bool) -> Vec<ParamSpec>;
}

/// The command line, typed.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The fixed part.
    pub cli: Cli,
    /// Arguments given for `setup_anndata`.
    pub setup: Args,
    /// Arguments given for the constructor.
    pub model: Args,
    /// Arguments given for `train`.
    pub training: Args,
    /// Arguments given for the query.
    pub query: Args,
    /// Arguments given for `load_query_data`.
    pub mapping: Args,
    /// Arguments given for `minify_adata`.
    pub minification: Args,
    /// Arguments given for the simulation.
    pub simulation: Args,
}

/// Parses a whole command line, program name first.
///
/// # Errors
/// [`crate::failure::Error::Usage`] for what clap refuses, and for help, which ends the program too.
pub fn parse(argv: &[OsString], describe: &dyn Describe) -> Result<Parsed> {
    let root = Cli::command();
    let seen = Scan::new(argv, &root);
    let specs = seen.specs(describe)?;
    let path: Vec<&str> = seen.path.iter().map(String::as_str).collect();
    let groups: Vec<(Group, &[ParamSpec])> =
        specs.groups.iter().map(|(g, s)| (*g, s.as_slice())).collect();
    let options = Options::new(find(&root, &path), &root, &groups);
    let command = at(root, &path, &|command| {
        let command = options.extend(command);
        match &specs.after_help {
            Some(text) => command.after_help(text.clone()),
            None => command,
        }
    });
    let matches = command.try_get_matches_from(argv)?;
    let cli = Cli::from_arg_matches(&matches)?;
    let mut deepest = &matches;
    while let Some((_, sub)) = deepest.subcommand() {
        deepest = sub;
    }
    let given = |group| options.given(deepest, group);
    Ok(Parsed {
        cli,
        setup: given(Group::Setup),
        model: given(Group::Model),
        training: given(Group::Training),
        query: given(Group::Query),
        mapping: given(Group::Mapping),
        minification: given(Group::Minification),
        simulation: given(Group::Simulation),
    })
}

/// What the options of a command depend on, once known.
#[derive(Default)]
struct Specs {
    groups: Vec<(Group, Vec<ParamSpec>)>,
    after_help: Option<String>,
}

/// The first pass: as much as can be told without knowing any model.
#[derive(Debug, Default)]
struct Scan {
    path: Vec<String>,
    positionals: Vec<String>,
    plugin_dirs: Vec<PathBuf>,
    iid: bool,
    table: bool,
}

impl Scan {
    fn new(argv: &[OsString], root: &Command) -> Self {
        let mut seen = Self::default();
        let mut command = root;
        // Behind an unknown option nobody knows whether a word is its value.
        let mut sure = true;
        let mut words = argv.iter().skip(1).map(|w| w.to_string_lossy());
        while let Some(word) = words.next() {
            if word == "--" {
                break;
            }
            if let Some(option) = word.strip_prefix("--") {
                let (name, value) = match option.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (option, None),
                };
                let mut known = command.get_arguments().chain(root.get_arguments());
                let Some(arg) = known.find(|a| a.get_long() == Some(name)) else {
                    sure &= value.is_some();
                    continue;
                };
                let takes_value = arg.get_action().takes_values();
                let value = value.or_else(|| takes_value.then(|| words.next())?.map(Into::into));
                match (name, value) {
                    ("plugin-dir", Some(dir)) => seen.plugin_dirs.push(dir.into()),
                    ("iid", _) => seen.iid = true,
                    ("table", _) => seen.table = true,
                    _ => {}
                }
            } else if !sure || word.starts_with('-') && word.len() > 1 {
                continue;
            } else if let Some(sub) = command.find_subcommand(word.as_ref()) {
                command = sub;
                seen.path.push(sub.get_name().into());
            } else {
                seen.positionals.push(word.into());
            }
        }
        seen
    }

    fn specs(&self, describe: &dyn Describe) -> Result<Specs> {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let first = self.positionals.first();
        match (path.as_slice(), first) {
            (["setup"], Some(name)) => {
                let model = describe.model(&self.plugin_dirs, name)?;
                let after_help = Some(model.about);
                Ok(Specs { groups: vec![(Group::Setup, model.setup)], after_help })
            }
            (["train"], Some(name)) => {
                let model = describe.model(&self.plugin_dirs, name)?;
                let groups = vec![
                    (Group::Setup, model.setup),
                    (Group::Model, model.init),
                    (Group::Training, model.train),
                ];
                Ok(Specs { groups, after_help: Some(model.about) })
            }
            (["query"], Some(dir)) => {
                let model = describe.saved(&self.plugin_dirs, Path::new(dir))?;
                self.method(model)
            }
            (["map"], Some(dir)) => {
                let model = describe.saved(&self.plugin_dirs, Path::new(dir))?;
                let groups = vec![(Group::Mapping, model.mapping), (Group::Training, model.train)];
                Ok(Specs { groups, after_help: None })
            }
            (["minify"], Some(dir)) => {
                let model = describe.saved(&self.plugin_dirs, Path::new(dir))?;
                Ok(Specs { groups: vec![(Group::Minification, model.minify)], after_help: None })
            }
            (["plot", "de"], Some(dir)) if !self.table => {
                let model = describe.saved(&self.plugin_dirs, Path::new(dir))?;
                let method = find_method(&model, DIFFERENTIAL_EXPRESSION)?;
                Ok(Specs { groups: vec![(Group::Query, method.args.clone())], after_help: None })
            }
            (["data", "synthetic"], _) => {
                let specs = describe.simulation(self.iid);
                Ok(Specs { groups: vec![(Group::Simulation, specs)], ..Specs::default() })
            }
            _ => Ok(Specs::default()),
        }
    }

    fn method(&self, model: ModelDescription) -> Result<Specs> {
        let Some(name) = self.positionals.get(1) else {
            let methods = model.methods.iter();
            let lines =
                methods.map(|m| format!("  {}\n      {}\n", kebab(&m.name), m.about.trim()));
            let after_help = format!("Methods of {}:\n{}", model.name, lines.collect::<String>());
            return Ok(Specs { after_help: Some(after_help), ..Specs::default() });
        };
        let method = find_method(&model, name)?.clone();
        Ok(Specs { groups: vec![(Group::Query, method.args)], after_help: Some(method.about) })
    }
}

fn find<'a>(root: &'a Command, path: &[&str]) -> &'a Command {
    path.iter().fold(root, |c, name| c.find_subcommand(name).unwrap_or(c))
}

fn at(command: Command, path: &[&str], change: &dyn Fn(Command) -> Command) -> Command {
    match path {
        [] => change(command),
        [first, rest @ ..] => command.mut_subcommand(*first, |sub| at(sub, rest, change)),
    }
}

#[cfg(test)]
mod tests;
