//! Compressed sparse matrices.

use super::{DType, Dense, Number, Values};
use crate::error::{Error, Result};
use crate::with_values;

/// Which axis is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SparseFormat {
    /// Rows are contiguous.
    Csr,
    /// Columns are contiguous.
    Csc,
}

impl SparseFormat {
    /// What it is called: `CSR` or `CSC`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csr => "CSR",
            Self::Csc => "CSC",
        }
    }
}

/// A compressed sparse matrix, in the layout of scipy: `indices` and `data` of row (column) `i` are
/// those at `indptr[i]..indptr[i + 1]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sparse {
    /// Which axis is compressed.
    pub format: SparseFormat,
    /// Rows, columns.
    pub shape: [usize; 2],
    /// Stored values.
    pub data: Values,
    /// Position of each stored value on the other axis; int32 or int64.
    pub indices: Values,
    /// Where each row (column) starts; int32 or int64, one longer than the compressed axis.
    pub indptr: Values,
}

impl Sparse {
    /// Checks that the parts fit each other, so that later reads cannot go astray.
    ///
    /// # Errors
    /// Names the first part that does not fit.
    pub fn new(
        format: SparseFormat,
        shape: [usize; 2],
        data: Values,
        indices: Values,
        indptr: Values,
    ) -> Result<Self> {
        let (major, minor) = match format {
            SparseFormat::Csr => (shape[0], shape[1]),
            SparseFormat::Csc => (shape[1], shape[0]),
        };
        let wrong = |what: &str, expected: String, found: String| Error::Kind {
            what: format!("sparse matrix {}×{}, {what}", shape[0], shape[1]),
            expected,
            found,
        };
        for (name, part) in [("indices", &indices), ("indptr", &indptr)] {
            if !matches!(part.dtype(), DType::Int32 | DType::Int64) {
                return Err(wrong(name, "int32 or int64".into(), part.dtype().name().into()));
            }
        }
        if indptr.len() != major + 1 {
            return Err(wrong(
                "indptr",
                format!("{} entries", major + 1),
                indptr.len().to_string(),
            ));
        }
        let starts = indptr.to_i64();
        if starts[0] != 0 || starts.windows(2).any(|w| w[0] > w[1]) {
            return Err(wrong("indptr", "values rising from 0".into(), "others".into()));
        }
        if indices.len() != data.len() || starts[major] as usize != data.len() {
            return Err(wrong(
                "indices and data",
                format!("{} stored values each", starts[major]),
                format!("{} and {}", indices.len(), data.len()),
            ));
        }
        let out = match &indices {
            Values::Int32(b) => b.iter().any(|&i| i < 0 || i as usize >= minor),
            Values::Int64(b) => b.iter().any(|&i| i < 0 || i as usize >= minor),
            _ => true,
        };
        if out {
            return Err(wrong("indices", format!("positions below {minor}"), "others".into()));
        }
        Ok(Self { format, shape, data, indices, indptr })
    }

    /// A CSR matrix of zeros, of which none is stored; float64.
    pub fn zeros(shape: [usize; 2]) -> Self {
        Self {
            format: SparseFormat::Csr,
            shape,
            data: Values::empty(DType::Float64),
            indices: Values::empty(DType::Int32),
            indptr: vec![0i32; shape[0] + 1].into(),
        }
    }

    /// How many values are stored.
    pub fn nnz(&self) -> usize {
        self.data.len()
    }

    /// What is not zero in a matrix, as CSR.
    ///
    /// # Errors
    /// When the array has not two axes.
    pub fn from_dense(matrix: &Dense) -> Result<Self> {
        fn nonzero<T: Number>(values: &[T], n_cols: usize) -> (Values, Vec<i32>, Vec<i64>) {
            let (mut data, mut indices, mut ends) = (Vec::new(), Vec::new(), vec![0]);
            for row in values.chunks_exact(n_cols.max(1)) {
                for (column, &value) in row.iter().enumerate().filter(|(_, v)| v.to_f64() != 0.0) {
                    data.push(value);
                    indices.push(column as i32);
                }
                ends.push(data.len() as i64);
            }
            (data.into(), indices, ends)
        }
        let &[n_rows, n_cols] = &matrix.shape[..] else {
            return Err(Error::Shape {
                what: "matrix to be kept sparse".into(),
                expected: vec![0, 0],
                found: matrix.shape.clone(),
            });
        };
        let (data, indices, mut ends) = with_values!(&matrix.values, v => nonzero(v, n_cols));
        ends.resize(n_rows + 1, data.len() as i64); // rows without columns
        Self::new(SparseFormat::Csr, [n_rows, n_cols], data, indices.into(), ends.into())
    }

    /// The matrix with all its zeros; for small ones, such as a block of rows.
    pub fn to_dense(&self) -> Dense {
        fn spread<T: Number + Default>(of: &Sparse, data: &[T]) -> Values {
            let [n_rows, n_cols] = of.shape;
            let mut values = vec![T::default(); n_rows * n_cols];
            let (indices, ends) = (of.indices.to_i64(), of.indptr.to_i64());
            for (major, run) in ends.windows(2).enumerate() {
                for i in run[0] as usize..run[1] as usize {
                    let minor = indices[i] as usize;
                    let place = match of.format {
                        SparseFormat::Csr => major * n_cols + minor,
                        SparseFormat::Csc => minor * n_cols + major,
                    };
                    values[place] = data[i];
                }
            }
            values.into()
        }
        let values = with_values!(&self.data, data => spread(self, data));
        Dense { shape: self.shape.to_vec(), values }
    }
}
