//! The loss of SCVI: its gradient against float64 finite differences for every option, cells without
//! counts, several samples at once.
#![allow(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use scvi_framework::{
    anndata::{AnnData, DataFrame, Element, Slot},
    data::{AnnDataLoader, AnnDataManager, Batch, LoaderOptions, library_log_moments},
    distributions::GeneLikelihood,
    model::{BaseModelClass, BaseModule, Ctx, HasQz, LossOutput, ModuleData, Noise},
    nn::{
        BatchRepresentation, Dispersion, LatentDistribution, NormUse, Store, Trainable,
        VarActivation,
    },
    params::{Args, Params},
    registry_keys::REGISTRY_KEYS,
    tch::{self, Device, Kind, Tensor},
};
use scvi_plugin_scvi::{Scvi, ScviModule, ScviParams, ScviSetup};

const N_CELLS: usize = 12;
const N_VARS: usize = 7;

/// The same noise each time.
struct Frozen;

impl Noise for Frozen {
    fn randn_like(&self, like: &Tensor) -> Tensor {
        let n = like.numel() as i64;
        let wave = (Tensor::arange(n, (like.kind(), like.device())) * 1.7 + 0.3).sin() * 1.5;
        wave.view_as(like)
    }
}

/// Counts with three batches, two labels, a categorical and a continuous covariate, a size factor.
fn adata() -> AnnData {
    let column = |f: &dyn Fn(usize) -> f64| (0..N_CELLS).map(f).collect::<Vec<f64>>();
    let code =
        |f: &dyn Fn(usize) -> usize| (0..N_CELLS).map(|i| f(i).to_string()).collect::<Vec<_>>();
    let names = |prefix: &str, n: usize| (0..n).map(|i| format!("{prefix}{i}")).collect::<Vec<_>>();
    let x = (0..N_CELLS * N_VARS).map(|i| match i * 7919 % 23 {
        large @ 20.. => (large * 3) as f32,
        some @ 12.. => (some - 11) as f32,
        _ => 0.0,
    });
    let obs = DataFrame::new(names("cell", N_CELLS));
    let mut adata = AnnData::new(obs, DataFrame::new(names("gene", N_VARS)));
    let x = Element::matrix(N_CELLS, N_VARS, x.collect::<Vec<f32>>()).unwrap();
    adata.set(Slot::X, "X", x).unwrap();
    for (key, element) in [
        ("batch", Element::strings(code(&|i| i % 3))),
        ("label", Element::strings(code(&|i| i / 2 % 2))),
        ("donor", Element::strings(code(&|i| i / 4))),
        ("mito", Element::vector(column(&|i| (i as f64).cos()))),
        ("size", Element::vector(column(&|i| 0.5 + i as f64 / 8.0))),
    ] {
        adata.set(Slot::Obs, key, element).unwrap();
    }
    adata
}

fn setup() -> ScviSetup {
    ScviSetup {
        batch_key: Some("batch".into()),
        labels_key: Some("label".into()),
        ..ScviSetup::default()
    }
}

fn with_covariates() -> ScviSetup {
    ScviSetup {
        categorical_covariate_keys: vec!["donor".into()],
        continuous_covariate_keys: vec!["mito".into()],
        ..setup()
    }
}

fn params() -> ScviParams {
    ScviParams { n_hidden: 6, n_latent: 3, dropout_rate: 0.0, ..ScviParams::default() }
}

/// A module with float64 parameters and a float64 minibatch of all cells.
struct Fixture {
    store: Store,
    module: ScviModule,
    batch: Batch,
}

impl Fixture {
    fn new(setup: &ScviSetup, params: &ScviParams) -> Self {
        Self::of(adata(), setup, params)
    }

    fn of(mut adata: AnnData, setup: &ScviSetup, params: &ScviParams) -> Self {
        tch::set_num_threads(1);
        tch::manual_seed(3);
        let (fields, args): (_, Args) = (Scvi::fields(setup), setup.to_args());
        let manager = AnnDataManager::register(fields, Scvi::NAME, args, &mut adata).unwrap();
        let registry = manager.registry();
        let library_log_moments = Some(library_log_moments(&adata, registry).unwrap());
        let data = ModuleData { registry, stats: manager.summary_stats(), library_log_moments };
        let store = Store::with_kind(Device::Cpu, Kind::Double);
        let module = Scvi::module(params, &data, &store.root()).unwrap();
        let loader = AnnDataLoader::new(&adata, registry, LoaderOptions::default()).unwrap();
        let loaded = loader.iter().next().unwrap().unwrap();
        let given = registry.data_registry().map(|(key, _)| {
            let tensor = loaded.require(key).unwrap();
            let kind = if tensor.is_floating_point() { Kind::Double } else { tensor.kind() };
            (key.to_owned(), tensor.to_kind(kind))
        });
        let batch = Batch::new(given);
        Self { store, module, batch }
    }

