//! From a data set to a file, as anndata 0.12 writes it.

use std::{fs, io::Write as _, path::Path};

use hdf5::{Extents, File, Group, H5Type, Location, types::VarLenUnicode};
use scvi_framework::{
    anndata::{
        AXIS, AnnData, Backed, Categorical, DataFrame, Dense, Element, Mapping, Nullable, Opaque,
        Raw, Scalar, Slot, Sparse, SparseFormat, Strings, Values,
    },
    saved::staging::{Staging, parent},
    with_values,
};

use crate::{
    backed::OnDisk,
    error::{Error, Result},
    ffi, multimodal,
    node::{At, plain, vlen},
    opaque::Kept,
};

/// How arrays are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all: largest and fastest, as scanpy does.
    #[default]
    None,
    /// By gzip, from 1 (fast) to 9 (small).
    Gzip(u8),
    /// By lzf: fast, and readable by h5py only.
    Lzf,
}

/// How to write a file.
#[derive(Clone, Copy, Debug, Default)]
pub struct WriteOptions {
    /// How arrays are compressed; what is copied unchanged from another file stays as it is there.
    pub compression: Compression,
}

/// Writes a data set to `path`, one of several modalities as `.h5mu`: the whole file, or on failure
/// none of it, an older file left alone.
///
/// # Errors
/// When the folder cannot be written, the disk is full, or HDF5 cannot hold an element.
pub fn write(path: &Path, adata: &AnnData, options: WriteOptions) -> Result<()> {
    let writer = Writer { compression: options.compression };
    match adata.modalities().is_empty() {
        true => whole(path, &[], |file, root| writer.data_set(file, adata, root)),
        false => {
            let header = multimodal::header();
            whole(path, &header, |file, root| writer.multimodal(file, adata, root))
        }
    }
}

/// Has `fill` write a new file beside `path`, which it replaces once it is complete. `header` is what
/// stands before the HDF5: nothing, or 512 bytes.
pub fn whole(
    path: &Path,
    header: &[u8],
    fill: impl FnOnce(&File, &At) -> Result<()>,
) -> Result<()> {
    ffi::register_zstd();
    let io = |action| move |source| Error::Io { path: path.to_owned(), action, source };
    let staging = Staging::beside(path).map_err(io("create"))?;
    let part = staging.path().join("part");
    let root = At::root(path);
    let mut builder = File::with_options();
    builder.with_fcpl(|properties| properties.userblock(header.len() as u64));
    let file = builder.create(&part).map_err(|e| wrong(&root, e))?;
    let written = fill(&file, &root);
    let closed = file.flush().and_then(|()| file.close());
    written.and(closed.map_err(|e| wrong(&root, e)))?;
    let mut written = fs::OpenOptions::new().write(true).open(&part).map_err(io("write"))?;
    written.write_all(header).and_then(|()| written.sync_all()).map_err(io("write"))?;
    staging.install_file(Path::new("part"), path).map_err(io("replace"))?;
    #[cfg(unix)]
    fs::File::open(parent(path)).and_then(|f| f.sync_all()).map_err(io("write"))?;
    Ok(())
}

/// Puts elements into a file.
pub struct Writer {
    /// How arrays are compressed.
    pub compression: Compression,
}

/// Chunks of compressed arrays hold about as many bytes.
const CHUNK: usize = 1 << 20;

impl Writer {
    /// Writes a data set into a group of its own.
    pub fn data_set(&self, group: &Group, adata: &AnnData, at: &At) -> Result<()> {
        encoded(group, "anndata", "0.1.0", at)?;
        self.contents(group, adata, at)
    }

    /// Writes all elements of a data set, its modalities aside.
    pub fn contents(&self, file: &Group, adata: &AnnData, root: &At) -> Result<()> {
        if let Some(x) = adata.x() {
            self.element(file, "X", x, root)?;
        }
        if let Some(raw) = adata.raw() {
            self.raw(file, raw, &root.child("raw"))?;
        }
        self.table(file, "obs", adata.obs(), root)?;
        self.table(file, "var", adata.var(), root)?;
        let is_multimodal = !adata.modalities().is_empty(); // and so without layers
        let slots = [Slot::Obsm, Slot::Varm, Slot::Obsp, Slot::Varp, Slot::Layers, Slot::Uns];
        for slot in slots.into_iter().filter(|slot| !(is_multimodal && *slot == Slot::Layers)) {
            let empty = Mapping::new();
            self.mapping(file, slot.name(), adata.mapping(slot).unwrap_or(&empty), root)?;
        }
        for (name, element) in adata.extra().iter().filter(|(name, _)| *name != AXIS) {
            self.element(file, name, element, root)?;
        }
        Ok(())
    }

