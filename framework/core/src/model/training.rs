//! From a model and a data set to a training run.

use super::{BaseModelClass, Event, Model, Observer};
use crate::{
    anndata::AnnData,
    data::{
        DataModule, DataSplitter, LoaderOptions, Minibatches, Order, Split, check_counts_are_there,
        counts, rare_categories,
    },
    error::{Error, Result},
    params::Params,
    registry_keys::REGISTRY_KEYS,
    saved::Training,
    train::{Ending, Runner, TrainParams, TrainingPlan, heuristic_epochs},
};

/// Splits the cells, trains, and keeps split and history in the model.
pub(super) fn train<M: BaseModelClass>(
    model: &mut Model<M>,
    adata: &mut AnnData,
    params: &TrainParams,
    observer: &mut dyn Observer,
) -> Result<Ending> {
    check_counts_are_there(adata)?;
    let seed = model.settings.seed;
    let split = splitter(params, seed)?.split(adata.n_obs())?;
    for text in &split.notes {
        observer.hear(&Event::Note { text: text.clone() });
    }
    note_empty_cells(model, adata, observer);

    let options = |indices: &[usize], order| LoaderOptions {
        indices: Some(indices.to_vec().into()),
        batch_size: params.batch_size,
        order,
        drop_last: params.drop_last,
        load_sparse_tensor: params.load_sparse_tensor,
        ..Default::default()
    };
    let seed = seed as u64;
    let shuffled = match model.manager.registry().on_disk(adata) {
        true => Order::ShuffledInBlocks { seed },
        false => Order::Shuffled { seed },
    };
    let loader = model.loader(adata, options(&split.train, shuffled))?;
    for text in rare_categories(adata, model.manager.registry()) {
        observer.hear(&Event::Note { text });
    }
    let mut held_out = split.validation.clone();
    held_out.sort_unstable(); // their order says nothing, and files are read from top to bottom
    let held_out = match held_out.as_slice() {
        [] => None,
        rows => Some(model.loader(adata, options(rows, Order::Sequential))?),
    };
    let validation = held_out.as_ref().map(|loader| loader as &dyn Minibatches);
    train_on(model, &DataModule { train: &loader, validation }, split, params, observer)
}

/// Trains on minibatches, which are of the rows `split` where they are of a data set.
pub(super) fn train_on<M: BaseModelClass>(
    model: &mut Model<M>,
    data: &DataModule<'_>,
    split: Split,
    params: &TrainParams,
    observer: &mut dyn Observer,
) -> Result<Ending> {
    let TrainingPlan::Elbo = M::training_plan();
    let max_epochs = params.max_epochs.unwrap_or_else(|| heuristic_epochs(data.n_obs()));
    let chosen = TrainParams { max_epochs: Some(max_epochs), ..params.clone() };
    let (module, store) = (&model.module, &model.store);
    let runner = Runner { module, store, data, params, max_epochs };
    let ending = runner.run(&mut model.history, observer);
    model.training =
        Some(Training { args: chosen.to_args(), ending: ending.as_ref().ok().copied() });
    model.split = split;
    // Also when training failed later: the model is back where its last good epoch ended.
    model.is_trained |= ending.is_ok() || model.history.values().any(|epochs| !epochs.is_empty());
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
