//! What can go wrong, and the exit code that says so.

use std::{
    io,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use scvi_framework::{abi::Fault, params::nearest};

use crate::{cli::Attribute, error::HostError, options::kebab, term};

/// Result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, for a user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The command line is wrong, or asks for help.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// The framework or a plugin refused.
    #[error(transparent)]
    Framework(#[from] scvi_framework::Error),
    /// Plugins cannot be found or loaded.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A data set cannot be read or written.
    #[error(transparent)]
    H5ad(#[from] scvi_h5ad::Error),
    /// A saved model whose plugin is not here.
    #[error(
        "{}: {}{source}; get the plugin and name its folder with --plugin-dir",
        dir.display(),
        plugin.as_ref().map(|(name, version)| format!("saved by plugin {name} {version}, which is not here: ")).unwrap_or_default()
    )]
    NoPlugin {
        /// The model's folder.
        dir: PathBuf,
        /// Name and version of the plugin, where the model names it.
        plugin: Option<(String, String)>,
        /// Which models there are.
        source: Box<HostError>,
    },
    /// A saved model with a field whose plugin is not here.
    #[error(
        "{}: it reads `{registry_key}` through a field{}: {source}; get the plugin and name its folder with --plugin-dir",
        dir.display(),
        plugin.as_ref().map(|(name, version)| format!(" of plugin {name} {version}, which is not here")).unwrap_or_default()
    )]
    NoFieldPlugin {
        /// The model's folder.
        dir: PathBuf,
        /// The field's registry key.
        registry_key: String,
        /// Name and version of the plugin, where the model names it.
        plugin: Option<(String, String)>,
        /// Which kinds of fields there are.
        source: Box<HostError>,
    },
    /// A plugin that nobody found.
    #[error("no plugin is called `{name}`, and no file either; found: {}", if known.is_empty() { "none".into() } else { known.join(", ") })]
    UnknownPlugin {
        /// The name given.
        name: String,
        /// The plugins found.
        known: Vec<String>,
    },
    /// A plugin that loads and is not in order.
    #[error("{}: {}; please tell its author", path.display(), problems.join("; "))]
    PluginCheck {
        /// The plugin's file.
        path: PathBuf,
        /// What is wrong, each a sentence.
        problems: Vec<String>,
    },
    /// A folder that cannot give a crate its name.
    #[error("{}: cannot name a crate; expected letters and digits in words between `-`, e.g. my-model", path.display())]
    CrateName {
        /// The folder.
        path: PathBuf,
    },
    /// No source of the framework for a new crate to depend on.
    #[error("no checkout of scvi-rs in {place}; name one with --checkout DIR")]
    NoCheckout {
        /// Where it was looked for.
        place: String,
    },
    /// A method that the model does not have.
    #[error("{model} has no method `{name}`{}; it has {}", instead(name, known), known.join(", "))]
    UnknownMethod {
        /// The model.
        model: String,
        /// The name given.
        name: String,
        /// The model's methods.
        known: Vec<String>,
    },
    /// A model that was not trained, or whose training is not recorded.
    #[error(
        "{}: nothing to draw: the model {}",
        dir.display(),
        if *is_trained { "does not say how its training went" } else { "was not trained" }
    )]
    NoHistory {
        /// The model's folder.
        dir: PathBuf,
        /// Whether it was trained.
        is_trained: bool,
    },
    /// A metric that training did not record.
    #[error("no metric `{name}`{}; there are {}", meant(nearest), known.join(", "))]
    UnknownMetric {
        /// The name given.
        name: String,
        /// The most similar one.
        nearest: Option<String>,
        /// Those that were recorded.
        known: Vec<String>,
    },
    /// A column that the data set does not have.
    #[error("no column `{name}` in obs{}; there are {}", meant(nearest), known.join(", "))]
    UnknownColumn {
        /// The name given.
        name: String,
        /// The most similar one.
        nearest: Option<String>,
        /// Those that are there.
        known: Vec<String>,
    },
    /// A part of the data set that cannot be drawn.
    #[error("{what}: expected {expected}, found {kind}")]
    Undrawable {
        /// The part.
        what: String,
        /// What can be drawn in its place.
        expected: &'static str,
        /// What it holds.
        kind: String,
    },
    /// Cells that have no place on a map.
    #[error("{name}: {} cannot be laid out on a map: {reason}", term::count(*n_cells, "cell"))]
    Embedding {
        /// The space in which they lie.
        name: String,
        /// How many.
        n_cells: usize,
        /// The library's reason.
        reason: String,
    },
    /// A result that is not what its name promises.
    #[error("{method}: expected {expected}, found something else; please tell the plugin's author")]
    Answer {
        /// The query.
        method: &'static str,
        /// What it should give.
        expected: &'static str,
    },
    /// A table of something else than differential expression.
    #[error(
        "{table}: no table of differential expression: {} missing; found {}",
        missing.join(", "),
        found.join(", ")
    )]
    NotCompared {
        /// The table.
        table: String,
        /// Columns that it lacks.
        missing: Vec<String>,
        /// Columns that it has.
        found: Vec<String>,
    },
    /// A place in a table that holds something else.
    #[error("{table}: column `{column}`, row {row}: expected {expected}, found `{found}`")]
    NoNumber {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The row, from one.
        row: usize,
        /// What should stand there.
        expected: &'static str,
        /// What does.
        found: String,
    },
    /// A group that was not compared.
    #[error("no comparison of a group `{name}`{}; there are {}", meant(nearest), known.join(", "))]
    UnknownGroup {
        /// The name given.
        name: String,
        /// The most similar one.
        nearest: Option<String>,
        /// Those that were.
        known: Vec<String>,
    },
    /// Something cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// An output that is there already.
    #[error("{} exists already; --overwrite replaces it", path.display())]
    Exists {
        /// The file or folder.
        path: PathBuf,
    },
    /// A folder in which something should be written is not there.
    #[error("cannot write {}: there is no folder {}", path.display(), parent.display())]
    NoFolder {
        /// What should be written.
        path: PathBuf,
        /// The folder missing.
        parent: PathBuf,
    },
    /// Something cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// An output file whose kind is not known.
    #[error("{}: cannot tell the kind of file; expected {expected}", path.display())]
    Ending {
        /// The file.
        path: PathBuf,
        /// The endings known.
        expected: &'static str,
    },
    /// A data set of another kind than models read.
    #[error(
        "{}: {what}, not an .h5ad file; convert it first: scvi data convert {} {}{}",
        path.display(),
        quoted(path),
        quoted(&beside_name(path)),
        one_of(modalities)
    )]
    Convertible {
        /// The file or folder.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// The modalities in it, where it has some.
        modalities: Vec<String>,
    },
    /// A file of several modalities, none of which was named.
    #[error(
        "{}: {}; {}",
        path.display(),
        asked.as_ref().map_or("several modalities".into(), |name| format!("no modality `{name}`")),
        match found.is_empty() {
            true => "the file has none: leave out --modality".into(),
            false => format!("choose one of {} with --modality", found.join(", ")),
        }
    )]
    Modality {
        /// The file.
        path: PathBuf,
        /// The modality asked for.
        asked: Option<String>,
        /// Those that are there.
        found: Vec<String>,
    },
    /// Nothing says which data set a query is about.
    #[error("{reason}; give the data set with --adata FILE")]
    NoData {
        /// Why none was found.
        reason: String,
    },
    /// A result that the kind of output cannot hold.
    #[error("{result} {why}; {instead}")]
    Unfit {
        /// The result, with its shape.
        result: String,
        /// Why it does not fit.
        why: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// Training failed, but what it had reached was kept.
    #[error("{source}\n  the last good state is kept in {}", kept.display())]
    KeptLastGood {
        /// Why training stopped.
        source: Box<Error>,
        /// Where the model is.
        kept: PathBuf,
    },
    /// A trained model that could not be written as it should be.
    #[error("{source}\n  the trained model is kept in {}", kept.display())]
    KeptNotAsAsked {
        /// What went wrong.
        source: Box<Error>,
        /// Where the model is, without a copy of its data set.
        kept: PathBuf,
    },
    /// Training stopped by Ctrl-C.
    #[error("stopped {}", match kept {
        Some((dir, n)) => format!("after {}; the model is kept in {}, and --resume goes on from there", term::count(*n, "epoch"), dir.display()),
        None => "in the first epoch; nothing was kept".into(),
    })]
    TrainingStopped {
        /// Where the model is, and after how many epochs.
        kept: Option<(PathBuf, usize)>,
    },
    /// Stopped by Ctrl-C.
    #[error("stopped")]
    Interrupted,
    /// Whoever read standard output has left.
    #[error("nobody reads standard output")]
    NobodyReads,
}

