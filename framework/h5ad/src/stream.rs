//! Files larger than memory: X comes in blocks of rows and is appended.

use std::path::Path;

use hdf5::{Dataset, Extent, Group, H5Type, plist::dataset_create::FillTime};
use scvi_framework::{
    Result as CoreResult,
    anndata::{AnnData, DType, Sparse, SparseFormat, Values},
    with_values,
};

use crate::{
    error::Result,
    node::At,
    write::{Compression, Writer, sparse_group, whole, wrong},
};

/// Writes a data set to `path` as [`write`](crate::write()) does, with the CSR matrix X that `blocks`
/// gives from top to bottom; no more than a block of it is in memory. `adata` has no X. All blocks
/// have values and positions of the same dtypes.
///
/// # Errors
/// Those of [`write`](crate::write()); what `blocks` gives; blocks that do not make up a matrix of as
/// many cells and genes as `adata` has.
pub fn write_in_blocks(
    path: &Path,
    adata: &AnnData,
    blocks: impl IntoIterator<Item = CoreResult<Sparse>>,
) -> Result<()> {
    let writer = Writer { compression: Compression::None };
    whole(path, &[], |file, root| {
        let (at, shape) = (root.child("X"), [adata.n_obs(), adata.n_vars()]);
        let mut x = CsrInBlocks::begin(file, "X", shape, &at)?;
        for block in blocks {
            x.append(&block.map_err(|e| at.refused(e))?, &at)?;
        }
        x.end(&at)?;
        writer.data_set(file, adata, root)
    })
}

/// A CSR matrix in a file, to which blocks of rows are appended.
pub struct CsrInBlocks {
    group: Group,
    shape: [usize; 2],
    data: Growing,
    indices: Growing,
    ends: Vec<i64>,
}

impl CsrInBlocks {
    /// A matrix `name` of this shape in `parent`, still without rows.
    pub fn begin(parent: &Group, name: &str, shape: [usize; 2], at: &At) -> Result<Self> {
        let group = sparse_group(parent, name, SparseFormat::Csr, shape, at)?;
        let (data, indices) = (Growing::new("data"), Growing::new("indices"));
        Ok(Self { group, shape, data, indices, ends: vec![0] })
    }

    /// The next rows.
    pub fn append(&mut self, block: &Sparse, at: &At) -> Result<()> {
        let n_cols = self.shape[1];
        if block.format != SparseFormat::Csr || block.shape[1] != n_cols {
            let found = format!("{} of {:?}", block.format.name(), block.shape);
            return Err(at.invalid(format!("CSR blocks of {n_cols} columns"), found));
        }
        let start = self.ends[self.ends.len() - 1];
        self.ends.extend(block.indptr.to_i64()[1..].iter().map(|end| start + end));
        self.data.append(&self.group, &block.data, at)?;
        self.indices.append(&self.group, &block.indices, at)
    }

    /// Ends the matrix, whose rows must all be there.
    pub fn end(mut self, at: &At) -> Result<()> {
        let [n_rows, n_cols] = self.shape;
        if self.ends.len() != n_rows + 1 {
            return Err(at.shape(self.shape.to_vec(), vec![self.ends.len() - 1, n_cols]));
        }
        if n_rows == 0 {
            self.data.append(&self.group, &Vec::<f32>::new().into(), at)?;
            self.indices.append(&self.group, &Vec::<i32>::new().into(), at)?;
        }
        let end = self.ends[n_rows];
        let ends: Values = match i32::try_from(end) {
            Ok(_) => self.ends.into_iter().map(|end| end as i32).collect::<Vec<_>>().into(),
            Err(_) => self.ends.into(),
        };
        let writer = Writer { compression: Compression::None };
        writer.part(&self.group, "indptr", &ends, at)
    }
}

/// Values in a piece of the file: few enough that reading some rows reads little beside them.
const CHUNK: usize = 1 << 13;

/// An array that is made by its first values and grows by those that follow.
struct Growing {
    name: &'static str,
    made: Option<(Dataset, DType)>,
}

impl Growing {
    fn new(name: &'static str) -> Self {
        Self { name, made: None }
    }

    fn append(&mut self, matrix: &Group, values: &Values, at: &At) -> Result<()> {
        let at = at.child(self.name);
        let found = values.dtype();
        match &self.made {
            Some((_, dtype)) if *dtype != found => {
                let expected = format!("{} in all blocks", dtype.name());
                return Err(at.invalid(expected, found.name()));
            }
            _ => with_values!(values, b => self.extend(matrix, b, found)),
        }
        .map_err(|e| wrong(&at, e))
    }

    fn extend<T: H5Type>(&mut self, to: &Group, values: &[T], dtype: DType) -> hdf5::Result<()> {
        let (dataset, _) = match &mut self.made {
            Some(made) => made,
            None => {
                // Without a cache of chunks, what cannot be written is known at once.
                let empty = to.new_dataset::<T>().chunk(CHUNK).chunk_cache(0, 0, 0.0);
                let empty = empty.fill_time(FillTime::Never).shape(Extent::resizable(0));
                self.made.insert((empty.create(self.name)?, dtype))
            }
        };
        if values.is_empty() {
            return Ok(());
        }
        let start = dataset.size();
        dataset.resize(start + values.len())?;
        dataset.write_slice(values, start..start + values.len())
    }
}
