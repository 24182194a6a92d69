//! Columns of numbers: data frames of pandas, arrays and lists.

use super::{
    arrays::Array,
    decode::{Decoded, Decoder, Known},
    pickle::{Id, Node},
};
use crate::anndata::Dense;

impl Decoder<'_> {
    /// Numbers: the only column of a data frame, an array or a list. `None` without note when it is
    /// something else.
    pub fn numbers(&mut self, id: Id) -> Decoded<Vec<f64>> {
        let id = self.column(id).unwrap_or(id);
        let ids = match (self.node(id), self.array(id)?) {
            (_, Some(Array::Numbers(Dense { ref shape, .. }) | Array::Objects(ref shape, _)))
                if shape.iter().filter(|n| **n != 1).count() > 1 =>
            {
                return Ok(None); // several columns
            }
            (_, Some(Array::Numbers(dense))) => {
                self.charge(8 * dense.values.len())?;
                return Ok(Some(dense.values.to_f64()));
            }
            (_, Some(Array::Objects(_, ids))) => ids,
            (Node::List(ids), _) => ids.clone(),
            _ => return Ok(None),
        };
        self.charge(12 * ids.len())?;
        ids.into_iter().map(|id| self.single(id)).collect()
    }

    fn single(&mut self, id: Id) -> Decoded<f64> {
        match self.node(id) {
            Node::None => Ok(Some(f64::NAN)),
            Node::Bool(b) => Ok(Some((*b).into())),
            Node::Int(n) => Ok(Some(*n as f64)),
            Node::Float(x) => Ok(Some(*x)),
            _ => match self.array(id)? {
                Some(Array::Numbers(d)) if d.values.len() == 1 => Ok(Some(d.values.get_f64(0))),
                _ => Ok(None),
            },
        }
    }

    /// The values of a data frame with one column, in the layouts of pandas since 1.0.
    fn column(&self, id: Id) -> Option<Id> {
        let (Known::DataFrame, frame) = self.call(id)? else { return None };
        let Some(state) = frame.state else {
            return self.entries(frame.args).first().copied(); // made by its constructor
        };
        let manager = self.get(state, "_mgr").or_else(|| self.get(state, "_data"))?;
        let (Known::BlockManager, manager) = self.call(manager)? else { return None };
        if let Some(&blocks) = self.entries(manager.args).first() {
            let &[block] = self.entries(blocks) else { return None };
            let (Known::Block, block) = self.call(block)? else { return None };
            return self.entries(block.args).first().copied();
        }
        let state = self.entries(manager.state?).last()?;
        let &[block] = self.entries(self.get(self.get(*state, "0.14.1")?, "blocks")?) else {
            return None;
        };
        self.get(block, "values")
    }
}
