//! `.loom` files: a dense matrix of genes by cells, and attributes of both.

use std::ops::Range;

use hdf5::Dataset;
use scvi_framework::{
    anndata::{
        AnnData, DataFrame, Dense, Element, Mapping, Slot, Sparse, SparseFormat, Strings, Values,
    },
    with_values,
};

use crate::{
    array, backed,
    error::{Error, Result},
    import::Source,
    node::Node,
};

/// The layer that is X where it is there, as anndata has it.
const SPLICED: &str = "spliced";
/// Attributes that name cells and genes.
const NAMES: [&str; 2] = ["CellID", "Gene"];
/// Numbers read at a time; a block holds all genes of some cells.
const BLOCK: usize = 1 << 22;
/// Cells in a chunk, as loompy writes them.
const CHUNK: usize = 64;

/// Whether the file looks like a loom file, complete or not.
pub fn is_here(root: &Node) -> Result<bool> {
    let names = root.names()?;
    let has = |name: &str| names.iter().any(|n| n == name);
    Ok(has("matrix") && (has("row_attrs") || has("col_attrs")))
}

/// Reads the whole file: cells by genes, row-compressed; X float32, layers float64.
///
/// # Errors
/// When something is missing, damaged, or of the wrong shape.
pub fn read(root: &Node) -> Result<AnnData> {
    let names = root.names()?;
    let needed = ["matrix", "row_attrs", "col_attrs"];
    let is_missing = |name: &&&str| !names.iter().any(|n| n == **name);
    let missing: Vec<String> =
        needed.iter().filter(is_missing).map(|name| format!("`{name}`")).collect();
    if !missing.is_empty() {
        return Err(Error::Incomplete {
            path: root.at.path(),
            kind: Source::Loom,
            place: root.at.shown(),
            missing,
            found: names.join(", "),
        });
    }
    let matrix = root.get("matrix")?;
    let &[n_genes, n_cells] = matrix.dataset()?.shape().as_slice() else {
        return Err(matrix.at.invalid("an array of genes by cells", "another array"));
    };
    let (obs, obsm) = attributes(&root.get("col_attrs")?, NAMES[0], n_cells)?;
    let (var, varm) = attributes(&root.get("row_attrs")?, NAMES[1], n_genes)?;
    let mut adata = AnnData::new(obs, var);
    let mut put = |slot, name: &str, element, node: &Node| {
        adata.set(slot, name, element).map_err(|e| node.at.child(name).refused(e))
    };

    let layers = match root.find("layers")? {
        Some(layers) => layers.names()?,
        None => Vec::new(),
    };
    let shape = [n_genes, n_cells];
    let main = compressed(&matrix, shape)?;
    let has_spliced = layers.iter().any(|name| name == SPLICED);
    if has_spliced {
        put(Slot::Layers, "matrix", Element::Sparse(main.clone()), root)?;
    } else {
        put(Slot::X, "X", Element::Sparse(single(&main)), root)?;
    }
    for name in layers {
        let node = root.get("layers")?.get(&name)?;
        let layer = compressed(&node, shape)?;
        if name == SPLICED {
            put(Slot::X, "X", Element::Sparse(single(&layer)), root)?;
        }
        put(Slot::Layers, &name, Element::Sparse(layer), root)?;
    }
    for (slot, mapping) in [(Slot::Obsm, obsm), (Slot::Varm, varm)] {
        for (name, element) in mapping {
            put(slot, &name, element, root)?;
        }
    }
    adata.take_touched();
    Ok(adata)
}

/// A table of the attributes with one value per row, and those with several.
fn attributes(group: &Node, index: &str, n_rows: usize) -> Result<(DataFrame, Mapping)> {
    let (mut columns, mut matrices) = (Mapping::new(), Mapping::new());
    for name in group.names()? {
        let node = group.get(&name)?;
        let Ok(dataset) = node.dataset() else { continue };
        let element = match array::element(dataset, &node.at)? {
            Some(Element::Strings(strings)) => Element::Strings(unescaped(strings)),
            Some(Element::Dense(dense)) => Element::Dense(dense),
            _ => return Err(node.at.invalid("strings or numbers", "others")),
        };
        let shape = element.shape();
        if shape.first() != Some(&n_rows) {
            return Err(node.at.shape(vec![n_rows], shape));
        }
        match shape[1..] {
            [] => columns.insert(name, element),
            [1] => columns.insert(name, flat(element, n_rows)),
            _ => matrices.insert(name, element),
        };
    }
    let mut table = match columns.shift_remove(index) {
        Some(names @ Element::Strings(_)) => {
            let mut table = DataFrame::new([""; 0]);
            table.index = Box::new(names);
            table.index_name = Some(index.into());
            table
        }
        other => {
            columns.extend(other.map(|column| (index.to_owned(), column)));
            DataFrame::new((0..n_rows).map(|i| i.to_string()))
        }
    };
    table.columns = columns;
    Ok((table, matrices))
}

