//! Building blocks of modules, and the parameters they hold.

pub mod convert;
mod store;

mod covariates;
mod cvae;
mod decoder;
mod embedding;
mod encoder;
mod fc_layers;
mod freezing;
mod growth;
mod linear;
mod norm;
#[cfg(test)]
mod tests;

pub use covariates::{BatchRepresentation, Covariates};
pub use cvae::{Dispersion, Expression, GeneDispersion, Latent, LibraryPrior};
pub use decoder::{DecoderScvi, DecoderScviBuilder, ScaleActivation};
pub use embedding::{Embedding, one_hot};
pub use encoder::{Encoder, EncoderBuilder, LatentDistribution, VarActivation};
pub use fc_layers::{FcConfig, FcLayers};
pub use freezing::{Freezing, Part, Role};
pub use growth::{Entries, Layout, Stretch};
pub use linear::Linear;
pub use norm::{BatchNorm1d, LayerNorm, NormUse};
pub use store::{Init, Path, Sizes, Store, Trainable};
