//! Models: the traits an author implements, and what everybody gets from them.

mod capabilities;
mod class;
mod data;
mod dynamic;
mod minified;
mod module;
mod output;
mod settings;

pub use capabilities::HasQz;
pub use class::BaseModelClass;
pub use data::ModuleData;
pub use dynamic::{DynModel, DynModelClass, MethodDescription, ModelDescription};
pub use minified::MinifiedMode;
pub use module::{BaseModule, Ctx, LossOutput, Noise, TorchNoise};
pub use output::{Event, Observer, OutputSpec, Silent, Sink};
pub use settings::Settings;
