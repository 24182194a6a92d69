//! What the source of a model needs, in one line: `use scvi_framework::prelude::*;`.
//!
//! Here are the traits and what stands in their signatures, fields, layers, distributions and
//! tensors. What only some models touch (saved models, files, the training loop) has its own module.

pub use crate::{
    Params, choices,
    data::Batch,
    distributions::{
        GeneLikelihood, Likelihood, NegativeBinomial, Normal, Poisson, ZeroInflatedNegativeBinomial,
    },
    error::{Error, Result},
    export_plugin,
    fields::{
        AnnDataField, CategoricalJointObsField, CategoricalJointVarField, CategoricalObsField,
        CategoricalVarField, LabelsWithUnlabeledObsField, LayerField, NumericalJointObsField,
        NumericalJointVarField, NumericalObsField, NumericalVarField, ObsmField, ProteinLayerField,
        ProteinObsmField, StringUnsField, SummaryStats, VarmField,
    },
    model::{
        BaseModelClass, BaseModule, Ctx, HasBatchEmbedding, HasLibrary, HasPx, HasQz, LossOutput,
        MinifiedMode, ModuleData,
    },
    nn::{
        self, BatchRepresentation, Covariates, DecoderScvi, Dispersion, Encoder, Expression,
        FcConfig, FcLayers, GeneDispersion, Latent, LatentDistribution, LibraryPrior, Linear,
        NormUse, ScaleActivation, VarActivation,
    },
    params::Params,
    registry_keys::REGISTRY_KEYS,
    tch::{Device, Kind, Tensor},
    train::TrainingPlan,
};
