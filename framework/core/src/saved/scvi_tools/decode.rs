//! Understands the nodes of a pickle that models are made of; leaves out the others, with a note.
//!
//! The table in [`known`] is all that is understood. Names that are not in it stay names.

use serde_json::{Map, Number, Value};

use super::{
    archive::Archive,
    arrays::Array,
    pickle::{Call, Graph, Id, Node},
};
use crate::anndata::Values;

/// Deeper values are refused; serde_json reads no deeper than 128 either.
const MAX_DEPTH: usize = 64;
/// Further things that are left out are not listed.
const MAX_NOTES: usize = 50;

/// What the decoding of one value comes to: `None` when it was left out, with a note; an error when
/// the file is damaged.
pub(super) type Decoded<T> = Result<Option<T>, String>;

/// The names of Python that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Mapping,
    Bytes,
    Encode,
    Reconstruct,
    FromBuffer,
    NumpyDtype,
    NumpyScalar,
    RebuildTensor,
    RebuildParameter,
    DataFrame,
    BlockManager,
    Block,
    NewIndex,
}

fn known(module: &str, name: &str) -> Option<Known> {
    Some(match (module, name) {
        ("collections", "OrderedDict" | "defaultdict") => Known::Mapping,
        ("__builtin__" | "builtins", "dict") => Known::Mapping,
        (module, "attrdict" | "AttrDict") if module.starts_with("scvi.") => Known::Mapping,
        ("__builtin__" | "builtins", "bytes") => Known::Bytes,
        ("_codecs", "encode") => Known::Encode,
        ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => Known::Reconstruct,
        ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Known::NumpyScalar,
        ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Known::FromBuffer,
        ("numpy", "dtype") => Known::NumpyDtype,
        ("torch._utils", "_rebuild_tensor_v2") => Known::RebuildTensor,
        ("torch._utils", "_rebuild_parameter") => Known::RebuildParameter,
        ("pandas.core.frame" | "pandas", "DataFrame") => Known::DataFrame,
        ("pandas.core.internals.managers", "BlockManager") => Known::BlockManager,
        ("pandas._libs.internals", "_unpickle_block") => Known::Block,
        ("pandas.core.internals.blocks", "new_block") => Known::Block,
        ("pandas.core.indexes.base", "_new_Index") => Known::NewIndex,
        _ => return None,
    })
}

/// Reads values off a graph. What it builds is never larger than a small multiple of the file,
/// however often a pickle refers to the same value.
#[derive(Debug)]
pub(super) struct Decoder<'a> {
    pub graph: &'a Graph<'a>,
    /// Where tensors are; a file may be a pickle alone.
    pub archive: Option<Archive>,
    /// What was left out.
    pub notes: Vec<String>,
    /// How much may still be built, in bytes.
    left: u64,
    /// The keys that lead to the value at hand.
    path: Vec<String>,
}

impl<'a> Decoder<'a> {
    /// For a pickle in a file of `file_len` bytes.
    pub fn new(graph: &'a Graph<'a>, file_len: u64, archive: Option<Archive>) -> Self {
        let left = file_len.saturating_mul(8).saturating_add(1 << 20);
        Self { graph, archive, notes: Vec::new(), left, path: Vec::new() }
    }

    /// Takes note that `n` more bytes are about to be built.
    pub fn charge(&mut self, n: usize) -> Result<(), String> {
        let left = self.left.checked_sub(n as u64);
        self.left = left.ok_or("values that would take far more memory than the file is long")?;
        Ok(())
    }

