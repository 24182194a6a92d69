//! The work of a field, as it is asked for across the boundary.

use serde::{Deserialize, Serialize};

use crate::{
    anndata::AnnData,
    error::{Error, Result},
    fields::{AnnDataField, AttrLocation, FieldState, SummaryStats, Transfer},
};

/// What a field is asked for; all but `Describe` need a data set.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldJob {
    /// Registry key and location, and the statistics of a state.
    Describe { state: Option<FieldState> },
    /// A check of the data.
    Validate,
    /// The registration of a data set.
    Register,
    /// The registration of another one in the terms of `state`.
    Transfer { state: FieldState, how: Transfer },
}

/// What a field replies.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldReply {
    /// To `Describe`.
    Described { registry_key: String, location: Option<AttrLocation>, stats: Option<SummaryStats> },
    /// To `Validate`.
    Valid,
    /// To `Register` and `Transfer`.
    Registered { state: FieldState, stats: SummaryStats },
}

impl FieldJob {
    /// Its name, for messages.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Describe { .. } => "describe_field",
            Self::Validate => "validate_field",
            Self::Register => "register_field",
            Self::Transfer { .. } => "transfer_field",
        }
    }

    /// Has `field` do it.
    ///
    /// # Errors
    /// What the field refuses; or when there is no data set for what needs one.
    pub fn run(self, field: &dyn AnnDataField, adata: Option<&mut AnnData>) -> Result<FieldReply> {
        let adata = adata.ok_or(Error::Message {
            expected: "a data set for the field",
            reason: "none came with the request".into(),
        });
        let state = match self {
            Self::Describe { state } => {
                return Ok(FieldReply::Described {
                    registry_key: field.registry_key().into(),
                    location: field.location(),
                    stats: state.map(|state| field.get_summary_stats(&state)),
                });
            }
            Self::Validate => {
                return field.validate_field(adata?).map(|()| FieldReply::Valid);
            }
            Self::Register => field.register_field(adata?)?,
            Self::Transfer { state, how } => field.transfer_field(&state, adata?, how)?,
        };
        Ok(FieldReply::Registered { stats: field.get_summary_stats(&state), state })
    }
}
