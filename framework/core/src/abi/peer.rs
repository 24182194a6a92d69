//! Things that cross as a mere pointer: matrices on disk, and what is not understood.

use std::{any::Any, ops::Range, sync::Arc};

use super::{
    messages::{LenderReply, LenderRequest, ask_lender},
    port::Port,
    wire::{Packer, WireElement},
};
use crate::{
    anndata::{Backed, DType, Element, Opaque},
    error::{Error, Result},
    fields::AnnDataField,
};

/// Finds what a description only points at.
pub trait Homes {
    /// The matrix on disk with this number.
    ///
    /// # Errors
    /// When there is none.
    fn backed(&self, id: usize, shape: Vec<usize>, dtype: DType) -> Result<Arc<dyn Backed>>;

    /// The thing not understood with this number.
    ///
    /// # Errors
    /// When there is none.
    fn opaque(&self, id: usize, about: String) -> Result<Arc<dyn Opaque>>;
}

/// What crosses as a number only, in the order of the numbers.
#[derive(Default)]
pub struct Lendable {
    /// Matrices on disk.
    pub backed: Vec<Arc<dyn Backed>>,
    /// Things not understood.
    pub opaque: Vec<Arc<dyn Opaque>>,
    /// Fields.
    pub fields: Vec<Arc<dyn AnnDataField>>,
}

/// Everything pointed at lives with whoever sent the packet.
pub struct AtLender(pub Option<Arc<Port>>);

impl Homes for AtLender {
    fn backed(&self, id: usize, shape: Vec<usize>, dtype: DType) -> Result<Arc<dyn Backed>> {
        let port = self.port()?;
        Ok(Arc::new(ForeignMatrix { port, id, shape, dtype }))
    }

    fn opaque(&self, id: usize, about: String) -> Result<Arc<dyn Opaque>> {
        Ok(Arc::new(ForeignThing { port: self.port()?, id, about }))
    }
}

impl AtLender {
    fn port(&self) -> Result<Arc<Port>> {
        self.0.clone().ok_or_else(|| Error::Message {
            expected: "a port to the owner of the data",
            reason: "none came with the request".into(),
        })
    }
}

/// A matrix on disk, the file of which the lender holds.
#[derive(Debug)]
struct ForeignMatrix {
    port: Arc<Port>,
    id: usize,
    shape: Vec<usize>,
    dtype: DType,
}

impl Backed for ForeignMatrix {
    fn shape(&self) -> Vec<usize> {
        self.shape.clone()
    }

    fn dtype(&self) -> DType {
        self.dtype
    }

    fn rows(&self, rows: Range<usize>) -> Result<Element> {
        let request = LenderRequest::Rows { id: self.id, start: rows.start, end: rows.end };
        match ask_lender(&self.port, request)? {
            LenderReply::Element(element) => Ok(element),
            other => Err(other.unexpected("rows")),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Something that the lender keeps and nobody understands.
#[derive(Debug)]
struct ForeignThing {
    port: Arc<Port>,
    id: usize,
    about: String,
}

impl Opaque for ForeignThing {
    fn describe(&self) -> String {
        self.about.clone()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Packer {
    pub(super) fn matrix_on_disk(&mut self, matrix: &Arc<dyn Backed>) -> Result<WireElement> {
        let (shape, dtype) = (matrix.shape(), matrix.dtype());
        let Some(home) = &self.home else {
            self.lent.backed.push(matrix.clone());
            return Ok(WireElement::Backed { id: self.lent.backed.len() - 1, shape, dtype });
        };
        match matrix.as_any().downcast_ref::<ForeignMatrix>() {
            Some(own) if Arc::ptr_eq(&own.port, home) => {
                Ok(WireElement::Backed { id: own.id, shape, dtype })
            }
            _ => {
                let n_rows = shape.first().copied().unwrap_or(0);
                self.element(&matrix.rows(0..n_rows)?)
            }
        }
    }

    pub(super) fn not_understood(&mut self, thing: &Arc<dyn Opaque>) -> Result<WireElement> {
        let about = thing.describe();
        let Some(home) = &self.home else {
            self.lent.opaque.push(thing.clone());
            return Ok(WireElement::Opaque { id: self.lent.opaque.len() - 1, about });
        };
        match thing.as_any().downcast_ref::<ForeignThing>() {
            Some(own) if Arc::ptr_eq(&own.port, home) => {
                Ok(WireElement::Opaque { id: own.id, about })
            }
            _ => Err(Error::Kind {
                what: "element for the owner of the data".into(),
                expected: "one that came with the same call, or one made here".into(),
                found: about,
            }),
        }
    }
}
