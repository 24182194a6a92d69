//! Whose fault an error is.

use super::Error;
use crate::abi::Fault;

impl Error {
    /// Whose fault it is: the user's, unless a plugin or libtorch failed.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Load(error) => error.fault(),
            Self::MissingField { source, .. } => source.fault(),
            Self::Foreign { fault, .. } => *fault,
            Self::InModality { source, .. } => source.fault(),
            Self::PluginFailed { .. }
            | Self::PluginPanicked { .. }
            | Self::Poisoned
            | Self::Message { .. }
            | Self::Torch(_) => Fault::Plugin,
            _ => Fault::User,
        }
    }
}
