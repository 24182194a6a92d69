//! From a model and a data set to a training run, or on with one.

use std::mem;

use super::{BaseModelClass, Event, Model, Observer};
use crate::{
    anndata::AnnData,
    data::{
        DataMark, DataModule, DataSplitter, LoaderOptions, Minibatches, MinifiedDataType, Order,
        Split, check_counts_are_there, counts, rare_categories,
    },
    error::{Error, Result},
    params::Params,
    registry_keys::REGISTRY_KEYS,
    saved::Training,
    train::{Ending, Runner, Snapshot, TrainParams, TrainerState, TrainingPlan, heuristic_epochs},
};

/// Arguments that may change when a training goes on: they say how long, and what is kept of it.
const MAY_CHANGE: [&str; 4] =
    ["max_epochs", "checkpoint_every", "early_stopping", "early_stopping_patience"];

/// Splits the cells, trains, and keeps split and history in the model.
pub(super) fn train<M: BaseModelClass>(
    model: &mut Model<M>,
    adata: &mut AnnData,
    params: &TrainParams,
    observer: &mut dyn Observer,
) -> Result<Ending> {
    check_counts_are_there(adata)?;
    let has_posterior = model.is_minified() && MinifiedDataType::of(adata)?.is_some();
    if params.update_only_decoder && !has_posterior {
        return Err(Error::Argument {
            name: "update_only_decoder".into(),
            expected: "false, unless the data set was minified with its counts kept".into(),
            found: "true".into(),
        });
    }
    let seed = model.settings.seed;
    let split = splitter(params, seed)?.split(adata.n_obs())?;
    for text in &split.notes {
        observer.hear(&Event::Note { text: text.clone() });
    }
    note_empty_cells(model, adata, observer);
    model.manager.validate(adata)?;
    let registry = model.manager.registry();
    let state = TrainerState {
        in_blocks: registry.on_disk(adata),
        data: Some(DataMark::of(adata, registry)?),
        ..TrainerState::new(params, seed)
    };
    model.split = split;
    model.optimizer.clear();
    on_data_set(model, adata, params, state, observer)
}

/// Goes on with the last training.
pub(super) fn resume<M: BaseModelClass>(
    model: &mut Model<M>,
    adata: &mut AnnData,
    params: &TrainParams,
    observer: &mut dyn Observer,
) -> Result<Ending> {
    check_counts_are_there(adata)?;
    let (params, state) = stopped(model, params)?;
    model.manager.validate(adata)?;
    let found = DataMark::of(adata, model.manager.registry())?;
    match &state.data {
        Some(begun_on) if *begun_on == found => {}
        Some(begun_on) => {
            return Err(Error::OtherData { expected: begun_on.n_obs, found: found.n_obs });
        }
        None => return Err(nothing_to_resume::<M>("it was on minibatches of a program's own")),
    }
    on_data_set(model, adata, &params, state, observer)
}

/// Arguments and state of the training that stopped, with what may change in `params`.
fn stopped<M: BaseModelClass>(
    model: &Model<M>,
    params: &TrainParams,
) -> Result<(TrainParams, TrainerState)> {
    let training = model.training.as_ref();
    let training = training.ok_or_else(|| nothing_to_resume::<M>("there was none"))?;
    let is_whole = |state: &&TrainerState| state.step == 0 || !model.optimizer.is_empty();
    let state = training.state.as_ref().filter(is_whole);
    let state = state.ok_or_else(|| nothing_to_resume::<M>("its optimiser was not kept"))?;
    let begun = TrainParams::from_args(&training.args)?.to_args();
    for (name, found) in params.to_args() {
        let expected = &begun[&name];
        if *expected != found && !MAY_CHANGE.contains(&name.as_str()) {
            let (expected, found) = (expected.to_string(), found.to_string());
            return Err(Error::OtherTraining { name, expected, found });
        }
    }
    let max_epochs = params.max_epochs.or(begun["max_epochs"].as_u64().map(|n| n as usize));
    Ok((TrainParams { max_epochs, ..params.clone() }, state.clone()))
}

fn nothing_to_resume<M: BaseModelClass>(reason: &'static str) -> Error {
    Error::NothingToResume { model: M::NAME.into(), reason }
}

