//! Answers as one table with a row per cell (or gene), names first.

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
};

use csv::WriterBuilder;
use scvi_framework::{
    anndata::{AnnData, DataFrame, Element, Slot, Strings, Values},
    model::{OutputSpec, Sink},
    serde_json::{Map, Value, json},
};

use super::{
    Answer, Gathered,
    collect::{Collector, Content},
    title,
};
use crate::{
    failure::{Error, Result},
    staged::Staged,
    term,
};

/// Names of cells and genes, for the first column.
pub struct Names {
    obs: Option<Strings>,
    var: Option<Strings>,
    asked: Option<Vec<usize>>,
}

impl Names {
    /// Those of `adata`; answers are about its cells `asked` where not about all.
    pub fn of(adata: &AnnData, asked: Option<Vec<usize>>) -> Self {
        let (obs, var) = (adata.obs_names().ok().cloned(), adata.var_names().ok().cloned());
        Self { obs, var, asked }
    }

    /// Head and entries of the first column: names where the rows are all cells or all genes,
    /// otherwise row numbers.
    fn column(&self, slot: Slot, n_rows: usize) -> (&'static str, Vec<String>) {
        let (head, names) = match slot {
            Slot::Var | Slot::Varm | Slot::Varp => ("var_names", &self.var),
            Slot::Uns => ("row", &None),
            _ => ("obs_names", &self.obs),
        };
        match (names, &self.asked) {
            (Some(names), _) if names.len() == n_rows => {
                (head, names.iter().map(Into::into).collect())
            }
            (Some(names), Some(asked))
                if head == "obs_names"
                    && asked.len() == n_rows
                    && asked.iter().all(|&row| row < names.len()) =>
            {
                (head, asked.iter().map(|&row| names.get(row).into()).collect())
            }
            _ => ("row", (0..n_rows).map(|i| i.to_string()).collect()),
        }
    }
}

/// Comma or tab separated, to a file or to standard output.
pub struct Table {
    path: Option<PathBuf>,
    separator: char,
    names: Names,
    collector: Collector,
}

impl Table {
    /// Answers about things of these names; standard output when there is no path.
    pub fn new(path: Option<&Path>, separator: char, names: Names) -> Self {
        let path = path.map(Into::into);
        Self { path, separator, names, collector: Collector::default() }
    }
}

impl Answer for Table {
    fn sink(&mut self) -> &mut dyn Sink {
        &mut self.collector
    }

    fn finish(self: Box<Self>) -> Result<Vec<String>> {
        let Self { path, separator, names, collector } = *self;
        write(path, separator, &names, &collector.finish()?)
    }

    fn rescue(self: Box<Self>) -> Result<Vec<String>> {
        let Self { path, separator, names, collector } = *self;
        match collector.rescue()? {
            Some(rows) => write(path, separator, &names, &[rows]),
            None => Ok(Vec::new()),
        }
    }
}

fn write(
    path: Option<PathBuf>,
    separator: char,
    names: &Names,
    results: &[Gathered],
) -> Result<Vec<String>> {
    let frame = Frame::of(results, names)?;
    let Some(path) = path else {
        if io::stdout().is_terminal() {
            term::print(&frame.aligned())?;
            return Ok(Vec::new());
        }
        let mut out = BufWriter::new(io::stdout().lock());
        frame.write(&mut out, separator).and_then(|()| out.flush()).map_err(term::stdout_error)?;
        return Ok(Vec::new());
    };
    let mut staged = Staged::create(&path)?;
    let mut out = BufWriter::new(staged.file());
    frame
        .write(&mut out, separator)
        .and_then(|()| out.flush())
        .map_err(|source| Error::Write { path: path.clone(), source })?;
    drop(out);
    staged.commit()?;
    let told = |r: &Gathered| format!("wrote {} to {}", title(&r.spec), path.display());
    Ok(results.iter().map(told).collect())
}

/// JSON on standard output: per result its shape, columns and rows.
pub struct Json {
    names: Names,
    collector: Collector,
}

impl Json {
    /// Answers about things of these names.
    pub fn new(names: Names) -> Self {
        Self { names, collector: Collector::default() }
    }
}

