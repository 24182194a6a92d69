//! Unstructured random data, as scvi-tools' `synthetic_iid` makes them.

use rand::{Rng, SeedableRng, rngs::StdRng};
use rand_distr::{Distribution, Gamma, Normal, Poisson};

use super::simulation::categorical;
use crate::{
    Params,
    anndata::{AnnData, DataFrame, Element, Slot, Sparse, SparseFormat},
    choices,
    error::Result,
};

choices! {
    /// Layout of a matrix.
    pub enum Layout {
        /// All values.
        #[default]
        Dense = "dense",
        /// Values other than zero, by rows.
        Csr = "csr_matrix",
        /// Values other than zero, by columns.
        Csc = "csc_matrix",
    }
}

choices! {
    /// Distribution of expression values.
    pub enum RnaDist {
        /// Negative binomial counts.
        #[default]
        Nb = "nb",
        /// Normal with mean 5 and standard deviation 2; no counts.
        Normal = "normal",
    }
}

/// Arguments of [`synthetic_iid`].
#[derive(Clone, Debug, PartialEq, Params)]
pub struct SyntheticIid {
    /// Cells in each batch.
    #[param(default = 200usize, min = 1)]
    pub batch_size: usize,
    /// Genes.
    #[param(default = 100usize, min = 1)]
    pub n_genes: usize,
    /// Proteins, in obsm["protein_expression"].
    #[param(default = 100usize)]
    pub n_proteins: usize,
    /// Chromatin regions, in obsm["accessibility"].
    #[param(default = 100usize)]
    pub n_regions: usize,
    /// Batches.
    #[param(default = 2usize, min = 1)]
    pub n_batches: usize,
    /// Labels; each cell draws one.
    #[param(default = 3usize, min = 1)]
    pub n_labels: usize,
    /// Probability that a value of genes and regions is kept, not set to zero.
    #[param(default = 0.7, min = 0, max = 1)]
    pub dropout_ratio: f64,
    /// Layout of X.
    pub sparse_format: Layout,
    /// Whether cells get coordinates, in obsm["coordinates"].
    pub generate_coordinates: bool,
    /// Distribution of expression values.
    pub rna_dist: RnaDist,
    /// Fixes all values.
    pub seed: u64,
}

/// Independent, identically distributed values without any structure: `batch_size * n_batches` cells
/// with obs columns `batch` (contiguous) and `labels`.
///
/// # Errors
/// Never with arguments in range.
pub fn synthetic_iid(p: &SyntheticIid) -> Result<AnnData> {
    let mut random = StdRng::seed_from_u64(p.seed);
    let n = p.batch_size * p.n_batches;
    let mut adata = AnnData::new(
        DataFrame::new((0..n).map(|i| i.to_string())),
        DataFrame::new((0..p.n_genes).map(|g| format!("gene_{g}"))),
    );
    let x = match p.rna_dist {
        RnaDist::Nb => {
            let counts = counts(n * p.n_genes, p.dropout_ratio, &mut random);
            layout(counts, n, p.n_genes, p.sparse_format)?
        }
        RnaDist::Normal => {
            let normal = Normal::new(5.0, 2.0).expect("a positive standard deviation");
            let draw = |r: &mut StdRng| {
                if r.random_bool(p.dropout_ratio) { normal.sample(r) } else { 0.0 }
            };
            let values: Vec<f64> = (0..n * p.n_genes).map(|_| draw(&mut random)).collect();
            layout(values, n, p.n_genes, p.sparse_format)?
        }
    };
    adata.set(Slot::X, "", x)?;
    if p.n_proteins > 0 {
        let proteins = counts(n * p.n_proteins, 1.0, &mut random);
        let proteins = Element::matrix(n, p.n_proteins, proteins)?;
        adata.set(Slot::Obsm, "protein_expression", proteins)?;
        let names = Element::strings((0..p.n_proteins).map(|i| format!("protein_{i}")));
        adata.set(Slot::Uns, "protein_names", names)?;
    }
    if p.n_regions > 0 {
        let regions = counts(n * p.n_regions, p.dropout_ratio, &mut random);
        adata.set(Slot::Obsm, "accessibility", Element::matrix(n, p.n_regions, regions)?)?;
    }
    let batches: Vec<usize> = (0..n).map(|i| i / p.batch_size).collect();
    adata.set(Slot::Obs, "batch", categorical("batch", &batches))?;
    let labels: Vec<usize> = (0..n).map(|_| random.random_range(0..p.n_labels)).collect();
    adata.set(Slot::Obs, "labels", categorical("label", &labels))?;
    if p.generate_coordinates {
        let places: Vec<f64> =
            (0..2 * n).map(|_| random.sample(rand_distr::StandardNormal)).collect();
        adata.set(Slot::Obsm, "coordinates", Element::matrix(n, 2, places)?)?;
    }
    Ok(adata)
}

/// Negative binomial counts (5 successes of probability 0.3), each kept with probability `keep`.
fn counts(len: usize, keep: f64, random: &mut StdRng) -> Vec<i64> {
    let (successes, p) = (5.0, 0.3);
    let rate = Gamma::new(successes, (1.0 - p) / p).expect("positive shape and scale");
    let mut draw = || {
        let count = Poisson::new(rate.sample(random)).map_or(0.0, |poisson| poisson.sample(random));
        if random.random_bool(keep) { count as i64 } else { 0 }
    };
    (0..len).map(|_| draw()).collect()
}

fn layout<T>(values: Vec<T>, n_rows: usize, n_cols: usize, layout: Layout) -> Result<Element>
where
    T: crate::anndata::Number + Default,
{
    let (format, n_major, n_minor) = match layout {
        Layout::Dense => return Element::matrix(n_rows, n_cols, T::wrap(values.into())),
        Layout::Csr => (SparseFormat::Csr, n_rows, n_cols),
        Layout::Csc => (SparseFormat::Csc, n_cols, n_rows),
    };
    let (mut data, mut indices, mut indptr) = (Vec::new(), Vec::new(), vec![0i32]);
    for major in 0..n_major {
        for minor in 0..n_minor {
            let at = match format {
                SparseFormat::Csr => major * n_cols + minor,
                SparseFormat::Csc => minor * n_cols + major,
            };
            if values[at] != T::default() {
                data.push(values[at]);
                indices.push(minor as i32);
            }
        }
        indptr.push(data.len() as i32);
    }
    let data = T::wrap(data.into());
    Ok(Element::Sparse(Sparse::new(format, [n_rows, n_cols], data, indices.into(), indptr.into())?))
}
