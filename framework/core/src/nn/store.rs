//! Parameters and buffers by name, in order of creation.

use std::{cell::RefCell, ops::Div};

use indexmap::IndexMap;
use tch::{Device, Kind, Tensor};

use crate::{
    anndata::Dense,
    error::{Error, Result},
    nn::convert,
};

#[derive(Debug)]
struct Entry {
    tensor: Tensor,
    trainable: bool,
}

/// Owner of a module's parameters and buffers; their names are scvi-tools' state_dict names.
#[derive(Debug)]
pub struct Store {
    entries: RefCell<IndexMap<String, Entry>>,
    device: Device,
    kind: Kind,
}

impl Store {
    /// Nothing yet; parameters will be float32 on `device`.
    pub fn new(device: Device) -> Self {
        Self::with_kind(device, Kind::Float)
    }

    /// Nothing yet; parameters will be of `kind`. Float64 serves as a reference in tests.
    pub fn with_kind(device: Device, kind: Kind) -> Self {
        Self { entries: RefCell::default(), device, kind }
    }

    /// Where its tensors live.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Moves all tensors, for the layers that hold them too.
    ///
    /// # Errors
    /// When the device refuses.
    pub fn to_device(&mut self, device: Device) -> Result<()> {
        for entry in self.entries.get_mut().values_mut() {
            let moved = tch::no_grad(|| entry.tensor.f_to_device(device))?;
            tch::no_grad(|| entry.tensor.f_set_data(&moved))?; // the handle is the layers' too
        }
        self.device = device;
        Ok(())
    }

    /// The path of names without prefix.
    pub fn root(&self) -> Path<'_> {
        Path { store: self, prefix: String::new() }
    }

    /// Parameters that training changes, in order of creation.
    pub fn trainable(&self) -> Vec<(String, Tensor)> {
        let entries = self.entries.borrow();
        let trainable = entries.iter().filter(|(_, e)| e.trainable);
        trainable.map(|(name, e)| (name.clone(), e.tensor.shallow_clone())).collect()
    }

    /// Parameters and buffers, in order of creation; the tensors are the live ones.
    pub fn state_dict(&self) -> IndexMap<String, Tensor> {
        let entries = self.entries.borrow();
        entries.iter().map(|(name, e)| (name.clone(), e.tensor.shallow_clone())).collect()
    }

    /// All values, copied to memory.
    ///
    /// # Errors
    /// When a tensor cannot be read off its device.
    pub fn weights(&self) -> Result<IndexMap<String, Dense>> {
        let state = self.state_dict().into_iter();
        state.map(|(name, tensor)| Ok((name, convert::to_dense(&tensor)?))).collect()
    }

    /// Overwrites all values; names and shapes must be exactly those of this store.
    ///
    /// # Errors
    /// [`Error::StateDict`] with the missing and the unexpected names; [`Error::Shape`].
    pub fn load(&self, weights: &IndexMap<String, Dense>) -> Result<()> {
        let entries = self.entries.borrow();
        let missing: Vec<String> =
            entries.keys().filter(|k| !weights.contains_key(*k)).cloned().collect();
        let unexpected: Vec<String> =
            weights.keys().filter(|k| !entries.contains_key(*k)).cloned().collect();
        if !missing.is_empty() || !unexpected.is_empty() {
            return Err(Error::StateDict { missing, unexpected });
        }
        for (name, entry) in entries.iter() {
            let (expected, found) = (entry.tensor.size(), &weights[name].shape);
            if expected.iter().map(|&n| n as usize).ne(found.iter().copied()) {
                return Err(Error::Shape {
                    what: format!("parameter `{name}`"),
                    expected: expected.iter().map(|&n| n as usize).collect(),
                    found: found.clone(),
                });
            }
            let value = convert::to_tensor(&weights[name])?.to_kind(entry.tensor.kind());
            tch::no_grad(|| entry.tensor.shallow_clone().f_copy_(&value))?;
        }
        Ok(())
    }
}

/// How a fresh parameter is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All the same.
    Constant(f64),
    /// Uniform between plus and minus this.
    Uniform(f64),
    /// Standard normal.
    Normal,
}

/// A prefix of names in a [`Store`]; `path / "layer"` goes one down.
#[derive(Clone, Debug)]
pub struct Path<'a> {
    store: &'a Store,
    prefix: String,
}

impl<'a> Path<'a> {
    /// Where tensors live.
    pub fn device(&self) -> Device {
        self.store.device
    }

    /// A parameter that training changes.
    pub fn param(&self, name: &str, shape: &[i64], init: Init) -> Tensor {
        let options = (self.store.kind, self.store.device);
        let fresh = match init {
            Init::Constant(value) => Tensor::full(shape, value, options),
            Init::Uniform(bound) => Tensor::empty(shape, options).uniform_(-bound, bound),
            Init::Normal => Tensor::randn(shape, options),
        };
        self.put(name, fresh.set_requires_grad(true), true)
    }

    /// A tensor that belongs to the state but is not trained by gradients; floats take the store's
    /// kind.
    pub fn buffer(&self, name: &str, value: &Tensor) -> Tensor {
        let kind = if value.is_floating_point() { self.store.kind } else { value.kind() };
        self.put(name, value.to_device(self.store.device).to_kind(kind).copy(), false)
    }

    fn put(&self, name: &str, tensor: Tensor, trainable: bool) -> Tensor {
        let name = format!("{}{name}", self.prefix);
        let entry = Entry { tensor: tensor.shallow_clone(), trainable };
        self.store.entries.borrow_mut().insert(name, entry);
        tensor
    }
}

impl<'a, S: std::fmt::Display> Div<S> for &Path<'a> {
    type Output = Path<'a>;
    fn div(self, name: S) -> Path<'a> {
        Path { store: self.store, prefix: format!("{}{name}.", self.prefix) }
    }
}

impl<'a, S: std::fmt::Display> Div<S> for Path<'a> {
    type Output = Path<'a>;
    fn div(self, name: S) -> Path<'a> {
        &self / name
    }
}
