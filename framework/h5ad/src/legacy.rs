//! Files from before elements said what they are (anndata 0.5 to 0.6).

use hdf5::{
    Dataset, Datatype,
    types::{CompoundField, CompoundType, FloatSize, IntSize, TypeDescriptor as Td},
};
use scvi_framework::anndata::{DataFrame, Dense, Element, Mapping, SparseFormat, Strings, Values};

use crate::{
    array, encoding,
    error::Result,
    ffi,
    node::{At, Node, Object, descriptor, unreadable},
    opaque::keep,
};

/// An element that does not say what it is.
pub fn element(node: &Node) -> Result<Element> {
    let dataset = match &node.object {
        Object::Dataset(dataset) => dataset,
        Object::Group(_) => {
            return match node.attr_string("h5sparse_format")?.as_str() {
                "csr" => encoding::sparse(node, SparseFormat::Csr, "h5sparse_shape"),
                "csc" => encoding::sparse(node, SparseFormat::Csc, "h5sparse_shape"),
                _ => encoding::mapping(node),
            };
        }
    };
    let fixed =
        matches!(descriptor(dataset, &node.at)?, Some(Td::FixedAscii(_) | Td::FixedUnicode(_)));
    match array::element(dataset, &node.at)? {
        // Single strings were written as arrays of one.
        Some(Element::Strings(s)) if fixed && s.shape() == [1] => {
            Ok(Element::Scalar(scvi_framework::anndata::Scalar::String(s.get(0).to_owned())))
        }
        Some(element) => Ok(element),
        None => keep(node),
    }
}

/// A table written as a structured array, its first field the index.
pub fn table(node: &Node) -> Result<DataFrame> {
    let mut columns = fields(node)?;
    let Some((name, index)) = columns.shift_remove_index(0) else {
        return Err(node.at.invalid("a table", "an array without fields"));
    };
    Ok(DataFrame { index: Box::new(index), index_name: Some(name), columns })
}

/// The fields of a structured array: `[n]` or, where a field is an array itself, `[n, m]`.
pub fn fields(node: &Node) -> Result<Mapping> {
    let dataset = node.dataset()?;
    let other = || node.at.invalid("a structured array of one axis", "another array");
    let kind = descriptor(dataset, &node.at)?.ok_or_else(other)?;
    let (Td::Compound(compound), &[n]) = (&kind, &dataset.shape()[..]) else { return Err(other()) };
    array::claim(dataset, &node.at, compound.size)?;
    let fields = compound.fields.iter().map(|f| {
        if std::str::from_utf8(f.name.as_bytes()).is_err() {
            return Err(node.at.invalid("UTF-8 names of fields", "others")); // HDF5 does not check
        }
        let at = node.at.child(&f.name);
        let values = field(dataset, &f.name, &f.ty, n, &at)?;
        Ok((f.name.clone(), values))
    });
    fields.collect()
}

/// Puts the categories that stand in `uns` where they belong, and takes them out of there.
pub fn recategorise(node: &Node, uns: &mut Mapping, tables: [&mut DataFrame; 2]) -> Result<()> {
    let mut used = Vec::new();
    for table in tables {
        for (key, categories) in uns.iter() {
            let Some(column) = key.strip_suffix("_categories") else { continue };
            let Some(Element::Dense(codes)) = table.columns.get(column) else { continue };
            let categories = match categories {
                Element::Scalar(scvi_framework::anndata::Scalar::String(only)) => {
                    Element::strings([only])
                }
                other => other.clone(),
            };
            let n = categories.shape().first().map_or(0, |&n| n as i64);
            let fits = codes.values.to_f64().iter().all(|&c| c < n as f64 && c.fract() == 0.0);
            if !fits || n == 0 {
                continue;
            }
            let fixed = encoding::category(node, codes.values.clone(), categories, false)?;
            table.columns.insert(column.to_owned(), fixed);
            used.push(key.clone());
        }
    }
    uns.retain(|key, _| !used.contains(key));
    Ok(())
}

fn field(dataset: &Dataset, name: &str, kind: &Td, n: usize, at: &At) -> Result<Element> {
    let failed = |e| unreadable(dataset, at, e);
    let memory = |ty: &Td| {
        let field = CompoundField { name: name.into(), ty: ty.clone(), offset: 0, index: 0 };
        let compound = CompoundType { fields: vec![field], size: ty.size() };
        Datatype::from_descriptor(&Td::Compound(compound)).map_err(failed)
    };
    let text = |(offsets, bytes): (Vec<u64>, Vec<u8>), shape| {
        let strings = Strings::from_parts(shape, offsets.into(), bytes.into());
        strings.map(Element::Strings).map_err(|e| at.refused(e))
    };
    match kind {
        Td::VarLenAscii | Td::VarLenUnicode => {
            array::claim_strings(dataset, Some(name), at)?;
            text(ffi::strings(dataset, &memory(kind)?).map_err(failed)?, vec![n])
        }
        Td::FixedAscii(size) | Td::FixedUnicode(size) => {
            let bytes = ffi::bytes(dataset, &memory(kind)?).map_err(failed)?;
            text(array::end_to_end(&bytes, *size), vec![n])
        }
        Td::FixedArray(inner, m) => {
            let bytes = ffi::bytes(dataset, &memory(kind)?).map_err(failed)?;
            let values = numbers(&bytes, inner, at)?;
            Ok(Element::Dense(Dense { shape: vec![n, *m], values }))
        }
        _ => {
            let bytes = ffi::bytes(dataset, &memory(kind)?).map_err(failed)?;
            Ok(Element::Dense(Dense { shape: vec![n], values: numbers(&bytes, kind, at)? }))
        }
    }
}

fn numbers(bytes: &[u8], kind: &Td, at: &At) -> Result<Values> {
    macro_rules! from_bytes {
        ($type:ty) => {{
            let (values, _) = bytes.as_chunks::<{ size_of::<$type>() }>();
            values.iter().map(|&v| <$type>::from_ne_bytes(v)).collect::<Vec<_>>().into()
        }};
    }
    Ok(match kind {
        Td::Boolean => bytes.iter().map(|&b| b != 0).collect::<Vec<_>>().into(),
        Td::Integer(IntSize::U1) => from_bytes!(i8),
        Td::Integer(IntSize::U2) => from_bytes!(i16),
        Td::Integer(IntSize::U4) => from_bytes!(i32),
        Td::Integer(IntSize::U8) => from_bytes!(i64),
        Td::Unsigned(IntSize::U1) => from_bytes!(u8),
        Td::Unsigned(IntSize::U2) => from_bytes!(u16),
        Td::Unsigned(IntSize::U4) => from_bytes!(u32),
        Td::Unsigned(IntSize::U8) => from_bytes!(u64),
        Td::Float(FloatSize::U2) => from_bytes!(half::f16),
        Td::Float(FloatSize::U4) => from_bytes!(f32),
        Td::Float(FloatSize::U8) => from_bytes!(f64),
        other => return Err(at.invalid("numbers or strings", other.to_string())),
    })
}
