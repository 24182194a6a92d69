//! Answers in the data set they are about.

use std::path::{Path, PathBuf};

use scvi_framework::{
    Error as FrameworkError, Result as FrameworkResult,
    anndata::{AnnData, Element, Scalar, Slot},
    model::{OutputSpec, Sink},
};
use scvi_h5ad::Spool;

use super::{
    Answer, Gathered,
    collect::{Collector, Content, out_of_turn},
    title,
};
use crate::{
    failure::{Error, Result},
    files,
};

/// The data set as it was read, to which results are added where scanpy users expect them. Large
/// ones wait on disk.
pub struct DataSet {
    path: PathBuf,
    adata: AnnData,
    results: Vec<Waiting>,
}

/// A result until the data set is written.
enum Waiting {
    /// Of which nothing came yet.
    Announced(OutputSpec),
    /// In memory.
    Memory(Collector),
    /// On disk.
    Disk(OutputSpec, Box<Spool>),
}

/// Bytes from which on a result waits on disk.
const LARGE: usize = 1 << 18;

impl DataSet {
    /// Answers about `adata`, for the file `path`.
    pub fn new(path: &Path, adata: &AnnData) -> Self {
        Self { path: path.into(), adata: adata.clone(), results: Vec::new() }
    }
}

impl Sink for DataSet {
    fn begin(&mut self, spec: &OutputSpec) -> FrameworkResult<()> {
        self.results.push(Waiting::Announced(spec.clone()));
        Ok(())
    }

    fn rows(&mut self, block: Element) -> FrameworkResult<()> {
        let Some(result) = self.results.last_mut() else { return Err(out_of_turn()) };
        if let Waiting::Announced(spec) = result {
            *result = Waiting::begin(spec.clone(), &self.path, &block)?;
        }
        match result {
            Waiting::Announced(_) => Err(out_of_turn()),
            Waiting::Memory(collector) => collector.rows(block),
            Waiting::Disk(_, spool) => spool.append(&block).map_err(unwritable),
        }
    }
}

impl Waiting {
    /// Room for a result that begins with `block`, beside the file `path`.
    fn begin(spec: OutputSpec, path: &Path, block: &Element) -> FrameworkResult<Self> {
        let n: usize = spec.shape.iter().product();
        let folder = path.parent().filter(|f| *f != Path::new("")).unwrap_or(Path::new("."));
        let spool = match (block, spec.dtype, &spec.shape[..]) {
            (Element::Sparse(_), Some(dtype), &[n_rows, n_cols]) => {
                Spool::csr(folder, [n_rows, n_cols], dtype)
            }
            (Element::Dense(_), Some(dtype), shape) if n.saturating_mul(dtype.size()) >= LARGE => {
                Spool::dense(folder, shape, dtype)
            }
            _ => return Self::memory(&spec),
        };
        Ok(Self::Disk(spec, Box::new(spool.map_err(unwritable)?)))
    }

    fn memory(spec: &OutputSpec) -> FrameworkResult<Self> {
        let mut collector = Collector::default();
        collector.begin(spec)?;
        Ok(Self::Memory(collector))
    }

    fn finish(self) -> Result<Vec<(OutputSpec, Element)>> {
        match self {
            Self::Announced(spec) => Self::memory(&spec)?.finish(),
            Self::Memory(collector) => Ok(collector.finish()?.into_iter().map(element).collect()),
            Self::Disk(spec, spool) => Ok(vec![(spec, spool.finish()?)]),
        }
    }
}

/// What the system says of a scratch file.
fn unwritable(error: scvi_h5ad::Error) -> FrameworkError {
    FrameworkError::OnDisk { reason: error.to_string() }
}

impl Answer for DataSet {
    fn sink(&mut self) -> &mut dyn Sink {
        self
    }

    fn finish(self: Box<Self>) -> Result<Vec<String>> {
        let Self { path, adata, results } = *self;
        let results: Result<Vec<_>> = results.into_iter().map(Waiting::finish).collect();
        write(&path, adata, results?.into_iter().flatten())
    }

    fn rescue(self: Box<Self>) -> Result<Vec<String>> {
        let Self { path, adata, results } = *self;
        let Some(Waiting::Memory(collector)) = results.into_iter().next() else {
            return Ok(Vec::new());
        };
        match collector.rescue()? {
            Some(rows) => write(&path, adata, [element(rows)]),
            None => Ok(Vec::new()),
        }
    }
}

fn element(result: Gathered) -> (OutputSpec, Element) {
    let element = match result.content {
        Content::Table(table) => Element::DataFrame(table),
        Content::Array(single) if single.shape.is_empty() => {
            Element::Scalar(Scalar::Number(single.values))
        }
        Content::Array(array) => Element::Dense(array),
    };
    (result.spec, element)
}

fn write(
    path: &Path,
    mut adata: AnnData,
    results: impl IntoIterator<Item = (OutputSpec, Element)>,
) -> Result<Vec<String>> {
    let mut told = Vec::new();
    for (spec, element) in results {
        told.push(format!("wrote {} to {}", title(&spec), path.display()));
        place(&mut adata, &spec, element)?;
    }
    files::write_h5ad(path, &adata)?;
    Ok(told)
}

fn place(adata: &mut AnnData, spec: &OutputSpec, element: Element) -> Result<()> {
    let (slot, key) = &spec.place;
    let of_cells = matches!(slot, Slot::X | Slot::Layers | Slot::Obs | Slot::Obsm | Slot::Obsp);
    if of_cells && spec.shape.first() != Some(&adata.n_obs()) {
        return Err(Error::Unfit {
            result: title(spec),
            why: "is not about every cell of the data set",
            instead: "write it to a .npz, .csv or .tsv file",
        });
    }
    Ok(adata.set(*slot, key, element)?)
}
