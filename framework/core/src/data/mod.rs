//! From a data set to minibatches: registration, splitting, loading, simulation.

mod batch;
mod registry;

pub use batch::Batch;
pub use registry::{FieldRegistry, Registry};
