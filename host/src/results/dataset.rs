//! Answers in the data set they are about.

use std::path::{Path, PathBuf};

use scvi_framework::{
    anndata::{AnnData, Element, Scalar, Slot},
    model::Sink,
};

use super::{
    Answer, Gathered,
    collect::{Collector, Content},
    title,
};
use crate::{
    failure::{Error, Result},
    files,
};

/// The data set as it was read, to which results are added where scanpy users expect them.
pub struct DataSet {
    path: PathBuf,
    adata: AnnData,
    collector: Collector,
}

impl DataSet {
    /// Answers about `adata`, for the file `path`.
    pub fn new(path: &Path, adata: &AnnData) -> Self {
        Self { path: path.into(), adata: adata.clone(), collector: Collector::default() }
    }
}

impl Answer for DataSet {
    fn sink(&mut self) -> &mut dyn Sink {
        &mut self.collector
    }

    fn finish(self: Box<Self>) -> Result<Vec<String>> {
        let Self { path, adata, collector } = *self;
        write(&path, adata, collector.finish()?)
    }

    fn rescue(self: Box<Self>) -> Result<Vec<String>> {
        let Self { path, adata, collector } = *self;
        match collector.rescue()? {
            Some(rows) => write(&path, adata, vec![rows]),
            None => Ok(Vec::new()),
        }
    }
}

fn write(path: &Path, mut adata: AnnData, results: Vec<Gathered>) -> Result<Vec<String>> {
    let mut told = Vec::new();
    for result in results {
        told.push(format!("wrote {} to {}", title(&result.spec), path.display()));
        place(&mut adata, result)?;
    }
    files::write_h5ad(path, &adata)?;
    Ok(told)
}

fn place(adata: &mut AnnData, result: Gathered) -> Result<()> {
    let (slot, key) = &result.spec.place;
    let rows = result.spec.shape.first().copied();
    let of_cells = matches!(slot, Slot::X | Slot::Layers | Slot::Obs | Slot::Obsm | Slot::Obsp);
    if of_cells && rows != Some(adata.n_obs()) {
        return Err(Error::Unfit {
            result: title(&result.spec),
            why: "is not about every cell of the data set",
            instead: "write it to a .npz, .csv or .tsv file",
        });
    }
    let element = match result.content {
        Content::Table(table) => Element::DataFrame(table),
        Content::Array(single) if single.shape.is_empty() => {
            Element::Scalar(Scalar::Number(single.values))
        }
        Content::Array(array) => Element::Dense(array),
    };
    Ok(adata.set(*slot, key, element)?)
}
