//! What Cell Ranger of 10x Genomics writes: `.h5` files, and folders of `matrix.mtx`.

pub mod h5;
pub mod mtx;
mod select;
mod unique;

pub use select::select;

/// The type of features that count transcripts.
pub const GENE_EXPRESSION: &str = "Gene Expression";
