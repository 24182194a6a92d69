//! Shared runs of values: owned here, mapped from a file, or borrowed from another library.

use std::{fmt, ops::Deref, sync::Arc};

/// Whoever keeps a run of values alive.
pub trait Slice<T>: Send + Sync {
    /// The values.
    fn as_slice(&self) -> &[T];
}

impl<T: Send + Sync> Slice<T> for Vec<T> {
    fn as_slice(&self) -> &[T] {
        self
    }
}

/// An immutable, cheaply cloned run of values; whoever owns the memory stays alive with it.
pub struct Buffer<T>(Arc<dyn Slice<T>>);

impl<T> Buffer<T> {
    /// Values that `owner` keeps alive.
    pub fn shared(owner: impl Slice<T> + 'static) -> Self {
        Self(Arc::new(owner))
    }
}

impl<T: Send + Sync + 'static> From<Vec<T>> for Buffer<T> {
    fn from(values: Vec<T>) -> Self {
        Self(Arc::new(values))
    }
}

impl<T: Send + Sync + 'static> FromIterator<T> for Buffer<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Vec::from_iter(values).into()
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        self.0.as_slice()
    }
}

impl<T> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: fmt::Debug> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_slice().fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Buffer<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