impl Answer for Json {
    fn sink(&mut self) -> &mut dyn Sink {
        &mut self.collector
    }

    fn finish(self: Box<Self>) -> Result<Vec<String>> {
        let results = self.collector.finish()?;
        let described =
            results.iter().map(|r| (r.spec.name.clone(), self::describe(r, &self.names)));
        term::print_json(&Value::Object(described.collect::<Map<_, _>>()))?;
        Ok(Vec::new())
    }
}

fn describe(result: &Gathered, names: &Names) -> Value {
    let spec = &result.spec;
    let array = match &result.content {
        Content::Array(array) => array,
        Content::Table(table) => return columns_of(spec, table),
    };
    let Some(&n_rows) = spec.shape.first() else {
        return value(&array.values, 0);
    };
    let (head, index) = names.column(spec.place.0, n_rows);
    let values: Vec<Value> = (0..array.values.len()).map(|i| value(&array.values, i)).collect();
    json!({
        "shape": spec.shape, "dtype": array.values.dtype().name(), "columns": spec.columns,
        head: index, "values": values,
    })
}

/// A table: its index, and each column under its name.
fn columns_of(spec: &OutputSpec, table: &DataFrame) -> Value {
    let cells = |column: &Element| -> Vec<Value> {
        let cells = Cells::of(column);
        cells.iter().flat_map(|c| (0..table.n_rows()).map(|row| c.value(row))).collect()
    };
    let columns = table.columns.iter().map(|(name, column)| (name.clone(), cells(column).into()));
    json!({
        "shape": spec.shape,
        index_name(table): cells(&table.index),
        "columns": Value::Object(columns.collect::<Map<_, _>>()),
    })
}

fn index_name(table: &DataFrame) -> &str {
    table.index_name.as_deref().unwrap_or("row")
}

