//! Tables.

use hdf5::{ObjectReference, ObjectReference1, ReferencedObject};
use scvi_framework::anndata::{DataFrame, Element, Mapping};

use crate::{
    array, encoding,
    error::Result,
    legacy,
    node::{Node, Object},
};

/// A table as an element.
pub fn element(node: &Node) -> Result<Element> {
    table(node).map(Element::DataFrame)
}

/// A table written by any version.
pub fn table(node: &Node) -> Result<DataFrame> {
    if node.dataset().is_ok() {
        return legacy::table(node);
    }
    let expected = "a table (with an attribute `_index`)";
    let index_name = match node.attr_string("_index")? {
        none if none.is_empty() => return Err(node.at.invalid(expected, "none")),
        name => name,
    };
    let index = series(node, &index_name)?;
    let n_rows = match index.shape()[..] {
        [n] => n,
        _ => return Err(node.at.child(&index_name).invalid("an index", index.kind())),
    };
    let mut columns = Mapping::new();
    for name in node.attr_strings("column-order")?.iter().flat_map(|s| s.iter()) {
        let column = series(node, name)?;
        let shape = column.shape();
        if shape != [n_rows] && !matches!(column, Element::Opaque(_)) {
            return Err(node.at.child(name).shape(vec![n_rows], shape));
        }
        columns.insert(name.to_owned(), column);
    }
    let index_name = (index_name != "_index").then_some(index_name);
    Ok(DataFrame { index: Box::new(index), index_name, columns })
}

/// A column; before version 0.2.0 its categories, if any, stand elsewhere.
fn series(node: &Node, name: &str) -> Result<Element> {
    let column = node.get(name)?;
    let Some(reference) = column.attr("categories")? else { return encoding::element(&column) };
    let Some(codes) = array::numbers(column.dataset()?, &column.at)? else {
        return Err(column.at.invalid("integer codes", "others"));
    };
    let found = reference.read_scalar::<ObjectReference1>().and_then(|r| r.dereference(&reference));
    let categories = match found {
        Ok(ReferencedObject::Dataset(dataset)) => {
            let at = node.at.child("__categories").child(name);
            Node { object: Object::Dataset(dataset), at }
        }
        _ => node.get("__categories")?.get(name)?,
    };
    let ordered = categories.attr_flag("ordered")?;
    encoding::category(&column, codes, encoding::element(&categories)?, ordered)
}