fn on_data_set<M: BaseModelClass>(
    model: &mut Model<M>,
    adata: &mut AnnData,
    params: &TrainParams,
    state: TrainerState,
    observer: &mut dyn Observer,
) -> Result<Ending> {
    let options = |indices: &[usize], order| LoaderOptions {
        indices: Some(indices.to_vec().into()),
        batch_size: params.batch_size,
        order,
        drop_last: params.drop_last,
        load_sparse_tensor: params.load_sparse_tensor,
        ..Default::default()
    };
    let seed = state.seed as u64;
    let shuffled = match state.in_blocks {
        true => Order::ShuffledInBlocks { seed },
        false => Order::Shuffled { seed },
    };
    let loader = model.loader(adata, options(&model.split.train, shuffled))?;
    for text in rare_categories(adata, model.manager.registry()) {
        observer.hear(&Event::Note { text });
    }
    let mut held_out = model.split.validation.clone();
    held_out.sort_unstable(); // their order says nothing, and files are read from top to bottom
    let held_out = match held_out.as_slice() {
        [] => None,
        rows => Some(model.loader(adata, options(rows, Order::Sequential))?),
    };
    let validation = held_out.as_ref().map(|loader| loader as &dyn Minibatches);
    run(model, &DataModule { train: &loader, validation }, params, state, observer)
}

/// Trains on minibatches of the caller's own.
pub(super) fn train_on<M: BaseModelClass>(
    model: &mut Model<M>,
    data: &DataModule<'_>,
    params: &TrainParams,
    observer: &mut dyn Observer,
) -> Result<Ending> {
    model.split = Split::default();
    model.optimizer.clear();
    let state = TrainerState::new(params, model.settings.seed);
    run(model, data, params, state, observer)
}

fn run<M: BaseModelClass>(
    model: &mut Model<M>,
    data: &DataModule<'_>,
    params: &TrainParams,
    state: TrainerState,
    observer: &mut dyn Observer,
) -> Result<Ending> {
    let TrainingPlan::Elbo = M::training_plan();
    let max_epochs = params.max_epochs.unwrap_or_else(|| heuristic_epochs(data.n_obs()));
    let args = TrainParams { max_epochs: Some(max_epochs), ..params.clone() }.to_args();
    let mut at = Snapshot {
        weights: model.store.weights()?,
        optimizer: mem::take(&mut model.optimizer),
        history: mem::take(&mut model.history),
        state,
    };
    let training = |at: &Snapshot, ending| Training {
        args: args.clone(),
        ending,
        state: Some(at.state.clone()),
    };
    let save = |at: &Snapshot| model.saved(at, Some(training(at, None)));
    let (module, store) = (&model.module, &model.store);
    let runner = Runner { module, store, data, params, max_epochs, save: &save };
    let ending = runner.run(&mut at, observer);
    model.training = Some(training(&at, ending.as_ref().ok().copied()));
    (model.history, model.optimizer) = (at.history, at.optimizer);
    // Also when training failed later: the model is back where its last good epoch ended.
    model.is_trained |= model.history.values().any(|epochs| !epochs.is_empty());
    ending
}

fn splitter(params: &TrainParams, seed: i64) -> Result<DataSplitter> {
    let external = params.external_indexing.clone().map(serde_json::from_value).transpose();
    Ok(DataSplitter {
        train_size: params.train_size,
        validation_size: params.validation_size,
        shuffle_set_split: params.shuffle_set_split,
        batch_size: params.batch_size,
        drop_last: params.drop_last,
        seed,
        external_indexing: external.map_err(|e| Error::Argument {
            name: "external_indexing".into(),
            expected: "up to three lists of row numbers, as JSON".into(),
            found: e.to_string(),
        })?,
    })
}

fn note_empty_cells<M: BaseModelClass>(
    model: &Model<M>,
    adata: &AnnData,
    observer: &mut dyn Observer,
) {
    let x = model.manager.registry().data_registry().find(|(key, _)| *key == REGISTRY_KEYS.x);
    let Some((_, place)) = x else { return };
    let Ok(x) = place.find(adata) else { return };
    let Ok(empty) = counts::empty_cells(x) else { return };
    let n_empty = empty.len();
    if n_empty > 0 {
        let text = format!(
            "{n_empty} of {} cells have no counts; they say nothing and are decoded to zero. Consider leaving them out",
            adata.n_obs()
        );
        observer.hear(&Event::Note { text });
    }
}
