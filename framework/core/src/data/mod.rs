//! From a data set to minibatches: registration, splitting, loading, simulation.

mod batch;
mod cells;
pub mod counts;
mod labels;
mod library;
mod loader;
mod manager;
mod manager_store;
mod mark;
mod matrix;
mod minibatches;
mod minified;
mod permutation;
mod rare_categories;
mod registry;
mod registry_view;
mod simulation;
mod split;
mod synthetic;

pub use batch::Batch;
pub use cells::{Cells, Given};
pub use labels::labels;
pub use library::library_log_moments;
pub use loader::{
    AnnDataLoader, BLOCK, BUFFER, Batches, ConcatBatches, ConcatDataLoader, Indices, LoaderOptions,
    Order, SemiSupervisedDataLoader,
};
pub use manager::AnnDataManager;
pub use manager_store::ManagerStore;
pub use mark::DataMark;
pub(crate) use matrix::for_each_value;
pub use minibatches::{DataModule, Minibatches};
pub use minified::{
    LATENT_QZM, LATENT_QZV, MinifiedDataType, OBSERVED_LIB_SIZE, STORED, Stored,
    check_counts_are_there, is_minified_field, minified_fields, take_counts_out,
};
pub use permutation::permutation;
pub use rare_categories::rare_categories;
pub(crate) use registry::location;
pub use registry::{FieldRegistry, Registry, SCVI_VERSION};
pub use registry_view::{RegistryView, SetupView};
pub use simulation::{Simulation, Simulator, simulate};
pub use split::{DataSplitter, Split};
pub use synthetic::{Layout, RnaDist, SyntheticIid, synthetic_iid};

#[cfg(test)]
mod tests;
