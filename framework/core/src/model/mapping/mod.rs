//! Mapping of query data onto a reference model (scArches; Lotfollahi et al., Nature Biotechnology
//! 2022): the reference learns the query's new categories, and forgets nothing.

mod categories;
mod columns;
mod prepare;
#[cfg(test)]
mod tests;

pub use categories::new_categories;
pub use prepare::{Prepared, prepare_query_anndata, prepare_query_mudata};

use serde::{Deserialize, Serialize};

use super::{BaseModelClass, Model, Settings};
use crate::{
    Params,
    anndata::AnnData,
    data::{check_counts_are_there, library_log_moments},
    error::{Error, Result},
    fields::Transfer,
    nn::{Freezing, Sizes},
    params::{Args, Params as _},
};

/// Arguments of [`Model::load_query_data`].
#[derive(Clone, Debug, PartialEq, Params)]
pub struct MappingParams {
    /// Bring the query's genes into the reference's order first, and drop further ones.
    pub inplace_subset_query_vars: bool,
    /// Train everything, whatever the other arguments say.
    pub unfrozen: bool,
    /// Drop no nodes while training.
    pub freeze_dropout: bool,
    /// Leave the first layer of the encoder as it is.
    #[param(default = true)]
    pub freeze_expression: bool,
    /// Leave the first layer of the decoder as it is.
    #[param(default = true)]
    pub freeze_decoder_first_layer: bool,
    /// Leave normalisations over the minibatch in the encoder as they are.
    #[param(default = true)]
    pub freeze_batchnorm_encoder: bool,
    /// Leave normalisations over the minibatch in the decoder as they are.
    pub freeze_batchnorm_decoder: bool,
    /// Leave a classifier of labels as it is; of no effect where the model has none.
    #[param(default = true)]
    pub freeze_classifier: bool,
}

impl MappingParams {
    /// What training leaves as it is; none when it changes everything.
    pub fn freezing(&self) -> Option<Freezing> {
        (!self.unfrozen).then_some(Freezing {
            expression: self.freeze_expression,
            decoder_first_layer: self.freeze_decoder_first_layer,
            batchnorm_encoder: self.freeze_batchnorm_encoder,
            batchnorm_decoder: self.freeze_batchnorm_decoder,
            dropout: self.freeze_dropout,
            classifier: self.freeze_classifier,
        })
    }
}

/// How a model came out of a reference, as it is saved with it: later training keeps to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mapped {
    /// The arguments.
    pub args: Args,
    /// How many categories the reference knew, parameter by parameter.
    pub known: Sizes,
}

impl<M: BaseModelClass> Model<M> {
    /// A model for query data that continues a reference model: it has the reference's parameters and,
    /// for categories that the query alone has (batches, further covariates), fresh ones. Cells of the
    /// reference are encoded and decoded as before, to the last bit. It is to be trained; that changes
    /// what `params` leaves to it.
    ///
    /// The query needs the reference's genes in its order ([`prepare_query_anndata`]) and its columns;
    /// it is registered in the reference's terms. The reference may have been trained on minified data.
    ///
    /// # Errors
    /// When the query lacks genes or columns, holds no counts, or has values of another kind than the
    /// reference in a column of categories.
    pub fn load_query_data(
        adata: &mut AnnData,
        reference: &Self,
        params: &MappingParams,
        settings: &Settings,
    ) -> Result<Self> {
        check_counts_are_there(adata)?;
        let mut query = adata.clone().with_id(adata.id()); // replaces `adata` when all went well
        if params.inplace_subset_query_vars {
            let prepared = prepare_query_anndata(&query, &reference.var_names)?;
            prepared.refuse_padded()?;
            query = prepared.adata.with_id(adata.id());
        }
        let how = Transfer { extend_categories: true, allow_missing_labels: true };
        let terms = reference.manager.for_full_data(); // a posterior stored with the query is another's
        let manager = terms.transfer_fields(&mut query, how).map_err(missing_column)?;
        categories::check_kinds(
            &reference.manager.registry().to_json()?,
            &manager.registry().to_json()?,
        )?;
        let moments = library_log_moments(&query, manager.registry())?;
        let var_names = reference.var_names.clone();
        let mut model =
            Self::fresh(manager, Some(moments), var_names, &reference.params, settings)?;
        model.store.carry_over(&reference.store)?;
        let mapped = Mapped { args: params.to_args(), known: reference.store.sizes() };
        model.freeze(mapped)?;
        *adata = query;
        Ok(model)
    }

    /// Has training change no more than what a mapping leaves to it.
    pub(super) fn freeze(&mut self, mapped: Mapped) -> Result<()> {
        if let Some(freezing) = MappingParams::from_args(&mapped.args)?.freezing() {
            self.store.freeze(freezing, mapped.known.clone());
        }
        self.mapped = Some(mapped);
        Ok(())
    }

    /// How it came out of a reference model, if it did.
    pub fn mapped(&self) -> Option<&Mapped> {
        self.mapped.as_ref()
    }
}

/// Says of a column that the query lacks what it is wanted for.
fn missing_column(error: Error) -> Error {
    match error {
        Error::MissingElement { slot: slot @ ("obs" | "obsm" | "layers"), key, present } => {
            Error::QueryLacks { slot, key, present }
        }
        other => other,
    }
}
