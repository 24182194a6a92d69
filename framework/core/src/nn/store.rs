//! Parameters and buffers by name, in order of creation.

use std::{cell::RefCell, ops::Div};

use indexmap::{IndexMap, IndexSet};
use tch::{Device, Kind, Tensor};

use super::{Entries, Freezing, Layout, Part, Role, freezing::Extent};
use crate::{
    anndata::Dense,
    error::{Error, Result},
    nn::convert,
};

#[derive(Debug)]
struct Entry {
    tensor: Tensor,
    is_parameter: bool,
    part: Part,
    role: Role,
    layout: Option<Layout>,
}

/// A parameter that training changes, or entries of one.
#[derive(Debug)]
pub struct Trainable {
    /// The parameter; its memory is the module's.
    pub tensor: Tensor,
    /// What of it; all when none are named.
    pub entries: Option<Entries>,
}

/// Parameter or buffer → sizes of its layout's stretches.
pub type Sizes = IndexMap<String, Vec<i64>>;

/// Owner of a module's parameters and buffers; their names are scvi-tools' state_dict names.
#[derive(Debug)]
pub struct Store {
    entries: RefCell<IndexMap<String, Entry>>,
    frozen: Option<(Freezing, Sizes)>,
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
        Self { entries: RefCell::default(), frozen: None, device, kind }
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
        let (prefix, part, role) = (String::new(), Part::default(), Role::default());
        Path { store: self, prefix, part, role }
    }

    /// Parameters that training changes, in order of creation.
    pub fn trainable(&self) -> Vec<(String, Trainable)> {
        let entries = self.entries.borrow();
        let parameters = entries.iter().filter(|(_, entry)| entry.is_parameter);
        let trainable = parameters.filter_map(|(name, entry)| {
            let of = self.trained(name, entry)?;
            Some((name.clone(), Trainable { tensor: entry.tensor.shallow_clone(), entries: of }))
        });
        trainable.collect()
    }

    /// What training changes of a parameter: `None` for nothing, `Some(None)` for all of it.
    fn trained(&self, name: &str, entry: &Entry) -> Option<Option<Entries>> {
        let Some((freezing, known)) = &self.frozen else { return Some(None) };
        match freezing.extent(entry.part, entry.role) {
            Extent::All => Some(None),
            Extent::NewCategories => {
                entry.layout.as_ref()?.new_entries(known.get(name)?, &entry.tensor).map(Some)
            }
        }
    }

    /// From now on training changes new categories only, and what `freezing` leaves to it; `known` are
    /// the [`Store::sizes`] of the model whose categories are not new.
    pub fn freeze(&mut self, freezing: Freezing, known: Sizes) {
        self.frozen = Some((freezing, known));
        for (name, entry) in self.entries.borrow().iter().filter(|(_, entry)| entry.is_parameter) {
            let trained = self.trained(name, entry).is_some();
            let _ = entry.tensor.set_requires_grad(trained);
        }
    }

    /// What training leaves as it is; none when it changes everything.
    pub fn freezing(&self) -> Option<Freezing> {
        self.frozen.as_ref().map(|(freezing, _)| *freezing)
    }

    /// How many categories each parameter and buffer knows that knows any.
    pub fn sizes(&self) -> Sizes {
        let entries = self.entries.borrow();
        let sized = entries.iter().filter_map(|(name, e)| Some((name.clone(), e.layout.as_ref()?)));
        sized.map(|(name, layout)| (name, layout.sizes())).collect()
    }

    /// Takes over all values of `reference`, a store of the same module that knows no more categories;
    /// entries of new categories keep their own.
    ///
    /// # Errors
    /// [`Error::StateDict`] when the names differ, [`Error::Ungrown`] when a shape differs in another
    /// way than by new categories.
    pub fn carry_over(&self, reference: &Store) -> Result<()> {
        let (entries, known) = (self.entries.borrow(), reference.state_dict());
        let sizes = reference.sizes();
        check_names(entries.keys(), known.keys())?;
        for (name, entry) in entries.iter() {
            let (from, fresh) = (known[name].to_device(self.device), &entry.tensor);
            let grown = tch::no_grad(|| match (&entry.layout, sizes.get(name)) {
                (Some(layout), Some(sizes)) => layout.carry_over(sizes, &from, fresh),
                _ => Ok((from.size() == fresh.size()).then_some(from.shallow_clone())),
            })?;
            let grown = grown.ok_or_else(|| Error::Ungrown {
                parameter: name.clone(),
                reference: from.size(),
                query: fresh.size(),
            })?;
            tch::no_grad(|| fresh.shallow_clone().f_copy_(&grown))?;
        }
        Ok(())
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
        check_names(entries.keys(), weights.keys())?;
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

/// # Errors
/// [`Error::StateDict`] with the names that are not in both.
fn check_names<'a>(
    own: impl Iterator<Item = &'a String>,
    given: impl Iterator<Item = &'a String>,
) -> Result<()> {
    let (own, given): (IndexSet<_>, IndexSet<_>) = (own.collect(), given.collect());
    let lacks = |a: &IndexSet<&String>, b| a.difference(b).map(|name| (*name).clone()).collect();
    let (missing, unexpected): (Vec<_>, Vec<_>) = (lacks(&own, &given), lacks(&given, &own));
    match missing.is_empty() && unexpected.is_empty() {
        true => Ok(()),
        false => Err(Error::StateDict { missing, unexpected }),
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

/// A prefix of names in a [`Store`]; `path / "layer"` goes one down. It also says what the parameters
/// below it are to models that continue others.
#[derive(Clone, Debug)]
pub struct Path<'a> {
    store: &'a Store,
    prefix: String,
    part: Part,
    role: Role,
}

impl<'a> Path<'a> {
    /// Where tensors live.
    pub fn device(&self) -> Device {
        self.store.device
    }

    /// The same path, whose parameters belong to `part`, unless they belong to one already.
    #[must_use]
    pub fn in_part(self, part: Part) -> Self {
        if self.part == Part::Other { Self { part, ..self } } else { self }
    }

    /// The same path, whose parameters have this role.
    #[must_use]
    pub fn in_role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    /// Which part its parameters belong to.
    pub fn part(&self) -> Part {
        self.part
    }

    /// Says where the parameter or buffer `name` grows with the categories of a data set; one that
    /// does not say so has the same shape whatever the categories.
    pub fn layout(&self, name: &str, layout: Layout) {
        let name = format!("{}{name}", self.prefix);
        if let Some(entry) = self.store.entries.borrow_mut().get_mut(&name) {
            entry.layout = Some(layout);
        }
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

    fn put(&self, name: &str, tensor: Tensor, is_parameter: bool) -> Tensor {
        let name = format!("{}{name}", self.prefix);
        let (part, role) = (self.part, self.role);
        let entry =
            Entry { tensor: tensor.shallow_clone(), is_parameter, part, role, layout: None };
        self.store.entries.borrow_mut().insert(name, entry);
        tensor
    }
}

impl<'a, S: std::fmt::Display> Div<S> for &Path<'a> {
    type Output = Path<'a>;
    fn div(self, name: S) -> Path<'a> {
        Path { prefix: format!("{}{name}.", self.prefix), ..*self }
    }
}

impl<'a, S: std::fmt::Display> Div<S> for Path<'a> {
    type Output = Path<'a>;
    fn div(self, name: S) -> Path<'a> {
        &self / name
    }
}
