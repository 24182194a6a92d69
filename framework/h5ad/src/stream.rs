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
        let group = sparse_group(file, "X", SparseFormat::Csr, shape, &at)?;
        let (mut data, mut indices) = (Growing::new("data"), Growing::new("indices"));
        let mut ends = vec![0i64];
        for block in blocks {
            let block = block.map_err(|e| at.refused(e))?;
            if block.format != SparseFormat::Csr || block.shape[1] != shape[1] {
                let found = format!("{} of {:?}", block.format.name(), block.shape);
                return Err(at.invalid(format!("CSR blocks of {} columns", shape[1]), found));
            }
            let start = ends[ends.len() - 1];
            ends.extend(block.indptr.to_i64()[1..].iter().map(|end| start + end));
            data.append(&group, &block.data, &at)?;
            indices.append(&group, &block.indices, &at)?;
        }
        if ends.len() != shape[0] + 1 {
            return Err(at.shape(shape.to_vec(), vec![ends.len() - 1, shape[1]]));
        }
        if shape[0] == 0 {
            data.append(&group, &Vec::<f32>::new().into(), &at)?;
            indices.append(&group, &Vec::<i32>::new().into(), &at)?;
        }
        let end = ends[shape[0]];
        let ends: Values = match i32::try_from(end) {
            Ok(_) => ends.into_iter().map(|end| end as i32).collect::<Vec<_>>().into(),
            Err(_) => ends.into(),
        };
        writer.part(&group, "indptr", &ends, &at)?;
        writer.data_set(file, adata, root)
    })
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
