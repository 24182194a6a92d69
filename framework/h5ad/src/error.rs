//! What can be wrong with a file, said so that the user can act on it.

use std::path::PathBuf;

use crate::import::Source;

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
    /// Nothing that can be read as a data set.
    #[error(
        "{}: not a data set of a known kind: expected .h5ad, .h5mu, 10x .h5, .loom, or a 10x folder \
         with matrix.mtx, found {found}",
        path.display()
    )]
    UnknownKind {
        /// The file or folder.
        path: PathBuf,
        /// What is there.
        found: String,
    },
    /// A file or folder of 10x or loom lacks what makes it one.
    #[error(
        "{}: {} that is not complete: `{place}` has no {} (found {found}); use the one that {} wrote, \
         before anything was taken out of it",
        path.display(),
        kind.name(),
        missing.join(", no "),
        kind.writer()
    )]
    Incomplete {
        /// The file or folder.
        path: PathBuf,
        /// What it should be.
        kind: Source,
        /// Where something is missing.
        place: String,
        /// What is missing.
        missing: Vec<String>,
        /// What is there.
        found: String,
    },
    /// A folder holds the matrices of several samples.
    #[error(
        "{}: several matrices: {}; name the one that is meant",
        path.display(),
        found.join(", ")
    )]
    SeveralMatrices {
        /// The folder.
        path: PathBuf,
        /// File names.
        found: Vec<String>,
    },
    /// A file holds several genomes, or not the one asked for.
    #[error(
        "{}: {}; choose one of {} with --genome",
        path.display(),
        asked.as_ref().map_or("several genomes".into(), |name| format!("no genome `{name}`")),
        found.join(", ")
    )]
    Genome {
        /// The file.
        path: PathBuf,
        /// The genome asked for.
        asked: Option<String>,
        /// Those that are there.
        found: Vec<String>,
    },
    /// No feature is of the kind asked for.
    #[error("{}: no feature is of type `{wanted}`; found {}", path.display(), found.join(", "))]
    NoFeature {
        /// The file.
        path: PathBuf,
        /// The type asked for.
        wanted: &'static str,
        /// The types that are there.
        found: Vec<String>,
    },
    /// A line of a text file is not as it should be.
    #[error("{}: line {line}: expected {expected}, found {found}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Its number, from 1.
        line: usize,
        /// What should be there.
        expected: String,
        /// What is there.
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
