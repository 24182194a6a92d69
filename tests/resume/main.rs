//! A training that stops and goes on is the training that never stopped. In a process of its own: the
//! generator of random numbers is the process's.
#![allow(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use scvi_framework::{
    Result,
    anndata::AnnData,
    data::{Simulation, simulate},
    model::{Checkpoint, Event, Model, Observer, Settings, Silent, queries::LatentParams},
    saved::{SavedModel, folder},
    train::{Ending, TrainParams},
};
use scvi_plugin_scvi::{Scvi, ScviParams, ScviSetup};

/// Keeps checkpoints; stops after some steps, or fails to keep.
#[derive(Default)]
struct Keeper {
    kept: Vec<Checkpoint>,
    steps_left: Option<usize>,
    is_full: bool,
    notes: Vec<String>,
}

impl Observer for Keeper {
    fn hear(&mut self, event: &Event) {
        match event {
            Event::Note { text } => self.notes.push(text.clone()),
            _ => self.steps_left = self.steps_left.map(|n| n.saturating_sub(1)),
        }
    }
    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        if self.is_full {
            let (path, source) = ("m".into(), std::io::ErrorKind::StorageFull.into());
            return Err(scvi_framework::Error::Io { path, action: "write", source });
        }
        self.kept.push(checkpoint.clone());
        Ok(())
    }
    fn cancelled(&self) -> bool {
        self.steps_left == Some(0)
    }
}

/// One training at a time: they share a generator.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn settings() -> Settings {
    Settings { seed: 3, device: "cpu".into(), threads: Some(1) }
}

fn adata() -> AnnData {
    simulate(&Simulation { n_obs: 300, n_vars: 40, ..Default::default() }).unwrap()
}

fn fresh(adata: &mut AnnData) -> Model<Scvi> {
    let setup = ScviSetup { batch_key: Some("batch".into()), ..Default::default() };
    let params = ScviParams { dropout_rate: 0.3, n_hidden: 32, ..Default::default() };
    Model::new(adata, &setup, &params, &settings()).unwrap()
}

/// Everything that can differ from epoch to epoch differs.
fn everything() -> TrainParams {
    TrainParams {
        max_epochs: Some(6),
        early_stopping: true,
        early_stopping_patience: 4,
        reduce_lr_on_plateau: true,
        lr_patience: 1,
        lr_threshold: 1e6,
        n_epochs_kl_warmup: None,
        n_steps_kl_warmup: Some(13),
        weight_decay: 1e-3,
        gradient_clip_val: Some(50.0),
        lr: 5e-3,
        ..Default::default()
    }
}

/// As after a while on disk, in another process.
fn reloaded(saved: SavedModel) -> Model<Scvi> {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("m");
    folder::write(&dir, &saved, folder::Overwrite::Refuse).unwrap();
    let read = folder::read_with_optimizer(&dir).unwrap();
    assert_eq!(read.optimizer.len(), saved.optimizer.len());
    scvi_framework::tch::manual_seed(99); // whoever drew in between
    Model::load(read, &Settings { seed: 8, ..settings() }).unwrap()
}

#[track_caller]
fn assert_same(resumed: &Model<Scvi>, straight: &Model<Scvi>, adata: &mut AnnData) {
    let (found, expected) = (resumed.save().unwrap(), straight.save().unwrap());
    assert_eq!(found.meta.history, expected.meta.history);
    for (name, weights) in &expected.weights {
        assert!(found.weights[name] == *weights, "`{name}` differs");
    }
    assert_eq!(found.optimizer.len(), expected.optimizer.len());
    for (name, moments) in &expected.optimizer {
        assert!(found.optimizer[name] == *moments, "`{name}` differs");
    }
    assert_eq!(found.meta.training, expected.meta.training);
    assert_eq!(found.meta.train_indices, expected.meta.train_indices);
    let latent = LatentParams { give_mean: false, ..Default::default() };
    let mut answer = |model: &Model<Scvi>| {
        scvi_framework::tch::manual_seed(4);
        model.get_latent_representation(adata, &latent, &mut Silent).unwrap()
    };
    assert_eq!(answer(resumed), answer(straight));
}

/// Six epochs, and three and three more.
#[track_caller]
fn check(params: &TrainParams, mut first: AnnData, mut second: AnnData) {
    let _alone = alone();
    let mut straight = fresh(&mut first);
    straight.train(&mut first, params, &mut Silent).unwrap();
    let mut model = fresh(&mut first);
    let half = TrainParams { max_epochs: Some(3), ..params.clone() };
    model.train(&mut first, &half, &mut Silent).unwrap();
    let mut resumed = reloaded(model.save().unwrap());
    resumed.resume(&mut second, params, &mut Silent).unwrap();
    assert_same(&resumed, &straight, &mut first);
}

