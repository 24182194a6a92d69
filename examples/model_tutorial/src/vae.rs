//! The module, `VAE` in the tutorial: counts are negative binomial with extra zeros, around
//! `library * px_scale(z, batch)`.
//!
//! Its outputs are blocks of the framework, which have the capabilities that queries ask for:
//! [`Latent`] has `HasQz` and `HasLibrary`, [`Expression`] has `HasPx`.

use scvi_framework::prelude::*;

/// An encoder of counts, a decoder that knows the batch, and a dispersion per gene.
#[derive(Debug)]
pub struct Vae {
    z_encoder: Encoder,
    decoder: DecoderScvi,
    /// Log inverse dispersion `[n_vars]`.
    px_r: Tensor,
}

impl Vae {
    /// Fresh parameters under `path`, sized by the registered data.
    pub fn new(n_latent: i64, data: &ModuleData<'_>, path: &nn::Path<'_>) -> Self {
        let (n_vars, n_batch) = (data.stats.n_vars(), data.stats.n_batch());
        let decoder_fc = FcConfig { n_cats: vec![n_batch], ..FcConfig::default() };
        Self {
            z_encoder: Encoder::builder(n_vars, n_latent).build(path / "z_encoder"),
            decoder: DecoderScvi::builder(n_latent, n_vars).fc(decoder_fc).build(path / "decoder"),
            px_r: path.param("px_r", &[n_vars], nn::Init::Normal),
        }
    }
}

impl BaseModule for Vae {
    type Inference = Latent;
    type Generative = Expression;

    fn inference(&self, ctx: &Ctx<'_>, batch: &Batch) -> Result<Latent> {
        let x = batch.x()?; // [n_cells, n_vars]
        let qz = self.z_encoder.forward(ctx, &x.log1p(), &[])?; // [n_cells, n_latent]
        Ok(Latent {
            z: qz.rsample(ctx),
            qz,
            library: x.f_sum_dim_intlist(-1, true, None)?.log(), // [n_cells, 1]
            ql: None,
            distribution: LatentDistribution::Normal,
        })
    }

    fn generative(&self, ctx: &Ctx<'_>, batch: &Batch, latent: &Latent) -> Result<Expression> {
        let codes = [batch.batch_index()?.shallow_clone()];
        let hidden = self.decoder.hidden(ctx, &latent.z, &codes)?; // [.., n_cells, n_hidden]
        let log_scale = self.decoder.log_scale(&hidden)?; // [.., n_cells, n_vars]
        let px = GeneLikelihood::Zinb.distribution(
            log_scale.f_add(&latent.library)?,
            || Ok(self.px_r.shallow_clone()),
            || self.decoder.zi_logits(&hidden),
        )?;
        Ok(Expression { log_scale, px, pl: None })
    }

    fn loss(
        &self,
        ctx: &Ctx<'_>,
        batch: &Batch,
        latent: &Latent,
        expression: &Expression,
    ) -> Result<LossOutput> {
        let reconstruction_loss = expression.px.reconstruction_loss(batch.x()?)?; // [n_cells]
        let kl_z = latent.qz.kl_from_standard_normal(); // [n_cells]
        Ok(LossOutput::elbo(reconstruction_loss, kl_z, ctx.kl_weight))
    }
}
