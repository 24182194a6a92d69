//! The annotated data set.

use indexmap::IndexMap;
use uuid::Uuid;

use super::{DataFrame, Element, Mapping, Strings, identity::Identity};
use crate::error::{Error, Result};

/// A place in a data set that holds elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    /// The main matrix `[n_obs, n_vars]`.
    #[serde(rename = "X")]
    X,
    /// Further matrices `[n_obs, n_vars]`.
    Layers,
    /// Columns per cell.
    Obs,
    /// Columns per gene.
    Var,
    /// Matrices with a row per cell.
    Obsm,
    /// Matrices with a row per gene.
    Varm,
    /// Square matrices over cells.
    Obsp,
    /// Square matrices over genes.
    Varp,
    /// Anything.
    Uns,
}

impl Slot {
    /// Its name in Python.
    pub fn name(self) -> &'static str {
        match self {
            Slot::X => "X",
            Slot::Layers => "layers",
            Slot::Obs => "obs",
            Slot::Var => "var",
            Slot::Obsm => "obsm",
            Slot::Varm => "varm",
            Slot::Obsp => "obsp",
            Slot::Varp => "varp",
            Slot::Uns => "uns",
        }
    }
}

/// The unfiltered data that analysts keep beside the filtered ones: own genes, same cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Raw {
    /// Matrix `[n_obs, n_raw_vars]`.
    pub x: Element,
    /// Table of the genes of `x`.
    pub var: DataFrame,
    /// Matrices with a row per gene of `x`.
    pub varm: Mapping,
}

/// A data set: a matrix of cells by genes and everything known about both. Clones share memory, and
/// each is a data set of its own: it has another [`id`](AnnData::id).
///
/// A multi-modal one (Python's MuData) is a data set without a matrix of its own whose modalities
/// are data sets: `obs` are the cells of all modalities, `var` the features of all.
#[derive(Clone, Debug)]
pub struct AnnData {
    id: Identity,
    x: Option<Element>,
    obs: DataFrame,
    var: DataFrame,
    layers: Mapping,
    obsm: Mapping,
    varm: Mapping,
    obsp: Mapping,
    varp: Mapping,
    uns: Mapping,
    raw: Option<Raw>,
    extra: Mapping,
    modalities: IndexMap<String, AnnData>,
    touched: Vec<(Slot, String)>,
    touched_modalities: Vec<String>,
}

impl AnnData {
    /// A data set of the cells of `obs` and the genes of `var`, without a matrix.
    pub fn new(obs: DataFrame, var: DataFrame) -> Self {
        Self {
            id: Identity::default(),
            x: None,
            obs,
            var,
            layers: Mapping::new(),
            obsm: Mapping::new(),
            varm: Mapping::new(),
            obsp: Mapping::new(),
            varp: Mapping::new(),
            uns: Mapping::new(),
            raw: None,
            extra: Mapping::new(),
            modalities: IndexMap::new(),
            touched: Vec::new(),
            touched_modalities: Vec::new(),
        }
    }

    /// Which data set it is: another number for each that is made, read or cloned.
    pub fn id(&self) -> Uuid {
        self.id.0
    }

    /// The same content as the data set `id`, e.g. a working copy that will replace it.
    #[must_use]
    pub(crate) fn with_id(self, id: Uuid) -> Self {
        Self { id: Identity(id), ..self }
    }

    /// How many cells.
    pub fn n_obs(&self) -> usize {
        self.obs.n_rows()
    }

    /// How many genes.
    pub fn n_vars(&self) -> usize {
        self.var.n_rows()
    }

    /// Names of the cells.
    ///
    /// # Errors
    /// When the index of `obs` is not strings.
    pub fn obs_names(&self) -> Result<&Strings> {
        names("obs_names", &self.obs)
    }

    /// Names of the genes.
    ///
    /// # Errors
    /// When the index of `var` is not strings.
    pub fn var_names(&self) -> Result<&Strings> {
        names("var_names", &self.var)
    }

    /// The table of cells.
    pub fn obs(&self) -> &DataFrame {
        &self.obs
    }

    /// The table of genes.
    pub fn var(&self) -> &DataFrame {
        &self.var
    }

    /// The main matrix, if there is one.
    pub fn x(&self) -> Option<&Element> {
        self.x.as_ref()
    }

    /// The unfiltered data, if kept.
    pub fn raw(&self) -> Option<&Raw> {
        self.raw.as_ref()
    }

    /// Sets or removes the unfiltered data.
    pub fn set_raw(&mut self, raw: Option<Raw>) {
        self.raw = raw;
    }

    /// What a file holds beside all that a data set has a place for.
    pub fn extra(&self) -> &Mapping {
        &self.extra
    }

    /// The same, to be changed.
    pub fn extra_mut(&mut self) -> &mut Mapping {
        &mut self.extra
    }

    /// The modalities by name; none in a data set of one kind of measurement.
    pub fn modalities(&self) -> &IndexMap<String, AnnData> {
        &self.modalities
    }

    /// The modality `key`.
    ///
    /// # Errors
    /// [`Error::NoModality`], listing those that are there.
    pub fn modality(&self, key: &str) -> Result<&AnnData> {
        self.modalities.get(key).ok_or_else(|| self.no_modality(key))
    }

    /// The modality `key`, to be changed.
    ///
    /// # Errors
    /// As [`AnnData::modality`].
    pub fn modality_mut(&mut self, key: &str) -> Result<&mut AnnData> {
        if !self.modalities.contains_key(key) {
            return Err(self.no_modality(key));
        }
        Ok(&mut self.modalities[key])
    }

