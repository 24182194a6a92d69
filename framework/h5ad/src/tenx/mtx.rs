//! Folders of `matrix.mtx`, `features.tsv` (before version 3: `genes.tsv`) and `barcodes.tsv`,
//! compressed or not, with or without a common prefix.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;
use scvi_framework::anndata::{AnnData, DataFrame, Element, Slot};

use super::unique::made_unique;
use crate::{
    error::{Error, Result},
    import::Source,
    matrix_market,
    node::At,
    open,
};

const MATRIX: &str = "matrix.mtx";
const BARCODES: &str = "barcodes.tsv";
const FEATURES: [&str; 2] = ["features.tsv", "genes.tsv"];
/// No list of genes or cells has lines as long as this.
const MAX_LINE: u64 = 1 << 16;

/// The three files of a sample.
#[derive(Debug)]
struct Files {
    matrix: PathBuf,
    features: PathBuf,
    barcodes: PathBuf,
}

/// Whether `path` is a folder with a matrix, or the matrix in it.
///
/// # Errors
/// When the file or folder cannot be read.
pub fn is_here(path: &Path) -> Result<bool> {
    match path.is_dir() {
        true => Ok(!matrices(&names(path)?).is_empty()),
        false => Ok(matrix_market::is_here(&mut reader(path)?)),
    }
}

/// Reads the sample in the folder `path`, or the one whose matrix is `path`. Names of genes are made
/// unique, as scanpy does; how many were repeats is told.
///
/// # Errors
/// Names the file that is missing, or the line that is not as it should be.
pub fn read(path: &Path) -> Result<(AnnData, usize)> {
    let files = find(path)?;
    let mut matrix = reader(&files.matrix)?;
    let header = matrix_market::header(&mut matrix, &files.matrix)?;
    let features = table(&files.features, b'\t', header.n_rows)?;
    let barcodes = table(&files.barcodes, b',', header.n_columns)?;

    let column = |i: usize| features.iter().map(move |row| row.get(i).unwrap_or_default());
    let n_columns = features.iter().map(csv::StringRecord::len).min().unwrap_or(3);
    if n_columns < 2 {
        return Err(Error::Line {
            path: files.features,
            line: 1,
            expected: "identifier and name of a feature, separated by a tab".into(),
            found: "a single column".into(),
        });
    }
    let (unique, repeats) = made_unique(column(1).map(str::to_owned).collect());
    let mut var = DataFrame::new(unique);
    var.columns.insert("gene_ids".into(), Element::strings(column(0)));
    if n_columns > 2 {
        var.columns.insert("feature_types".into(), Element::strings(column(2)));
    }
    let obs = DataFrame::new(barcodes.iter().map(|row| row.get(0).unwrap_or_default()));
    let x = matrix_market::transposed(matrix, &files.matrix, header)?;
    let mut adata = AnnData::new(obs, var);
    let put = adata.set(Slot::X, "X", Element::Sparse(x));
    put.map_err(|e| At::root(&files.matrix).refused(e))?;
    adata.take_touched();
    Ok((adata, repeats))
}

fn find(path: &Path) -> Result<Files> {
    let is_folder = path.is_dir();
    let folder = match (is_folder, path.parent()) {
        (true, _) => path,
        (false, Some(parent)) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let names = names(folder)?;
    let matrices = matrices(&names);
    let own = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let matrix = match (is_folder, &matrices[..]) {
        (false, _) => own.unwrap_or_default(),
        (true, [only]) => (*only).clone(),
        (true, _) => {
            let found = matrices.into_iter().cloned().collect();
            return Err(Error::SeveralMatrices { path: path.to_owned(), found });
        }
    };
    let prefix = unpacked(&matrix).strip_suffix(MATRIX).unwrap_or_default();
    let beside = |endings: &[&str]| {
        let wanted: Vec<String> = endings.iter().map(|e| format!("{prefix}{e}")).collect();
        let found = names.iter().find(|name| wanted.iter().any(|w| w == unpacked(name)));
        found.map(|name| folder.join(name)).ok_or(wanted)
    };
    let incomplete = |wanted: Vec<String>| Error::Incomplete {
        path: path.to_owned(),
        kind: Source::TenxMtx,
        place: matrix.clone(),
        missing: vec![format!("{} (or .gz) beside it", wanted.join(" or "))],
        found: names.join(", "),
    };
    Ok(Files {
        features: beside(&FEATURES).map_err(incomplete)?,
        barcodes: beside(&[BARCODES]).map_err(incomplete)?,
        matrix: folder.join(&matrix),
    })
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let io = |source| Error::Io { path: folder.to_owned(), action: "read", source };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        names.push(entry.map_err(io)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// One file of each sample, though it may be there compressed too.
fn matrices(names: &[String]) -> Vec<&String> {
    let mut found: Vec<&String> =
        names.iter().filter(|name| unpacked(name).ends_with(MATRIX)).collect();
    found.dedup_by(|b, a| unpacked(a) == unpacked(b));
    found
}

fn unpacked(name: &str) -> &str {
    name.strip_suffix(".gz").unwrap_or(name)
}

/// The text of a file, unpacked when it is compressed.
fn reader(path: &Path) -> Result<Box<dyn BufRead>> {
    let mut file = BufReader::new(open::plain(path)?);
    let io = |source| Error::Io { path: path.to_owned(), action: "read", source };
    let is_packed = file.fill_buf().map_err(io)?.starts_with(&[0x1f, 0x8b]);
    Ok(match is_packed {
        true => Box::new(BufReader::new(MultiGzDecoder::new(file))),
        false => Box::new(file),
    })
}

/// Rows of a table without a header, as many as the matrix says.
fn table(path: &Path, delimiter: u8, n_rows: usize) -> Result<Vec<csv::StringRecord>> {
    let mut builder = csv::ReaderBuilder::new();
    builder.delimiter(delimiter).has_headers(false).flexible(true);
    let limit = MAX_LINE.saturating_mul(n_rows as u64 + 1);
    let mut rows = Vec::new();
    let wrong = |line, expected: String, found: String| Error::Line {
        path: path.to_owned(),
        line,
        expected,
        found,
    };
    for row in builder.from_reader(reader(path)?.take(limit)).into_records() {
        let line = rows.len() + 1;
        let row = row.map_err(|e| wrong(line, "a line of UTF-8 text".into(), e.to_string()))?;
        if rows.len() == n_rows {
            return Err(wrong(line, format!("{n_rows} lines, as the matrix says"), "more".into()));
        }
        rows.push(row);
    }
    match rows.len() == n_rows {
        true => Ok(rows),
        false => {
            Err(wrong(rows.len(), format!("{n_rows} lines, as the matrix says"), "the end".into()))
        }
    }
}
