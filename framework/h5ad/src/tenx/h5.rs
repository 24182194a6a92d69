//! `.h5` files of Cell Ranger 2 (a group per genome) and of 3 and later (a group `matrix`).

use scvi_framework::anndata::{
    AnnData, DataFrame, Dense, Element, Slot, Sparse, SparseFormat, Strings, Values,
};

use super::select::narrow;
use crate::{
    array, encoding,
    error::{Error, Result},
    import::Source,
    node::Node,
};

/// What a group of counts holds, in both versions.
const MATRIX: [&str; 5] = ["barcodes", "data", "indices", "indptr", "shape"];
/// Columns of features with places of their own; the rest are kept under their own names.
const KNOWN: [&str; 5] = ["name", "feature_type", "id", "gene_id", "_all_tag_keys"];

/// Whether the file looks like one of version 3 or later, complete or not.
pub fn is_v3(root: &Node) -> Result<bool> {
    holds_counts(root, "matrix")
}

/// The genomes in a file of version 2.
pub fn genomes(root: &Node) -> Result<Vec<String>> {
    let mut genomes = Vec::new();
    for name in root.names()? {
        if holds_counts(root, &name)? {
            genomes.push(name);
        }
    }
    Ok(genomes)
}

fn holds_counts(root: &Node, name: &str) -> Result<bool> {
    let Some(group) = root.find(name)?.filter(|node| node.group().is_ok()) else {
        return Ok(false);
    };
    let names = group.names()?;
    Ok(["barcodes", "indptr"].iter().all(|part| names.iter().any(|name| name == part)))
}

/// Reads a file of version 3 or later: all its features.
pub fn v3(root: &Node) -> Result<AnnData> {
    let matrix = root.get("matrix")?;
    demand(Source::TenxV3, &matrix, &[&MATRIX[..], &["features"]].concat())?;
    let features = matrix.get("features")?;
    demand(Source::TenxV3, &features, &["name", "id", "feature_type"])?;
    let names = features.names()?;
    let is_of_probes = names.iter().any(|name| name == "gene_id");

    let mut var = DataFrame::new([""; 0]);
    var.index = Box::new(Element::Strings(strings(&features, "name")?));
    let renamed: &[(&str, &str)] = match is_of_probes {
        true => &[("gene_ids", "gene_id"), ("probe_ids", "id"), ("feature_types", "feature_type")],
        false => &[("gene_ids", "id"), ("feature_types", "feature_type")],
    };
    for (column, name) in renamed {
        var.columns.insert((*column).into(), Element::Strings(strings(&features, name)?));
    }
    for name in names.iter().filter(|name| !KNOWN.contains(&name.as_str())) {
        if features.get(name)?.dataset().is_ok() {
            var.columns.insert(name.clone(), feature_column(&features, name)?);
        }
    }
    let mut obs = cells(&matrix)?;
    if let Some(filtered) = matrix.find("filtered_barcodes")? {
        let values = numbers(&matrix, "filtered_barcodes")?;
        let truths: Vec<bool> = values.to_f64().iter().map(|&v| v != 0.0).collect();
        if truths.len() != obs.n_rows() {
            return Err(filtered.at.shape(vec![obs.n_rows()], vec![truths.len()]));
        }
        obs.columns.insert("filtered_barcodes".into(), Element::vector(truths));
    }
    data_set(&matrix, obs, var)
}

/// Reads a genome of a file of version 2.
pub fn v2(root: &Node, genome: Option<&str>) -> Result<AnnData> {
    let found = genomes(root)?;
    let genome = match (genome, &found[..]) {
        (None, [only]) => only,
        (Some(asked), all) if all.iter().any(|name| name == asked) => asked,
        (asked, _) => {
            let asked = asked.map(str::to_owned);
            return Err(Error::Genome { path: root.at.path(), asked, found });
        }
    };
    let matrix = root.get(genome)?;
    demand(Source::TenxV2, &matrix, &[&MATRIX[..], &["gene_names", "genes"]].concat())?;
    let mut var = DataFrame::new([""; 0]);
    var.index = Box::new(Element::Strings(strings(&matrix, "gene_names")?));
    var.columns.insert("gene_ids".into(), Element::Strings(strings(&matrix, "genes")?));
    data_set(&matrix, cells(&matrix)?, var)
}