    /// Runs `read` on a value that stands under `key`, for notes and errors.
    pub fn under<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        if self.path.len() == MAX_DEPTH {
            return Err(format!("values nested deeper than {MAX_DEPTH}"));
        }
        self.path.push(super::printable(key));
        let result = read(self);
        self.path.pop();
        result
    }

    /// Where the value at hand stands.
    pub fn place(&self) -> String {
        self.path.join(".")
    }

    /// Leaves out the value at hand.
    pub fn leave_out<T>(&mut self, id: Id) -> Decoded<T> {
        let what = self.describe(id);
        self.note(format!("left out: {}, {what}", self.place()));
        Ok(None)
    }

    pub fn note(&mut self, note: String) {
        match self.notes.len() {
            n if n < MAX_NOTES => self.notes.push(note),
            MAX_NOTES => self.notes.push("more was left out than is listed here".into()),
            _ => {}
        }
    }

    // --- nodes -------------------------------------------------------------------------------

    pub fn node(&self, id: Id) -> &'a Node<'a> {
        self.graph.node(id)
    }

    /// The call of a known function that `id` is.
    pub fn call(&self, id: Id) -> Option<(Known, &'a Call)> {
        let Node::Call(call) = self.node(id) else { return None };
        let Node::Global(module, name) = self.node(call.callable) else { return None };
        Some((known(module, name)?, call))
    }

    /// The arguments of a call, or the entries of a tuple or list.
    pub fn entries(&self, id: Id) -> &'a [Id] {
        match self.node(id) {
            Node::Tuple(ids) | Node::List(ids) => ids,
            _ => &[],
        }
    }

    pub fn text(&self, id: Id) -> Option<&'a str> {
        match self.node(id) {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a dict of any kind.
    pub fn map(&self, id: Id) -> Option<&'a [(Id, Id)]> {
        match (self.node(id), self.call(id)) {
            (Node::Dict(items), _) => Some(items),
            (_, Some((Known::Mapping, call))) => Some(&call.items),
            _ => None,
        }
    }

    /// What stands under `key` in a dict; the last one, as in Python.
    pub fn get(&self, map: Id, key: &str) -> Option<Id> {
        let mut items = self.map(map)?.iter().rev();
        items.find(|(k, _)| self.text(*k) == Some(key)).map(|(_, value)| *value)
    }

    /// What kind of value it is, in Python's words.
    pub fn describe(&self, id: Id) -> String {
        let named = |id| match self.node(id) {
            Node::Global(module, name) => Some(super::printable(&format!("{module}.{name}"))),
            _ => None,
        };
        match self.node(id) {
            Node::None => "None".into(),
            Node::Bool(_) => "of type bool".into(),
            Node::Int(_) | Node::Huge => "of type int".into(),
            Node::Float(_) => "of type float".into(),
            Node::Text(_) => "of type str".into(),
            Node::Bytes(_) => "of type bytes".into(),
            Node::Tuple(_) => "of type tuple".into(),
            Node::List(_) => "of type list".into(),
            Node::Set(_) => "of type set".into(),
            Node::Dict(_) => "of type dict".into(),
            Node::Persistent(_) => "a reference to a storage".into(),
            Node::Global(..) => format!("the Python object {}", named(id).unwrap_or_default()),
            Node::Call(call) => match named(call.callable) {
                Some(name) => format!("of type {name}"),
                None => "the result of a computed function".into(),
            },
        }
    }

    // --- JSON --------------------------------------------------------------------------------

    /// A value as JSON; arrays become lists.
    pub fn json(&mut self, id: Id) -> Decoded<Value> {
        self.charge(1)?;
        match self.node(id) {
            Node::None => Ok(Some(Value::Null)),
            Node::Bool(b) => Ok(Some((*b).into())),
            Node::Int(n) => Ok(Some((*n).into())),
            Node::Float(x) => Ok(Some(self.number(*x))),
            Node::Text(text) => {
                self.charge(text.len())?;
                Ok(Some((*text).into()))
            }
            Node::Tuple(ids) | Node::List(ids) | Node::Set(ids) => self.json_list(ids),
            Node::Huge | Node::Bytes(_) | Node::Persistent(_) => self.leave_out(id),
            Node::Dict(_) | Node::Call(_) | Node::Global(..) => {
                if let Some(items) = self.map(id) {
                    return self.json_map(items);
                }
                if let Some(word) = self.activation(id) {
                    return Ok(Some(word.into()));
                }
                match self.array(id)? {
                    Some(array) => self.json_array(array),
                    None => self.leave_out(id),
                }
            }
        }
    }

    fn json_list(&mut self, ids: &'a [Id]) -> Decoded<Value> {
        let mut list = Vec::new();
        for (i, id) in ids.iter().enumerate() {
            let value = self.under(&i.to_string(), |d| d.json(*id))?;
            list.push(value.unwrap_or(Value::Null));
        }
        Ok(Some(Value::Array(list)))
    }

    fn json_map(&mut self, items: &'a [(Id, Id)]) -> Decoded<Value> {
        let mut object = Map::new();
        for (key, value) in items {
            // A dict may be its own key.
            let key = match self.under("a key", |d| d.json(*key))? {
                Some(Value::String(text)) => text,
                Some(other) => other.to_string(),
                None => continue,
            };
            if let Some(value) = self.under(&key, |d| d.json(*value))? {
                object.insert(key, value);
            }
        }
        Ok(Some(Value::Object(object)))
    }

    fn json_array(&mut self, array: Array) -> Decoded<Value> {
        let (shape, flat) = match array {
            Array::Numbers(dense) => {
                let numbers = &dense.values;
                self.charge(8 * numbers.len())?;
                let flat: Vec<Value> = match numbers {
                    Values::Bool(b) => b.iter().map(|&v| v.into()).collect(),
                    Values::UInt64(b) => b.iter().map(|&v| v.into()).collect(),
                    n @ (Values::Float16(_) | Values::Float32(_) | Values::Float64(_)) => {
                        n.to_f64().into_iter().map(|x| self.number(x)).collect()
                    }
                    n => n.to_i64().iter().map(|&v| v.into()).collect(),
                };
                (dense.shape, flat)
            }
            Array::Texts(shape, texts) => (shape, texts.into_iter().map(Value::from).collect()),
            Array::Objects(shape, ids) => {
                let mut flat = Vec::new();
                for (i, id) in ids.into_iter().enumerate() {
                    let value = self.under(&i.to_string(), |d| d.json(id))?;
                    flat.push(value.unwrap_or(Value::Null));
                }
                (shape, flat)
            }
        };
        Ok(Some(nest(&shape, &mut flat.into_iter())))
    }

    fn number(&mut self, x: f64) -> Value {
        if let Some(number) = Number::from_f64(x) {
            return Value::Number(number);
        }
        self.note(format!("left out: {}, the number {x}", self.place()));
        Value::Null
    }

    /// The name of an activation function of PyTorch that models are told by name here.
    fn activation(&self, id: Id) -> Option<&'static str> {
        let name = match self.node(id) {
            Node::Global(module, name) if module.starts_with("torch") => *name,
            Node::Call(call) => {
                let &[owner, name] = self.entries(call.args) else { return None };
                let (Node::Global(_, "getattr"), Node::Global(module, _)) =
                    (self.node(call.callable), self.node(owner))
                else {
                    return None;
                };
                if !module.starts_with("torch") {
                    return None;
                }
                self.text(name)?
            }
            _ => return None,
        };
        ["exp", "softplus"].into_iter().find(|known| *known == name)
    }
}

/// Lists within lists, of the lengths that `shape` says; `flat` has as many values.
fn nest(shape: &[usize], flat: &mut impl Iterator<Item = Value>) -> Value {
    match shape {
        [] => flat.next().unwrap_or(Value::Null),
        _ if shape.contains(&0) => Value::Array(Vec::new()),
        [n, inner @ ..] => (0..*n).map(|_| nest(inner, flat)).collect(),
    }
}
