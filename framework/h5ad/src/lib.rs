//! AnnData to and from `.h5ad` and `.h5mu` files: everything that anndata 0.5 to 0.12 and mudata 0.2
//! to 0.4 write, and back without losing what is not understood. And from what others write: 10x,
//! loom.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use scvi_h5ad::{Compression, ReadOptions, WriteOptions, read, write};
//!
//! let adata = read(Path::new("heart.h5ad"), ReadOptions::default())?;
//! println!("{adata}");
//! let compression = Compression::Gzip(4);
//! write(Path::new("copy.h5ad"), &adata, WriteOptions { compression })?;
//! # Ok::<(), scvi_h5ad::Error>(())
//! ```

#![deny(unsafe_code)]

mod array;
mod backed;
mod encoding;
mod error;
mod ffi;
mod frame;
mod heap;
mod import;
mod legacy;
mod loom;
mod matrix_market;
mod multimodal;
mod node;
mod opaque;
mod open;
mod read;
mod spool;
mod stream;
mod tenx;
mod write;

pub use error::{Error, Result};
pub use import::{Features, ImportOptions, Imported, Source, import};
pub use read::{Backing, ReadOptions, read};
pub use spool::Spool;
pub use stream::write_in_blocks;
pub use write::{Compression, WriteOptions, write};

use scvi_framework::anndata::AnnData;

/// The summary that Python prints of a data set.
pub fn repr(adata: &AnnData) -> String {
    adata.to_string()
}