/// Names all that is missing at once.
fn demand(kind: Source, group: &Node, needed: &[&str]) -> Result<()> {
    let names = group.names()?;
    let is_missing = |name: &&&str| !names.iter().any(|n| n == **name);
    let missing: Vec<String> =
        needed.iter().filter(is_missing).map(|name| format!("`{name}`")).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let found = if names.is_empty() { "nothing".into() } else { names.join(", ") };
    Err(Error::Incomplete { path: group.at.path(), kind, place: group.at.shown(), missing, found })
}

fn cells(matrix: &Node) -> Result<DataFrame> {
    let mut obs = DataFrame::new([""; 0]);
    obs.index = Box::new(Element::Strings(strings(matrix, "barcodes")?));
    Ok(obs)
}

/// Columns of features are cells by columns, that is: our rows are compressed as they stand.
fn data_set(matrix: &Node, obs: DataFrame, var: DataFrame) -> Result<AnnData> {
    let refused = |e| matrix.at.refused(e);
    let at = matrix.at.child("shape");
    let shape = match numbers(matrix, "shape")?.to_i64()[..] {
        [n_features, n_cells] if n_features >= 0 && n_cells >= 0 => {
            [n_cells as usize, n_features as usize]
        }
        _ => return Err(at.invalid("two lengths: features, barcodes", "others")),
    };
    let named = [obs.n_rows(), var.n_rows()];
    if named != shape {
        return Err(at.shape(vec![named[1], named[0]], vec![shape[1], shape[0]]));
    }
    let data = match numbers(matrix, "data")? {
        Values::Int32(counts) => counts.iter().map(|&n| n as f32).collect::<Vec<f32>>().into(),
        other => other,
    };
    let positions = |name| Ok(narrow(encoding::position(numbers(matrix, name)?)));
    let (indices, indptr) = (positions("indices")?, positions("indptr")?);
    let x = Sparse::new(SparseFormat::Csr, shape, data, indices, indptr).map_err(refused)?;
    for (name, column) in &var.columns {
        if column.shape() != [var.n_rows()] {
            return Err(matrix.at.child(name).shape(vec![var.n_rows()], column.shape()));
        }
    }
    let mut adata = AnnData::new(obs, var);
    adata.set(Slot::X, "X", Element::Sparse(x)).map_err(refused)?;
    adata.take_touched();
    Ok(adata)
}

/// A column of features: truths as they are, everything else as text.
fn feature_column(features: &Node, name: &str) -> Result<Element> {
    let node = features.get(name)?;
    match array::element(node.dataset()?, &node.at)? {
        Some(Element::Dense(Dense { shape, values })) if shape.len() == 1 => Ok(match values {
            Values::Bool(_) => Element::vector(values),
            Values::Float16(_) | Values::Float32(_) | Values::Float64(_) => {
                Element::strings(values.to_f64().iter().map(|v| format!("{v:?}")))
            }
            whole => Element::strings(whole.to_i64().iter().map(i64::to_string)),
        }),
        Some(element @ Element::Strings(_)) => Ok(element),
        _ => Err(node.at.invalid("a column of strings, numbers or truths", "others")),
    }
}

fn strings(group: &Node, name: &str) -> Result<Strings> {
    let node = group.get(name)?;
    match array::strings(node.dataset()?, &node.at)? {
        Some(strings) if strings.shape().len() == 1 => Ok(strings),
        _ => Err(node.at.invalid("a list of strings", "others")),
    }
}

fn numbers(group: &Node, name: &str) -> Result<Values> {
    let node = group.get(name)?;
    match array::numbers(node.dataset()?, &node.at)? {
        Some(values) if node.dataset()?.ndim() == 1 => Ok(values),
        _ => Err(node.at.invalid("a list of numbers", "others")),
    }
}
