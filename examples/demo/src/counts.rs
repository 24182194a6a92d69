//! What an analyst sees before any model: principal components of log-normalised counts.

use anyhow::{Result, bail};
use scvi_framework::{
    anndata::{Element, Sparse, SparseFormat},
    tch::{Kind, Tensor},
};

/// Counts per cell after normalisation.
const TARGET_SUM: f32 = 1e4;

/// Genes that enter, those that vary most.
const MAX_GENES: usize = 2000;

/// Leading principal components of `log1p` of normalised counts, of the most variable genes.
/// // [cells, n_components]
///
/// # Errors
/// When the counts are no dense or sparse matrix.
pub fn principal_components(
    counts: &Element,
    cells: &[usize],
    n_components: i64,
) -> Result<Tensor> {
    let rows = Rows::read(counts)?;
    let normalised: Vec<Vec<(usize, f32)>> = cells.iter().map(|&i| rows.normalised(i)).collect();
    let genes = most_variable(&normalised, rows.n_vars);
    let mut place = vec![None; rows.n_vars];
    for (to, &from) in genes.iter().enumerate() {
        place[from] = Some(to);
    }
    let mut dense = vec![0f32; cells.len() * genes.len()];
    for (row, entries) in dense.chunks_mut(genes.len().max(1)).zip(&normalised) {
        for &(gene, value) in entries {
            if let Some(to) = place[gene] {
                row[to] = value;
            }
        }
    }
    let x = Tensor::from_slice(&dense).view([cells.len() as i64, genes.len() as i64]);
    let centred = &x - x.mean_dim([0i64].as_slice(), true, Kind::Float); // [cells, genes]
    let covariance = centred.tr().matmul(&centred); // [genes, genes]
    let (_, vectors) = covariance.f_linalg_eigh("L")?; // eigenvalues rise
    let n = n_components.min(genes.len() as i64);
    Ok(centred.matmul(&vectors.narrow(1, genes.len() as i64 - n, n).flip([1])))
}

/// The genes with the largest variance, in their order.
fn most_variable(rows: &[Vec<(usize, f32)>], n_vars: usize) -> Vec<usize> {
    let mut sums = vec![(0f64, 0f64); n_vars];
    for &(gene, value) in rows.iter().flatten() {
        sums[gene].0 += f64::from(value);
        sums[gene].1 += f64::from(value) * f64::from(value);
    }
    let n = rows.len().max(1) as f64;
    let variance = |g: usize| sums[g].1 / n - (sums[g].0 / n).powi(2);
    let mut genes: Vec<usize> = (0..n_vars).collect();
    genes.sort_by(|&a, &b| variance(b).total_cmp(&variance(a)));
    genes.truncate(MAX_GENES);
    genes.sort_unstable();
    genes
}

/// The entries of each cell that are not zero.
struct Rows {
    n_vars: usize,
    entries: Vec<Vec<(usize, f32)>>,
}

impl Rows {
    fn read(counts: &Element) -> Result<Self> {
        match counts {
            Element::Dense(dense) if dense.shape.len() == 2 => {
                let n_vars = dense.shape[1];
                let values = dense.values.to_f32();
                let nonzero = |row: &[f32]| {
                    row.iter().copied().enumerate().filter(|&(_, v)| v != 0.0).collect()
                };
                Ok(Self { n_vars, entries: values.chunks(n_vars.max(1)).map(nonzero).collect() })
            }
            Element::Sparse(sparse) => Ok(Self::of_sparse(sparse)),
            other => bail!("counts: expected a dense or sparse matrix, found {}", other.kind()),
        }
    }

    fn of_sparse(sparse: &Sparse) -> Self {
        let [n_obs, n_vars] = sparse.shape;
        let (data, indices) = (sparse.data.to_f32(), sparse.indices.to_i64());
        let mut entries = vec![Vec::new(); n_obs];
        for (major, run) in sparse.indptr.to_i64().windows(2).enumerate() {
            for at in run[0] as usize..run[1] as usize {
                let minor = indices[at] as usize;
                let (cell, gene) = match sparse.format {
                    SparseFormat::Csr => (major, minor),
                    SparseFormat::Csc => (minor, major),
                };
                entries[cell].push((gene, data[at]));
            }
        }
        Self { n_vars, entries }
    }

    /// `log1p` of a cell's counts scaled to the target sum.
    fn normalised(&self, cell: usize) -> Vec<(usize, f32)> {
        let entries = &self.entries[cell];
        let total: f32 = entries.iter().map(|&(_, v)| v).sum();
        let scale = if total > 0.0 { TARGET_SUM / total } else { 0.0 };
        entries.iter().map(|&(gene, v)| (gene, (v * scale).ln_1p())).collect()
    }
}