    fn losses(&self) -> LossOutput {
        let ctx = Ctx { noise: &Frozen, ..Ctx::training(Device::Cpu, 0.7) };
        let latent = self.module.inference(&ctx, &self.batch).unwrap();
        let expression = self.module.generative(&ctx, &self.batch, &latent).unwrap();
        self.module.loss(&ctx, &self.batch, &latent, &expression).unwrap()
    }

    fn loss(&self) -> f64 {
        tch::no_grad(|| self.losses().loss.double_value(&[]))
    }
}

/// The gradient of some entries of every parameter equals central finite differences.
#[track_caller]
fn check_gradient(setup: &ScviSetup, params: &ScviParams) {
    let fixture = Fixture::new(setup, params);
    fixture.losses().loss.backward();
    let h = 1e-6;
    for (name, Trainable { tensor: parameter, .. }) in fixture.store.trainable() {
        let flat = parameter.detach().view(-1); // shares memory
        let n = flat.size()[0];
        for i in [0, n / 3, n / 2, n - 1] {
            let original = flat.double_value(&[i]);
            let at = |value: f64| {
                let _ = flat.get(i).fill_(value);
                fixture.loss()
            };
            let expected = (at(original + h) - at(original - h)) / (2.0 * h);
            at(original);
            let gradient = parameter.grad();
            let found = match gradient.defined() {
                true => gradient.view(-1).double_value(&[i]),
                false => 0.0,
            };
            let tolerance = 1e-6 * (1.0 + expected.abs());
            assert!((found - expected).abs() < tolerance, "{name}[{i}]: {found} != {expected}");
        }
    }
}

#[test]
fn gradient_of_every_likelihood() {
    for gene_likelihood in
        [GeneLikelihood::Zinb, GeneLikelihood::Nb, GeneLikelihood::Poisson, GeneLikelihood::Normal]
    {
        check_gradient(&setup(), &ScviParams { gene_likelihood, ..params() });
    }
}

#[test]
fn gradient_of_every_dispersion() {
    for dispersion in
        [Dispersion::Gene, Dispersion::GeneBatch, Dispersion::GeneLabel, Dispersion::GeneCell]
    {
        check_gradient(&setup(), &ScviParams { dispersion, ..params() });
    }
}

#[test]
fn gradient_with_covariates_in_the_encoder() {
    for (deeply_inject_covariates, batch_representation) in [
        (true, BatchRepresentation::OneHot),
        (false, BatchRepresentation::OneHot),
        (true, BatchRepresentation::Embedding),
    ] {
        let (encode_covariates, n_layers) = (true, 2);
        let params = ScviParams {
            encode_covariates,
            n_layers,
            deeply_inject_covariates,
            batch_representation,
            ..params()
        };
        check_gradient(&with_covariates(), &params);
    }
}

#[test]
fn gradient_of_latent_shapes_and_library() {
    let latent_distribution = LatentDistribution::LogisticNormal;
    check_gradient(&setup(), &ScviParams { latent_distribution, ..params() });
    let (use_observed_lib_size, var_activation) = (false, VarActivation::Softplus);
    check_gradient(&setup(), &ScviParams { use_observed_lib_size, var_activation, ..params() });
}

#[test]
fn gradient_with_size_factor_layer_norm_and_plain_counts() {
    let setup = ScviSetup { size_factor_key: Some("size".into()), ..setup() };
    let params = ScviParams {
        use_batch_norm: NormUse::None,
        use_layer_norm: NormUse::Both,
        log_variational: false,
        ..params()
    };
    check_gradient(&setup, &params);
}

