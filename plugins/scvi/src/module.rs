//! The network of SCVI.
//!
//! | math | here | shape | meaning |
//! |---|---|---|---|
//! | `x_n` | `batch.x()` | `[n_cells, n_vars]` | counts |
//! | `s_n` | `batch.batch_index()` | `[n_cells, 1]` | batch |
//! | `q(z_n \| x_n)` | `latent.qz` | `[n_cells, n_latent]` | posterior of the cell state |
//! | `z_n` | `latent.z` | `[n_cells, n_latent]` | cell state |
//! | `l_n` | `latent.library` | `[n_cells, 1]` | log library size, observed or latent |
//! | `rho_n` | `expression.px_scale()` | `[n_cells, n_vars]` | expected frequency, rows sum to 1 |
//! | `mu_n` | `expression.px.rate()` | `[n_cells, n_vars]` | mean, `exp(l_n) rho_n` |
//! | `theta` | `expression.px.theta()` | `[n_vars]` | inverse dispersion |
//! | `pi_n` | `expression.px.zi_logits()` | `[n_cells, n_vars]` | log odds of an extra zero |
//!
//! With a size factor, `exp(l_n)` is the size factor and `rho_n` need not sum to 1.

use scvi_framework::{
    Error, Result,
    data::Batch,
    distributions::{GeneLikelihood, Normal},
    model::{BaseModule, Ctx, HasBatchEmbedding, LossOutput, MinifiedMode, ModuleData},
    nn::{
        self, BatchRepresentation, Covariates, DecoderScvi, Embedding, Encoder, Expression,
        FcConfig, GeneDispersion, Latent, LatentDistribution, LibraryPrior, Part, ScaleActivation,
    },
    registry_keys::REGISTRY_KEYS,
    tch::Tensor,
};

use crate::ScviParams;

/// The network of SCVI.
#[derive(Debug)]
pub struct ScviModule {
    dispersion: GeneDispersion,
    library_prior: Option<LibraryPrior>,
    covariates: Covariates,
    z_encoder: Encoder,
    l_encoder: Encoder,
    decoder: DecoderScvi,
    encode_covariates: bool,
    log_variational: bool,
    use_size_factor: bool,
    latent_distribution: LatentDistribution,
    gene_likelihood: GeneLikelihood,
}

impl ScviModule {
    /// Fresh parameters under `path`, created in the order of scvi-tools. The encoder of the library
    /// size is there even where nobody uses it: saved models have its weights.
    ///
    /// # Errors
    /// When the library size is latent, and there is no data set to know its prior from.
    pub fn new(params: &ScviParams, data: &ModuleData<'_>, path: &nn::Path<'_>) -> Result<Self> {
        let use_size_factor = data.has(REGISTRY_KEYS.size_factor);
        let latent_library = !params.use_observed_lib_size && !use_size_factor;
        let library_prior = latent_library.then(|| LibraryPrior::new(path, data)).transpose()?;
        let dispersion = GeneDispersion::new(path, params.dispersion, data);

        let embedding_dim = match params.batch_representation {
            BatchRepresentation::OneHot => None,
            BatchRepresentation::Embedding => Some(params.batch_embedding_dim),
        };
        let covariates = Covariates::new(path, data, embedding_dim);
        let (n_vars, n_appended) = (data.stats.n_vars(), covariates.n_appended());
        let decoder_fc = FcConfig {
            n_layers: params.n_layers,
            n_hidden: params.n_hidden,
            n_cats: covariates.n_cats().to_vec(),
            deep_injection: params.deeply_inject_covariates,
            batch_norm: params.use_batch_norm.in_decoder(),
            layer_norm: params.use_layer_norm.in_decoder(),
            dropout_rate: params.dropout_rate,
        };
        let encodes = params.encode_covariates;
        let encoder_fc = FcConfig {
            n_cats: if encodes { covariates.n_cats().to_vec() } else { Vec::new() },
            batch_norm: params.use_batch_norm.in_encoder(),
            layer_norm: params.use_layer_norm.in_encoder(),
            ..decoder_fc.clone()
        };
        let encoder = |n_output| {
            let n_input = n_vars + if encodes { n_appended } else { 0 };
            let encoder = Encoder::builder(n_input, n_output).fc(encoder_fc.clone());
            encoder.var_activation(params.var_activation)
        };
        let decoder = DecoderScvi::builder(params.n_latent + n_appended, n_vars).fc(decoder_fc);
        let scale_activation = match use_size_factor {
            true => ScaleActivation::Softplus,
            false => ScaleActivation::Softmax,
        };
        Ok(Self {
            dispersion,
            library_prior,
            z_encoder: encoder(params.n_latent).build(path / "z_encoder"),
            // A query's depths are its own.
            l_encoder: encoder(1).n_layers(1).build((path / "l_encoder").in_part(Part::Relearnt)),
            decoder: decoder.scale_activation(scale_activation).build(path / "decoder"),
            covariates,
            encode_covariates: encodes,
            log_variational: params.log_variational,
            use_size_factor,
            latent_distribution: params.latent_distribution,
            gene_likelihood: params.gene_likelihood,
        })
    }

