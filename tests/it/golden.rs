//! The SCVI module against numbers that scvi-tools wrote, with its saved weights.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::path::{Path, PathBuf};

use scvi_framework::{
    data::{AnnDataLoader, AnnDataManager, Batch, LoaderOptions, Registry},
    distributions::Likelihood,
    model::{BaseModelClass, BaseModule, Ctx, HasPx, ModuleData},
    nn::Store,
    params::{Args, Params},
    saved::scvi_tools,
    serde_json::{self, Value},
    tch::{self, Device, Kind, Tensor},
};
use scvi_h5ad::ReadOptions;
use scvi_plugin_scvi::{Scvi, ScviModule, ScviParams, ScviSetup};

/// One folder of the reference data.
struct Case {
    folder: PathBuf,
    expected: hdf5::File,
}

impl Case {
    /// `None`, said aloud, where the reference data are not at hand.
    fn open(name: &str) -> Option<Self> {
        let Some(data) = std::env::var_os("SCVI_TEST_DATA") else {
            println!("skipped: SCVI_TEST_DATA is not set");
            return None;
        };
        let folder = Path::new(&data).join("reference").join(name);
        let expected = hdf5::File::open(folder.join("expected.h5")).unwrap();
        Some(Self { folder, expected })
    }

    /// An argument table of `case.json`.
    fn args(&self, name: &str) -> Args {
        let text = std::fs::read_to_string(self.folder.join("case.json")).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        json[name].as_object().unwrap().clone()
    }

    /// An expected array, where the case has it.
    fn expected(&self, name: &str) -> Option<Tensor> {
        let dataset = self.expected.dataset(name).ok()?;
        let shape: Vec<i64> = dataset.shape().iter().map(|&n| n as i64).collect();
        Some(Tensor::from_slice(&dataset.read_raw::<f32>().unwrap()).view(shape.as_slice()))
    }

    fn require(&self, name: &str) -> Tensor {
        self.expected(name).unwrap_or_else(|| panic!("expected.h5 has no {name}"))
    }

    /// The trained module, and all cells as one minibatch.
    fn module(&self) -> (ScviModule, Batch) {
        let mut adata =
            scvi_h5ad::read(&self.folder.join("adata.h5ad"), ReadOptions::default()).unwrap();
        let setup = ScviSetup::from_args(&self.args("setup_anndata")).unwrap();
        let params = ScviParams::from_args(&self.args("init")).unwrap();
        let fields = Scvi::fields(&setup);
        let manager =
            AnnDataManager::register(fields, Scvi::NAME, setup.to_args(), &mut adata).unwrap();
        let registry: &Registry = manager.registry();
        let stats = manager.summary_stats();
        let n_batch = stats.n_batch() as usize;
        let library_log_moments = Some((vec![0.0; n_batch], vec![1.0; n_batch]));
        let data = ModuleData { registry, stats, library_log_moments };
        let store = Store::new(Device::Cpu);
        let module = Scvi::module(&params, &data, &store.root()).unwrap();
        let saved = scvi_tools::read(&self.folder.join("model"), None).unwrap();
        store.load(&saved.weights).unwrap();

        let options = LoaderOptions { batch_size: adata.n_obs(), ..LoaderOptions::default() };
        let loader = AnnDataLoader::new(&adata, registry, options).unwrap();
        let batch = loader.iter().next().unwrap().unwrap();
        (module, batch)
    }

    /// Equal to 1e-4 relative, and to 1e-6 of the largest number of the array.
    #[track_caller]
    fn compare(&self, name: &str, found: &Tensor) {
        let expected = self.require(name).to_kind(Kind::Double);
        let found = found.detach().to_kind(Kind::Double).expand_as(&expected);
        let floor = 1e-6 * expected.abs().max().double_value(&[]);
        let excess = (&found - &expected).abs() - (expected.abs() * 1e-4 + floor);
        let worst = excess.max().double_value(&[]);
        assert!(worst <= 0.0, "{}: {name} is off by {worst:e} too much", self.folder.display());
    }
}

#[track_caller]
fn check(name: &str) {
    let Some(case) = Case::open(name) else { return };
    tch::set_num_threads(1);
    let _no_grad = tch::no_grad_guard();
    let (module, batch) = case.module();
    let ctx = Ctx::eval(Device::Cpu);
    let mut latent = module.inference(&ctx, &batch).unwrap();
    case.compare("qz_loc", latent.qz.mean());
    case.compare("qz_var", &latent.qz.variance());
    case.compare("z", &latent.distribution.transform(latent.qz.mean().shallow_clone()));
    let library = latent.ql.as_ref().map_or(&latent.library, |ql| ql.mean());
    case.compare("library", library);

    latent.z = case.require("z");
    latent.library = case.require("library");
    let expression = module.generative(&ctx, &batch, &latent).unwrap();
    case.compare("px_scale", &expression.px_scale());
    case.compare("px_rate", &expression.px.rate());
    case.compare(
        "log_prob",
        &expression.px.log_prob(batch.x().unwrap()).unwrap().sum_dim_intlist(-1, false, None),
    );
    for (array, found) in [
        ("px_theta", expression.px.theta()),
        ("px_zi_logits", expression.px.zi_logits().map(Tensor::shallow_clone)),
        ("px_sd", sd(&expression.px)),
    ] {
        assert_eq!(found.is_some(), case.expected(array).is_some(), "{name}: {array}");
        if let Some(found) = found {
            case.compare(array, &found);
        }
    }
    let losses = module.loss(&ctx, &batch, &latent, &expression).unwrap();
    case.compare("kl_z", &losses.kl_local["kl_divergence_z"]);
    let kl_l = losses.kl_local.get("kl_divergence_l");
    case.compare(
        "kl_l",
        &kl_l.map_or_else(|| case.require("kl_l").zeros_like(), Tensor::shallow_clone),
    );
}

fn sd(px: &Likelihood) -> Option<Tensor> {
    match px {
        Likelihood::Normal(px) => Some(px.scale().shallow_clone()),
        _ => None,
    }
}

macro_rules! golden {
    ($($case:ident)+) => { $(
        #[test]
        fn $case() {
            check(stringify!($case));
        }
    )+ };
}
golden! {
    zinb_default nb_gene_batch poisson_two_layers normal_gene zinb_gene_cell nb_gene_label ln_latent
    covariates covariates_encoded_shallow covariates_encoded_deep latent_library batch_embedding
    size_factor no_batch
}
