//! The one error type of the framework.

use std::path::PathBuf;

use crate::abi::Fault;

/// Result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong: what, where, expected, found, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // --- data set ---------------------------------------------------------------------------
    /// A named element is not in the data set.
    #[error("{slot} has no `{key}`; present: {}", list(present))]
    MissingElement {
        /// Where it was looked for (`obs`, `layers`, …).
        slot: &'static str,
        /// The name asked for.
        key: String,
        /// The names that are there.
        present: Vec<String>,
    },
    /// An element has another shape than its place demands.
    #[error("{what}: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// The element or operation.
        what: String,
        /// The shape demanded.
        expected: Vec<usize>,
        /// The shape found.
        found: Vec<usize>,
    },
    /// An element is of another kind or dtype than demanded.
    #[error("{what}: expected {expected}, found {found}")]
    Kind {
        /// The element.
        what: String,
        /// The kind demanded.
        expected: String,
        /// The kind found.
        found: String,
    },
    // --- arguments --------------------------------------------------------------------------
    /// An argument that nobody declared.
    #[error("unknown argument `{name}`{}; known: {}", nearest.as_ref().map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default(), list(known))]
    UnknownArgument {
        /// The name given.
        name: String,
        /// The most similar declared name.
        nearest: Option<String>,
        /// All declared names.
        known: Vec<String>,
    },
    /// An argument whose value cannot be used.
    #[error("argument `{name}`: expected {expected}, found {found}")]
    Argument {
        /// The argument.
        name: String,
        /// What would be accepted.
        expected: String,
        /// The value given.
        found: String,
    },
    // --- files ------------------------------------------------------------------------------
    /// The operating system refused a file operation.
    #[error("{}: {action}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    // --- saved models -----------------------------------------------------------------------
    /// Saved weights do not belong to this model.
    #[error(
        "saved weights do not fit the model; missing: {}; unexpected: {}",
        list(missing),
        list(unexpected)
    )]
    StateDict {
        /// Names that the model has and the file lacks.
        missing: Vec<String>,
        /// Names that the file has and the model lacks.
        unexpected: Vec<String>,
    },
    // --- tensors ----------------------------------------------------------------------------
    /// libtorch refused an operation.
    #[error("tensor operation failed: {0}")]
    Torch(#[from] tch::TchError),
    // --- plugin boundary --------------------------------------------------------------------
    /// A file cannot serve as a plugin.
    #[error(transparent)]
    Load(#[from] crate::abi::LoadError),
    /// A plugin says that arguments or data are wrong.
    #[error("{text}")]
    Foreign {
        /// The plugin.
        plugin: String,
        /// What it says.
        text: String,
    },
    /// A plugin failed by its own fault.
    #[error("plugin `{plugin}` failed in `{verb}`: {text}")]
    PluginFailed {
        /// The plugin.
        plugin: String,
        /// What it was asked for.
        verb: &'static str,
        /// What it says.
        text: String,
    },
    /// A plugin panicked; the rest of the program is unharmed.
    #[error("plugin `{plugin}` crashed in `{verb}`: {text}; please tell its author")]
    PluginPanicked {
        /// The plugin.
        plugin: String,
        /// What it was asked for.
        verb: &'static str,
        /// The message and its place in the plugin's source.
        text: String,
    },
    /// A model that crashed before.
    #[error("the model crashed earlier and its state is lost; load or train it again")]
    Poisoned,
    /// What came across the boundary is not what should come.
    #[error("plugin boundary: expected {expected}, found {reason}")]
    Message {
        /// What should come.
        expected: &'static str,
        /// What came.
        reason: String,
    },
    /// A field of a plugin, asked where the plugin is not.
    #[error("field `{field}` can only be used by models of plugin `{plugin}`")]
    ForeignField {
        /// The kind of field.
        field: String,
        /// The plugin that knows it.
        plugin: String,
    },
}

impl Error {
    /// Whose fault it is: the user's, unless a plugin or libtorch failed.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Load(error) => error.fault(),
            Self::PluginFailed { .. }
            | Self::PluginPanicked { .. }
            | Self::Poisoned
            | Self::Message { .. }
            | Self::Torch(_) => Fault::Plugin,
            _ => Fault::User,
        }
    }
}

/// Names joined for a message; "(none)" when there are none, cut after twenty.
pub(crate) fn list<T: AsRef<str>>(names: &[T]) -> String {
    const SHOWN: usize = 20;
    if names.is_empty() {
        return "(none)".into();
    }
    let mut shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let rest = format!("… ({} in all)", names.len());
    if names.len() > SHOWN {
        shown.push(&rest);
    }
    shown.join(", ")
}
