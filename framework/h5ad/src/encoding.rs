//! One table: what an element says it is, and who reads it.

use scvi_framework::anndata::{
    Categorical, DType, Element, Mapping, Nullable, Sparse, SparseFormat, Values,
};

use crate::{array, error::Result, frame, legacy, node::Node, opaque::keep};

type Reader = fn(&Node) -> Result<Element>;

/// Encoding type, encoding version, reader. What is not listed is kept as it is.
const ENCODINGS: &[(&str, &str, Reader)] = &[
    ("", "", legacy::element),
    ("array", "0.2.0", numeric_array),
    ("string-array", "0.2.0", any_array),
    ("numeric-scalar", "0.2.0", any_array),
    ("string", "0.2.0", any_array),
    ("dict", "0.1.0", mapping),
    ("csr_matrix", "0.1.0", csr),
    ("csc_matrix", "0.1.0", csc),
    ("dataframe", "0.1.0", frame::element),
    ("dataframe", "0.2.0", frame::element),
    ("categorical", "0.2.0", categorical),
    ("nullable-integer", "0.1.0", nullable),
    ("nullable-boolean", "0.1.0", nullable),
    ("nullable-string-array", "0.1.0", nullable),
    ("null", "0.1.0", null),
];

/// Reads an element by what it says it is.
pub fn element(node: &Node) -> Result<Element> {
    let (kind, version) =
        (node.attr_string("encoding-type")?, node.attr_string("encoding-version")?);
    let reader = ENCODINGS.iter().find(|(k, v, _)| (*k, *v) == (kind.as_str(), version.as_str()));
    match reader {
        Some((_, _, read)) => read(node),
        None => keep(node),
    }
}

/// Reads every member of a group.
pub fn mapping(node: &Node) -> Result<Element> {
    let members = node.names()?.into_iter().map(|name| {
        let read = element(&node.get(&name)?)?;
        Ok((name, read))
    });
    Ok(Element::Mapping(members.collect::<Result<Mapping>>()?))
}

/// Reads a sparse matrix whose shape stands in attribute `shape`.
pub fn sparse(node: &Node, format: SparseFormat, shape: &str) -> Result<Element> {
    let part = |name: &str| {
        let part = node.get(name)?;
        let values = array::numbers(part.dataset()?, &part.at)?;
        values.ok_or_else(|| part.at.invalid("numbers", "others"))
    };
    let shape = node.attr_shape(shape)?;
    let data = match array::numbers(node.get("data")?.dataset()?, &node.at)? {
        Some(data) => data,
        None => return keep(node), // complex numbers
    };
    let (indices, indptr) = (position(part("indices")?), position(part("indptr")?));
    let matrix = Sparse::new(format, shape, data, indices, indptr);
    matrix.map(Element::Sparse).map_err(|e| node.at.refused(e))
}

/// Positions as int32 where they are short, else as int64.
pub fn position(values: Values) -> Values {
    match values.dtype() {
        DType::UInt8 | DType::UInt16 | DType::Int8 | DType::Int16 => {
            values.to_i64().iter().map(|&i| i as i32).collect::<Vec<_>>().into()
        }
        DType::UInt32 | DType::UInt64 => Values::Int64(values.to_i64()),
        _ => values,
    }
}

/// Checks codes against their categories.
pub fn category(node: &Node, codes: Values, categories: Element, ordered: bool) -> Result<Element> {
    let codes = match codes.dtype() {
        DType::Int8 | DType::Int16 | DType::Int32 | DType::Int64 => codes,
        DType::UInt8 => codes.to_i64().iter().map(|&c| c as i16).collect::<Vec<_>>().into(),
        DType::UInt16 => codes.to_i64().iter().map(|&c| c as i32).collect::<Vec<_>>().into(),
        DType::UInt32 | DType::UInt64 => Values::Int64(codes.to_i64()),
        other => return Err(node.at.invalid("integer codes", other.name())),
    };
    let n = match categories.shape()[..] {
        [n] => n as i64,
        _ => return Err(node.at.invalid("a list of categories", categories.kind())),
    };
    if let Some(code) = codes.to_i64().iter().find(|c| !(-1..n).contains(*c)) {
        let expected = format!("codes from -1 to {} for {n} categories", n - 1);
        return Err(node.at.invalid(expected, code.to_string()));
    }
    Ok(Element::Categorical(Categorical { codes, categories: Box::new(categories), ordered }))
}

fn numeric_array(node: &Node) -> Result<Element> {
    let dataset = node.dataset()?;
    match array::element(dataset, &node.at)? {
        Some(element @ (Element::Dense(_) | Element::Scalar(_))) => Ok(element),
        _ => keep(node), // bytes, complex numbers, enumerations
    }
}

fn any_array(node: &Node) -> Result<Element> {
    match array::element(node.dataset()?, &node.at)? {
        Some(element) => Ok(element),
        None => keep(node),
    }
}

fn csr(node: &Node) -> Result<Element> {
    sparse(node, SparseFormat::Csr, "shape")
}

fn csc(node: &Node) -> Result<Element> {
    sparse(node, SparseFormat::Csc, "shape")
}

fn categorical(node: &Node) -> Result<Element> {
    let codes = node.get("codes")?;
    let Some(values) = array::numbers(codes.dataset()?, &codes.at)? else {
        return Err(codes.at.invalid("integer codes", "others"));
    };
    let categories = element(&node.get("categories")?)?;
    category(&codes, values, categories, node.attr_flag("ordered")?)
}

fn nullable(node: &Node) -> Result<Element> {
    let (values, mask) = (node.get("values")?, node.get("mask")?);
    let place = mask.at.clone();
    let (values, mask) = (element(&values)?, element(&mask)?);
    let found = mask.shape();
    match mask {
        Element::Dense(d) if found == values.shape() && found.len() == 1 => {
            let mask = d.values.to_f64().into_iter().map(|v| v != 0.0).collect();
            Ok(Element::Nullable(Nullable { values: Box::new(values), mask }))
        }
        _ => Err(place.shape(values.shape(), found)),
    }
}

fn null(_: &Node) -> Result<Element> {
    Ok(Element::Null)
}
