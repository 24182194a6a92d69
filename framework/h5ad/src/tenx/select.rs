//! Some of the features of a data set that was just read.

use std::path::Path;

use scvi_framework::anndata::{AnnData, Element, Slot, Sparse, SparseFormat, Values};

use super::GENE_EXPRESSION;
use crate::{
    error::{Error, Result},
    import::{Features, ImportOptions},
    node::At,
};

/// Keeps the features of the genome and of the types that are wanted.
///
/// # Errors
/// When no feature is left.
pub fn select(path: &Path, mut adata: AnnData, options: &ImportOptions) -> Result<AnnData> {
    if let (Some(genome), Some(genomes)) = (&options.genome, column(&adata, "genome")) {
        let keep: Vec<bool> = genomes.iter().map(|g| g == genome).collect();
        if !keep.contains(&true) {
            let (asked, found) = (Some(genome.clone()), distinct(genomes));
            return Err(Error::Genome { path: path.to_owned(), asked, found });
        }
        adata = subset(path, &adata, &keep)?;
    }
    if let (Features::GeneExpression, Some(types)) =
        (options.features, column(&adata, "feature_types"))
    {
        let keep: Vec<bool> = types.iter().map(|t| t == GENE_EXPRESSION).collect();
        if !keep.contains(&true) {
            let (wanted, found) = (GENE_EXPRESSION, distinct(types));
            return Err(Error::NoFeature { path: path.to_owned(), wanted, found });
        }
        adata = subset(path, &adata, &keep)?;
    }
    Ok(adata)
}

fn column(adata: &AnnData, name: &str) -> Option<Vec<String>> {
    match adata.var().columns.get(name) {
        Some(Element::Strings(strings)) => Some(strings.iter().map(str::to_owned).collect()),
        _ => None,
    }
}

fn distinct(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names.dedup();
    names
}

fn subset(path: &Path, adata: &AnnData, keep: &[bool]) -> Result<AnnData> {
    if !keep.contains(&false) {
        return Ok(adata.clone());
    }
    let refused = |e| At::root(path).refused(e);
    let kept: Vec<usize> = (0..keep.len()).filter(|&i| keep[i]).collect();
    let mut part =
        AnnData::new(adata.obs().clone(), adata.var().take_rows(&kept).map_err(refused)?);
    if let Some(Element::Sparse(x)) = adata.x() {
        part.set(Slot::X, "X", Element::Sparse(columns(x, keep)?)).map_err(refused)?;
    }
    Ok(part)
}

/// The columns of a row-compressed matrix that are kept.
fn columns(x: &Sparse, keep: &[bool]) -> Result<Sparse> {
    let mut renumbered = Vec::with_capacity(keep.len());
    let mut n_kept = 0;
    for &is_kept in keep {
        renumbered.push(n_kept);
        n_kept += i32::from(is_kept);
    }
    let (old, starts) = (x.indices.to_i64(), x.indptr.to_i64());
    let stored = || (0..old.len()).filter(|&i| keep[old[i] as usize]);
    let indices: Vec<i32> = stored().map(|i| renumbered[old[i] as usize]).collect();
    let mut ends = vec![0_i64];
    for row in starts.windows(2) {
        let kept = (row[0]..row[1]).filter(|&i| keep[old[i as usize] as usize]).count();
        ends.push(ends[ends.len() - 1] + kept as i64);
    }
    Ok(Sparse {
        format: SparseFormat::Csr,
        shape: [x.shape[0], n_kept as usize],
        data: x.data.take(stored()),
        indices: indices.into(),
        indptr: narrow(Values::from(ends)),
    })
}

/// int64 as int32 where all fit.
pub fn narrow(values: Values) -> Values {
    let Values::Int64(wide) = &values else { return values };
    match wide.iter().all(|&v| i32::try_from(v).is_ok()) {
        true => wide.iter().map(|&v| v as i32).collect::<Vec<_>>().into(),
        false => values,
    }
}
