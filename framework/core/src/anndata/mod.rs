//! The in-memory data set: what `.h5ad` files hold, losing nothing.

mod adata;
mod buffer;
mod dataframe;
mod element;
mod identity;
mod repr;
mod rows;
mod sparse;
mod strings;
mod values;

pub use adata::{AnnData, Raw, Slot};
pub use buffer::{Buffer, Slice};
pub use dataframe::DataFrame;
pub use element::{Backed, Categorical, Dense, Element, Mapping, Nullable, Opaque, Scalar};
pub use repr::AXIS;
pub(crate) use repr::quoted;
pub use sparse::{Sparse, SparseFormat};
pub use strings::Strings;
pub use values::{DType, Number, Values};
