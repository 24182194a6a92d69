//! Arrays that may be larger than memory: they are written to a scratch file as they come, and
//! copied from there when the data set that they belong to is written.

use std::{
    fs,
    io::{BufWriter, Seek, SeekFrom},
    path::Path,
};

use hdf5::{
    Dataset, File, Group, H5Type,
    plist::dataset_create::{AllocTime, FillTime},
};
use scvi_framework::{
    anndata::{DType, Element, Values},
    with_values,
};
use tempfile::TempPath;

use crate::{
    backed,
    error::{Error, Result},
    node::{At, Node, Object},
    opaque,
    stream::CsrInBlocks,
    write::{encoded, wrong},
};

/// An array in the making.
///
/// ```
/// use scvi_framework::anndata::{DType, Element};
/// use scvi_h5ad::Spool;
///
/// let folder = tempfile::tempdir()?;
/// let mut spool = Spool::dense(folder.path(), &[3, 2], DType::Float32)?;
/// spool.append(&Element::matrix(2, 2, vec![1.0_f32, 2.0, 3.0, 4.0])?)?;
/// spool.append(&Element::matrix(1, 2, vec![5.0_f32, 6.0])?)?;
/// let element = spool.finish()?; // to be set in a data set, which is then written
/// assert_eq!(element.shape(), [3, 2]);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct Spool {
    scratch: TempPath,
    at: At,
    shape: Vec<usize>,
    dtype: DType,
    n_values: usize,
    target: Target,
}

enum Target {
    Dense(BufWriter<fs::File>),
    Csr(File, CsrInBlocks),
}

/// The array's name in its scratch file.
const NAME: &str = "array";

impl Spool {
    /// A dense array of this shape and dtype; its scratch file lies in `folder`, under a name of its
    /// own, and is gone when nobody needs it.
    ///
    /// # Errors
    /// When the file cannot be made, or the disk is full.
    pub fn dense(folder: &Path, shape: &[usize], dtype: DType) -> Result<Self> {
        let (scratch, at) = scratch(folder)?;
        let io = |action| move |source| Error::Io { path: folder.to_owned(), action, source };
        let file = File::create(&scratch).map_err(|e| wrong(&at, e))?;
        let none = Values::empty(dtype);
        let made = with_values!(&none, empty => contiguous(&file, shape, empty));
        let dataset = made.map_err(|e| wrong(&at, e))?;
        encoded(&dataset, "array", "0.2.0", &at)?;
        let start = dataset.offset();
        drop(dataset);
        file.close().map_err(|e| wrong(&at, e))?;
        // What HDF5 made room for is filled from outside: in any portions, whatever the axes.
        let mut plain = fs::File::options().write(true).open(&scratch).map_err(io("open"))?;
        plain.seek(SeekFrom::Start(start.unwrap_or(0))).map_err(io("write"))?;
        let target = Target::Dense(BufWriter::with_capacity(1 << 20, plain));
        Ok(Self { scratch, at, shape: shape.into(), dtype, n_values: 0, target })
    }

    /// A matrix of which only what is not zero is kept, as CSR; otherwise as [`Spool::dense`].
    ///
    /// # Errors
    /// As [`Spool::dense`].
    pub fn csr(folder: &Path, shape: [usize; 2], dtype: DType) -> Result<Self> {
        let (scratch, at) = scratch(folder)?;
        let file = File::create(&scratch).map_err(|e| wrong(&at, e))?;
        let blocks = CsrInBlocks::begin(&file, NAME, shape, &at)?;
        let target = Target::Csr(file, blocks);
        Ok(Self { scratch, at, shape: shape.into(), dtype, n_values: 0, target })
    }

    /// The next rows, dense or CSR as the array is, or whatever follows along all axes.
    ///
    /// # Errors
    /// When they are of another kind or dtype, more than were announced, or the disk is full.
    pub fn append(&mut self, block: &Element) -> Result<()> {
        let (n, dtype) = match block {
            Element::Dense(dense) => (dense.values.len(), dense.values.dtype()),
            Element::Sparse(sparse) => (sparse.shape.iter().product(), sparse.data.dtype()),
            other => return Err(self.at.invalid(self.expected(), other.kind())),
        };
        self.n_values += n;
        if dtype != self.dtype || self.n_values > self.n_expected() {
            let found = format!("{} of {}", self.n_values, dtype.name());
            return Err(self.at.invalid(self.expected(), found));
        }
        match (&mut self.target, block) {
            (Target::Dense(file), Element::Dense(dense)) => {
                dense.values.write_le(file).map_err(|source| Error::Io {
                    path: self.scratch.to_path_buf(),
                    action: "write",
                    source,
                })
            }
            (Target::Csr(_, rows), Element::Sparse(sparse)) => rows.append(sparse, &self.at),
            (_, other) => Err(self.at.invalid("blocks of one kind", other.kind())),
        }
    }

    /// The array, left on disk.
    ///
    /// # Errors
    /// When values are missing, or the disk is full.
    pub fn finish(self) -> Result<Element> {
        if self.n_values != self.n_expected() {
            return Err(self.at.invalid(self.expected(), self.n_values.to_string()));
        }
        let Self { scratch, at, target, .. } = self;
        match target {
            Target::Dense(file) => {
                let io =
                    |source| Error::Io { path: scratch.to_path_buf(), action: "write", source };
                file.into_inner().map_err(|e| io(e.into_error()))?;
            }
            Target::Csr(file, blocks) => {
                blocks.end(&at)?;
                file.close().map_err(|e| wrong(&at, e))?;
            }
        }
        let at = At::root(&scratch).child(NAME);
        let file = File::open(&scratch).map_err(|e| at.damaged(e))?;
        let object = match file.dataset(NAME) {
            Ok(dataset) => Object::Dataset(dataset),
            Err(_) => Object::Group(file.group(NAME).map_err(|e| at.damaged(e))?),
        };
        let node = Node { object, at };
        match backed::open(&node)? {
            Some(element) => Ok(element),
            None => opaque::keep(&node),
        }
    }

    fn n_expected(&self) -> usize {
        self.shape.iter().product()
    }

    fn expected(&self) -> String {
        format!("{} values of {}, shape {:?}", self.n_expected(), self.dtype.name(), self.shape)
    }
}

/// A file that nobody sees; on Unix it is gone from its folder as soon as it is open for reading.
fn scratch(folder: &Path) -> Result<(TempPath, At)> {
    let mut builder = tempfile::Builder::new();
    let made = builder.prefix(".scvi.").suffix(".part").tempfile_in(folder);
    let made =
        made.map_err(|source| Error::Io { path: folder.into(), action: "create", source })?;
    let path = made.into_temp_path();
    let at = At::root(&path).child(NAME);
    Ok((path, at))
}

/// A dataset in one piece, for which there is room in the file.
fn contiguous<T: H5Type>(file: &Group, shape: &[usize], _: &[T]) -> hdf5::Result<Dataset> {
    let dataset = file.new_dataset::<T>().alloc_time(Some(AllocTime::Early));
    dataset.fill_time(FillTime::Never).shape(shape).create(NAME)
}
