//! Loading, splitting and simulation.

mod groups;
mod loader;
mod order;
mod random;
mod simulation;
mod split;

use std::{any::Any, ops::Range, sync::Arc};

use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    anndata::{
        AnnData, Backed, DType, DataFrame, Element, Number, Slot, Sparse, SparseFormat, Values,
    },
    data::{AnnDataManager, Registry},
    error::{Error, Result},
    fields::{
        AnnDataField, CategoricalJointObsField, CategoricalObsField, LayerField,
        NumericalJointObsField, NumericalObsField,
    },
    params::Args,
    registry_keys::REGISTRY_KEYS,
};

/// Small counts, most of them zero, in C order.
fn random_counts(n_rows: usize, n_cols: usize, seed: u64) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut draw = || if random.random_bool(0.3) { random.random_range(1..100) } else { 0 };
    (0..n_rows * n_cols).map(|_| draw()).collect()
}

/// The same numbers in another dtype.
fn cast<T: Number>(counts: &[u8], to: fn(u8) -> T) -> Values {
    T::wrap(counts.iter().map(|&v| to(v)).collect())
}

/// A compressed copy, its positions as `index` makes them.
fn compressed(
    format: SparseFormat,
    shape: [usize; 2],
    dense: &Values,
    index: fn(Vec<i64>) -> Values,
) -> Sparse {
    let (n_major, n_minor) = match format {
        SparseFormat::Csr => (shape[0], shape[1]),
        SparseFormat::Csc => (shape[1], shape[0]),
    };
    let (mut kept, mut indices, mut indptr) = (Vec::new(), Vec::new(), vec![0i64]);
    for major in 0..n_major {
        for minor in 0..n_minor {
            let at = match format {
                SparseFormat::Csr => major * n_minor + minor,
                SparseFormat::Csc => minor * n_major + major,
            };
            if dense.get_f64(at) != 0.0 {
                kept.push(at);
                indices.push(minor as i64);
            }
        }
        indptr.push(kept.len() as i64);
    }
    let data = dense.take(kept.into_iter());
    Sparse::new(format, shape, data, index(indices), index(indptr)).unwrap()
}

/// Plays a CSR matrix on disk; refuses to read `broken`.
#[derive(Debug)]
struct Disk {
    matrix: Sparse,
    broken: Option<usize>,
}

impl Disk {
    fn element(matrix: Sparse, broken: Option<usize>) -> Element {
        Element::Backed(Arc::new(Self { matrix, broken }))
    }
}

impl Backed for Disk {
    fn shape(&self) -> Vec<usize> {
        self.matrix.shape.to_vec()
    }
    fn dtype(&self) -> DType {
        self.matrix.data.dtype()
    }
    fn rows(&self, rows: Range<usize>) -> Result<Element> {
        if self.broken.is_some_and(|row| rows.contains(&row)) {
            return Err(Error::RowIndex { index: rows.start, n_obs: self.matrix.shape[0] });
        }
        let starts = self.matrix.indptr.to_i64();
        let (from, to) = (starts[rows.start], starts[rows.end]);
        let stored = || from as usize..to as usize;
        let indptr: Vec<i64> = starts[rows.start..=rows.end].iter().map(|s| s - from).collect();
        Ok(Element::Sparse(Sparse::new(
            SparseFormat::Csr,
            [rows.len(), self.matrix.shape[1]],
            self.matrix.data.take(stored()),
            self.matrix.indices.take(stored()),
            indptr.into(),
        )?))
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A data set with `x`, three batches, two further categories and two numbers per cell.
fn registered(x: Element) -> (AnnData, Registry) {
    let shape = x.shape();
    let (n, n_vars) = (shape[0], shape[1]);
    let mut adata = AnnData::new(
        DataFrame::new((0..n).map(|i| format!("c{i}"))),
        DataFrame::new((0..n_vars).map(|g| format!("g{g}"))),
    );
    adata.set(Slot::X, "", x).unwrap();
    let numbers = |of: fn(usize) -> i64| Element::vector((0..n).map(of).collect::<Vec<_>>());
    adata.set(Slot::Obs, "batch", numbers(|i| (i % 3) as i64)).unwrap();
    adata.set(Slot::Obs, "donor", numbers(|i| 10 - (i % 5) as i64)).unwrap();
    adata.set(Slot::Obs, "site", numbers(|i| (i / 2 % 2) as i64)).unwrap();
    let half = Element::vector((0..n).map(|i| i as f64 / 2.0).collect::<Vec<_>>());
    adata.set(Slot::Obs, "half", half).unwrap();
    let keys = |keys: [&str; 2]| keys.map(str::to_owned);
    let fields: Vec<Box<dyn AnnDataField>> = vec![
        LayerField::new(REGISTRY_KEYS.x, None).boxed(),
        CategoricalObsField::new(REGISTRY_KEYS.batch, Some("batch")).boxed(),
        CategoricalJointObsField::new(REGISTRY_KEYS.cat_covs, &keys(["donor", "site"])).boxed(),
        NumericalJointObsField::new(REGISTRY_KEYS.cont_covs, &keys(["half", "donor"])).boxed(),
    ];
    let manager = AnnDataManager::register(fields, "SCVI", Args::new(), &mut adata).unwrap();
    (adata, manager.into_registry())
}
