//! Objects of an open file, and messages that say where in it something is wrong.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use hdf5::{
    Container, Dataset, Group, IndexType, IterationOrder, LinkType, Location, LocationType,
    filters::Filter,
    types::{TypeDescriptor as Td, VarLenUnicode},
};
use scvi_framework::{
    Error as CoreError,
    anndata::{Strings, Values},
};

use crate::{
    array,
    error::{Error, Result},
};

/// Groups within groups: more than any data set needs, few enough for the stack.
const MAX_DEPTH: usize = 48;
/// Objects in one file; a file in which groups contain each other has no end.
const MAX_OBJECTS: usize = 2_000_000;

/// Memory that reading a file may ask for, whatever its size.
const SMALLEST_BUDGET: u64 = 256 << 20;
/// Memory that reading a file may ask for, for each of its bytes: gzip reaches no more.
const BUDGET_PER_BYTE: u64 = 1 << 10;

/// What is known about a file while it is read.
#[derive(Debug)]
struct Reading {
    path: PathBuf,
    /// Bytes.
    size: u64,
    n_objects: AtomicUsize,
    /// Bytes that may still be asked for.
    budget: AtomicU64,
}

/// A place in a file, for messages.
#[derive(Clone, Debug)]
pub struct At {
    file: Arc<Reading>,
    /// Names from the root, separated by `/`.
    pub element: String,
}

impl At {
    /// The root of the file at `path`.
    pub fn root(path: &Path) -> Self {
        let size = std::fs::metadata(path).map_or(0, |file| file.len());
        let budget = size.saturating_mul(BUDGET_PER_BYTE).saturating_add(SMALLEST_BUDGET);
        let file = Reading { path: path.into(), size, n_objects: 0.into(), budget: budget.into() };
        Self { file: Arc::new(file), element: String::new() }
    }

    /// Takes `n` bytes off what reading the file may ask for; false when so many are not left.
    pub fn charge(&self, n: usize) -> bool {
        let take = |left: u64| left.checked_sub(n as u64);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        self.file.budget.fetch_update(set, fetch, take).is_ok()
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.file.path.clone()
    }

    /// Bytes in the file.
    pub fn file_size(&self) -> u64 {
        self.file.size
    }

    /// The place called `name` in this place.
    pub fn child(&self, name: &str) -> Self {
        Self { file: self.file.clone(), element: format!("{}/{name}", self.element) }
    }

    /// What HDF5 could not read.
    pub fn damaged(&self, reason: impl ToString) -> Error {
        let (path, element) = (self.path(), self.shown());
        Error::Damaged { path, element, reason: plain(&reason.to_string()) }
    }

    /// What is readable but not right.
    pub fn invalid(&self, expected: impl Into<String>, found: impl Into<String>) -> Error {
        let (path, element) = (self.path(), self.shown());
        Error::Invalid { path, element, expected: expected.into(), found: found.into() }
    }

    /// What has the wrong shape.
    pub fn shape(&self, expected: Vec<usize>, found: Vec<usize>) -> Error {
        Error::Shape { path: self.path(), element: self.shown(), expected, found }
    }

    /// What is stored by column, and asked for rows.
    pub fn by_column(&self) -> Error {
        Error::ByColumn { path: self.path(), element: self.shown() }
    }

    /// What the data set's own checks refused.
    pub fn refused(&self, error: CoreError) -> Error {
        match error {
            CoreError::Shape { expected, found, .. } => self.shape(expected, found),
            CoreError::Kind { what, expected, found } => {
                self.invalid(format!("{what}: {expected}"), found)
            }
            other => self.invalid("valid data", other.to_string()),
        }
    }

    /// The place, for messages.
    pub fn shown(&self) -> String {
        self.element.strip_prefix('/').unwrap_or("/").to_owned()
    }

