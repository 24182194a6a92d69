//! Values as Python will read them, and the pickle that says so.
//!
//! Protocol 2, of instructions that [`parse`](super::super::pickle::parse) knows too.

use std::io;

use serde_json::Value;

/// A name in a module of Python.
pub(super) type Name = (&'static str, &'static str);

/// A value of Python.
#[derive(Clone, Debug)]
pub(super) enum Py {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    Tuple(Vec<Py>),
    List(Vec<Py>),
    Dict(Vec<(Py, Py)>),
    Global(Name),
    /// What a function returns.
    Call(Box<Call>),
    /// Something that is kept outside the pickle.
    Persistent(Box<Py>),
}

/// A call, and what is done to its result.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub callable: Name,
    pub args: Vec<Py>,
    /// What the result is set up with.
    pub state: Option<Py>,
    /// What is put into the result as into a dict.
    pub items: Vec<(Py, Py)>,
}

impl Py {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A dict with text for keys.
    pub fn dict<K: Into<String>>(items: impl IntoIterator<Item = (K, Py)>) -> Self {
        Self::Dict(items.into_iter().map(|(key, value)| (Self::text(key), value)).collect())
    }

    /// A tuple of lengths.
    pub fn sizes(sizes: &[usize]) -> Self {
        Self::Tuple(sizes.iter().map(|&n| n.into()).collect())
    }

    pub fn call(callable: Name, args: Vec<Py>) -> Self {
        Self::Call(Box::new(Call { callable, args, state: None, items: Vec::new() }))
    }

    pub fn ordered_dict(items: Vec<(Py, Py)>) -> Self {
        let (callable, args) = (("collections", "OrderedDict"), Vec::new());
        Self::Call(Box::new(Call { callable, args, state: None, items }))
    }

    /// The pickle.
    ///
    /// # Errors
    /// For a text longer than four gigabytes.
    pub fn pickle(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0x80, 2];
        self.put(&mut bytes)?;
        bytes.push(b'.');
        Ok(bytes)
    }

    fn put(&self, into: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::None => into.push(b'N'),
            Self::Bool(b) => into.push(if *b { 0x88 } else { 0x89 }),
            Self::Int(n) => put_int(*n, into),
            Self::Float(x) => {
                into.push(b'G');
                into.extend(x.to_be_bytes());
            }
            Self::Text(text) => {
                let n = u32::try_from(text.len()).map_err(io::Error::other)?;
                into.push(b'X');
                into.extend(n.to_le_bytes());
                into.extend(text.as_bytes());
            }
            Self::Tuple(entries) => put_group(entries, b't', into)?,
            Self::List(entries) => {
                into.push(b']');
                put_group(entries, b'e', into)?;
            }
            Self::Dict(items) => {
                into.push(b'}');
                put_items(items, into)?;
            }
            Self::Global((module, name)) => into.extend(format!("c{module}\n{name}\n").bytes()),
            Self::Call(call) => {
                Self::Global(call.callable).put(into)?;
                put_group(&call.args, b't', into)?;
                into.push(b'R');
                put_items(&call.items, into)?;
                if let Some(state) = &call.state {
                    state.put(into)?;
                    into.push(b'b');
                }
            }
            Self::Persistent(id) => {
                id.put(into)?;
                into.push(b'Q');
            }
        }
        Ok(())
    }
}

fn put_int(n: i128, into: &mut Vec<u8>) {
    if let Ok(n) = u8::try_from(n) {
        into.extend([b'K', n]);
    } else if let Ok(n) = i32::try_from(n) {
        into.push(b'J');
        into.extend(n.to_le_bytes());
    } else if let Ok(n) = i64::try_from(n) {
        into.extend([0x8a, 8]);
        into.extend(n.to_le_bytes());
    } else {
        into.extend([0x8a, 16]);
        into.extend(n.to_le_bytes());
    }
}

/// Entries of a tuple, or for the list on top of the stack.
fn put_group(entries: &[Py], end: u8, into: &mut Vec<u8>) -> io::Result<()> {
    into.push(b'(');
    entries.iter().try_for_each(|entry| entry.put(into))?;
    into.push(end);
    Ok(())
}

/// Items for the dict on top of the stack.
fn put_items(items: &[(Py, Py)], into: &mut Vec<u8>) -> io::Result<()> {
    into.push(b'(');
    for (key, value) in items {
        key.put(into)?;
        value.put(into)?;
    }
    into.push(b'u');
    Ok(())
}

impl From<usize> for Py {
    fn from(n: usize) -> Self {
        Self::Int(n as i128)
    }
}

/// Plain values; lists stay lists.
impl From<&Value> for Py {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::None,
            Value::Bool(b) => Self::Bool(*b),
            Value::Number(n) => match (n.as_i64(), n.as_u64()) {
                (Some(n), _) => Self::Int(n.into()),
                (_, Some(n)) => Self::Int(n.into()),
                _ => Self::Float(n.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Self::text(text),
            Value::Array(list) => Self::List(list.iter().map(Self::from).collect()),
            Value::Object(map) => Self::dict(map.iter().map(|(key, value)| (key, value.into()))),
        }
    }
}
