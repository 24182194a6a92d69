//! Training SCVI natively, without the plugin boundary.

#![allow(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use scvi_framework::{
    anndata::{AnnData, Element, Slot, Values},
    data::{Simulation, simulate},
    model::{Event, Model, Observer, Settings, Silent, queries},
    serde_json::json,
    train::{Clip, Ending, Mode, Monitor, TrainParams},
};
use scvi_plugin_scvi::{Scvi, ScviParams, ScviSetup};

fn adata(n_obs: usize, n_vars: usize) -> AnnData {
    simulate(&Simulation { n_obs, n_vars, ..Default::default() }).unwrap()
}

fn setup() -> ScviSetup {
    ScviSetup { batch_key: Some("batch".into()), ..Default::default() }
}

fn trained(params: &TrainParams, settings: &Settings) -> (Model<Scvi>, AnnData) {
    let mut adata = adata(300, 40);
    let mut model =
        Model::<Scvi>::new(&mut adata, &setup(), &ScviParams::default(), settings).unwrap();
    model.train(&mut adata, params, &mut Silent).unwrap();
    (model, adata)
}

fn cpu() -> Settings {
    Settings { device: "cpu".into(), threads: Some(1), ..Default::default() }
}

#[test]
fn the_loss_falls_and_the_history_has_scvi_tools_names() {
    let params = TrainParams {
        max_epochs: Some(30),
        check_val_every_n_epoch: Some(1),
        ..Default::default()
    };
    let (model, _) = trained(&params, &cpu());
    let names: Vec<&str> = model.history().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "train_loss",
            "elbo_train",
            "reconstruction_loss_train",
            "kl_local_train",
            "kl_global_train",
            "kl_weight",
            "validation_loss",
            "elbo_validation",
            "reconstruction_loss_validation",
            "kl_local_validation",
            "kl_global_validation",
        ]
    );
    for (name, values) in model.history() {
        assert_eq!(values.len(), 30, "{name}");
        assert!(values.iter().all(|v| v.is_finite()), "{name}: {values:?}");
    }
    let loss = &model.history()["reconstruction_loss_train"];
    assert!(loss[29] < 0.9 * loss[0], "{loss:?}");
}

#[test]
fn a_saved_model_answers_as_before_on_data_it_has_not_seen() {
    let params = TrainParams { max_epochs: Some(3), ..Default::default() };
    let (model, mut seen) = trained(&params, &cpu());
    let latent = queries::LatentParams::default();
    let expected = model.get_latent_representation(&mut seen, &latent, &mut Silent).unwrap();
    let loaded = Model::<Scvi>::load(model.save().unwrap(), &cpu()).unwrap();
    let mut fresh = adata(300, 40);
    assert_eq!(
        loaded.get_latent_representation(&mut fresh, &latent, &mut Silent).unwrap(),
        expected
    );
}

struct StopAfter(usize);

impl Observer for StopAfter {
    fn hear(&mut self, event: &Event) {
        if let Event::Training { .. } = event {
            self.0 -= 1;
        }
    }
    fn cancelled(&self) -> bool {
        self.0 == 0
    }
}

#[test]
fn cancelling_stops_after_the_step_and_keeps_the_model() {
    let mut adata = adata(300, 40);
    let mut model =
        Model::<Scvi>::new(&mut adata, &setup(), &ScviParams::default(), &cpu()).unwrap();
    let params = TrainParams { max_epochs: Some(50), ..Default::default() };
    // 270 training cells are 3 minibatches: the fifth step is in the second epoch.
    let ending = model.train(&mut adata, &params, &mut StopAfter(5)).unwrap();
    assert_eq!(ending, Ending::Cancelled);
    assert_eq!(model.history()["elbo_train"].len(), 1);
    assert!(model.is_trained());
    let training = model.save().unwrap().meta.training.unwrap();
    assert_eq!(training.ending, Some(Ending::Cancelled));
    assert_eq!((&training.args["max_epochs"], &training.args["lr"]), (&json!(50), &json!(1e-3)));
}

#[test]
fn a_loss_that_is_no_number_names_its_origin_and_keeps_the_last_good_state() {
    let mut adata = adata(300, 40);
    let mut counts = vec![1.0f32; 300 * 40];
    counts[77] = f32::MAX;
    adata.set(Slot::X, "", Element::matrix(300, 40, Values::from(counts)).unwrap()).unwrap();
    let setup = ScviSetup { allow_noncounts: true, ..setup() };
    let mut model = Model::<Scvi>::new(&mut adata, &setup, &ScviParams::default(), &cpu()).unwrap();
    let before = model.save().unwrap().weights;
    let params = TrainParams { max_epochs: Some(2), lr: 1e30, ..Default::default() };
    let error = model.train(&mut adata, &params, &mut Silent).unwrap_err().to_string();
    assert!(error.starts_with("the loss is not finite in epoch 1, step "), "{error}");
    assert!(error.contains("first bad tensor: "), "{error}");
    let after = model.save().unwrap().weights;
    assert_eq!(before.len(), after.len());
    assert_eq!(before, after);
}

