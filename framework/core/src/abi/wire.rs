//! Elements and data sets as descriptions: JSON that points into the memory beside it.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    fields::WireField,
    peer::{Homes, Lendable},
    port::Port,
};
use crate::{
    anndata::{
        AnnData, Categorical, DType, DataFrame, Dense, Element, Mapping, Nullable, Raw, Scalar,
        Slot, Sparse, SparseFormat, Strings, Values,
    },
    error::{Error, Result},
    fields::AnnDataField,
};

/// Described elements by name.
pub type WireMapping = IndexMap<String, WireElement>;

/// Position of a run of numbers in the packet.
pub type BufferId = usize;

/// An element; numbers and the bytes of strings are elsewhere in the packet.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WireElement {
    Dense { shape: Vec<usize>, values: BufferId },
    Strings { shape: Vec<usize>, offsets: BufferId, bytes: BufferId },
    Categorical { codes: BufferId, categories: Box<WireElement>, ordered: bool },
    Nullable { values: Box<WireElement>, mask: BufferId },
    Sparse { format: SparseFormat, shape: [usize; 2], parts: [BufferId; 3] },
    DataFrame(WireTable),
    Mapping(WireMapping),
    Number { values: BufferId },
    Text(String),
    Null,
    Backed { id: usize, shape: Vec<usize>, dtype: DType },
    Opaque { id: usize, about: String },
}

/// A table.
#[derive(Debug, Serialize, Deserialize)]
pub struct WireTable {
    index: Box<WireElement>,
    index_name: Option<String>,
    columns: WireMapping,
}

/// A data set.
#[derive(Debug, Serialize, Deserialize)]
pub struct WireData {
    id: Uuid,
    obs: WireTable,
    var: WireTable,
    x: Option<WireElement>,
    slots: Vec<(Slot, WireMapping)>,
    raw: Option<(WireElement, WireTable, WireMapping)>,
    modalities: Vec<(String, WireData)>,
}

/// The slots that hold named elements beside the tables.
const MAPPINGS: [Slot; 6] =
    [Slot::Layers, Slot::Obsm, Slot::Varm, Slot::Obsp, Slot::Varp, Slot::Uns];

/// Describes elements, and gathers what the descriptions point to.
#[derive(Default)]
pub struct Packer {
    /// Numbers, in the order of their positions.
    pub buffers: Vec<Values>,
    /// What the receiver will ask for by position.
    pub lent: Lendable,
    /// The port to the home of what came from the receiver.
    pub home: Option<Arc<Port>>,
}

impl Packer {
    fn put(&mut self, values: impl Into<Values>) -> BufferId {
        self.put_values(&values.into())
    }

    fn put_values(&mut self, values: &Values) -> BufferId {
        self.buffers.push(values.clone());
        self.buffers.len() - 1
    }

    /// Describes an element.
    ///
    /// # Errors
    /// When a matrix on disk has to be read and cannot.
    pub fn element(&mut self, element: &Element) -> Result<WireElement> {
        Ok(match element {
            Element::Dense(d) => {
                WireElement::Dense { shape: d.shape.clone(), values: self.put_values(&d.values) }
            }
            Element::Strings(s) => {
                let (offsets, bytes) = s.parts();
                WireElement::Strings {
                    shape: s.shape().to_vec(),
                    offsets: self.put_values(&Values::UInt64(offsets.clone())),
                    bytes: self.put_values(&Values::UInt8(bytes.clone())),
                }
            }
            Element::Categorical(c) => WireElement::Categorical {
                codes: self.put_values(&c.codes),
                categories: Box::new(self.element(&c.categories)?),
                ordered: c.ordered,
            },
            Element::Nullable(n) => WireElement::Nullable {
                values: Box::new(self.element(&n.values)?),
                mask: self.put_values(&Values::Bool(n.mask.clone())),
            },
            Element::Sparse(s) => WireElement::Sparse {
                format: s.format,
                shape: s.shape,
                parts: [&s.data, &s.indices, &s.indptr].map(|part| self.put_values(part)),
            },
            Element::DataFrame(table) => WireElement::DataFrame(self.table(table)?),
            Element::Mapping(mapping) => WireElement::Mapping(self.mapping(mapping)?),
            Element::Scalar(Scalar::Number(v)) => {
                WireElement::Number { values: self.put_values(v) }
            }
            Element::Scalar(Scalar::String(text)) => WireElement::Text(text.clone()),
            Element::Null => WireElement::Null,
            Element::Backed(backed) => self.matrix_on_disk(backed)?,
            Element::Opaque(opaque) => self.not_understood(opaque)?,
        })
    }