#[test]
fn three_epochs_and_three_are_six() {
    check(&everything(), adata(), adata());
}

#[test]
fn so_are_those_of_warm_up_by_epochs_and_adamw() {
    let params = TrainParams {
        max_epochs: Some(6),
        n_epochs_kl_warmup: Some(5),
        optimizer: scvi_framework::train::Optimizer::AdamW,
        check_val_every_n_epoch: Some(2),
        checkpoint_every: Some(4),
        train_size: Some(0.7),
        ..Default::default()
    };
    check(&params, adata(), adata());
}

/// From memory to disk, and back.
#[test]
fn so_are_those_of_data_on_disk() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("s.h5ad");
    let (read, write) = (scvi_h5ad::read, scvi_h5ad::write);
    write(&file, &adata(), scvi_h5ad::WriteOptions::default()).unwrap();
    let backed = |path: &Path| {
        read(path, scvi_h5ad::ReadOptions { backed: scvi_h5ad::Backing::Disk }).unwrap()
    };
    check(&everything(), backed(&file), backed(&file));
    check(&everything(), adata(), backed(&file));
    check(&everything(), backed(&file), adata());
}

#[test]
fn a_checkpoint_is_where_training_was_and_changes_nothing() {
    let _alone = alone();
    let mut adata = adata();
    let params = everything();
    let mut straight = fresh(&mut adata);
    straight.train(&mut adata, &params, &mut Silent).unwrap();

    let (mut model, mut keeper) = (fresh(&mut adata), Keeper::default());
    let kept = TrainParams { checkpoint_every: Some(2), ..params.clone() };
    model.train(&mut adata, &kept, &mut keeper).unwrap();
    let state = |saved: &SavedModel| saved.meta.training.clone().unwrap().state.unwrap();
    let epochs: Vec<usize> = keeper.kept.iter().map(|c| state(&c.model).epoch).collect();
    assert_eq!(epochs, [2, 4, 6]);
    // The best is the one with the lowest `elbo_validation` of these epochs.
    let elbo = &model.history()["elbo_validation"];
    let is_best = |n: usize| (2..n).step_by(2).all(|i| elbo[n - 1] < elbo[i - 1]);
    for checkpoint in &keeper.kept {
        let state = state(&checkpoint.model);
        assert_eq!(checkpoint.is_best, is_best(state.epoch), "epoch {}", state.epoch);
        let best = state.best.unwrap();
        assert_eq!((best.metric.as_str(), best.value), ("elbo_validation", elbo[best.epoch - 1]));
        assert_eq!(checkpoint.model.meta.training.as_ref().unwrap().ending, None);
        let mut resumed = reloaded(checkpoint.model.clone());
        resumed.resume(&mut adata, &kept, &mut Silent).unwrap();
        assert_same(&resumed, &model, &mut adata);
    }
    assert_eq!(model.save().unwrap().weights, straight.save().unwrap().weights);
    assert_eq!(model.history(), straight.history());
}

#[test]
fn without_held_out_cells_the_training_metric_tells_the_best() {
    let _alone = alone();
    let mut adata = adata();
    let (mut model, mut keeper) = (fresh(&mut adata), Keeper::default());
    let params = TrainParams {
        max_epochs: Some(3),
        train_size: Some(1.0),
        checkpoint_every: Some(1),
        ..Default::default()
    };
    model.train(&mut adata, &params, &mut keeper).unwrap();
    assert!(keeper.kept[0].is_best);
    let best = model.save().unwrap().meta.training.unwrap().state.unwrap().best.unwrap();
    let lowest = model.history()["elbo_train"].iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!((best.metric.as_str(), best.value), ("elbo_train", lowest));
}

#[test]
fn a_checkpoint_that_cannot_be_kept_is_told_and_training_goes_on() {
    let _alone = alone();
    let mut adata = adata();
    let mut model = fresh(&mut adata);
    let mut keeper = Keeper { is_full: true, ..Default::default() };
    let params = TrainParams { checkpoint_every: Some(1), ..everything() };
    model.train(&mut adata, &params, &mut keeper).unwrap();
    assert_eq!(model.history()["elbo_train"].len(), 6);
    let note = keeper.notes.iter().find(|note| note.starts_with("the checkpoint after epoch 1 "));
    assert!(note.unwrap().starts_with("the checkpoint after epoch 1 was not kept: m: write: "));
}

/// 270 cells are three steps an epoch: the eighth is in the third epoch.
#[test]
fn a_training_that_was_stopped_goes_on_with_its_last_full_epoch() {
    let _alone = alone();
    let mut adata = adata();
    let mut straight = fresh(&mut adata);
    straight.train(&mut adata, &everything(), &mut Silent).unwrap();
    let mut model = fresh(&mut adata);
    let mut keeper = Keeper { steps_left: Some(8), ..Default::default() };
    assert_eq!(model.train(&mut adata, &everything(), &mut keeper).unwrap(), Ending::Cancelled);
    assert_eq!(model.history()["elbo_train"].len(), 2);
    model.resume(&mut adata, &everything(), &mut Silent).unwrap(); // without having been saved
    assert_same(&model, &straight, &mut adata);
}

