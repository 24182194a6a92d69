//! MuData: several data sets in one `.h5mu` file, and what they share.

use std::collections::HashMap;

use hdf5::Group;
use scvi_framework::anndata::{AXIS, AnnData, Element, Mapping, Scalar, Slot};

use crate::{
    encoding,
    error::Result,
    node::{At, Node},
    read::{Backing, data_set},
    write::{Writer, attribute, create, encoded, strings_attribute, wrong},
};

/// What such a file says it is.
const KIND: &str = "MuData";
/// Where each row of `obs` (`var`) stands in each modality, counted from 1; 0 where it is not.
const MAPS: [(&str, Slot); 2] = [("obsmap", Slot::Obs), ("varmap", Slot::Var)];
/// Text may stand before the HDF5 in a file; Python's mudata looks here for its own name.
pub const USERBLOCK: u64 = 512;

/// What stands in the first [`USERBLOCK`] bytes.
pub fn header() -> Vec<u8> {
    let version = env!("CARGO_PKG_VERSION");
    let text = format!("MuData (format-version=0.1.0;creator=scvi;creator-version={version})");
    let mut bytes = text.into_bytes();
    bytes.resize(USERBLOCK as usize, 0);
    bytes
}

/// Whether the file is one of several modalities.
pub fn is_here(root: &Node) -> Result<bool> {
    Ok(root.attr_string("encoding-type")? == KIND)
}

/// Reads all modalities and what stands above them.
pub fn read(root: &Node, backing: Backing) -> Result<AnnData> {
    let mut adata = data_set(root, KIND, backing)?;
    adata.extra_mut().shift_remove("mod");
    for (name, _) in MAPS {
        if let Some(map) = root.find(name)? {
            adata.extra_mut().insert(name.into(), encoding::element(&map)?);
        }
    }
    if let Some(axis) = root.attr_number(AXIS)? {
        adata.extra_mut().insert(AXIS.into(), Element::Scalar(Scalar::Number(axis)));
    }
    let modalities = root.get("mod")?;
    for name in order(&modalities)? {
        let modality = data_set(&modalities.get(&name)?, "anndata", backing)?;
        adata.set_modality(&name, modality);
    }
    Ok(adata)
}

/// Names of the modalities in the order that the file gives them, where it gives one.
fn order(modalities: &Node) -> Result<Vec<String>> {
    let names = modalities.names()?;
    let Some(order) = modalities.attr_strings("mod-order")? else { return Ok(names) };
    let order: Vec<String> = order.iter().map(str::to_owned).collect();
    let is_whole = order.len() == names.len() && names.iter().all(|name| order.contains(name));
    Ok(if is_whole { order } else { names })
}

impl Writer {
    /// Writes all modalities and what stands above them.
    pub fn multimodal(&self, file: &Group, adata: &AnnData, root: &At) -> Result<()> {
        encoded(file, KIND, "0.1.0", root)?;
        let axis = match adata.extra().get(AXIS) {
            Some(Element::Scalar(Scalar::Number(axis))) if axis.len() == 1 => axis.get_f64(0),
            _ => 0.0,
        };
        attribute(file, AXIS, &(axis as i64), root)?;
        self.contents(file, adata, root)?;
        for (name, slot) in MAPS.iter().filter(|(name, _)| !adata.extra().contains_key(*name)) {
            self.mapping(file, name, &positions(adata, *slot), root)?;
        }
        let at = root.child("mod");
        let group = create(file, "mod", root)?;
        strings_attribute(&group, "mod-order", adata.modalities().keys(), &at)?;
        for (name, modality) in adata.modalities() {
            let at = at.child(name);
            if name.contains('/') {
                return Err(wrong(&at, format!("the modality {name:?} has a `/` in its name")));
            }
            self.data_set(&create(&group, name, &at)?, modality, &at)?;
        }
        Ok(())
    }
}

/// Where each row of the whole stands in each modality, by name.
fn positions(adata: &AnnData, slot: Slot) -> Mapping {
    let names = |adata: &AnnData| match slot {
        Slot::Obs => adata.obs().names().cloned(),
        _ => adata.var().names().cloned(),
    };
    let in_modality = |modality: &AnnData| {
        let (whole, part) = (names(adata)?, names(modality)?);
        let known: HashMap<&str, u32> = part.iter().zip(1..).collect();
        let found = whole.iter().map(|name| known.get(name).copied().unwrap_or(0));
        Some(Element::vector(found.collect::<Vec<u32>>()))
    };
    let maps = adata.modalities().iter();
    maps.filter_map(|(name, modality)| Some((name.clone(), in_modality(modality)?))).collect()
}