    /// Describes named elements.
    ///
    /// # Errors
    /// As [`Packer::element`].
    pub fn mapping(&mut self, mapping: &Mapping) -> Result<WireMapping> {
        mapping.iter().map(|(key, e)| Ok((key.clone(), self.element(e)?))).collect()
    }

    fn table(&mut self, table: &DataFrame) -> Result<WireTable> {
        Ok(WireTable {
            index: Box::new(self.element(&table.index)?),
            index_name: table.index_name.clone(),
            columns: self.mapping(&table.columns)?,
        })
    }

    /// Describes a data set.
    ///
    /// # Errors
    /// As [`Packer::element`].
    pub fn data(&mut self, adata: &AnnData) -> Result<WireData> {
        let mut slots = Vec::new();
        for slot in MAPPINGS {
            let Some(mapping) = adata.mapping(slot).filter(|m| !m.is_empty()) else { continue };
            slots.push((slot, self.mapping(mapping)?));
        }
        let raw = match adata.raw() {
            Some(raw) => {
                Some((self.element(&raw.x)?, self.table(&raw.var)?, self.mapping(&raw.varm)?))
            }
            None => None,
        };
        let modalities = adata.modalities().iter();
        Ok(WireData {
            id: adata.id(),
            obs: self.table(adata.obs())?,
            var: self.table(adata.var())?,
            x: adata.x().map(|x| self.element(x)).transpose()?,
            slots,
            raw,
            modalities: modalities
                .map(|(key, modality)| Ok((key.clone(), self.data(modality)?)))
                .collect::<Result<_>>()?,
        })
    }

    /// Describes fields, which the receiver will ask for by position.
    ///
    /// # Errors
    /// When one has no JSON.
    pub fn fields(&mut self, fields: &[Arc<dyn AnnDataField>]) -> Result<Vec<WireField>> {
        let mut wire = Vec::with_capacity(fields.len());
        for field in fields {
            wire.push(WireField::new(self.lent.fields.len(), &**field)?);
            self.lent.fields.push(field.clone());
        }
        Ok(wire)
    }

    /// Describes arrays by name, e.g. weights.
    pub fn arrays(&mut self, arrays: &IndexMap<String, Dense>) -> WireMapping {
        let describe = |(name, d): (&String, &Dense)| {
            let values = self.put_values(&d.values);
            (name.clone(), WireElement::Dense { shape: d.shape.clone(), values })
        };
        arrays.iter().map(describe).collect()
    }

    /// Describes series of float64 by name; JSON has no word for what is not finite.
    pub fn series(&mut self, series: &IndexMap<String, Vec<f64>>) -> IndexMap<String, BufferId> {
        series.iter().map(|(name, values)| (name.clone(), self.put(values.clone()))).collect()
    }
}

/// Refuses a shape that no memory could hold, whatever axis is left out: products of axes are safe then.
///
/// # Errors
/// [`Error::Message`], with the shape.
pub fn numbered(shape: &[usize]) -> Result<()> {
    let n = shape.iter().try_fold(1isize, |n, &axis| n.checked_mul(axis.max(1).try_into().ok()?));
    n.map(drop).ok_or_else(|| Error::Message {
        expected: "a shape whose values can be numbered",
        reason: format!("{shape:?}"),
    })
}

/// Builds elements from their descriptions.
pub struct Unpacker<'a> {
    /// Numbers by position.
    pub buffers: &'a [Values],
    /// Who has what is only pointed at.
    pub homes: &'a dyn Homes,
}