#[test]
fn cells_without_counts_do_no_harm_and_are_told() {
    struct Notes(Vec<String>);
    impl Observer for Notes {
        fn hear(&mut self, event: &Event) {
            if let Event::Note { text } = event {
                self.0.push(text.clone());
            }
        }
    }
    let mut adata = adata(300, 40);
    let mut counts = vec![0.0f32; 300 * 40];
    counts.iter_mut().skip(80).enumerate().for_each(|(i, c)| *c = (i % 5) as f32);
    adata.set(Slot::X, "", Element::matrix(300, 40, Values::from(counts)).unwrap()).unwrap();
    let mut model =
        Model::<Scvi>::new(&mut adata, &setup(), &ScviParams::default(), &cpu()).unwrap();
    let mut notes = Notes(Vec::new());
    model
        .train(&mut adata, &TrainParams { max_epochs: Some(5), ..Default::default() }, &mut notes)
        .unwrap();
    assert!(
        notes.0.iter().any(|n| n.starts_with("2 of 300 cells have no counts")),
        "{:?}",
        notes.0
    );
    let latent =
        model.get_latent_representation(&mut adata, &Default::default(), &mut Silent).unwrap();
    let queries::Latent::Points(z) = latent else { panic!("points asked for") };
    assert!(z.values.to_f64().iter().all(|v| v.is_finite()));
}

#[test]
fn an_untrained_model_says_so() {
    let mut adata = adata(300, 40);
    let model = Model::<Scvi>::new(&mut adata, &setup(), &ScviParams::default(), &cpu()).unwrap();
    let error =
        model.get_latent_representation(&mut adata, &Default::default(), &mut Silent).unwrap_err();
    assert_eq!(error.to_string(), "this SCVI model has not been trained; train it first");
}

#[test]
fn early_stopping_says_which_metric_no_longer_improved() {
    struct Notes(Vec<String>);
    impl Observer for Notes {
        fn hear(&mut self, event: &Event) {
            if let Event::Note { text } = event {
                self.0.push(text.clone());
            }
        }
    }
    let mut adata = adata(300, 40);
    let mut model =
        Model::<Scvi>::new(&mut adata, &setup(), &ScviParams::default(), &cpu()).unwrap();
    let params = TrainParams {
        max_epochs: Some(40),
        early_stopping: true,
        early_stopping_patience: 2,
        early_stopping_min_delta: 1e6,
        ..Default::default()
    };
    let mut notes = Notes(Vec::new());
    let ending = model.train(&mut adata, &params, &mut notes).unwrap();
    assert_eq!(ending, Ending::EarlyStopping);
    assert_eq!(model.history()["elbo_validation"].len(), 3, "one to compare with, two bad ones");
    let note = notes.0.last().unwrap();
    assert!(
        note.starts_with("early stopping after epoch 3: elbo_validation has not improved on "),
        "{note}"
    );
}

#[test]
fn watching_held_out_cells_needs_some() {
    let mut adata = adata(300, 40);
    let mut model =
        Model::<Scvi>::new(&mut adata, &setup(), &ScviParams::default(), &cpu()).unwrap();
    let params = TrainParams { train_size: Some(1.0), early_stopping: true, ..Default::default() };
    let error = model.train(&mut adata, &params, &mut Silent).unwrap_err();
    assert_eq!(
        error.to_string(),
        "argument `early_stopping_monitor`: expected a training metric, since no cells are held out \
         (or a smaller train_size), found elbo_validation"
    );
}

#[test]
fn a_plateau_lowers_the_learning_rate_and_the_history_tells() {
    let mut adata = adata(300, 40);
    let mut model =
        Model::<Scvi>::new(&mut adata, &setup(), &ScviParams::default(), &cpu()).unwrap();
    let params = TrainParams {
        max_epochs: Some(4),
        reduce_lr_on_plateau: true,
        lr_threshold: 1e6,
        lr_patience: 0,
        ..Default::default()
    };
    model.train(&mut adata, &params, &mut Silent).unwrap();
    let rates = &model.history()["lr-Adam"];
    for (rate, expected) in rates.iter().zip([1e-3, 1e-3, 6e-4, 3.6e-4]) {
        assert!((rate - expected).abs() < 1e-12, "{rates:?}");
    }
}

#[test]
fn the_split_can_be_given_and_training_goes_on_where_it_was() {
    let mut adata = adata(300, 40);
    let mut model =
        Model::<Scvi>::new(&mut adata, &setup(), &ScviParams::default(), &cpu()).unwrap();
    let (train, test): (Vec<usize>, Vec<usize>) = ((0..200).collect(), (200..300).collect());
    let split = scvi_framework::serde_json::json!([train, [], test]);
    let params =
        TrainParams { max_epochs: Some(2), external_indexing: Some(split), ..Default::default() };
    model.train(&mut adata, &params, &mut Silent).unwrap();
    let after_two = model.history()["elbo_train"].clone();
    model.train(&mut adata, &params, &mut Silent).unwrap();
    let meta = model.save().unwrap().meta;
    assert_eq!(
        (meta.train_indices, meta.validation_indices, meta.test_indices),
        (train, vec![], test)
    );
    assert_eq!(meta.history["elbo_train"].len(), 4);
    assert_eq!(meta.history["elbo_train"][..2], after_two);
    assert!(
        meta.history["reconstruction_loss_train"][3] < meta.history["reconstruction_loss_train"][0]
    );
}