    fn raw(&self, parent: &Group, raw: &Raw, at: &At) -> Result<()> {
        let group = create(parent, "raw", at)?;
        encoded(&group, "raw", "0.1.0", at)?;
        self.element(&group, "X", &raw.x, at)?;
        self.table(&group, "var", &raw.var, at)?;
        self.mapping(&group, "varm", &raw.varm, at)
    }

    fn element(&self, parent: &Group, name: &str, element: &Element, at: &At) -> Result<()> {
        match element {
            Element::Dense(dense) => self.dense(parent, name, dense, at),
            Element::Strings(strings) => self.strings(parent, name, strings, at),
            Element::Categorical(categorical) => self.categorical(parent, name, categorical, at),
            Element::Nullable(nullable) => self.nullable(parent, name, nullable, at),
            Element::Sparse(sparse) => self.sparse(parent, name, sparse, at),
            Element::DataFrame(table) => self.table(parent, name, table, at),
            Element::Mapping(mapping) => self.mapping(parent, name, mapping, at),
            Element::Scalar(Scalar::Number(values)) => self.scalar(parent, name, values, at),
            Element::Scalar(Scalar::String(text)) => string(parent, name, text, at),
            Element::Null => null(parent, name, at),
            Element::Backed(backed) => self.backed(parent, name, &**backed, at),
            Element::Opaque(opaque) => kept(parent, name, &**opaque, at),
            other => Err(wrong(&at.child(name), format!("no encoding for {}", other.kind()))),
        }
    }

    /// Writes named elements as a group.
    pub fn mapping(&self, parent: &Group, name: &str, mapping: &Mapping, at: &At) -> Result<()> {
        let at = &at.child(name);
        let group = create(parent, name, at)?;
        encoded(&group, "dict", "0.1.0", at)?;
        mapping.iter().try_for_each(|(key, element)| self.element(&group, key, element, at))
    }

    fn dense(&self, parent: &Group, name: &str, dense: &Dense, at: &At) -> Result<()> {
        if dense.shape.is_empty() {
            return self.scalar(parent, name, &dense.values, at);
        }
        self.array(parent, name, &dense.shape, &dense.values, at)
    }

    fn array(&self, to: &Group, name: &str, shape: &[usize], v: &Values, at: &At) -> Result<()> {
        let at = at.child(name);
        let location = with_values!(v, b => self.numbers(to, name, shape, b, &at))?;
        encoded(&location, "array", "0.2.0", &at)
    }

    fn scalar(&self, parent: &Group, name: &str, values: &Values, at: &At) -> Result<()> {
        let at = at.child(name);
        if values.len() != 1 {
            return Err(wrong(&at, format!("a scalar of {} values", values.len())));
        }
        let location = with_values!(values, b => self.numbers(parent, name, &[], b, &at))?;
        encoded(&location, "numeric-scalar", "0.2.0", &at)
    }

    fn strings(&self, parent: &Group, name: &str, strings: &Strings, at: &At) -> Result<()> {
        if strings.shape().is_empty() {
            return string(parent, name, strings.get(0), at);
        }
        let at = at.child(name);
        let values = strings.iter().map(vlen).collect::<Result<Vec<_>, _>>();
        let values = values.map_err(|e| wrong(&at, e))?;
        let location = self.numbers(parent, name, strings.shape(), &values, &at)?;
        encoded(&location, "string-array", "0.2.0", &at)
    }

    fn categorical(&self, parent: &Group, name: &str, c: &Categorical, at: &At) -> Result<()> {
        let at = &at.child(name);
        let group = create(parent, name, at)?;
        encoded(&group, "categorical", "0.2.0", at)?;
        attribute(&group, "ordered", &c.ordered, at)?;
        self.array(&group, "codes", &[c.codes.len()], &c.codes, at)?;
        self.element(&group, "categories", &c.categories, at)
    }