#[test]
fn cells_without_counts_train() {
    let mut adata = adata();
    let mut x = vec![0.0f32; N_CELLS * N_VARS];
    x[..3 * N_VARS].fill(2.0); // nine cells are empty
    adata.set(Slot::X, "X", Element::matrix(N_CELLS, N_VARS, x).unwrap()).unwrap();
    for gene_likelihood in
        [GeneLikelihood::Zinb, GeneLikelihood::Nb, GeneLikelihood::Poisson, GeneLikelihood::Normal]
    {
        let params = ScviParams { gene_likelihood, ..params() };
        let fixture = Fixture::of(adata.clone(), &setup(), &params);
        let losses = fixture.losses();
        losses.loss.backward();
        assert!(losses.loss.double_value(&[]).is_finite(), "{gene_likelihood:?}");
        for (name, Trainable { tensor: parameter, .. }) in fixture.store.trainable() {
            let gradient = parameter.grad();
            let is_finite =
                !gradient.defined() || i64::try_from(gradient.isfinite().all()).unwrap() == 1;
            assert!(is_finite, "{gene_likelihood:?} {name}");
        }
    }
}

#[test]
fn several_samples_equal_samples_one_by_one() {
    for (dispersion, batch_representation) in [
        (Dispersion::Gene, BatchRepresentation::Embedding),
        (Dispersion::GeneBatch, BatchRepresentation::OneHot),
        (Dispersion::GeneCell, BatchRepresentation::OneHot),
    ] {
        let params = ScviParams {
            dispersion,
            batch_representation,
            use_observed_lib_size: false,
            ..params()
        };
        let Fixture { module, batch, .. } = Fixture::new(&with_covariates(), &params);
        let ctx = Ctx { noise: &Frozen, ..Ctx::eval(Device::Cpu) };
        let latent = module.inference(&ctx, &batch).unwrap();
        let mut latent = latent.at(&ctx, &latent.qz.rsample_n(&ctx, 4)).unwrap();
        let all = module.generative(&ctx, &batch, &latent).unwrap();
        let all = all.px.log_prob(batch.x().unwrap()).unwrap();
        assert_eq!(all.size(), [4, N_CELLS as i64, N_VARS as i64]);
        let (z, library) = (latent.z.copy(), latent.library.copy());
        for i in 0..4 {
            (latent.z, latent.library) = (z.get(i), library.get(i));
            let one = module.generative(&ctx, &batch, &latent).unwrap();
            let one = one.px.log_prob(batch.x().unwrap()).unwrap();
            assert!(one.allclose(&all.get(i), 1e-10, 1e-10, false));
        }
    }
}

#[test]
fn kl_divergence_of_a_latent_library_is_not_annealed() {
    let params = ScviParams { use_observed_lib_size: false, ..params() };
    let fixture = Fixture::new(&setup(), &params);
    let losses = fixture.losses();
    let mean = |t: &Tensor| t.mean(None).double_value(&[]);
    let expected = mean(&losses.reconstruction_loss)
        + 0.7 * mean(&losses.kl_local["kl_divergence_z"])
        + mean(&losses.kl_local["kl_divergence_l"]);
    assert!((losses.loss.double_value(&[]) - expected).abs() < 1e-9);
    assert!(mean(&losses.kl_local["kl_divergence_l"]) > 0.0);
}

#[test]
fn a_replaced_batch_code_reaches_the_decoder_only() {
    let Fixture { module, batch, .. } = Fixture::new(&setup(), &params());
    let ctx = Ctx { noise: &Frozen, ..Ctx::eval(Device::Cpu) };
    let latent = module.inference(&ctx, &batch).unwrap();
    let code = batch.batch_index().unwrap();
    let replaced = Batch::new([
        (REGISTRY_KEYS.x.to_owned(), batch.x().unwrap().shallow_clone()),
        (REGISTRY_KEYS.batch.to_owned(), code.full_like(2)),
    ]);
    let rate = |batch: &Batch| module.generative(&ctx, batch, &latent).unwrap().px.rate();
    let (own, other) = (rate(&batch), rate(&replaced));
    let unchanged = own.isclose(&other, 1e-12, 1e-12, false).all_dim(1, false);
    assert_eq!(
        Vec::<i64>::try_from(unchanged.to_kind(Kind::Int64)).unwrap(),
        Vec::<i64>::try_from(code.eq(2).view(-1).to_kind(Kind::Int64)).unwrap()
    );
}
