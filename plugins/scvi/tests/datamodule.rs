//! Models made without a data set, and trained on minibatches of the caller's own.

#![allow(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use scvi_framework::{
    Result,
    anndata::{AnnData, Element},
    data::{
        Batch, DataModule, Given, LoaderOptions, Minibatches, Order, Registry, Simulation, simulate,
    },
    model::{
        Model, Settings, Silent,
        queries::{ElboParams, LatentParams, MarginalLlParams},
    },
    serde_json,
    tch::Tensor,
    train::TrainParams,
};
use scvi_plugin_scvi::{Scvi, ScviParams, ScviSetup};

const N_OBS: usize = 300;
const N_VARS: usize = 25;

fn cpu() -> Settings {
    Settings { device: "cpu".into(), threads: Some(1), ..Default::default() }
}

fn adata() -> AnnData {
    simulate(&Simulation { n_obs: N_OBS, n_vars: N_VARS, ..Default::default() }).unwrap()
}

fn setup() -> ScviSetup {
    ScviSetup { batch_key: Some("batch".into()), ..Default::default() }
}

/// The terms of the data, as they were written down.
fn registry() -> Registry {
    let registry = Model::<Scvi>::setup_anndata(&mut adata(), &setup()).unwrap().into_registry();
    serde_json::from_str(&serde_json::to_string(&registry).unwrap()).unwrap()
}

fn without_data() -> Model<Scvi> {
    Model::from_registry(registry(), &ScviParams::default(), &cpu()).unwrap()
}

fn two_epochs() -> TrainParams {
    let (max_epochs, check_val_every_n_epoch) = (Some(2), Some(1));
    TrainParams { max_epochs, check_val_every_n_epoch, ..Default::default() }
}

/// Minibatches made row by row of a dense copy of the counts, in orders that are given.
struct Rows {
    counts: Vec<f32>,
    batches: Vec<i64>,
    /// In each epoch.
    orders: Vec<Vec<usize>>,
}

impl Rows {
    fn new(adata: &AnnData, orders: Vec<Vec<usize>>) -> Self {
        let Some(Element::Sparse(x)) = adata.x() else { panic!("counts are sparse") };
        let (ends, at, values) = (x.indptr.to_i64(), x.indices.to_i64(), x.data.to_f32());
        let mut counts = vec![0.0; N_OBS * N_VARS];
        for row in 0..N_OBS {
            for i in ends[row] as usize..ends[row + 1] as usize {
                counts[row * N_VARS + at[i] as usize] = values[i];
            }
        }
        let Ok(Element::Categorical(batch)) = adata.obs().column("obs", "batch").cloned() else {
            panic!("batches are categories")
        };
        Self { counts, batches: batch.codes.to_i64().to_vec(), orders }
    }
}

impl Minibatches for Rows {
    fn n_cells(&self) -> usize {
        self.orders[0].len()
    }

    fn epoch(&self, epoch: usize) -> Box<dyn Iterator<Item = Result<Batch>> + '_> {
        Box::new(self.orders[epoch].chunks(128).map(|rows| {
            let cell = |&row: &usize| self.counts[row * N_VARS..][..N_VARS].to_vec();
            let x: Vec<f32> = rows.iter().flat_map(cell).collect();
            let codes: Vec<i64> = rows.iter().map(|&row| self.batches[row]).collect();
            let n = rows.len() as i64;
            let zeros = vec![0i64; rows.len()];
            Ok(Batch::new([
                ("X".to_owned(), Tensor::from_slice(&x).view([n, N_VARS as i64])),
                ("batch".to_owned(), Tensor::from_slice(&codes).view([n, 1])),
                ("labels".to_owned(), Tensor::from_slice(&zeros).view([n, 1])),
            ]))
        }))
    }
}

/// Which row comes when, told by a loader of row numbers.
fn order(model: &Model<Scvi>, rows: &[usize], order: Order, epoch: usize) -> Vec<usize> {
    let mut numbered = adata();
    let numbers: Vec<f32> = (0..N_OBS * N_VARS).map(|i| (i / N_VARS) as f32).collect();
    numbered
        .set(scvi_framework::anndata::Slot::X, "", Element::matrix(N_OBS, N_VARS, numbers).unwrap())
        .unwrap();
    let indices = Some(rows.to_vec().into());
    let options = LoaderOptions { indices, order, ..Default::default() };
    let loader = model.loader(&mut numbered, options).unwrap();
    let batches = loader.epoch(epoch).map(|batch| {
        let first: Vec<f64> = Vec::try_from(batch.unwrap().x().unwrap().select(1, 0)).unwrap();
        first.into_iter().map(|row| row as usize).collect::<Vec<_>>()
    });
    batches.collect::<Vec<_>>().concat()
}