    /// Puts a modality in its place, replacing what was there.
    pub fn set_modality(&mut self, key: &str, modality: AnnData) {
        self.modalities.insert(key.into(), modality);
        if !self.touched_modalities.iter().any(|touched| touched == key) {
            self.touched_modalities.push(key.into());
        }
    }

    /// The modality `mod_key`, or the data set itself when none is named.
    ///
    /// # Errors
    /// As [`AnnData::modality`].
    pub fn within(&self, mod_key: Option<&str>) -> Result<&AnnData> {
        mod_key.map_or(Ok(self), |key| self.modality(key))
    }

    /// The same, to be changed.
    ///
    /// # Errors
    /// As [`AnnData::modality`].
    pub fn within_mut(&mut self, mod_key: Option<&str>) -> Result<&mut AnnData> {
        match mod_key {
            Some(key) => self.modality_mut(key),
            None => Ok(self),
        }
    }

    fn no_modality(&self, key: &str) -> Error {
        Error::NoModality { key: key.into(), present: self.modalities.keys().cloned().collect() }
    }

    /// All elements of a slot by name; for [`Slot::X`] use [`AnnData::x`].
    pub fn mapping(&self, slot: Slot) -> Option<&Mapping> {
        match slot {
            Slot::X => None,
            Slot::Layers => Some(&self.layers),
            Slot::Obs => Some(&self.obs.columns),
            Slot::Var => Some(&self.var.columns),
            Slot::Obsm => Some(&self.obsm),
            Slot::Varm => Some(&self.varm),
            Slot::Obsp => Some(&self.obsp),
            Slot::Varp => Some(&self.varp),
            Slot::Uns => Some(&self.uns),
        }
    }

    /// The element `key` of `slot` (`key` is ignored for X).
    ///
    /// # Errors
    /// [`Error::MissingElement`], listing what is there.
    pub fn get(&self, slot: Slot, key: &str) -> Result<&Element> {
        let found = match slot {
            Slot::X => self.x.as_ref(),
            _ => self.mapping(slot).and_then(|m| m.get(key)),
        };
        found.ok_or_else(|| Error::MissingElement {
            slot: slot.name(),
            key: if slot == Slot::X { "X".into() } else { key.into() },
            present: self.mapping(slot).into_iter().flat_map(|m| m.keys().cloned()).collect(),
        })
    }

    /// Puts an element in its place, replacing what was there.
    ///
    /// # Errors
    /// [`Error::Shape`] when the rows (and columns) do not fit the data set.
    pub fn set(&mut self, slot: Slot, key: &str, element: Element) -> Result<()> {
        self.check_shape(slot, key, &element)?;
        match slot {
            Slot::X => self.x = Some(element),
            _ => {
                self.mapping_mut(slot).insert(key.into(), element);
            }
        }
        let place = (slot, key.to_owned());
        if !self.touched.contains(&place) {
            self.touched.push(place);
        }
        Ok(())
    }

    /// Takes an element out; `None` when it was not there.
    pub fn remove(&mut self, slot: Slot, key: &str) -> Option<Element> {
        self.touched.retain(|(s, k)| (*s, k.as_str()) != (slot, key));
        match slot {
            Slot::X => self.x.take(),
            _ => self.mapping_mut(slot).shift_remove(key),
        }
    }

    /// The places set since the last call, oldest first: what a borrower of the data must hand back.
    pub fn take_touched(&mut self) -> Vec<(Slot, String)> {
        std::mem::take(&mut self.touched)
    }

    /// The modalities put in place since the last call, oldest first.
    pub fn take_touched_modalities(&mut self) -> Vec<String> {
        std::mem::take(&mut self.touched_modalities)
    }

    fn mapping_mut(&mut self, slot: Slot) -> &mut Mapping {
        match slot {
            Slot::Layers => &mut self.layers,
            Slot::Obs => &mut self.obs.columns,
            Slot::Var => &mut self.var.columns,
            Slot::Obsm => &mut self.obsm,
            Slot::Varm => &mut self.varm,
            Slot::Obsp => &mut self.obsp,
            Slot::Varp => &mut self.varp,
            Slot::X | Slot::Uns => &mut self.uns,
        }
    }

    fn check_shape(&self, slot: Slot, key: &str, element: &Element) -> Result<()> {
        if matches!(element, Element::Opaque(_)) || slot == Slot::Uns {
            return Ok(());
        }
        let (n, g) = (self.n_obs(), self.n_vars());
        let expected: &[usize] = match slot {
            Slot::X | Slot::Layers => &[n, g],
            Slot::Obs | Slot::Obsm => &[n],
            Slot::Var | Slot::Varm => &[g],
            Slot::Obsp => &[n, n],
            Slot::Varp => &[g, g],
            Slot::Uns => return Ok(()),
        };
        let found = element.shape();
        let columns_are_flat = !matches!(slot, Slot::Obs | Slot::Var) || found.len() == 1;
        if found.starts_with(expected) && columns_are_flat {
            return Ok(());
        }
        let what = format!("{}[{key:?}]", slot.name());
        Err(Error::Shape { what, expected: expected.to_vec(), found })
    }
}

fn names<'a>(what: &str, table: &'a DataFrame) -> Result<&'a Strings> {
    table.names().ok_or_else(|| Error::Kind {
        what: what.into(),
        expected: "strings".into(),
        found: table.index.kind(),
    })
}
