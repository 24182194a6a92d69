//! Reads a pickle into a graph of inert nodes.
//!
//! A pickle is a program that may name any function of Python and have it called. Here nothing is
//! ever called: a function's name, its arguments and what was to be done to its result become a
//! [`Call`], which [`super::decode`] understands or leaves out. Memory grows with the length of the
//! pickle, whatever it claims; nothing recurses.

use std::collections::HashMap;

/// A node of a [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(u32);

/// What a pickle says, unexecuted.
#[derive(Debug)]
pub(super) enum Node<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// A whole number beyond 64 bits.
    Huge,
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Set(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A name in a module of Python.
    Global(&'a str, &'a str),
    Call(Box<Call>),
    /// A reference to something outside the pickle.
    Persistent(Id),
}

/// A call that Python would have made.
#[derive(Debug)]
pub(super) struct Call {
    pub callable: Id,
    pub args: Id,
    /// What its result was to be set up with.
    pub state: Option<Id>,
    /// What was to be put into its result as into a dict.
    pub items: Vec<(Id, Id)>,
}

/// The nodes of a pickle; they may refer to each other in circles.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    nodes: Vec<Node<'a>>,
    pub root: Id,
}

impl<'a> Graph<'a> {
    pub fn node(&self, id: Id) -> &Node<'a> {
        &self.nodes[id.0 as usize]
    }
}

/// Reads a pickle of protocol 2 to 5; the error says where and why it is none.
pub(super) fn parse(bytes: &[u8]) -> Result<Graph<'_>, String> {
    let mut machine = Machine {
        bytes,
        at: 0,
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    match machine.run() {
        Ok(root) => Ok(Graph { nodes: machine.nodes, root }),
        Err(why) => Err(format!("a pickle that is damaged at byte {}: {why}", machine.at)),
    }
}