#[test]
fn training_on_own_minibatches_equals_training_on_the_data_set_in_that_order() {
    let mut adata = adata();
    let (setup, params) = (setup(), ScviParams::default());
    let mut usual = Model::<Scvi>::new(&mut adata, &setup, &params, &cpu()).unwrap();
    usual.train(&mut adata, &two_epochs(), &mut Silent).unwrap();

    let shuffled = Order::Shuffled { seed: 0 };
    let orders =
        (0..2).map(|epoch| order(&usual, usual.train_indices(), shuffled, epoch)).collect();
    let mut held_out = usual.validation_indices().to_vec();
    held_out.sort_unstable();
    let (train, validation) = (Rows::new(&adata, orders), Rows::new(&adata, vec![held_out]));
    let data = DataModule { train: &train, validation: Some(&validation) };
    let mut model = without_data();
    assert!(!model.is_trained());
    model.train_on(&data, &two_epochs(), &mut Silent).unwrap();

    assert!(model.is_trained());
    assert_eq!(model.history(), usual.history());
    assert!(model.history()["elbo_validation"].len() == 2);
    let (own, usual_state) = (model.save().unwrap(), usual.save().unwrap());
    assert!(own.weights == usual_state.weights);
    assert_eq!(model.get_var_names(), usual.get_var_names());
    assert!(model.train_indices().is_empty(), "rows of no data set");

    // It answers about data sets, also when it comes from its saved state.
    let latent = |model: &Model<Scvi>| {
        model.get_latent_representation(&mut self::adata(), &Default::default(), &mut Silent)
    };
    let expected = latent(&usual).unwrap();
    assert_eq!(latent(&model).unwrap(), expected);
    assert_eq!(latent(&Model::load(own, &cpu()).unwrap()).unwrap(), expected);
}

#[test]
fn epochs_are_fewer_for_many_cells_of_own_minibatches() {
    struct Many;
    impl Minibatches for Many {
        fn n_cells(&self) -> usize {
            4_000_000
        }
        fn epoch(&self, _: usize) -> Box<dyn Iterator<Item = Result<Batch>> + '_> {
            let all = Rows::new(&adata(), vec![(0..128).collect()]);
            let batch = all.epoch(0).next().unwrap();
            Box::new(std::iter::once(batch))
        }
    }
    let mut model = without_data();
    let data = DataModule { train: &Many, validation: None };
    model.train_on(&data, &TrainParams::default(), &mut Silent).unwrap();
    assert_eq!(model.history()["elbo_train"].len(), 2);
}

#[test]
fn what_own_minibatches_lack_is_named() {
    struct Lacking;
    impl Minibatches for Lacking {
        fn n_cells(&self) -> usize {
            4
        }
        fn epoch(&self, _: usize) -> Box<dyn Iterator<Item = Result<Batch>> + '_> {
            let x = Tensor::from_slice(&[1.0f32; 4 * N_VARS]).view([4, N_VARS as i64]);
            Box::new(std::iter::once(Ok(Batch::new([("X".to_owned(), x)]))))
        }
    }
    let mut model = without_data();
    let data = DataModule { train: &Lacking, validation: None };
    let error = model.train_on(&data, &two_epochs(), &mut Silent).unwrap_err();
    assert_eq!(error.to_string(), "minibatch has no `batch`; present: X");
    let watched = TrainParams { early_stopping: true, ..two_epochs() };
    let error = model.train_on(&data, &watched, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("no cells are held out"), "{error}");
    assert!(!model.is_trained());
}

#[test]
fn what_needs_a_data_set_is_refused_without_one() {
    let params = ScviParams { use_observed_lib_size: false, ..Default::default() };
    let refused = Model::<Scvi>::from_registry(registry(), &params, &cpu());
    assert_eq!(
        refused.err().unwrap().to_string(),
        "the prior of a latent library size is computed from a data set, and this model is made \
         without one; make it for a data set"
    );
    let mut other = registry();
    other.model_name = Some("Other".into());
    let refused = Model::<Scvi>::from_registry(other, &ScviParams::default(), &cpu());
    assert_eq!(
        refused.err().unwrap().to_string(),
        "the manager was not set up for SCVI: it was made by setup_anndata of Other"
    );
}

/// Queries about minibatches of the caller's answer as those about the data set with these rows.
#[test]
fn queries_are_about_given_minibatches() {
    let mut adata = adata();
    let mut model =
        Model::<Scvi>::new(&mut adata, &setup(), &ScviParams::default(), &cpu()).unwrap();
    model.train(&mut adata, &two_epochs(), &mut Silent).unwrap();
    let rows: Vec<usize> = (0..adata.n_obs()).rev().step_by(2).collect();
    let given = Rows::new(&adata, vec![rows.clone()]);
    let indices = Some(rows);

    let params = LatentParams { indices: indices.clone(), ..Default::default() };
    let latent = model.get_latent_representation(&mut adata, &params, &mut Silent).unwrap();
    let params = LatentParams::default();
    let about = model.get_latent_representation(&mut Given(&given), &params, &mut Silent);
    assert_eq!(about.unwrap(), latent);

    let params = ElboParams { indices: indices.clone(), ..Default::default() };
    // What is given has sizes of its own.
    let all = ElboParams { batch_size: 64, ..Default::default() };
    let of_rows = |model: &Model<Scvi>, adata: &mut AnnData| {
        cpu().apply(); // the same draws each time
        let elbo = model.get_elbo(adata, &params, &mut Silent).unwrap();
        (elbo, model.get_reconstruction_error(adata, &params, &mut Silent).unwrap())
    };
    let expected = of_rows(&model, &mut adata);
    cpu().apply();
    let elbo = model.get_elbo(&mut Given(&given), &all, &mut Silent).unwrap();
    let loss = model.get_reconstruction_error(&mut Given(&given), &all, &mut Silent).unwrap();
    assert_eq!((elbo, loss), expected);

    let params = MarginalLlParams { n_mc_samples: 5, ..Default::default() };
    cpu().apply();
    let about = model.get_marginal_ll(&mut Given(&given), &params, &mut Silent).unwrap();
    let params = MarginalLlParams { indices: indices.clone(), ..params };
    cpu().apply();
    assert_eq!(about, model.get_marginal_ll(&mut adata, &params, &mut Silent).unwrap());

    let refused = model.get_marginal_ll(&mut Given(&given), &params, &mut Silent).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "argument `indices`: expected none where minibatches are given: they say which cells, found \
         150 rows"
    );
}