    /// Log of what the frequencies are multiplied by `[.., n_cells, 1]`.
    fn log_depth(&self, batch: &Batch, latent: &Latent) -> Result<Tensor> {
        if self.use_size_factor {
            return Ok(batch.require(REGISTRY_KEYS.size_factor)?.log());
        }
        Ok(latent.library.shallow_clone())
    }
}

impl HasBatchEmbedding for ScviModule {
    fn batch_embedding(&self) -> Option<&Embedding> {
        self.covariates.batch_embedding()
    }
}

impl MinifiedMode for ScviModule {
    type Inference = Latent;

    fn posterior<'a>(&self, inferred: &'a Latent) -> &'a Normal {
        &inferred.qz
    }

    fn cached_inference(&self, ctx: &Ctx<'_>, batch: &Batch) -> Result<Latent> {
        if self.library_prior.is_some() {
            return Err(Error::Argument {
                name: "use_observed_lib_size".into(),
                expected: "true for minified data, which keep the observed library size of a cell \
                           and no posterior of it"
                    .into(),
                found: "false".into(),
            });
        }
        let qz = batch.latent_qz()?; // [n_cells, n_latent]
        let z = self.latent_distribution.transform(qz.rsample(ctx));
        let library = batch.observed_lib_size()?.log(); // [n_cells, 1]
        Ok(Latent { qz, z, ql: None, library, distribution: self.latent_distribution })
    }
}

impl BaseModule for ScviModule {
    type Inference = Latent;
    type Generative = Expression;

    fn inference(&self, ctx: &Ctx<'_>, batch: &Batch) -> Result<Latent> {
        let counts = batch.x()?; // [n_cells, n_vars]
        let mut x = if self.log_variational { counts.log1p() } else { counts.shallow_clone() };
        let mut codes = Vec::new();
        if self.encode_covariates {
            x = self.covariates.append_to(&x, batch)?; // [n_cells, n_vars + n_appended]
            codes = self.covariates.codes(batch)?;
        }
        let qz = self.z_encoder.forward(ctx, &x, &codes)?; // [n_cells, n_latent]
        let z = self.latent_distribution.transform(qz.rsample(ctx));
        let ql = match self.library_prior {
            Some(_) => Some(self.l_encoder.forward(ctx, &x, &codes)?), // [n_cells, 1]
            None => None,
        };
        let library = match &ql {
            Some(ql) => ql.rsample(ctx),
            None => counts.sum_dim_intlist(-1, true, None).log(), // [n_cells, 1]
        };
        Ok(Latent { qz, z, ql, library, distribution: self.latent_distribution })
    }

    fn generative(&self, ctx: &Ctx<'_>, batch: &Batch, latent: &Latent) -> Result<Expression> {
        let z = self.covariates.append_to(&latent.z, batch)?; // [.., n_cells, n_latent + n_appended]
        let hidden = self.decoder.hidden(ctx, &z, &self.covariates.codes(batch)?)?;
        let log_scale = self.decoder.log_scale(&hidden)?; // [.., n_cells, n_vars]
        let log_rate = log_scale.f_add(&self.log_depth(batch, latent)?)?;
        let px = self.gene_likelihood.distribution(
            log_rate,
            || self.dispersion.log_theta(batch, || self.decoder.log_theta(&hidden)),
            || self.decoder.zi_logits(&hidden),
        )?;
        let pl = self.library_prior.as_ref().map(|prior| prior.prior(batch)).transpose()?;
        Ok(Expression { log_scale, px, pl })
    }

    fn loss(
        &self,
        ctx: &Ctx<'_>,
        batch: &Batch,
        latent: &Latent,
        expression: &Expression,
    ) -> Result<LossOutput> {
        let reconstruction_loss = expression.px.reconstruction_loss(batch.x()?)?; // [.., n_cells]
        let kl_z = latent.qz.kl_from_standard_normal(); // [n_cells]
        let mut losses = LossOutput::elbo(reconstruction_loss, kl_z, ctx.kl_weight);
        if let (Some(ql), Some(pl)) = (&latent.ql, &expression.pl) {
            let kl_l = ql.kl_from(pl)?; // [n_cells], not subject to warm-up
            losses.loss += kl_l.mean(None);
            losses.kl_local.insert("kl_divergence_l", kl_l);
        }
        Ok(losses)
    }

    fn as_minified(&self) -> Option<&dyn MinifiedMode<Inference = Latent>> {
        Some(self)
    }
}