#[test]
fn stopped_in_its_first_epoch_a_model_is_as_before_and_can_begin_again() {
    let _alone = alone();
    let mut adata = adata();
    let mut straight = fresh(&mut adata);
    straight.train(&mut adata, &everything(), &mut Silent).unwrap();
    let mut model = fresh(&mut adata);
    let before = model.save().unwrap().weights;
    let mut keeper = Keeper { steps_left: Some(2), ..Default::default() };
    model.train(&mut adata, &everything(), &mut keeper).unwrap();
    assert!(model.history().is_empty() && !model.is_trained());
    assert_eq!(model.save().unwrap().weights, before);
    model.resume(&mut adata, &everything(), &mut Silent).unwrap();
    assert_same(&model, &straight, &mut adata);
}

#[test]
fn after_early_stopping_it_goes_on_when_more_is_asked_for() {
    let _alone = alone();
    let mut adata = adata();
    let patient = |patience| TrainParams {
        early_stopping_min_delta: 1e6,
        early_stopping_patience: patience,
        ..everything()
    };
    let mut straight = fresh(&mut adata);
    let ending = straight.train(&mut adata, &patient(4), &mut Silent).unwrap();
    assert_eq!((ending, straight.history()["elbo_train"].len()), (Ending::EarlyStopping, 5));
    let mut model = fresh(&mut adata);
    model.train(&mut adata, &patient(1), &mut Silent).unwrap();
    assert_eq!(model.history()["elbo_train"].len(), 2);
    let mut resumed = reloaded(model.save().unwrap());
    let mut keeper = Keeper::default();
    // Impatient as before it has nothing to do, however many epochs are asked for.
    let more = TrainParams { max_epochs: Some(9), ..patient(1) };
    let ending = resumed.resume(&mut adata, &more, &mut keeper).unwrap();
    assert_eq!((ending, resumed.history()["elbo_train"].len()), (Ending::EarlyStopping, 2));
    let note = "early stopping after epoch 2: elbo_validation has not improved on ";
    assert!(keeper.notes.iter().any(|text| text.starts_with(note)), "{:?}", keeper.notes);
    resumed.resume(&mut adata, &patient(4), &mut Silent).unwrap();
    assert_same(&resumed, &straight, &mut adata);
}

#[test]
fn another_training_is_refused() {
    let _alone = alone();
    let mut adata = adata();
    let mut model = fresh(&mut adata);
    let refused = |model: &mut Model<Scvi>, adata: &mut AnnData, params: &TrainParams| {
        model.resume(adata, params, &mut Silent).unwrap_err().to_string()
    };
    assert_eq!(
        refused(&mut model, &mut adata, &everything()),
        "SCVI: no training to go on with: there was none; train anew"
    );
    let half = TrainParams { max_epochs: Some(3), ..everything() };
    model.train(&mut adata, &half, &mut Silent).unwrap();
    let before = model.save().unwrap();
    assert_eq!(
        refused(&mut model, &mut adata, &TrainParams { batch_size: 64, ..everything() }),
        "argument `batch_size`: the training began with 128 and cannot go on with 64; leave it out, \
         or train anew"
    );
    let mut fewer = simulate(&Simulation { n_obs: 200, n_vars: 40, ..Default::default() }).unwrap();
    assert_eq!(
        refused(&mut model, &mut fewer, &everything()),
        "the training began on another data set: expected 300 cells, found 200; give that one, or \
         train anew"
    );
    let others = Simulation { n_obs: 300, n_vars: 40, seed: 5, ..Default::default() };
    assert_eq!(
        refused(&mut model, &mut simulate(&others).unwrap(), &everything()),
        "the training began on another data set, which has 300 cells too; give that one, or train \
         anew"
    );
    let mut without = Model::<Scvi>::load(
        SavedModel { optimizer: Default::default(), ..before.clone() },
        &settings(),
    )
    .unwrap();
    assert_eq!(
        refused(&mut without, &mut adata, &everything()),
        "SCVI: no training to go on with: its optimiser was not kept; train anew"
    );
    let mut other = before.clone();
    other.optimizer.shift_remove("px_r.exp_avg");
    let mut other = Model::<Scvi>::load(other, &settings()).unwrap();
    let text = refused(&mut other, &mut adata, &everything());
    assert!(text.contains("missing: px_r.exp_avg"), "{text}");
    assert_eq!(model.save().unwrap().weights, before.weights);
}