    fn nullable(&self, parent: &Group, name: &str, nullable: &Nullable, at: &At) -> Result<()> {
        use scvi_framework::anndata::DType;
        let at = &at.child(name);
        let kind = match &*nullable.values {
            Element::Strings(_) => "nullable-string-array",
            Element::Dense(d) if d.values.dtype() == DType::Bool => "nullable-boolean",
            Element::Dense(_) => "nullable-integer",
            other => return Err(wrong(at, format!("no encoding for nullable {}", other.kind()))),
        };
        let group = create(parent, name, at)?;
        encoded(&group, kind, "0.1.0", at)?;
        self.element(&group, "values", &nullable.values, at)?;
        let mask = Values::Bool(nullable.mask.clone());
        self.array(&group, "mask", &[mask.len()], &mask, at)
    }

    fn sparse(&self, parent: &Group, name: &str, sparse: &Sparse, at: &At) -> Result<()> {
        let at = &at.child(name);
        let group = sparse_group(parent, name, sparse.format, sparse.shape, at)?;
        let parts =
            [("data", &sparse.data), ("indices", &sparse.indices), ("indptr", &sparse.indptr)];
        parts.iter().try_for_each(|(part, v)| self.part(&group, part, v, at))
    }

    /// One of the three arrays of a sparse matrix.
    pub fn part(&self, matrix: &Group, name: &str, values: &Values, at: &At) -> Result<()> {
        let at = at.child(name);
        with_values!(values, b => self.numbers(matrix, name, &[b.len()], b, &at)).map(drop)
    }

    fn table(&self, parent: &Group, name: &str, table: &DataFrame, at: &At) -> Result<()> {
        let at = &at.child(name);
        let group = create(parent, name, at)?;
        encoded(&group, "dataframe", "0.2.0", at)?;
        let index = table.index_name.as_deref().unwrap_or("_index");
        attribute(&group, "_index", &vlen(index).map_err(|e| wrong(at, e))?, at)?;
        strings_attribute(&group, "column-order", table.columns.keys(), at)?;
        if !table.columns.contains_key(index) {
            self.element(&group, index, &table.index, at)?;
        }
        let mut columns = table.columns.iter();
        columns.try_for_each(|(key, column)| self.element(&group, key, column, at))
    }

    fn backed(&self, parent: &Group, name: &str, backed: &dyn Backed, at: &At) -> Result<()> {
        let place = at.child(name);
        if let Some(OnDisk { node, .. }) = backed.as_any().downcast_ref::<OnDisk>()
            && node.has_attr("encoding-type")?
        {
            let copied = node.location().copy_to(parent, name);
            return copied.map_err(|e| wrong(&place, e));
        }
        let n_rows = backed.shape().first().copied().unwrap_or(0);
        let all = backed.rows(0..n_rows).map_err(|e| wrong(&place, e))?;
        self.element(parent, name, &all, at)
    }

    fn numbers<T: H5Type>(
        &self,
        parent: &Group,
        name: &str,
        shape: &[usize],
        values: &[T],
        at: &At,
    ) -> Result<Location> {
        check_name(name, at)?;
        let mut builder = parent.new_dataset::<T>();
        let compresses = self.compression != Compression::None;
        if compresses && !shape.is_empty() && !values.is_empty() {
            builder = builder.chunk(chunk(shape, size_of::<T>()));
            builder = match self.compression {
                Compression::Gzip(level) => builder.shuffle().deflate(level.clamp(1, 9)),
                _ => builder.shuffle().lzf(),
            };
        }
        let extents = match shape {
            [] => Extents::Scalar,
            _ => Extents::from(shape.to_vec()),
        };
        let dataset = builder.shape(extents).create(name).map_err(|e| wrong(at, e))?;
        if !values.is_empty() {
            dataset.write_raw(values).map_err(|e| wrong(at, e))?;
        }
        Ok(Location::clone(&dataset))
    }
}

