//! Matrix Market: sparse matrices as text, a line per stored value.

use std::{
    io::{BufRead, Read},
    path::Path,
};

use scvi_framework::anndata::{Sparse, SparseFormat, Values};

use crate::{
    error::{Error, Result},
    node::At,
};

const BANNER: &str = "%%MatrixMarket";
/// No line of such a file is longer.
const MAX_LINE: u64 = 1 << 16;

/// What the first lines say.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// Rows of the matrix in the file.
    pub n_rows: usize,
    /// Its columns.
    pub n_columns: usize,
    n_stored: usize,
    has_values: bool,
    line: usize,
}

/// Whether the text begins as Matrix Market does.
pub fn is_here(text: &mut impl BufRead) -> bool {
    text.fill_buf().is_ok_and(|start| start.starts_with(BANNER.as_bytes()))
}

/// Reads the first lines of the file at `path`.
///
/// # Errors
/// Names the line that is not as it should be, or the kind of matrix that is not supported.
pub fn header(text: &mut impl BufRead, path: &Path) -> Result<Header> {
    let mut lines = Lines { text, path, line: 0, buffer: Vec::new() };
    let banner = lines.next()?.unwrap_or_default().to_lowercase();
    let words: Vec<&str> = banner.split_whitespace().collect();
    let has_values = match words[..] {
        ["%%matrixmarket", "matrix", "coordinate", "integer" | "real" | "double", "general"] => {
            true
        }
        ["%%matrixmarket", "matrix", "coordinate", "pattern", "general"] => false,
        _ => {
            let expected =
                "`%%MatrixMarket matrix coordinate integer general` (or real, or pattern)";
            return Err(lines.wrong(expected, &banner));
        }
    };
    let sizes = loop {
        match lines.next()? {
            Some(line) if line.starts_with('%') || line.trim().is_empty() => {}
            Some(line) => break line.to_owned(),
            None => break String::new(),
        }
    };
    let numbers: Option<Vec<usize>> = sizes.split_whitespace().map(|n| n.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[n_rows, n_columns, n_stored])
            if n_rows <= i32::MAX as usize && n_columns <= i32::MAX as usize =>
        {
            Ok(Header { n_rows, n_columns, n_stored, has_values, line: lines.line })
        }
        _ => Err(lines.wrong("numbers of rows, columns and stored values", &sizes)),
    }
}

/// Reads the values that follow the header: the columns of the file as rows, float32. What is
/// stored twice is added up.
///
/// # Errors
/// Names the line that is not as it should be.
pub fn transposed(mut text: impl BufRead, path: &Path, header: Header) -> Result<Sparse> {
    let Header { n_rows, n_columns, n_stored, has_values, line } = header;
    let mut lines = Lines { text: &mut text, path, line, buffer: Vec::new() };
    let (mut columns, mut indices, mut data) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(text) = lines.next()? {
        if text.trim().is_empty() {
            continue;
        }
        let Some((row, column, value)) = entry(text, has_values) else {
            let text = text.to_owned();
            let expected = if has_values { "row, column and value" } else { "row and column" };
            return Err(lines.wrong(expected, &text));
        };
        if !(1..=n_rows).contains(&row) || !(1..=n_columns).contains(&column) {
            let expected = format!("a row from 1 to {n_rows} and a column from 1 to {n_columns}");
            return Err(lines.wrong(&expected, &format!("row {row}, column {column}")));
        }
        if data.len() == n_stored {
            return Err(
                lines.wrong(&format!("{n_stored} stored values, as the header says"), "more")
            );
        }
        columns.push(column as u32 - 1);
        indices.push(row as i32 - 1);
        data.push(value);
    }
    if data.len() != n_stored {
        let expected = format!("{n_stored} stored values, as the header says");
        return Err(lines.wrong(&expected, &format!("the end after {}", data.len())));
    }
    let (indices, data, starts) = compressed(&columns, indices, data, n_columns);
    let indptr: Values = match i32::try_from(data.len()) {
        Ok(_) => starts.iter().map(|&s| s as i32).collect::<Vec<_>>().into(),
        Err(_) => starts.into(),
    };
    let shape = [n_columns, n_rows];
    let matrix = Sparse::new(SparseFormat::Csr, shape, data.into(), indices.into(), indptr);
    matrix.map_err(|e| At::root(path).refused(e))
}

fn entry(text: &str, has_values: bool) -> Option<(usize, usize, f32)> {
    let mut words = text.split_ascii_whitespace();
    let (row, column) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let value = if has_values { words.next()?.parse::<f64>().ok()? as f32 } else { 1.0 };
    words.next().is_none().then_some((row, column, value))
}

