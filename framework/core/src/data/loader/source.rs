//! Registered tensors as the loader finds them.

use indexmap::IndexMap;
use tch::{Kind, Tensor};

use super::{gather, rows::Rows};
use crate::{
    anndata::{AnnData, DType, Element, Slot, Values},
    data::{Registry, minified},
    error::{Error, Result},
    fields::numbers,
    registry_keys::REGISTRY_KEYS,
};

/// One registered tensor.
#[derive(Debug)]
pub(super) struct Source {
    /// Its registry key.
    pub key: String,
    rows: Rows,
    kind: Kind,
    n_rows: usize,
    sparse: bool,
}

/// The registered tensors `wanted`, or all that have a row per cell. With `sparse`, what is sparse
/// stays so.
pub(super) fn sources(
    adata: &AnnData,
    registry: &Registry,
    wanted: Option<IndexMap<String, Option<DType>>>,
    sparse: bool,
) -> Result<Vec<Source>> {
    let per_cell = |slot| matches!(slot, Slot::X | Slot::Layers | Slot::Obs | Slot::Obsm);
    let mut all = IndexMap::new();
    for (key, location) in registry.data_registry() {
        let slot = location.attr_name;
        if per_cell(slot) && minified::is_there(adata, key, slot)? {
            all.insert(key, location);
        }
    }
    let wanted = wanted.unwrap_or_else(|| all.keys().map(|&key| (key.into(), None)).collect());
    let mut sources = Vec::new();
    for (key, dtype) in wanted {
        let location = all.get(key.as_str()).ok_or_else(|| Error::MissingElement {
            slot: "data registry",
            key: key.clone(),
            present: all.keys().map(|&key| key.into()).collect(),
        })?;
        let (element, what) = (location.find(adata)?, location.to_string());
        let (n_rows, found) = (adata.n_obs(), element.shape());
        if found.first() != Some(&n_rows) {
            return Err(Error::Shape { what, expected: vec![n_rows], found });
        }
        let kind = kind(&key, dtype)?;
        sources.push(Source { rows: rows(element, kind, &what)?, key, kind, n_rows, sparse });
    }
    Ok(sources)
}

impl Source {
    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    pub(super) fn on_disk(&self) -> bool {
        self.rows.on_disk()
    }

    /// The shape and kind of the tensor for `n_cells` cells.
    pub(super) fn tensor_of(&self, n_cells: usize) -> ([i64; 2], Kind) {
        ([n_cells as i64, self.rows.n_cols() as i64], self.kind)
    }

    /// Reads `cells` when they are on disk; see [`Rows::fetch`].
    pub(super) fn fetch(&self, cells: &[usize]) -> Result<Option<Rows>> {
        self.on_disk().then(|| self.rows.fetch(cells)).transpose()
    }

    /// The tensor of `cells`, which are in memory.
    pub(super) fn gather(&self, cells: &[usize]) -> Result<Tensor> {
        self.gather_from(&self.rows, cells)
    }

    /// The tensor of the rows `cells` of what has been fetched.
    pub(super) fn gather_from(&self, fetched: &Rows, cells: &[usize]) -> Result<Tensor> {
        match self.sparse && fetched.is_sparse() {
            true => gather::sparse(fetched, cells, self.kind),
            false => gather::dense(fetched, cells, self.kind),
        }
    }
}

/// The kind of the tensor of `key`: the one asked for, else int64 for codes and float32 otherwise.
fn kind(key: &str, dtype: Option<DType>) -> Result<Kind> {
    let codes =
        [REGISTRY_KEYS.batch, REGISTRY_KEYS.labels, REGISTRY_KEYS.cat_covs, REGISTRY_KEYS.indices];
    match dtype {
        None if codes.contains(&key) => Ok(Kind::Int64),
        None | Some(DType::Float32) => Ok(Kind::Float),
        Some(DType::Float64) => Ok(Kind::Double),
        Some(DType::Int32) => Ok(Kind::Int),
        Some(DType::Int64) => Ok(Kind::Int64),
        Some(other) => Err(Error::Argument {
            name: format!("data_and_attributes, `{key}`"),
            expected: "int32, int64, float32 or float64".into(),
            found: other.name().into(),
        }),
    }
}

fn rows(element: &Element, kind: Kind, what: &str) -> Result<Rows> {
    let columns: Vec<&Element> = match element {
        Element::DataFrame(table) => table.columns.values().collect(),
        Element::Nullable(_) => vec![element],
        _ => return Rows::of(element, what),
    };
    let wrong = |column: &Element| Error::Kind {
        what: what.into(),
        expected: "numbers".into(),
        found: column.kind(),
    };
    let columns = columns
        .into_iter()
        .map(|c| numbers(c).ok_or_else(|| wrong(c)))
        .collect::<Result<Vec<_>>>()?;
    let (n_rows, n_cols) = (element.shape()[0], columns.len());
    let in_rows = (0..n_rows).flat_map(|i| columns.iter().map(move |c| c[i]));
    let values: Values = match kind {
        Kind::Float => in_rows.map(|v| v as f32).collect::<Vec<_>>().into(),
        _ => in_rows.collect::<Vec<_>>().into(),
    };
    Ok(Rows::Dense { values, n_cols })
}
