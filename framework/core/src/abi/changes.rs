//! What became of a data set that was lent: what its borrower set, and what it removed.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::wire::{Packer, Unpacker, WireData, WireElement};
use crate::{
    anndata::{AnnData, Slot},
    error::Result,
};

/// What a borrower changed in a data set and in its modalities.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Changes {
    /// Elements that were set.
    set: Vec<(Slot, String, WireElement)>,
    /// Elements that were taken out.
    removed: Vec<(Slot, String)>,
    /// Whether the unfiltered data, `raw`, were taken out.
    #[serde(default)]
    raw_removed: bool,
    /// Modalities that were put in or replaced.
    modalities_set: Vec<(String, WireData)>,
    /// Modalities in which something changed.
    modalities: Vec<(String, Changes)>,
}

/// Runs `work` on a borrowed data set, and says what it changed there, even when it failed.
///
/// # Errors
/// When the data set is not what its description says, or a change cannot cross.
pub fn on_loan<T>(
    data: WireData,
    unpacker: &Unpacker,
    packer: &mut Packer,
    work: impl FnOnce(&mut AnnData) -> Result<T>,
) -> Result<(Result<T>, Changes)> {
    let mut adata = unpacker.data(data)?;
    let before = Places::of(&adata);
    let result = work(&mut adata);
    Ok((result, Changes::since(before, &mut adata, packer)?))
}

impl Changes {
    fn since(before: Places, adata: &mut AnnData, packer: &mut Packer) -> Result<Self> {
        let is_gone = |(slot, key): &(Slot, String)| adata.get(*slot, key).is_err();
        let removed = before.elements.into_iter().filter(is_gone).collect();
        let raw_removed = before.has_raw && adata.raw().is_none();
        let mut changes = Self { removed, raw_removed, ..Self::default() };
        for (slot, key) in adata.take_touched() {
            let element = packer.element(adata.get(slot, &key)?)?;
            changes.set.push((slot, key, element));
        }
        for key in adata.take_touched_modalities() {
            let modality = packer.data(adata.modality(&key)?)?;
            changes.modalities_set.push((key, modality));
        }
        for (key, before) in before.modalities {
            if changes.modalities_set.iter().any(|(set, _)| *set == key) {
                continue;
            }
            let inside = Self::since(before, adata.modality_mut(&key)?, packer)?;
            if !inside.is_empty() {
                changes.modalities.push((key, inside));
            }
        }
        Ok(changes)
    }

    fn is_empty(&self) -> bool {
        let Self { set, removed, raw_removed, modalities_set, modalities } = self;
        set.is_empty()
            && removed.is_empty()
            && !raw_removed
            && modalities_set.is_empty()
            && modalities.is_empty()
    }

    /// Makes the same changes in the lender's data set.
    ///
    /// # Errors
    /// When an element is not what its description says, or does not fit the data set.
    pub fn apply(self, adata: &mut AnnData, unpacker: &Unpacker) -> Result<()> {
        for (slot, key) in self.removed {
            adata.remove(slot, &key);
        }
        if self.raw_removed {
            adata.set_raw(None);
        }
        for (slot, key, element) in self.set {
            adata.set(slot, &key, unpacker.element(element)?)?;
        }
        for (key, modality) in self.modalities_set {
            adata.set_modality(&key, unpacker.data(modality)?);
        }
        for (key, inside) in self.modalities {
            inside.apply(adata.modality_mut(&key)?, unpacker)?;
        }
        Ok(())
    }
}

/// Where something was before.
struct Places {
    elements: Vec<(Slot, String)>,
    has_raw: bool,
    modalities: Vec<(String, Places)>,
}

impl Places {
    fn of(adata: &AnnData) -> Self {
        let slots = [
            Slot::Layers,
            Slot::Obs,
            Slot::Var,
            Slot::Obsm,
            Slot::Varm,
            Slot::Obsp,
            Slot::Varp,
            Slot::Uns,
        ];
        let x = adata.x().map(|_| (Slot::X, "X".to_owned()));
        let named = slots.iter().flat_map(|slot| {
            let keys = adata.mapping(*slot).into_iter().flat_map(IndexMap::keys);
            keys.map(|key| (*slot, key.clone()))
        });
        let modalities = adata.modalities().iter();
        Self {
            elements: x.into_iter().chain(named).collect(),
            has_raw: adata.raw().is_some(),
            modalities: modalities.map(|(key, m)| (key.clone(), Self::of(m))).collect(),
        }
    }
}
