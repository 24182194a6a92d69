//! What the values of a matrix look like.

use scvi_framework::{
    Result,
    anndata::{Element, SparseFormat, Values},
    data::counts::looks_log_normalised,
    serde_json::{Value, json},
    with_values,
};

use crate::term;

/// Rows of a matrix on disk read at a time.
const BLOCK: usize = 4096;

/// What the values of a matrix look like.
#[derive(Debug)]
pub struct Matrix {
    /// `X`, `layers['counts']`, `raw.X`
    pub name: String,
    /// Rows without any value but zero.
    pub empty_cells: usize,
    kind: String,
    n_values: usize,
    seen: Seen,
}

/// What was seen of the values; zeros that a sparse matrix does not store count as seen.
#[derive(Debug)]
struct Seen {
    min: f64,
    max: f64,
    nonzero: usize,
    fractions: usize,
    negative: usize,
    not_finite: usize,
    filled: Vec<bool>, // per row
}

impl Matrix {
    /// Looks at every value; `None` for what is no matrix of numbers.
    ///
    /// # Errors
    /// When a matrix on disk cannot be read.
    pub fn of(name: String, element: &Element) -> Result<Option<Self>> {
        let &[n_rows, n_columns] = element.shape().as_slice() else { return Ok(None) };
        let mut seen = Seen::new(n_rows);
        match element {
            Element::Dense(_) | Element::Sparse(_) => seen.block(0, element),
            Element::Backed(backed) => {
                for start in (0..n_rows).step_by(BLOCK) {
                    seen.block(start, &backed.rows(start..(start + BLOCK).min(n_rows))?);
                }
            }
            _ => return Ok(None),
        }
        let n_values = n_rows * n_columns;
        if seen.nonzero + seen.not_finite < n_values {
            (seen.min, seen.max) = (seen.min.min(0.0), seen.max.max(0.0));
        }
        let empty_cells = seen.filled.iter().filter(|&&filled| !filled).count();
        Ok(Some(Self { name, empty_cells, kind: element.kind(), n_values, seen }))
    }

    /// Whole numbers, none negative.
    pub fn holds_counts(&self) -> bool {
        let seen = &self.seen;
        seen.fractions + seen.negative + seen.not_finite == 0
    }

    /// A row of the table.
    pub fn row(&self) -> [String; 6] {
        let range = match self.n_values {
            0 => String::new(),
            _ => format!("{} to {}", term::number(self.seen.min), term::number(self.seen.max)),
        };
        [
            self.name.clone(),
            self.kind.clone(),
            format!("{:.1} %", 100.0 * self.density()),
            range,
            self.holds(),
            term::grouped(self.empty_cells),
        ]
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "name": self.name, "kind": self.kind, "density": self.density(),
            "min": self.seen.min, "max": self.seen.max,
            "counts": self.holds_counts(), "holds": self.holds(),
            "empty_cells": self.empty_cells,
        })
    }

    fn density(&self) -> f64 {
        self.seen.nonzero as f64 / self.n_values.max(1) as f64
    }

    fn holds(&self) -> String {
        let Seen { fractions, negative, not_finite, .. } = self.seen;
        match (not_finite, negative, fractions) {
            (0, 0, 0) => "counts".into(),
            (0, 0, n) if looks_log_normalised(n, self.seen.nonzero, self.seen.max) => {
                "no counts: looks log-normalised".into()
            }
            (0, 0, _) => "no counts: fractions".into(),
            (0, _, _) => "no counts: negative values".into(),
            (n, _, _) => format!("no counts: {} not finite", term::count(n, "value")),
        }
    }
}

impl Seen {
    fn new(n_rows: usize) -> Self {
        Self {
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            nonzero: 0,
            fractions: 0,
            negative: 0,
            not_finite: 0,
            filled: vec![false; n_rows],
        }
    }

    fn block(&mut self, first_row: usize, element: &Element) {
        match element {
            Element::Dense(dense) => {
                let width = dense.shape[1].max(1);
                self.values(&dense.values, |i| first_row + i / width);
            }
            Element::Sparse(sparse) if sparse.format == SparseFormat::Csr => {
                let starts = sparse.indptr.to_i64();
                let mut row = 0;
                self.values(&sparse.data, |i| {
                    while starts[row + 1] as usize <= i {
                        row += 1;
                    }
                    first_row + row
                });
            }
            Element::Sparse(sparse) => {
                let rows = sparse.indices.to_i64();
                self.values(&sparse.data, |i| first_row + rows[i] as usize);
            }
            _ => {}
        }
    }

    fn values(&mut self, values: &Values, mut row_of: impl FnMut(usize) -> usize) {
        with_values!(values, buffer => for (i, v) in buffer.iter().enumerate() {
            self.value(scvi_framework::anndata::Number::to_f64(*v), i, &mut row_of);
        });
    }

    fn value(&mut self, v: f64, i: usize, row_of: &mut impl FnMut(usize) -> usize) {
        if v == 0.0 {
            return;
        }
        self.filled[row_of(i)] = true;
        if !v.is_finite() {
            self.not_finite += 1;
            return;
        }
        self.nonzero += 1;
        self.min = self.min.min(v);
        self.max = self.max.max(v);
        self.negative += usize::from(v < 0.0);
        self.fractions += usize::from(v != v.trunc());
    }
}
