//! A word about the whole data set.

use serde::{Deserialize, Serialize};

use super::{AnnDataField, AttrLocation, FieldState, SummaryStats, Transfer};
use crate::{
    anndata::{AnnData, Element, Scalar, Slot},
    error::{Error, Result},
};

/// An optional string in `uns`, e.g. how the data set was minified; read where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StringUnsField {
    registry_key: String,
    attr_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mod_key: Option<String>,
}

impl StringUnsField {
    /// The entry of that name; an empty field without a name.
    pub fn new(registry_key: &str, attr_key: Option<&str>) -> Self {
        let (registry_key, attr_key) = (registry_key.into(), attr_key.map(str::to_owned));
        Self { registry_key, attr_key, mod_key: None }
    }

    /// The same in the modality `mod_key`.
    #[must_use]
    pub fn in_modality(self, mod_key: &str) -> Self {
        Self { mod_key: Some(mod_key.into()), ..self }
    }
}

#[typetag::serde]
impl AnnDataField for StringUnsField {
    fn registry_key(&self) -> &str {
        &self.registry_key
    }

    fn location(&self) -> Option<AttrLocation> {
        let place = AttrLocation::new(Slot::Uns, self.attr_key.as_ref()?);
        Some(AttrLocation { mod_key: self.mod_key.clone(), ..place })
    }

    fn validate_field(&self, adata: &AnnData) -> Result<()> {
        let Some(place) = self.location() else { return Ok(()) };
        match place.find(adata)? {
            Element::Scalar(Scalar::String(_)) => Ok(()),
            other => Err(Error::Kind {
                what: place.to_string(),
                expected: "a string".into(),
                found: other.kind(),
            }),
        }
    }

    fn register_field(&self, _: &mut AnnData) -> Result<FieldState> {
        Ok(FieldState::default())
    }

    fn transfer_field(
        &self,
        _: &FieldState,
        target: &mut AnnData,
        _: Transfer,
    ) -> Result<FieldState> {
        self.validate_field(target)?;
        Ok(FieldState::default())
    }

    fn get_summary_stats(&self, _: &FieldState) -> SummaryStats {
        SummaryStats::default()
    }
}