type Step<T> = Result<T, &'static str>;

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack at which groups begin.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Step<Id> {
        loop {
            let code = self.byte()?;
            if code == b'.' {
                return self.pop();
            }
            self.step(code)?;
        }
    }

    fn step(&mut self, code: u8) -> Step<()> {
        match code {
            0x80 => self.take(1).map(drop), // protocol
            0x95 => self.take(8).map(drop), // frame
            b'N' => self.push(Node::None),
            0x88 => self.push(Node::Bool(true)),
            0x89 => self.push(Node::Bool(false)),
            b'K' => self.length(1).and_then(|n| self.push(Node::Int(n as i64))),
            b'M' => self.length(2).and_then(|n| self.push(Node::Int(n as i64))),
            b'J' => self.length(4).and_then(|n| self.push(Node::Int((n as u32 as i32).into()))),
            0x8a => self.long(1),
            0x8b => self.long(4),
            b'G' => self.float(),
            0x8c => self.text(1),
            b'X' => self.text(4),
            0x8d => self.text(8),
            b'C' => self.binary(1),
            b'B' => self.binary(4),
            0x8e | 0x96 => self.binary(8),
            b'U' => self.string(1),
            b'T' => self.string(4),
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.drop_top(),
            b'1' => self.group().map(drop),
            b'2' => self.top().map(|top| self.stack.push(top)),
            b')' => self.push(Node::Tuple(Vec::new())),
            0x85..=0x87 => self.tuple(usize::from(code - 0x84)),
            b't' => self.group().and_then(|ids| self.push(Node::Tuple(ids))),
            b']' => self.push(Node::List(Vec::new())),
            b'l' => self.group().and_then(|ids| self.push(Node::List(ids))),
            b'a' => self.pop().and_then(|id| self.append(vec![id])),
            b'e' | 0x90 => self.group().and_then(|ids| self.append(ids)),
            0x8f => self.push(Node::Set(Vec::new())),
            0x91 => self.group().and_then(|ids| self.push(Node::Set(ids))),
            b'}' => self.push(Node::Dict(Vec::new())),
            b'd' => self.group().and_then(pairs).and_then(|items| self.push(Node::Dict(items))),
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(vec![(key, value)])
            }
            b'u' => self.group().and_then(pairs).and_then(|items| self.set_items(items)),
            b'c' => self.global(),
            0x93 => self.global_from_stack(),
            b'R' | 0x81 => self.pop().and_then(|args| self.call(args)),
            0x92 => self.pop().and_then(|_| self.pop()).and_then(|args| self.call(args)),
            b'b' => self.build(),
            b'Q' => self.pop().and_then(|id| self.push(Node::Persistent(id))),
            b'q' => self.length(1).and_then(|n| self.remember(n)),
            b'r' => self.length(4).and_then(|n| self.remember(n)),
            0x94 => self.remember(self.memo.len()),
            b'h' => self.length(1).and_then(|n| self.recall(n)),
            b'j' => self.length(4).and_then(|n| self.recall(n)),
            _ => Err("an instruction that PyTorch never writes"),
        }
    }

    // --- the bytes -------------------------------------------------------------------------

    fn take(&mut self, n: usize) -> Step<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..n).ok_or("it ends in the middle of a value")?;
        self.at += n;
        Ok(taken)
    }

    fn byte(&mut self) -> Step<u8> {
        Ok(self.take(1)?[0])
    }

    /// A whole number of `width` bytes.
    fn length(&mut self, width: usize) -> Step<usize> {
        let bytes = self.take(width)?;
        let number = bytes.iter().rev().fold(0_u64, |n, &b| n << 8 | u64::from(b));
        usize::try_from(number).map_err(|_| "a length beyond all memory")
    }

    fn counted(&mut self, width: usize) -> Step<&'a [u8]> {
        let n = self.length(width)?;
        self.take(n)
    }

    fn line(&mut self) -> Step<&'a str> {
        let rest = &self.bytes[self.at..];
        let n = rest.iter().position(|&b| b == b'\n').ok_or("a name without end")?;
        let line = self.take(n + 1)?;
        std::str::from_utf8(&line[..n]).map_err(|_| "a name that is not UTF-8")
    }

    // --- values ----------------------------------------------------------------------------

    fn push(&mut self, node: Node<'a>) -> Step<()> {
        let id = u32::try_from(self.nodes.len()).map_err(|_| "more than four billion values")?;
        self.nodes.push(node);
        self.stack.push(Id(id));
        Ok(())
    }

    fn long(&mut self, width: usize) -> Step<()> {
        let bytes = self.counted(width)?;
        if bytes.len() > 8 {
            return self.push(Node::Huge);
        }
        let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
        let start = if negative { -1 } else { 0 };
        self.push(Node::Int(bytes.iter().rev().fold(start, |n: i64, &b| n << 8 | i64::from(b))))
    }

    fn float(&mut self) -> Step<()> {
        let bytes: [u8; 8] = self.take(8)?.try_into().map_err(|_| "a short number")?;
        self.push(Node::Float(f64::from_be_bytes(bytes)))
    }

    fn text(&mut self, width: usize) -> Step<()> {
        let bytes = self.counted(width)?;
        let text = std::str::from_utf8(bytes).map_err(|_| "text that is not UTF-8")?;
        self.push(Node::Text(text))
    }

    fn binary(&mut self, width: usize) -> Step<()> {
        let bytes = self.counted(width)?;
        self.push(Node::Bytes(bytes))
    }

    /// A string of Python 2: text if it can be.
    fn string(&mut self, width: usize) -> Step<()> {
        let bytes = self.counted(width)?;
        self.push(std::str::from_utf8(bytes).map_or(Node::Bytes(bytes), Node::Text))
    }

    fn global(&mut self) -> Step<()> {
        let (module, name) = (self.line()?, self.line()?);
        self.push(Node::Global(module, name))
    }

    fn global_from_stack(&mut self) -> Step<()> {
        let (name, module) = (self.pop()?, self.pop()?);
        match (self.node(module), self.node(name)) {
            (Node::Text(module), Node::Text(name)) => {
                let node = Node::Global(module, name);
                self.push(node)
            }
            _ => Err("a name that is not text"),
        }
    }

    fn call(&mut self, args: Id) -> Step<()> {
        let callable = self.pop()?;
        self.push(Node::Call(Box::new(Call { callable, args, state: None, items: Vec::new() })))
    }

    // --- the stack -------------------------------------------------------------------------

    fn node(&self, id: Id) -> &Node<'a> {
        &self.nodes[id.0 as usize]
    }

    /// Where the current group begins; what lies below it belongs to others.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Step<Id> {
        let above = self.stack.get(self.floor()..).unwrap_or_default();
        above.last().copied().ok_or("a value is taken from an empty stack")
    }

    fn pop(&mut self) -> Step<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn drop_top(&mut self) -> Step<()> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(drop)
    }

    fn group(&mut self) -> Step<Vec<Id>> {
        let start = self.marks.pop().ok_or("a group ends that never began")?;
        Ok(self.stack.split_off(start.min(self.stack.len())))
    }

    fn tuple(&mut self, n: usize) -> Step<()> {
        let mut ids = Vec::with_capacity(n);
        for _ in 0..n {
            ids.push(self.pop()?);
        }
        ids.reverse();
        self.push(Node::Tuple(ids))
    }

    fn top_mut(&mut self) -> Step<&mut Node<'a>> {
        let top = self.top()?;
        Ok(&mut self.nodes[top.0 as usize])
    }

    fn append(&mut self, ids: Vec<Id>) -> Step<()> {
        match self.top_mut()? {
            Node::List(list) | Node::Set(list) => list.extend(ids),
            Node::Call(_) => {} // entries of a list-like object of unknown kind
            _ => return Err("entries for something that is no list"),
        }
        Ok(())
    }

    fn set_items(&mut self, new: Vec<(Id, Id)>) -> Step<()> {
        match self.top_mut()? {
            Node::Dict(items) => items.extend(new),
            Node::Call(call) => call.items.extend(new),
            _ => return Err("entries for something that is no dict"),
        }
        Ok(())
    }

    fn build(&mut self) -> Step<()> {
        let state = self.pop()?;
        match self.top_mut()? {
            Node::Call(call) => call.state = Some(state),
            _ => return Err("a state for something that has none"),
        }
        Ok(())
    }

    fn remember(&mut self, slot: usize) -> Step<()> {
        let top = self.top()?;
        self.memo.insert(slot as u32, top); // the widest slot number has four bytes
        Ok(())
    }

    fn recall(&mut self, slot: usize) -> Step<()> {
        let id = self.memo.get(&(slot as u32)).ok_or("a reference to nothing")?;
        self.stack.push(*id);
        Ok(())
    }
}

fn pairs(ids: Vec<Id>) -> Step<Vec<(Id, Id)>> {
    let (pairs, []) = ids.as_chunks::<2>() else {
        return Err("a key without value");
    };
    Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
}
