//! Pictures of a saved model: one file for each, drawn with `kuva` and written as SVG or PNG.

pub mod canvas;
pub mod colours;
pub mod comparisons;
pub mod embedding;
pub mod history;
pub mod latent;
mod legend;
mod style;
pub mod volcano;

pub use canvas::{Canvas, Picture};
