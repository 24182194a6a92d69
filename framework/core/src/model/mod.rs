//! Models: the traits an author implements, and what everybody gets from them.

mod attributes;
mod capabilities;
mod class;
mod data;
mod dynamic;
mod mapping;
mod minified;
mod minify;
#[allow(clippy::module_inception, reason = "the file of the type `Model`")]
mod model;
mod module;
mod output;
pub mod queries;
mod query;
mod settings;
mod setup;
mod training;

pub use capabilities::{HasBatchEmbedding, HasLibrary, HasPx, HasQz};
pub use class::BaseModelClass;
pub use data::ModuleData;
pub use dynamic::{DynModel, DynModelClass, MethodDescription, ModelDescription};
pub use mapping::{
    Mapped, MappingParams, Prepared, new_categories, prepare_query_anndata, prepare_query_mudata,
};
pub use minified::MinifiedMode;
pub use minify::MinifyParams;
pub use model::Model;
pub use module::{BaseModule, Ctx, LossOutput, Noise, TorchNoise};
pub use output::{Answers, Checkpoint, Event, Observer, OutputSpec, Silent, Sink};
pub use query::{Query, class_of};
pub use settings::Settings;
pub use setup::Setup;