impl Error {
    /// The error for a method that is not in `known`.
    pub fn unknown_method(model: &str, name: &str, known: Vec<String>) -> Self {
        Self::UnknownMethod { model: model.into(), name: name.into(), known }
    }

    /// The exit code: 1 the user's input is wrong, 2 usage, 3 a plugin failed, 130 interrupted.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(e) => e.exit_code() as u8,
            Self::Interrupted | Self::TrainingStopped { .. } => 130,
            Self::NobodyReads => 0,
            Self::KeptLastGood { source, .. } | Self::KeptNotAsAsked { source, .. } => {
                source.exit_code()
            }
            Self::Framework(e) if e.fault() == Fault::Plugin => 3,
            Self::Host(e) if e.fault() == Fault::Plugin => 3,
            Self::PluginCheck { .. } | Self::Answer { .. } => 3,
            _ => 1,
        }
    }

    /// Tells the user, once.
    pub fn report(&self) {
        match self {
            // Help goes to standard output, complaints to standard error.
            Self::Usage(e) => drop(e.print()),
            Self::NobodyReads => {}
            Self::Interrupted | Self::TrainingStopped { .. } => term::tell(&self.to_string()),
            _ => term::tell(&format!("error: {self}")),
        }
    }
}

/// The path as it is typed.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,=:@%".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// A name for the `.h5ad` file that is made of `path`.
fn beside_name(path: &Path) -> PathBuf {
    let stem = path.file_stem().map_or("data".into(), |stem| stem.to_string_lossy());
    PathBuf::from(format!("{stem}.h5ad"))
}

fn one_of(modalities: &[String]) -> String {
    match modalities {
        [] | [_] => String::new(),
        several => format!(" --modality NAME, which is one of {}", several.join(", ")),
    }
}

/// What is meant by `name`, if that can be told.
fn instead(name: &str, known: &[String]) -> String {
    if let Ok(attribute) = Attribute::from_str(&kebab(name), false) {
        let shown = attribute.to_possible_value();
        let shown = shown.map(|value| value.get_name().to_owned()).unwrap_or_default();
        return format!(" (it is no question about data: scvi show DIR {shown})");
    }
    did_you_mean(name, known)
}

fn did_you_mean(name: &str, known: &[String]) -> String {
    meant(&nearest(name, known))
}

fn meant(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

/// The error for a value that has no JSON, which none of ours lacks.
pub fn unwritable(source: scvi_framework::serde_json::Error) -> Error {
    Error::Write { path: "standard output".into(), source: source.into() }
}