/// The group of a sparse matrix, which still lacks its three arrays.
pub fn sparse_group(
    parent: &Group,
    name: &str,
    format: SparseFormat,
    shape: [usize; 2],
    at: &At,
) -> Result<Group> {
    let group = create(parent, name, at)?;
    let kind = match format {
        SparseFormat::Csr => "csr_matrix",
        SparseFormat::Csc => "csc_matrix",
    };
    encoded(&group, kind, "0.1.0", at)?;
    let lengths = group.new_attr::<i64>().shape(2).create("shape");
    lengths.and_then(|a| a.write_raw(&shape.map(|n| n as i64))).map_err(|e| wrong(at, e))?;
    Ok(group)
}

fn chunk(shape: &[usize], size: usize) -> Vec<usize> {
    let mut budget = (CHUNK / size.max(1)).max(1);
    let mut chunk = vec![1; shape.len()];
    for (length, axis) in shape.iter().zip(&mut chunk).rev() {
        *axis = (*length).min(budget).max(1);
        budget = (budget / *axis).max(1);
    }
    chunk
}

fn kept(parent: &Group, name: &str, opaque: &dyn Opaque, at: &At) -> Result<()> {
    let place = at.child(name);
    check_name(name, &place)?;
    match opaque.as_any().downcast_ref::<Kept>() {
        Some(kept) => kept.location.copy_to(parent, name).map_err(|e| wrong(&place, e)),
        None => Err(wrong(&place, format!("{} is not from an .h5ad file", opaque.describe()))),
    }
}

fn string(parent: &Group, name: &str, text: &str, at: &At) -> Result<()> {
    let at = at.child(name);
    check_name(name, &at)?;
    let value = vlen(text).map_err(|e| wrong(&at, e))?;
    let dataset = parent.new_dataset::<VarLenUnicode>().shape(()).create(name);
    let dataset = dataset.map_err(|e| wrong(&at, e))?;
    dataset.write_scalar(&value).map_err(|e| wrong(&at, e))?;
    encoded(&dataset, "string", "0.2.0", &at)
}

fn null(parent: &Group, name: &str, at: &At) -> Result<()> {
    let at = at.child(name);
    check_name(name, &at)?;
    let dataset = parent.new_dataset::<f32>().shape(Extents::Null).create(name);
    encoded(&*dataset.map_err(|e| wrong(&at, e))?, "null", "0.1.0", &at)
}

/// Makes a group.
pub fn create(parent: &Group, name: &str, at: &At) -> Result<Group> {
    check_name(name, at)?;
    parent.create_group(name).map_err(|e| wrong(at, e))
}

fn check_name(name: &str, at: &At) -> Result<()> {
    if name.is_empty() || name.starts_with('/') || name.split('/').any(|part| part == ".") {
        return Err(wrong(at, format!("{name:?} cannot be a name in HDF5; rename it")));
    }
    Ok(())
}

/// Says what an object is.
pub fn encoded(location: &Location, kind: &str, version: &str, at: &At) -> Result<()> {
    for (name, text) in [("encoding-type", kind), ("encoding-version", version)] {
        attribute(location, name, &vlen(text).map_err(|e| wrong(at, e))?, at)?;
    }
    Ok(())
}

/// Gives an object an attribute of several strings.
pub fn strings_attribute<'a>(
    location: &Location,
    name: &str,
    values: impl Iterator<Item = &'a String>,
    at: &At,
) -> Result<()> {
    let values = values.map(|value| vlen(value)).collect::<Result<Vec<_>, _>>();
    let values: Vec<VarLenUnicode> = values.map_err(|e| wrong(at, e))?;
    let attribute = location.new_attr::<VarLenUnicode>().shape(values.len()).create(name);
    attribute.and_then(|a| a.write_raw(&values)).map_err(|e| wrong(at, e))
}

/// Gives an object an attribute of one value.
pub fn attribute<T: H5Type>(location: &Location, name: &str, value: &T, at: &At) -> Result<()> {
    let attribute = location.new_attr::<T>().create(name);
    attribute.and_then(|a| a.write_scalar(value)).map_err(|e| wrong(at, e))
}

/// What cannot be written.
pub fn wrong(at: &At, reason: impl ToString) -> Error {
    let element = at.element.strip_prefix('/').unwrap_or("/").to_owned();
    Error::Write { path: at.path(), element, reason: plain(&reason.to_string()) }
}