fn flat(element: Element, n_rows: usize) -> Element {
    match element {
        Element::Dense(dense) => Element::Dense(Dense { shape: vec![n_rows], ..dense }),
        Element::Strings(strings) => Element::strings(strings.iter()),
        other => other,
    }
}

/// A dense matrix read in blocks of cells, of which only what is not zero is kept: `[n_cells,
/// n_genes]`, float64.
fn compressed(node: &Node, [n_genes, n_cells]: [usize; 2]) -> Result<Sparse> {
    let dataset = node.dataset()?;
    if dataset.shape() != [n_genes, n_cells] {
        return Err(node.at.shape(vec![n_genes, n_cells], dataset.shape()));
    }
    let size = size_of::<f64>();
    array::plausible(dataset, &node.at, size)?;
    let too_long = |_| node.at.invalid("at most 2147483647 genes", n_genes.to_string());
    i32::try_from(n_genes).map_err(too_long)?;
    let width = match BLOCK / n_genes.max(1) {
        few @ 0..CHUNK => few.max(1),
        many => many / CHUNK * CHUNK,
    };
    if !node.at.charge(n_genes * width * size) {
        return Err(node.at.invalid("genes that fit the file", n_genes.to_string()));
    }
    let (mut data, mut indices, mut indptr) = (Vec::new(), Vec::new(), vec![0_i64]);
    for start in (0..n_cells).step_by(width) {
        let cells = start..(start + width).min(n_cells);
        let n = cells.len();
        let block = block(dataset, cells, node)?;
        with_values!(&block, block => for cell in 0..n {
            for gene in 0..n_genes {
                let value = scvi_framework::anndata::Number::to_f64(block[gene * n + cell]);
                if value != 0.0 {
                    data.push(value);
                    indices.push(gene as i32);
                }
            }
            indptr.push(data.len() as i64);
        });
    }
    let shape = [n_cells, n_genes];
    let indptr: Values = match i32::try_from(data.len()) {
        Ok(_) => indptr.iter().map(|&s| s as i32).collect::<Vec<_>>().into(),
        Err(_) => indptr.into(),
    };
    let matrix = Sparse::new(SparseFormat::Csr, shape, data.into(), indices.into(), indptr);
    matrix.map_err(|e| node.at.refused(e))
}

fn block(dataset: &Dataset, cells: Range<usize>, node: &Node) -> Result<Values> {
    match backed::columns(dataset, cells, &node.at)? {
        Some(values) => Ok(values),
        None => Err(node.at.invalid("numbers", "others")),
    }
}

fn single(matrix: &Sparse) -> Sparse {
    Sparse { data: Values::Float32(matrix.data.to_f32()), ..matrix.clone() }
}

/// Older files hold what is not ASCII as `&#945;`, and `&` and its kin by name.
fn unescaped(strings: Strings) -> Strings {
    if !strings.iter().any(|text| text.contains('&')) {
        return strings;
    }
    let shape = strings.shape().to_vec();
    let plain: Strings = strings.iter().map(unescaped_text).collect();
    plain.reshape(shape).unwrap_or(strings)
}

fn unescaped_text(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let found = rest.find(';').and_then(|end| Some((character(&rest[1..end])?, end + 1)));
        let (c, length) = found.unwrap_or(('&', 1));
        plain.push(c);
        rest = &rest[length..];
    }
    plain + rest
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        _ => {}
    }
    let number = name.strip_prefix('#')?;
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use super::unescaped_text;

    #[test]
    fn character_references_become_characters() {
        assert_eq!(unescaped_text("&#945;-cell &amp; &lt;b&gt; &x; &"), "α-cell & <b> &x; &");
        assert_eq!(unescaped_text("T&#x3B4;"), "Tδ");
    }
}