#[test]
fn an_incomplete_split_is_refused() {
    let mut adata = adata(300, 40);
    let mut model =
        Model::<Scvi>::new(&mut adata, &setup(), &ScviParams::default(), &cpu()).unwrap();
    let split = scvi_framework::serde_json::json!([[0, 1, 2], [2, 3]]);
    let params = TrainParams { external_indexing: Some(split), ..Default::default() };
    let error = model.train(&mut adata, &params, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("2"), "{error}");
}

fn weights(params: TrainParams) -> scvi_framework::saved::SavedModel {
    let params = TrainParams { max_epochs: Some(2), ..params };
    trained(&params, &cpu()).0.save().unwrap()
}

#[test]
fn sparse_minibatches_train_as_dense_ones_do() {
    let dense = weights(TrainParams::default());
    let sparse = weights(TrainParams { load_sparse_tensor: true, ..Default::default() });
    assert_eq!(sparse.meta.history, dense.meta.history);
    assert!(sparse.weights == dense.weights);
}

#[test]
fn early_stopping_may_wait_for_a_metric_to_rise() {
    // KL divergence of the training cells grows from nothing; the reconstruction error falls.
    let epochs = |mode| {
        let params = TrainParams {
            max_epochs: Some(12),
            early_stopping: true,
            early_stopping_monitor: Monitor::ReconstructionLossTrain,
            early_stopping_mode: mode,
            early_stopping_patience: 2,
            ..Default::default()
        };
        let (model, _) = trained(&params, &cpu());
        model.history()["reconstruction_loss_train"].len()
    };
    assert_eq!((epochs(Mode::Min), epochs(Mode::Max)), (12, 3));
}

#[test]
fn gradients_are_cut_by_their_norm_or_their_values() {
    let clipped = |gradient_clip_algorithm| {
        // Nothing is left of gradients, and weights move by no more than their decay.
        let clip = TrainParams {
            gradient_clip_val: Some(1e-12),
            gradient_clip_algorithm,
            weight_decay: 0.0,
            ..Default::default()
        };
        weights(clip).weights["px_r"].values.to_f64()
    };
    let free = weights(TrainParams { weight_decay: 0.0, ..Default::default() });
    let free = free.weights["px_r"].values.to_f64();
    let settings = cpu();
    let mut adata = adata(300, 40);
    let fresh = Model::<Scvi>::new(&mut adata, &setup(), &ScviParams::default(), &settings);
    let fresh = fresh.unwrap().save().unwrap().weights["px_r"].values.to_f64();
    let moved = |weights: &[f64]| {
        weights.iter().zip(&fresh).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    assert!(moved(&free) > 1e-4, "{}", moved(&free));
    for algorithm in [Clip::Norm, Clip::Value] {
        assert!(moved(&clipped(algorithm)) < 1e-6, "{algorithm:?}");
    }
}

#[test]
fn a_last_small_minibatch_is_left_out_when_asked_for() {
    struct Steps(Vec<usize>);
    impl Observer for Steps {
        fn hear(&mut self, event: &Event) {
            if let Event::Training { cells, .. } = event {
                self.0.push(*cells);
            }
        }
    }
    let seen = |drop_last| {
        let mut adata = adata(300, 40);
        let mut model =
            Model::<Scvi>::new(&mut adata, &setup(), &ScviParams::default(), &cpu()).unwrap();
        let params = TrainParams { max_epochs: Some(1), drop_last, ..Default::default() };
        let mut steps = Steps(Vec::new());
        model.train(&mut adata, &params, &mut steps).unwrap();
        steps.0
    };
    assert_eq!(seen(false), [128, 256, 270]);
    assert_eq!(seen(true), [128, 256]);
}

#[test]
fn held_out_cells_are_looked_at_every_so_many_epochs() {
    let params =
        TrainParams { max_epochs: Some(7), check_val_every_n_epoch: Some(3), ..Default::default() };
    let (model, _) = trained(&params, &cpu());
    let epochs = |metric: &str| model.history()[metric].len();
    assert_eq!((epochs("elbo_train"), epochs("elbo_validation")), (7, 2));
}

#[test]
fn early_stopping_watches_after_its_warm_up() {
    let params = TrainParams {
        max_epochs: Some(20),
        early_stopping: true,
        early_stopping_patience: 1,
        early_stopping_min_delta: 1e6,
        early_stopping_warmup_epochs: 4,
        ..Default::default()
    };
    let (model, _) = trained(&params, &cpu());
    assert_eq!(model.history()["elbo_train"].len(), 6, "4, one to compare with, a bad one");
}
