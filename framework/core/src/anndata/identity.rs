//! What tells one data set from another.

use uuid::Uuid;

/// Which data set it is. Data sets are cloned by value, and a copy is a data set of its own from then
/// on, so that a clone gets an identity of its own.
#[derive(Debug)]
pub(super) struct Identity(pub(super) Uuid);

impl Default for Identity {
    fn default() -> Self {
        Self(Uuid::new_v4())
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self::default()
    }
}