/// Values sorted by column of the file, then row, repeats added up; and where each column starts.
fn compressed(
    columns: &[u32],
    indices: Vec<i32>,
    data: Vec<f32>,
    n_columns: usize,
) -> (Vec<i32>, Vec<f32>, Vec<i64>) {
    let mut starts = vec![0_i64; n_columns + 1];
    for &column in columns {
        starts[column as usize + 1] += 1;
    }
    for i in 0..n_columns {
        starts[i + 1] += starts[i];
    }
    let place = |i: usize| (columns[i], indices[i]);
    if (1..columns.len()).all(|i| place(i - 1) < place(i)) {
        return (indices, data, starts); // as Cell Ranger writes it
    }
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by_key(|&i| place(i));
    let (mut sorted, mut values) = (Vec::<i32>::new(), Vec::<f32>::new());
    let mut ends = vec![0_i64; n_columns + 1];
    let mut last = None;
    for i in order {
        match (values.last_mut(), last == Some(place(i))) {
            (Some(value), true) => *value += data[i],
            _ => {
                sorted.push(indices[i]);
                values.push(data[i]);
                ends[columns[i] as usize + 1] += 1;
            }
        }
        last = Some(place(i));
    }
    for i in 0..n_columns {
        ends[i + 1] += ends[i];
    }
    (sorted, values, ends)
}

/// Lines of a text of any size, with their numbers.
struct Lines<'a, T> {
    text: &'a mut T,
    path: &'a Path,
    line: usize,
    buffer: Vec<u8>,
}

impl<T: BufRead> Lines<'_, T> {
    /// The next line, or `None` at the end.
    fn next(&mut self) -> Result<Option<&str>> {
        self.buffer.clear();
        self.line += 1;
        let read = self.text.by_ref().take(MAX_LINE).read_until(b'\n', &mut self.buffer);
        let io = |source| Error::Io { path: self.path.to_owned(), action: "read", source };
        if read.map_err(io)? == 0 {
            return Ok(None);
        }
        match std::str::from_utf8(&self.buffer) {
            Ok(_) if self.buffer.len() as u64 == MAX_LINE => {
                Err(self.wrong("a short line", "a long one"))
            }
            Ok(line) => Ok(Some(line.trim_end_matches(['\r', '\n']))),
            Err(_) => Err(self.wrong("text", "other bytes")),
        }
    }

    fn wrong(&self, expected: &str, found: &str) -> Error {
        let found = match found.trim() {
            "" => "nothing".into(),
            text => text.chars().take(60).collect(),
        };
        Error::Line {
            path: self.path.to_owned(),
            line: self.line,
            expected: expected.into(),
            found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Sparse> {
        let (mut text, path) = (text.as_bytes(), Path::new("matrix.mtx"));
        let header = header(&mut text, path)?;
        transposed(text, path, header)
    }

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        assert_eq!(read(text).unwrap_err().to_string(), format!("matrix.mtx: line {expected}"));
    }

    const BEGIN: &str = "%%MatrixMarket matrix coordinate integer general\n% by hand\n3 2 ";

    #[test]
    fn values_are_sorted_and_repeats_added_up() {
        let x = read(&format!("{BEGIN}5\n3 2 1\n1 1 2\n\n3 1 4\n3 2 8\n2 1 0\n")).unwrap();
        assert_eq!(x.shape, [2, 3]);
        assert_eq!(x.indptr.to_i64()[..], [0, 3, 4]);
        assert_eq!(x.indices.to_i64()[..], [0, 1, 2, 2]);
        assert_eq!(x.data.to_f32()[..], [2.0, 0.0, 4.0, 9.0]);
    }

    #[test]
    fn patterns_are_ones_and_reals_are_real() {
        let x = read("%%MatrixMarket matrix coordinate pattern general\n1 2 1\n1 2\n").unwrap();
        assert_eq!(x.data.to_f32()[..], [1.0]);
        let x = read("%%matrixmarket MATRIX coordinate real general\n1 1 1\n1 1 -2.5e-1").unwrap();
        assert_eq!(x.data.to_f32()[..], [-0.25]);
    }

    #[test]
    fn lines_that_are_wrong_are_named() {
        let banner = "`%%MatrixMarket matrix coordinate integer general` (or real, or pattern)";
        refused("", &format!("1: expected {banner}, found nothing"));
        let dense = "%%MatrixMarket matrix array real general\n";
        refused(dense, &format!("1: expected {banner}, found {}", dense.trim().to_lowercase()));
        let sizes = "expected numbers of rows, columns and stored values";
        refused(&format!("{BEGIN}\n"), &format!("3: {sizes}, found 3 2"));
        refused(
            &format!("{BEGIN}99999999999999999999\n"),
            &format!("3: {sizes}, found 3 2 99999999999999999999"),
        );
        let place = "expected a row from 1 to 3 and a column from 1 to 2";
        refused(&format!("{BEGIN}1\n4 1 1\n"), &format!("4: {place}, found row 4, column 1"));
        refused(&format!("{BEGIN}1\n1 0 1\n"), &format!("4: {place}, found row 1, column 0"));
        refused(&format!("{BEGIN}1\n1 1\n"), "4: expected row, column and value, found 1 1");
        let stored = "stored values, as the header says";
        refused(
            &format!("{BEGIN}2\n1 1 1\n"),
            &format!("5: expected 2 {stored}, found the end after 1"),
        );
        refused(&format!("{BEGIN}0\n1 1 1\n"), &format!("4: expected 0 {stored}, found more"));
    }
}