    fn enter(&self) -> Result<()> {
        let depth = self.element.matches('/').count();
        let n_objects = self.file.n_objects.fetch_add(1, Ordering::Relaxed);
        if depth > MAX_DEPTH || n_objects > MAX_OBJECTS {
            return Err(self.invalid(
                format!("at most {MAX_DEPTH} nested groups and {MAX_OBJECTS} objects"),
                "more (does a group contain itself?)",
            ));
        }
        Ok(())
    }
}

/// A group or a dataset.
#[derive(Clone, Debug)]
pub enum Object {
    Group(Group),
    Dataset(Dataset),
}

/// An object of an open file and its place.
#[derive(Clone, Debug)]
pub struct Node {
    pub object: Object,
    pub at: At,
}

impl Node {
    /// The object as HDF5 sees it.
    pub fn location(&self) -> &Location {
        match &self.object {
            Object::Group(group) => group,
            Object::Dataset(dataset) => dataset,
        }
    }

    /// The dataset that this must be.
    pub fn dataset(&self) -> Result<&Dataset> {
        match &self.object {
            Object::Dataset(dataset) => Ok(dataset),
            Object::Group(_) => Err(self.at.invalid("an array", "a group")),
        }
    }

    /// The group that this must be.
    pub fn group(&self) -> Result<&Group> {
        match &self.object {
            Object::Group(group) => Ok(group),
            Object::Dataset(_) => Err(self.at.invalid("a group", "an array")),
        }
    }

