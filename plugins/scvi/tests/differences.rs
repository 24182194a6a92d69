//! Where scvi-tools 1.4.2 goes wrong and SCVI here does not; `docs/differences.md` lists them.

#![allow(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use std::f64::consts::TAU;

use scvi_framework::{
    anndata::{AnnData, Element, Slot},
    data::{Simulation, simulate},
    distributions::GeneLikelihood,
    model::{
        Model, OutputSpec, Settings, Silent, Sink,
        queries::{
            DifferentialAbundanceParams, ElboParams, Latent, LatentParams, LikelihoodParams,
            MarginalLlParams, NormalizedExpressionParams,
        },
    },
    nn::LatentDistribution,
    train::TrainParams,
};
use scvi_plugin_scvi::{Scvi, ScviParams, ScviSetup};

const N_OBS: usize = 150;
const N_VARS: usize = 20;

fn cpu() -> Settings {
    Settings { device: "cpu".into(), threads: Some(1), ..Default::default() }
}

fn fresh(params: &ScviParams) -> (Model<Scvi>, AnnData) {
    let simulation = Simulation { n_obs: N_OBS, n_vars: N_VARS, ..Default::default() };
    let mut adata = simulate(&simulation).unwrap();
    let setup = ScviSetup { batch_key: Some("batch".into()), ..Default::default() };
    (Model::new(&mut adata, &setup, params, &cpu()).unwrap(), adata)
}

fn trained(params: &ScviParams) -> (Model<Scvi>, AnnData) {
    let (mut model, mut adata) = fresh(params);
    let params = TrainParams { max_epochs: Some(3), ..Default::default() };
    model.train(&mut adata, &params, &mut Silent).unwrap();
    (model, adata)
}

/// Names, shapes and whether all values are finite.
#[derive(Default)]
struct Seen(Vec<(OutputSpec, bool)>);

impl Sink for Seen {
    fn begin(&mut self, spec: &OutputSpec) -> scvi_framework::Result<()> {
        self.0.push((spec.clone(), true));
        Ok(())
    }

    fn rows(&mut self, block: Element) -> scvi_framework::Result<()> {
        let Element::Dense(dense) = block else { panic!("not dense") };
        let (_, finite) = self.0.last_mut().unwrap();
        *finite &= dense.values.to_f64().iter().all(|v| v.is_finite());
        Ok(())
    }
}

fn mean(values: &[f64]) -> f64 {
    mean_of(values.iter().copied())
}