impl Unpacker<'_> {
    fn values(&self, id: BufferId) -> Result<Values> {
        self.buffers.get(id).cloned().ok_or_else(|| Error::Message {
            expected: "an array of the packet",
            reason: format!("number {id} of {}", self.buffers.len()),
        })
    }

    fn typed<T>(&self, id: BufferId, pick: fn(Values) -> Result<T, Values>) -> Result<T> {
        pick(self.values(id)?).map_err(|other| Error::Message {
            expected: "an array of the dtype that its place demands",
            reason: other.dtype().name().into(),
        })
    }

    /// Builds an element.
    ///
    /// # Errors
    /// When the description contradicts itself or the memory it points to.
    pub fn element(&self, wire: WireElement) -> Result<Element> {
        Ok(match wire {
            WireElement::Dense { shape, values } => Element::Dense(self.dense(shape, values)?),
            WireElement::Strings { shape, offsets, bytes } => {
                numbered(&shape)?;
                let offsets = self.typed(offsets, |v| match v {
                    Values::UInt64(b) => Ok(b),
                    other => Err(other),
                })?;
                let bytes = self.typed(bytes, |v| match v {
                    Values::UInt8(b) => Ok(b),
                    other => Err(other),
                })?;
                Element::Strings(Strings::from_parts(shape, offsets, bytes)?)
            }
            WireElement::Categorical { codes, categories, ordered } => {
                Element::Categorical(Categorical {
                    codes: self.values(codes)?,
                    categories: Box::new(self.element(*categories)?),
                    ordered,
                })
            }
            WireElement::Nullable { values, mask } => {
                let mask = self.typed(mask, |v| match v {
                    Values::Bool(b) => Ok(b),
                    other => Err(other),
                })?;
                let values = self.element(*values)?;
                same_length("nullable column", values.shape(), mask.len())?;
                Element::Nullable(Nullable { values: Box::new(values), mask })
            }
            WireElement::Sparse { format, shape, parts: [data, indices, indptr] } => {
                numbered(&shape)?;
                let (data, indices) = (self.values(data)?, self.values(indices)?);
                let matrix = Sparse::new(format, shape, data, indices, self.values(indptr)?)?;
                Element::Sparse(matrix)
            }
            WireElement::DataFrame(table) => Element::DataFrame(self.table(table)?),
            WireElement::Mapping(mapping) => Element::Mapping(self.mapping(mapping)?),
            WireElement::Number { values } => {
                let value = self.values(values)?;
                same_length("scalar", vec![value.len()], 1)?;
                Element::Scalar(Scalar::Number(value))
            }
            WireElement::Text(text) => Element::Scalar(Scalar::String(text)),
            WireElement::Null => Element::Null,
            WireElement::Backed { id, shape, dtype } => {
                numbered(&shape)?;
                Element::Backed(self.homes.backed(id, shape, dtype)?)
            }
            WireElement::Opaque { id, about } => Element::Opaque(self.homes.opaque(id, about)?),
        })
    }

    fn dense(&self, shape: Vec<usize>, values: BufferId) -> Result<Dense> {
        let values = self.values(values)?;
        numbered(&shape)?;
        if values.len() != shape.iter().product::<usize>() {
            let (what, found) = ("array".into(), vec![values.len()]);
            return Err(Error::Shape { what, expected: shape, found });
        }
        Ok(Dense { shape, values })
    }

    fn mapping(&self, wire: WireMapping) -> Result<Mapping> {
        wire.into_iter().map(|(key, e)| Ok((key, self.element(e)?))).collect()
    }

    fn table(&self, wire: WireTable) -> Result<DataFrame> {
        Ok(DataFrame {
            index: Box::new(self.element(*wire.index)?),
            index_name: wire.index_name,
            columns: self.mapping(wire.columns)?,
        })
    }

    /// Builds a data set, in which nothing counts as touched.
    ///
    /// # Errors
    /// As [`Unpacker::element`]; or when an element does not fit the data set.
    pub fn data(&self, wire: WireData) -> Result<AnnData> {
        let adata = AnnData::new(self.table(wire.obs)?, self.table(wire.var)?);
        let mut adata = adata.with_id(wire.id); // it is the sender's data set, not a copy
        if let Some(x) = wire.x {
            adata.set(Slot::X, "X", self.element(x)?)?;
        }
        for (slot, mapping) in wire.slots {
            for (key, element) in mapping {
                adata.set(slot, &key, self.element(element)?)?;
            }
        }
        if let Some((x, var, varm)) = wire.raw {
            let (x, var, varm) = (self.element(x)?, self.table(var)?, self.mapping(varm)?);
            adata.set_raw(Some(Raw { x, var, varm }));
        }
        for (key, modality) in wire.modalities {
            adata.set_modality(&key, self.data(modality)?);
        }
        adata.take_touched();
        adata.take_touched_modalities();
        Ok(adata)
    }

    /// Builds arrays by name.
    ///
    /// # Errors
    /// When one is not a dense array.
    pub fn arrays(&self, wire: WireMapping) -> Result<IndexMap<String, Dense>> {
        let build = |(name, element)| match element {
            WireElement::Dense { shape, values } => Ok((name, self.dense(shape, values)?)),
            _ => Err(Error::Message { expected: "a dense array", reason: name }),
        };
        wire.into_iter().map(build).collect()
    }

    /// Builds series by name.
    ///
    /// # Errors
    /// When the memory is not there.
    pub fn series(&self, wire: IndexMap<String, BufferId>) -> Result<IndexMap<String, Vec<f64>>> {
        wire.into_iter().map(|(name, id)| Ok((name, self.values(id)?.to_f64()))).collect()
    }
}

fn same_length(what: &str, found: Vec<usize>, expected: usize) -> Result<()> {
    if found == [expected] {
        return Ok(());
    }
    Err(Error::Shape { what: what.into(), expected: vec![expected], found })
}