    /// Names of the members, in the order of Python: as made where the file knows, else by name.
    pub fn names(&self) -> Result<Vec<String>> {
        let group = self.group()?;
        let visit = |index| {
            let mut names: Vec<(String, Option<i64>)> = Vec::new();
            group
                .iter_visit(index, IterationOrder::Increasing, |name, info| {
                    let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
                    names.push((name, info.creation_order));
                    Ok(())
                })
                .map(|()| names)
        };
        let mut names = visit(IndexType::Name).map_err(|e| self.at.damaged(e))?;
        names.sort_by(|a, b| a.1.cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
        Ok(names.into_iter().map(|(name, _)| name).collect())
    }

    /// The member `name`, if there is one.
    pub fn find(&self, name: &str) -> Result<Option<Node>> {
        let Object::Group(group) = &self.object else { return Ok(None) };
        if !group.link_exists(name) {
            return Ok(None);
        }
        let at = self.at.child(name);
        at.enter()?;
        let mut outside = false;
        let _ = group.iter_visit_default(|found, info| {
            outside |= found == name && info.link_type == LinkType::External;
            Ok(())
        });
        if outside {
            return Err(at.invalid("data in this file", "a link to another file"));
        }
        let kind = group.loc_type_by_name(name).map_err(|e| at.damaged(e))?;
        let object = match kind {
            LocationType::Group => group.group(name).map(Object::Group),
            LocationType::Dataset => group.dataset(name).map(Object::Dataset),
            other => return Err(at.invalid("a group or an array", format!("{other:?}"))),
        };
        Ok(Some(Node { object: object.map_err(|e| at.damaged(e))?, at }))
    }

    /// The member `name`, which must be there.
    pub fn get(&self, name: &str) -> Result<Node> {
        match self.find(name)? {
            Some(node) => Ok(node),
            None => {
                let found = match self.names()? {
                    names if names.is_empty() => "nothing".to_owned(),
                    names => names.join(", "),
                };
                Err(self.at.invalid(format!("a member `{name}`"), found))
            }
        }
    }

    /// Whether there is an attribute `name`.
    pub fn has_attr(&self, name: &str) -> Result<bool> {
        let names = self.location().attr_names().map_err(|e| self.at.damaged(e))?;
        Ok(names.iter().any(|n| n == name))
    }

    /// The attribute `name` as a container, if there is one.
    pub fn attr(&self, name: &str) -> Result<Option<Container>> {
        if !self.has_attr(name)? {
            return Ok(None);
        }
        let attribute = self.location().attr(name).map_err(|e| self.at.damaged(e))?;
        Ok(Some((*attribute).clone()))
    }

    /// The strings in attribute `name`, if there is one; none when it is an empty array.
    pub fn attr_strings(&self, name: &str) -> Result<Option<Strings>> {
        let Some(attribute) = self.attr(name)? else { return Ok(None) };
        let place = self.at.child(&format!("@{name}"));
        if attribute.size() == 0 {
            return Ok(Some(Strings::from_iter::<[&str; 0]>([])));
        }
        match array::strings(&attribute, &place)? {
            Some(strings) => Ok(Some(strings)),
            None => Err(place.invalid("strings", "others")),
        }
    }

    /// The one string in attribute `name`; empty when there is no such attribute.
    pub fn attr_string(&self, name: &str) -> Result<String> {
        let strings = self.attr_strings(name)?;
        let first = strings.filter(|s| !s.is_empty()).map(|s| s.get(0).to_owned());
        Ok(first.unwrap_or_default())
    }

    /// The two lengths in attribute `name`.
    pub fn attr_shape(&self, name: &str) -> Result<[usize; 2]> {
        let expected = format!("an attribute `{name}` of two lengths");
        let Some(attribute) = self.attr(name)? else {
            return Err(self.at.invalid(expected, "none"));
        };
        let lengths = match attribute.size() {
            2 => attribute.read_raw::<i64>().map_err(|e| self.at.damaged(e))?,
            _ => Vec::new(),
        };
        match lengths[..] {
            [n, m] if n >= 0 && m >= 0 => Ok([n as usize, m as usize]),
            _ => Err(self.at.invalid(expected, format!("{lengths:?}"))),
        }
    }

    /// The one number in attribute `name`, if there is one.
    pub fn attr_number(&self, name: &str) -> Result<Option<Values>> {
        let Some(attribute) = self.attr(name)? else { return Ok(None) };
        let values = array::numbers(&attribute, &self.at.child(&format!("@{name}")))?;
        Ok(values.filter(|values| values.len() == 1))
    }

    /// The truth in attribute `name`; false when there is none.
    pub fn attr_flag(&self, name: &str) -> Result<bool> {
        Ok(self.attr_number(name)?.is_some_and(|v| v.get_f64(0) != 0.0))
    }
}

/// Explains why `container` could not be read: an unknown filter, or damage.
pub fn unreadable(container: &Container, at: &At, error: hdf5::Error) -> Error {
    let unknown = container.as_dataset().ok().into_iter().flat_map(|d| d.filters());
    let unknown = unknown.into_iter().find(|f| !f.is_available());
    match unknown {
        Some(filter) => {
            Error::Filter { path: at.path(), element: at.shown(), filter: filter_name(&filter) }
        }
        None => at.damaged(error),
    }
}

fn filter_name(filter: &Filter) -> String {
    let id = filter.id();
    let name = match id {
        4 => "szip",
        307 => "bzip2",
        32004 => "lz4",
        32008 => "bitshuffle",
        32013 => "zfp",
        32017 => "sz",
        32026 => "blosc2",
        _ => return format!("HDF5 filter number {id}"),
    };
    format!("{name} (HDF5 filter {id})")
}

/// `text` as HDF5 keeps it.
pub fn vlen(text: &str) -> Result<VarLenUnicode, String> {
    text.parse().map_err(|_| format!("{text:?} contains a zero byte, which HDF5 cannot hold"))
}

/// The type of the values, when it is one that can be described.
pub fn descriptor(container: &Container, at: &At) -> Result<Option<Td>> {
    let datatype = container.dtype().map_err(|e| at.damaged(e))?;
    Ok(datatype.to_descriptor().ok())
}

/// What the system says, where HDF5 passes it on among addresses and sizes; else all that it says.
pub fn plain(reason: &str) -> String {
    let quoted = reason.split_once("error message = '").and_then(|(_, rest)| rest.split_once('\''));
    quoted.map_or(reason, |(message, _)| message).to_owned()
}
