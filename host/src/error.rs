//! The one error type of the command.

use std::path::PathBuf;

use scvi_framework::abi::Fault;

/// Result of everything in this crate.
pub type Result<T, E = HostError> = std::result::Result<T, E>;

/// What went wrong: what, where, expected, found, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The framework or a plugin says so.
    #[error(transparent)]
    Framework(#[from] scvi_framework::Error),
    // --- plugins ----------------------------------------------------------------------------
    /// No plugin has this model.
    #[error(
        "no plugin has a model `{name}`{}; {}{}",
        nearest.as_ref().map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default(),
        if known.is_empty() { "no plugin was found".into() } else { format!("known: {}", known.join(", ")) },
        if *refused == 0 { String::new() } else { format!("; {refused} refused: see `scvi plugins list`") }
    )]
    UnknownModel {
        /// The name asked for.
        name: String,
        /// The most similar name.
        nearest: Option<String>,
        /// All names.
        known: Vec<String>,
        /// How many files were refused as plugins.
        refused: usize,
    },
    /// Several plugins have a model of this name.
    #[error("{} plugins have a model `{name}`: {}; remove all but one", places.len(), places.join(" and "))]
    SeveralModels {
        /// The name asked for.
        name: String,
        /// Where each is.
        places: Vec<String>,
    },
    /// A plugin does not have the model that its manifest lists.
    #[error("{}: the manifest lists model `{name}`, but the plugin does not have it; please tell its author", path.display())]
    ModelNotThere {
        /// The model.
        name: String,
        /// The plugin's file.
        path: PathBuf,
    },
    /// No plugin has this kind of field.
    #[error(
        "no plugin has a field kind `{kind}`{}; known: {}{}",
        nearest.as_ref().map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default(),
        known.join(", "),
        if *refused == 0 { String::new() } else { format!("; {refused} refused: see `scvi plugins list`") }
    )]
    UnknownField {
        /// The kind asked for.
        kind: String,
        /// The most similar kind.
        nearest: Option<String>,
        /// All kinds.
        known: Vec<String>,
        /// How many files were refused as plugins.
        refused: usize,
    },
    /// Several plugins have a kind of field of this name.
    #[error("{} plugins have a field kind `{kind}`: {}; remove all but one", places.len(), places.join(" and "))]
    SeveralFields {
        /// The kind asked for.
        kind: String,
        /// Where each is.
        places: Vec<String>,
    },
    /// A plugin does not have the kind of field that its manifest lists.
    #[error("{}: the manifest lists field kind `{kind}`, but the plugin does not have it; please tell its author", path.display())]
    FieldNotThere {
        /// The kind of field.
        kind: String,
        /// The plugin's file.
        path: PathBuf,
    },
    /// Anybody could have put anything there.
    #[error("{}: anybody on this machine can write to it, so it is not loaded; `chmod o-w {}`", path.display(), path.display())]
    WorldWritable {
        /// The file or folder.
        path: PathBuf,
    },
    /// A folder of plugins cannot be read.
    #[error("{}: plugin folder cannot be read: {source}", path.display())]
    PluginFolder {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl HostError {
    /// Whose fault it is; decides the exit code.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Framework(error) => error.fault(),
            Self::ModelNotThere { .. } | Self::FieldNotThere { .. } => Fault::Plugin,
            _ => Fault::User,
        }
    }
}

impl From<scvi_framework::abi::LoadError> for HostError {
    fn from(error: scvi_framework::abi::LoadError) -> Self {
        Self::Framework(error.into())
    }
}
