//! Step 2, "Mixing in pre-coded features": the class of step 1 with the queries of `VAEMixin`.
//!
//! | tutorial | here |
//! |---|---|
//! | `class SCVI(VAEMixin, …)` | the names in `export_plugin!` |
//! | what a mixin takes for granted of `self.module.inference` and `generative` | capabilities of what they return: `HasQz`, `HasLibrary`, `HasPx` |
//! | `get_elbo`, `get_reconstruction_error` | every module has a loss: no capability asked for |
//! | `get_latent_representation` | `HasQz` |
//! | `get_marginal_ll` | `HasQz`, `HasLibrary` and `HasPx` |
//!
//! A name in the line whose capability is missing does not compile. From Rust the queries are methods
//! of `Model` wherever the capabilities are, listed or not.

use std::io::{self, Write};

use anyhow::{Result, bail};
use scvi_framework::{
    anndata::{AnnData, Dense},
    export_plugin,
    model::{
        Model, Settings, Silent,
        queries::{ElboParams, Latent, LatentParams, MarginalLlParams},
    },
    train::TrainParams,
};
use scvi_model_tutorial::{Scvi, ScviParams, ScviSetup, exported, synthetic};

export_plugin!(Scvi => [
    get_elbo,
    get_marginal_ll,
    get_reconstruction_error,
    get_latent_representation,
]);

fn main() -> Result<()> {
    let out = &mut io::stdout().lock();
    let (model, mut adata) = trained(10)?;
    let methods = exported()?.description().methods;
    let names: Vec<&str> = methods.iter().map(|method| method.name.as_str()).collect();
    writeln!(out, "Queries: {}", names.join(", "))?;

    let [elbo, marginal_ll, reconstruction_error] = of_cells(&model, &mut adata)?;
    writeln!(out, "ELBO, mean of {} cells: {:.2}", elbo.len(), mean(&elbo))?;
    writeln!(out, "Marginal log likelihood: {:.2}", mean(&marginal_ll))?;
    writeln!(out, "Reconstruction error: {:.2}", mean(&reconstruction_error))?;

    let latent = latent(&model, &mut adata)?;
    writeln!(out, "Latent representation, {:?}, first cells:", latent.shape)?;
    for cell in latent.values.to_f64().chunks(latent.shape[1]).take(3) {
        writeln!(out, "{cell:.4?}")?;
    }
    Ok(())
}

/// `SCVI(adata)` and `train`.
fn trained(max_epochs: usize) -> Result<(Model<Scvi>, AnnData)> {
    let mut adata = synthetic()?;
    let setup = ScviSetup { batch_key: Some("batch".into()), layer: None };
    let params = ScviParams::default();
    let mut model = Model::<Scvi>::new(&mut adata, &setup, &params, &Settings::default())?;
    let params = TrainParams { max_epochs: Some(max_epochs), ..Default::default() };
    model.train(&mut adata, &params, &mut Silent)?;
    Ok((model, adata))
}

/// ELBO, marginal log likelihood and reconstruction error, one value per cell each.
fn of_cells(model: &Model<Scvi>, adata: &mut AnnData) -> Result<[Vec<f64>; 3]> {
    let params = ElboParams { return_mean: false, ..Default::default() };
    let draws = MarginalLlParams { n_mc_samples: 100, return_mean: false, ..Default::default() };
    Ok([
        model.get_elbo(adata, &params, &mut Silent)?,
        model.get_marginal_ll(adata, &draws, &mut Silent)?,
        model.get_reconstruction_error(adata, &params, &mut Silent)?,
    ])
}

/// Mean of each cell's posterior `[n_cells, n_latent]`.
fn latent(model: &Model<Scvi>, adata: &mut AnnData) -> Result<Dense> {
    match model.get_latent_representation(adata, &LatentParams::default(), &mut Silent)? {
        Latent::Points(points) => Ok(points),
        Latent::Moments { .. } => bail!("points were asked for"),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use scvi_framework::{anndata::Element, model::Answers, params::Args};

    use super::*;

    /// One test: random numbers are drawn from one generator per process.
    #[test]
    fn the_queries_are_there_and_agree_with_each_other() {
        let (model, mut adata) = trained(10).unwrap();
        let [elbo, marginal_ll, reconstruction_error] = of_cells(&model, &mut adata).unwrap();
        for values in [&elbo, &marginal_ll, &reconstruction_error] {
            assert_eq!(values.len(), 400);
        }
        // Jensen: the bound is one; and it is the reconstruction error plus a divergence.
        assert!(mean(&elbo) < mean(&marginal_ll), "{} {}", mean(&elbo), mean(&marginal_ll));
        assert!(mean(&elbo) < -mean(&reconstruction_error));

        // By name, as the command asks: the same.
        let latent = latent(&model, &mut adata).unwrap();
        assert_eq!(latent.shape, [400, 10]);
        let class = exported().unwrap();
        let named: Vec<String> =
            class.description().methods.into_iter().map(|method| method.name).collect();
        let listed = [
            "get_elbo",
            "get_marginal_ll",
            "get_reconstruction_error",
            "get_latent_representation",
            "get_from_registry", // every model's
        ];
        assert_eq!(named, listed);
        let model = class.load(model.save().unwrap(), &[], &Settings::default()).unwrap();
        let (asked, answers) = (listed[3], &mut Answers::default());
        model.query(asked, &mut adata, &Args::new(), answers, &mut Silent).unwrap();
        let refused = model.query("get_latent", &mut adata, &Args::new(), answers, &mut Silent);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "SCVI has no method `get_latent` (did you mean `get_latent_representation`?); it has \
             get_elbo, get_marginal_ll, get_reconstruction_error, get_latent_representation, \
             get_from_registry"
        );
        let [(spec, blocks)] = &answers.0[..] else { panic!("one result") };
        assert_eq!(spec.name, "latent");
        assert_eq!(blocks[..], [Element::Dense(latent)]);
    }
}
