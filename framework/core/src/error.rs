//! The one error type of the framework.

use std::path::PathBuf;

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
    // --- data on disk -----------------------------------------------------------------------
    /// A matrix left on disk cannot be read.
    #[error("{reason}")]
    OnDisk {
        /// What the reader of the file says: file, element and reason.
        reason: String,
    },
    // --- tensors ----------------------------------------------------------------------------
    /// libtorch refused an operation.
    #[error("tensor operation failed: {0}")]
    Torch(#[from] tch::TchError),
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