fn mean_of(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

/// D3: several draws with batches as learnt vectors.
#[test]
fn several_draws_with_embedded_batches() {
    let params =
        ScviParams { batch_representation: "embedding".parse().unwrap(), ..Default::default() };
    let (model, mut adata) = trained(&params);
    let asked =
        NormalizedExpressionParams { n_samples: 3, return_mean: false, ..Default::default() };
    let mut seen = Seen::default();
    model.get_normalized_expression(&mut adata, &asked, &mut seen, &mut Silent).unwrap();
    let (spec, finite) = &seen.0[0];
    assert_eq!(spec.shape, [3, N_OBS, N_VARS]);
    assert!(finite);
}

/// D5: the marginal likelihood does not depend on how its draws are portioned, and its mean is that
/// of the cells.
#[test]
fn portions_of_draws_and_cells_do_not_change_the_marginal_likelihood() {
    let (model, mut adata) = trained(&ScviParams::default());
    let mut ask = |n_mc_samples_per_pass, batch_size| {
        cpu().apply();
        let n_mc_samples = 600;
        let params = MarginalLlParams {
            n_mc_samples,
            n_mc_samples_per_pass,
            batch_size,
            ..Default::default()
        };
        mean(&model.get_marginal_ll(&mut adata, &params, &mut Silent).unwrap())
    };
    let whole = ask(600, N_OBS);
    // 500 + 100 draws: scvi-tools makes 1,000 of them and divides by 600, log(1000/600) = 0.51 more.
    assert!((ask(500, N_OBS) - whole).abs() < 0.1);
    // 149 + 1 cells: scvi-tools gives the last one as much weight as the others together.
    assert!((ask(600, N_OBS - 1) - whole).abs() < 0.1);
}

/// D6: likelihoods without dispersion or dropout.
#[test]
fn likelihoods_give_the_parameters_they_have() {
    for (likelihood, names) in [
        (GeneLikelihood::Poisson, vec!["mean"]),
        (GeneLikelihood::Normal, vec!["mean"]),
        (GeneLikelihood::Nb, vec!["mean", "dispersions"]),
        (GeneLikelihood::Zinb, vec!["mean", "dropout", "dispersions"]),
    ] {
        let params = ScviParams { gene_likelihood: likelihood, ..Default::default() };
        let (model, mut adata) = trained(&params);
        let mut seen = Seen::default();
        let asked = LikelihoodParams::default();
        model.get_likelihood_parameters(&mut adata, &asked, &mut seen, &mut Silent).unwrap();
        let mut found: Vec<&str> = seen.0.iter().map(|(spec, _)| spec.name.as_str()).collect();
        let mut expected = names.clone();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{likelihood:?}");
        assert!(seen.0.iter().all(|(_, finite)| *finite), "{likelihood:?}");
    }
}

/// D7: draws in all, of which there are more or fewer than cells.
#[test]
fn draws_in_all_have_a_shape_of_their_own() {
    let (model, mut adata) = trained(&ScviParams::default());
    for n in [7, N_OBS + 50] {
        let params =
            NormalizedExpressionParams { n_samples_overall: Some(n), ..Default::default() };
        let mut seen = Seen::default();
        model.get_normalized_expression(&mut adata, &params, &mut seen, &mut Silent).unwrap();
        assert_eq!(seen.0[0].0.shape, [n, N_VARS]);
    }
}

/// D9: aggregated posteriors are as wide as the standard deviations of the posteriors, not as their
/// variances; and the points are the means of the same, untransformed posteriors.
#[test]
fn aggregated_posteriors_are_as_wide_as_the_posteriors() {
    for latent_distribution in [LatentDistribution::Normal, LatentDistribution::LogisticNormal] {
        let (model, mut adata) = trained(&ScviParams { latent_distribution, ..Default::default() });
        let params = LatentParams { return_dist: true, ..Default::default() };
        let found = model.get_latent_representation(&mut adata, &params, &mut Silent).unwrap();
        let Latent::Moments { qzm, qzv } = found else { panic!("no moments") };
        let (n_latent, mean, variance) = (qzm.shape[1], qzm.values.to_f64(), qzv.values.to_f64());
        let log_prob = |cell: usize, cells: &[usize], scale: fn(f64) -> f64| {
            let densities = cells.iter().map(|other| {
                let of_dims = (0..n_latent).map(|dim| {
                    let i = other * n_latent + dim;
                    let scale = scale(variance[i]);
                    let z = (mean[cell * n_latent + dim] - mean[i]) / scale;
                    -0.5 * (z * z + TAU.ln()) - scale.ln()
                });
                of_dims.sum::<f64>().exp()
            });
            mean_of(densities).ln()
        };
        let Ok(Element::Categorical(batch)) = adata.get(Slot::Obs, "batch").cloned() else {
            panic!("no categories")
        };
        let codes = batch.codes.to_i64().to_vec();

        let sample_key = Some("batch".into());
        let params = DifferentialAbundanceParams { sample_key, ..Default::default() };
        let table = model.differential_abundance(&mut adata, &params, &mut Silent).unwrap();
        assert!(table.columns.len() > 1);
        let (mut off, mut off_by_variance) = (0.0f64, 0.0f64);
        let Element::Strings(names) = &*batch.categories else { panic!("no names") };
        for (code, name) in names.iter().enumerate() {
            let cells: Vec<usize> = (0..N_OBS).filter(|&i| codes[i] == code as i64).collect();
            let Element::Dense(column) = table.column("table", name).unwrap() else { panic!() };
            for cell in 0..N_OBS {
                let found = column.values.get_f64(cell);
                off = off.max((log_prob(cell, &cells, f64::sqrt) - found).abs());
                let by_variance = (log_prob(cell, &cells, |variance| variance) - found).abs();
                off_by_variance = off_by_variance.max(by_variance);
            }
        }
        assert!(off < 1e-5 && off_by_variance > 0.1, "{off}, {off_by_variance}");
    }
}

/// D21: a query of a model that was not trained leaves no trace in it, and answers the same twice.
#[test]
fn queries_do_not_change_a_model() {
    let (model, mut adata) = fresh(&ScviParams { dropout_rate: 0.5, ..Default::default() });
    let before = model.save().unwrap();
    let mut ask = || {
        cpu().apply();
        model.get_elbo(&mut adata, &ElboParams::default(), &mut Silent).unwrap()
    };
    assert_eq!(ask(), ask());
    assert_eq!(model.save().unwrap().weights, before.weights);
}

/// D22: the marginal likelihood of a logistic normal latent space is no less than its bound.
#[test]
fn the_marginal_likelihood_of_a_logistic_normal_exceeds_its_bound() {
    let latent_distribution = LatentDistribution::LogisticNormal;
    let (model, mut adata) = trained(&ScviParams { latent_distribution, ..Default::default() });
    let elbo = mean(&model.get_elbo(&mut adata, &ElboParams::default(), &mut Silent).unwrap());
    let params = MarginalLlParams { n_mc_samples: 200, ..Default::default() };
    let marginal = mean(&model.get_marginal_ll(&mut adata, &params, &mut Silent).unwrap());
    assert!(marginal > elbo && marginal < elbo + 10.0, "{marginal}, bound {elbo}");
}
