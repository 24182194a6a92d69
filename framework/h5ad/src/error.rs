//! What can be wrong with a file, said so that the user can act on it.

use std::path::PathBuf;

/// Result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is wrong with a file, where in it, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("{}: {action}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// There is no file of that name.
    #[error("{}: no such file", path.display())]
    NoFile {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else altogether.
    #[error("{}: not an .h5ad file: expected HDF5, found {found}", path.display())]
    NotHdf5 {
        /// The file.
        path: PathBuf,
        /// How it begins.
        found: String,
    },
    /// The file is HDF5 of another kind.
    #[error(
        "{}: an HDF5 file, but not AnnData: expected {expected}, found {found}",
        path.display()
    )]
    NotAnnData {
        /// The file.
        path: PathBuf,
        /// What AnnData files have.
        expected: String,
        /// What this file has.
        found: String,
    },
    /// The file is cut off or its bytes have changed.
    #[error(
        "{}: truncated or damaged file: `{element}` cannot be read ({reason}); \
         copy or download it again",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The element that was being read.
        element: String,
        /// The reason that HDF5 gives.
        reason: String,
    },
    /// Data are compressed by a filter that is not built in.
    #[error(
        "{}: `{element}` is compressed with {filter}, which is not supported (supported: gzip, \
         lzf, blosc, zstd); rewrite the file in Python with \
         `adata.write_h5ad(path, compression=\"gzip\")`",
        path.display()
    )]
    Filter {
        /// The file.
        path: PathBuf,
        /// The element.
        element: String,
        /// Name or number of the filter.
        filter: String,
    },
    /// An element has another shape than its place demands.
    #[error("{}: `{element}`: expected shape {expected:?}, found {found:?}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The element.
        element: String,
        /// The shape demanded.
        expected: Vec<usize>,
        /// The shape found.
        found: Vec<usize>,
    },
    /// An element is not as its encoding demands.
    #[error("{}: `{element}`: expected {expected}, found {found}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The element.
        element: String,
        /// What the encoding demands.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Rows are asked of a matrix that is stored column by column.
    #[error(
        "{}: `{element}` is stored by column (CSC), so that its rows cannot be read one by one; read \
         it into memory, or rewrite the file in Python with `adata.X = adata.X.tocsr()`",
        path.display()
    )]
    ByColumn {
        /// The file.
        path: PathBuf,
        /// The element.
        element: String,
    },
    /// An element cannot be written.
    #[error("{}: `{element}` cannot be written: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The element.
        element: String,
        /// Why not.
        reason: String,
    },
}
