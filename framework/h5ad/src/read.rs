//! From a file to a data set.

use std::path::Path;

use scvi_framework::anndata::{
    AnnData, Categorical, DType, DataFrame, Dense, Element, Mapping, Nullable, Raw, Slot, Strings,
};

use crate::{
    backed, encoding,
    error::{Error, Result},
    frame, legacy, multimodal,
    node::{At, Node},
    opaque, open,
};

/// Where the matrices of a data set are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backing {
    /// Everything is read at once.
    #[default]
    Memory,
    /// X and layers stay in the file and are read by row ranges. Matrices stored by column stay there
    /// too, and refuse to give rows.
    Disk,
}

/// How to read a file.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadOptions {
    /// Where the matrices are kept.
    pub backed: Backing,
}

const MAPPINGS: [Slot; 5] = [Slot::Obsm, Slot::Varm, Slot::Obsp, Slot::Varp, Slot::Layers];
const KNOWN: [&str; 13] = [
    "X", "obs", "var", "obsm", "varm", "obsp", "varp", "layers", "uns", "raw", "raw.X", "raw.var",
    "raw.varm",
];

/// Reads the data set in the `.h5ad` or `.h5mu` file at `path`; one of several modalities has them
/// under [`AnnData::modalities`].
///
/// # Errors
/// Says what the file is when it is neither, what is damaged, what has the wrong shape, which
/// compression is not supported.
pub fn read(path: &Path, options: ReadOptions) -> Result<AnnData> {
    let root = open::root(path)?;
    if multimodal::is_here(&root)? {
        return multimodal::read(&root, options.backed);
    }
    data_set(&root, "anndata", options.backed)
}

/// Reads a data set that lies in a group and says that it is of this kind, or says nothing.
pub fn data_set(root: &Node, kind: &str, backing: Backing) -> Result<AnnData> {
    let names = anndata_members(root, kind)?;
    let (obs, var) = (root.get("obs")?, root.get("var")?);
    let is_legacy = obs.dataset().is_ok();
    let (mut obs, mut var) = (named(frame::table(&obs)?), named(frame::table(&var)?));
    let mut uns = members(root, "uns")?;
    if is_legacy {
        legacy::recategorise(root, &mut uns, [&mut obs, &mut var])?;
    }
    let mut adata = AnnData::new(obs, var);
    let mut put = |slot: Slot, key: &str, element: Element, at: At| {
        adata.set(slot, key, element).map_err(|e| at.refused(e))
    };
    if let Some(x) = root.find("X")? {
        match matrix(&x, backing)? {
            Element::Null => {}
            element => put(Slot::X, "X", element, x.at)?,
        }
    }
    for slot in MAPPINGS {
        let place = root.at.child(slot.name());
        let elements = match slot {
            Slot::Layers => layers(root, backing)?,
            _ => members(root, slot.name())?,
        };
        for (key, element) in elements {
            put(slot, &key, element, place.child(&key))?;
        }
    }
    for (key, element) in uns {
        put(Slot::Uns, &key, element, root.at.child("uns").child(&key))?;
    }
    let n_obs = adata.n_obs();
    adata.set_raw(raw(root, n_obs)?);
    for name in names.iter().filter(|n| !KNOWN.contains(&n.as_str())) {
        adata.extra_mut().insert(name.clone(), opaque::keep(&root.get(name)?)?);
    }
    adata.take_touched();
    Ok(adata)
}

fn anndata_members(root: &Node, expected: &str) -> Result<Vec<String>> {
    let kind = root.attr_string("encoding-type")?;
    let names = root.names()?;
    let wrong = |expected: &str, found| Error::NotAnnData {
        path: root.at.path(),
        expected: expected.into(),
        found,
    };
    if !["", expected].contains(&kind.as_str()) {
        return Err(wrong(&format!("encoding-type `{expected}`"), format!("`{kind}`")));
    }
    if !["obs", "var"].iter().all(|needed| names.iter().any(|n| n == needed)) {
        let found = if names.is_empty() { "nothing".into() } else { names.join(", ") };
        return Err(wrong("members `obs` and `var`", found));
    }
    Ok(names)
}

fn members(root: &Node, name: &str) -> Result<Mapping> {
    let Some(node) = root.find(name)? else { return Ok(Mapping::new()) };
    if node.dataset().is_ok_and(|d| !d.space().is_ok_and(|s| s.is_null())) {
        return legacy::fields(&node);
    }
    match encoding::element(&node)? {
        Element::Mapping(mapping) => Ok(mapping),
        Element::Null => Ok(Mapping::new()),
        other => Err(node.at.invalid("named elements", other.kind())),
    }
}

fn layers(root: &Node, backing: Backing) -> Result<Mapping> {
    let Some(node) = root.find("layers")? else { return Ok(Mapping::new()) };
    if backing == Backing::Memory || node.group().is_err() {
        return members(root, "layers");
    }
    let layers = node.names()?.into_iter().map(|name| {
        let element = matrix(&node.get(&name)?, backing)?;
        Ok((name, element))
    });
    layers.collect()
}

fn matrix(node: &Node, backing: Backing) -> Result<Element> {
    if backing == Backing::Disk
        && let Some(element) = backed::open(node)?
    {
        return Ok(element);
    }
    encoding::element(node)
}

fn raw(root: &Node, n_obs: usize) -> Result<Option<Raw>> {
    let part = |name: &str| match root.find("raw")? {
        Some(raw) if raw.group().is_ok() => raw.find(name),
        _ => root.find(&format!("raw.{name}")),
    };
    let (Some(x_node), Some(var)) = (part("X")?, part("var")?) else { return Ok(None) };
    let (x, var) = (encoding::element(&x_node)?, named(frame::table(&var)?));
    let (expected, found) = (vec![n_obs, var.n_rows()], x.shape());
    if found != expected && !matches!(x, Element::Opaque(_)) {
        return Err(x_node.at.shape(expected, found));
    }
    let varm = match part("varm")? {
        Some(varm) if varm.dataset().is_ok() => legacy::fields(&varm)?,
        Some(varm) => match encoding::mapping(&varm)? {
            Element::Mapping(mapping) => mapping,
            _ => Mapping::new(),
        },
        None => Mapping::new(),
    };
    Ok(Some(Raw { x, var, varm }))
}

/// Names of cells and genes are strings, whatever the file holds them as.
fn named(mut table: DataFrame) -> DataFrame {
    if table.names().is_none()
        && let Some(names) = strings(&table.index)
    {
        table.index = Box::new(Element::Strings(names));
    }
    table
}

fn strings(index: &Element) -> Option<Strings> {
    match index {
        Element::Categorical(Categorical { codes, categories, .. }) => {
            let (codes, names) = (codes.to_i64(), strings(categories)?);
            let all = codes.iter().all(|&c| c >= 0);
            all.then(|| codes.iter().map(|&c| names.get(c as usize)).collect())
        }
        Element::Nullable(Nullable { values, mask }) => {
            (!mask.contains(&true)).then(|| strings(values)).flatten()
        }
        Element::Strings(names) => Some(names.clone()),
        Element::Dense(Dense { values, .. }) => match values.dtype() {
            DType::Float16 | DType::Float32 | DType::Float64 | DType::Bool => None,
            _ => Some(values.to_i64().iter().map(i64::to_string).collect()),
        },
        _ => None,
    }
}