/// A column to be written.
enum Cells<'a> {
    Numbers { values: &'a Values, first: usize, stride: usize },
    Text(&'a Strings),
}

impl<'a> Cells<'a> {
    /// `None` for what is neither numbers nor text, which a table that was taken does not have.
    fn of(column: &'a Element) -> Option<Self> {
        match column {
            Element::Dense(d) => Some(Self::Numbers { values: &d.values, first: 0, stride: 1 }),
            Element::Strings(strings) => Some(Self::Text(strings)),
            _ => None,
        }
    }

    fn value(&self, row: usize) -> Value {
        match self {
            Self::Numbers { values, first, stride } => value(values, first + row * stride),
            Self::Text(strings) => strings.get(row).into(),
        }
    }

    /// In a file.
    fn text(&self, row: usize) -> String {
        match self {
            Self::Numbers { values, first, stride } => text(values, first + row * stride),
            Self::Text(strings) => strings.get(row).into(),
        }
    }

    /// On a terminal.
    fn short(&self, row: usize) -> String {
        match self {
            Self::Numbers { values, first, stride } => short(values, first + row * stride),
            _ => self.text(row),
        }
    }
}

/// Columns side by side.
struct Frame<'a> {
    head: &'a str,
    index: Vec<String>,
    columns: Vec<(String, Cells<'a>)>,
}

impl<'a> Frame<'a> {
    fn of(results: &'a [Gathered], names: &Names) -> Result<Self> {
        let unfit = |r: &Gathered, why| Error::Unfit {
            result: title(&r.spec),
            why,
            instead: "write it to a .npz file",
        };
        let rows = |r: &Gathered| r.spec.shape.first().copied().unwrap_or(1);
        if let [Gathered { content: Content::Table(table), .. }] = results {
            return Ok(Self::of_table(table));
        }
        let n_rows = results.first().map_or(0, rows);
        let mut columns = Vec::new();
        for result in results {
            let Content::Array(array) = &result.content else {
                return Err(unfit(result, "is a table of its own"));
            };
            if result.spec.shape.len() > 2 {
                return Err(unfit(result, "has more than two dimensions"));
            }
            if rows(result) != n_rows {
                return Err(unfit(result, "has another number of rows than the result before"));
            }
            let width = result.spec.shape.get(1).copied().unwrap_or(1);
            for j in 0..width {
                let cells = Cells::Numbers { values: &array.values, first: j, stride: width };
                columns.push((column_name(result, j, results.len() > 1), cells));
            }
        }
        let single = results.iter().all(|r| r.spec.shape.is_empty());
        let slot = results.first().map_or(Slot::Uns, |r| r.spec.place.0);
        let (head, index) = if single { ("", Vec::new()) } else { names.column(slot, n_rows) };
        Ok(Self { head, index, columns })
    }

    fn of_table(table: &'a DataFrame) -> Self {
        let names = Cells::of(&table.index);
        let index = names.iter().flat_map(|c| (0..table.n_rows()).map(|row| c.text(row))).collect();
        let columns =
            table.columns.iter().filter_map(|(name, c)| Some((name.clone(), Cells::of(c)?)));
        Self { head: index_name(table), index, columns: columns.collect() }
    }

    fn write(&self, out: &mut impl Write, separator: char) -> io::Result<()> {
        let mut csv = WriterBuilder::new().delimiter(separator as u8).from_writer(out);
        let single = self.index.is_empty() && self.head.is_empty();
        let head = (!single).then_some(self.head);
        let heads = head.into_iter().chain(self.columns.iter().map(|c| c.0.as_str()));
        csv.write_record(heads).map_err(refused)?;
        for row in 0..if single { 1 } else { self.index.len() } {
            let name = (!single).then(|| self.index[row].clone());
            let cells = self.columns.iter().map(|(_, cells)| cells.text(row));
            csv.write_record(name.into_iter().chain(cells)).map_err(refused)?;
        }
        csv.flush()
    }

    /// For a terminal: columns one below the other, numbers shortened.
    fn aligned(&self) -> String {
        let head = (self.head.to_owned(), self.index.clone());
        let n_rows = self.index.len().max(1);
        let mut columns = if self.index.is_empty() { vec![] } else { vec![head] };
        columns.extend(self.columns.iter().map(|(name, cells)| {
            (name.clone(), (0..n_rows).map(|row| cells.short(row)).collect())
        }));
        let width = |(name, cells): &(String, Vec<String>)| {
            cells.iter().chain([name]).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = columns.iter().map(width).collect();
        let line = |cells: Vec<&String>| {
            let mut line = String::new();
            for (i, (cell, width)) in cells.into_iter().zip(&widths).enumerate() {
                line += &match i {
                    0 => format!("{cell:<width$}"),
                    _ => format!("  {cell:>width$}"),
                };
            }
            line.trim_end().to_owned() + "\n"
        };
        let mut text = line(columns.iter().map(|(name, _)| name).collect());
        for row in 0..n_rows {
            text += &line(columns.iter().map(|(_, cells)| &cells[row]).collect());
        }
        text
    }
}

fn column_name(result: &Gathered, j: usize, among_others: bool) -> String {
    let spec = &result.spec;
    let own = spec.columns.as_ref().and_then(|columns| columns.get(j).cloned());
    match (own, spec.shape.len()) {
        (Some(own), _) if !among_others => own,
        (own, 2) => format!("{}_{}", spec.name, own.unwrap_or_else(|| j.to_string())),
        _ => spec.name.clone(),
    }
}

fn refused(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(source) => source,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// A number as people read it.
fn short(values: &Values, i: usize) -> String {
    match values {
        Values::Float16(_) | Values::Float32(_) | Values::Float64(_) => {
            term::number(values.get_f64(i))
        }
        whole => text(whole, i),
    }
}

/// The shortest text that reads back as the same number.
fn text(values: &Values, i: usize) -> String {
    match values {
        Values::Bool(b) => if b[i] { "True" } else { "False" }.into(),
        Values::Float32(b) => b[i].to_string(),
        Values::Float64(b) => b[i].to_string(),
        Values::Int64(b) => b[i].to_string(),
        Values::UInt64(b) => b[i].to_string(),
        other => other.get_f64(i).to_string(),
    }
}

fn value(values: &Values, i: usize) -> Value {
    match values {
        Values::Bool(b) => b[i].into(),
        Values::Int64(b) => b[i].into(),
        Values::UInt64(b) => b[i].into(),
        other => other.get_f64(i).into(),
    }
}
