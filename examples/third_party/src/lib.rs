//! Poisson VAE: a variational autoencoder whose counts are Poisson around `library * softmax(W z + b)`.
//!
//! | math | here | shape | meaning |
//! |---|---|---|---|
//! | `x_n` | `batch.x()` | `[n_cells, n_vars]` | counts |
//! | `s_n` | `batch.batch_index()` | `[n_cells, 1]` | batch |
//! | `q(z_n \| x_n, s_n)` | `latent.qz` | `[n_cells, n_latent]` | posterior of the cell state |
//! | `z_n` | `latent.z` | `[n_cells, n_latent]` | cell state |
//! | `log l_n` | `latent.library` | `[n_cells, 1]` | log of the cell's total count |
//! | `rho_n` | `log_scale.exp()` | `[n_cells, n_vars]` | expected frequency, rows sum to 1 |
//! | `W` | `loadings` | `[n_vars, n_latent]` | how far a latent dimension moves a gene |
//! | `b_s` | `baseline` | `[n_batch, n_vars]` | log frequency of each gene in a batch, up to a constant |
#![deny(missing_docs, unsafe_code)]

use scvi_framework::prelude::*;

/// What PoissonVAE reads from a data set. The docs of a field are its help on the command line.
#[derive(Clone, Debug, Params)]
pub struct PoissonVaeSetup {
    /// Layer that holds raw counts; X when not given.
    pub layer: Option<String>,
    /// Column of obs with the batch of each cell; its effect is removed.
    pub batch_key: Option<String>,
}

/// Hyperparameters of PoissonVAE.
#[derive(Clone, Debug, Params)]
pub struct PoissonVaeParams {
    /// Nodes per hidden layer of the encoder.
    #[param(default = 128, min = 1)]
    pub n_hidden: i64,
    /// Dimension of the latent space.
    #[param(default = 10, min = 1)]
    pub n_latent: i64,
    /// Hidden layers of the encoder.
    #[param(default = 1, min = 1)]
    pub n_layers: i64,
    /// Share of the encoder's nodes that training drops at random.
    #[param(default = 0.1, min = 0, max = 1)]
    pub dropout_rate: f64,
}

/// The model class: what it reads, and how its module is built.
#[doc(alias = "PoissonVAE")]
#[derive(Debug)]
pub struct PoissonVae;

impl BaseModelClass for PoissonVae {
    const NAME: &'static str = "PoissonVAE";
    const LATENT_KEY: &'static str = "X_PoissonVAE";
    const ABOUT: &'static str = "Poisson variational autoencoder: a latent space with one loading per gene and \
                                 dimension, as in LinearSCVI (Svensson et al., Bioinformatics 2020).";
    type Setup = PoissonVaeSetup;
    type Params = PoissonVaeParams;
    type Module = PoissonModule;

    fn fields(setup: &PoissonVaeSetup) -> Vec<Box<dyn AnnDataField>> {
        vec![
            LayerField::new(REGISTRY_KEYS.x, setup.layer.as_deref()).boxed(),
            CategoricalObsField::new(REGISTRY_KEYS.batch, setup.batch_key.as_deref()).boxed(),
        ]
    }

    fn module(
        params: &PoissonVaeParams,
        data: &ModuleData<'_>,
        path: &nn::Path<'_>,
    ) -> Result<PoissonModule> {
        let (n_vars, n_batch) = (data.stats.n_vars(), data.stats.n_batch());
        let encoder = Encoder::builder(n_vars, params.n_latent).fc(FcConfig {
            n_layers: params.n_layers,
            n_hidden: params.n_hidden,
            dropout_rate: params.dropout_rate,
            n_cats: vec![n_batch],
            ..FcConfig::default()
        });
        let scale = 1.0 / (params.n_latent as f64).sqrt();
        let loadings = [n_vars, params.n_latent];
        Ok(PoissonModule {
            z_encoder: encoder.build(path / "z_encoder"),
            loadings: path.param("loadings", &loadings, nn::Init::Uniform(scale)),
            baseline: path.param("baseline", &[n_batch, n_vars], nn::Init::Constant(0.0)),
        })
    }
}

/// Gaussian `q(z|x)`, Poisson `p(x|z)` with a linear decoder.
#[derive(Debug)]
pub struct PoissonModule {
    z_encoder: Encoder,
    /// `[n_vars, n_latent]`
    loadings: Tensor,
    /// `[n_batch, n_vars]`
    baseline: Tensor,
}

impl PoissonModule {
    /// Log expected frequency of each gene `[n_cells, n_vars]`.
    fn log_scale(&self, batch: &Batch, z: &Tensor) -> Result<Tensor> {
        let codes = batch.batch_index()?.f_squeeze_dim(-1)?; // [n_cells]
        let baseline = self.baseline.f_index_select(0, &codes)?; // [n_cells, n_vars]
        let logits = z.f_linear(&self.loadings, None::<&Tensor>)?.f_add(&baseline)?;
        Ok(logits.f_log_softmax(-1, None::<Kind>)?)
    }
}

impl BaseModule for PoissonModule {
    /// A posterior and a sample of it; that it implements `HasQz` brings the latent queries.
    type Inference = Latent;
    type Generative = Poisson;

    fn inference(&self, ctx: &Ctx<'_>, batch: &Batch) -> Result<Latent> {
        let x = batch.x()?; // [n_cells, n_vars]
        let codes = [batch.batch_index()?.shallow_clone()];
        let qz = self.z_encoder.forward(ctx, &x.log1p(), &codes)?; // [n_cells, n_latent]
        Ok(Latent {
            z: qz.rsample(ctx),
            library: x.f_sum_dim_intlist(-1, true, None)?.log(), // [n_cells, 1]
            qz,
            ql: None,
            distribution: LatentDistribution::Normal,
        })
    }

    fn generative(&self, _: &Ctx<'_>, batch: &Batch, latent: &Latent) -> Result<Poisson> {
        let log_scale = self.log_scale(batch, &latent.z)?;
        Ok(Poisson::from_log(log_scale.f_add(&latent.library)?)) // log rate: [n_cells, n_vars]
    }

    fn loss(
        &self,
        ctx: &Ctx<'_>,
        batch: &Batch,
        latent: &Latent,
        px: &Poisson,
    ) -> Result<LossOutput> {
        let log_prob = px.log_prob(batch.x()?)?; // [n_cells, n_vars]
        let reconstruction_loss = -log_prob.f_sum_dim_intlist(-1, false, None)?; // [n_cells]
        let kl_z = latent.qz.kl_from_standard_normal(); // [n_cells]
        Ok(LossOutput::elbo(reconstruction_loss, kl_z, ctx.kl_weight))
    }
}

export_plugin!(PoissonVae => [get_latent_representation, get_elbo, get_reconstruction_error]);
