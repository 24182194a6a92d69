//! What is not understood, kept in its file until it is copied into another.

use std::any::Any;

use hdf5::Location;
use scvi_framework::anndata::{Element, Opaque};

use crate::{error::Result, node::Node};

/// An object of an open file.
#[derive(Clone)]
pub struct Kept {
    /// The object; its file stays open with it.
    pub location: Location,
    what: String,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {}", self.what, self.location.name())
    }
}

impl Opaque for Kept {
    fn describe(&self) -> String {
        self.what.clone()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The object as it is, to be given back unchanged.
pub fn keep(node: &Node) -> Result<Element> {
    let what = match node.attr_string("encoding-type")? {
        none if none.is_empty() => match node.dataset() {
            Ok(d) => format!("array of {:#?}", d.dtype().map_err(|e| node.at.damaged(e))?),
            Err(_) => "group".into(),
        },
        kind => kind,
    };
    let location = node.location().clone();
    Ok(Element::Opaque(std::sync::Arc::new(Kept { location, what })))
}
