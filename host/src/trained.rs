//! What a training begins with and comes to, whether of a new model or of one that continues another.

use scvi_framework::{
    Error as FrameworkError, anndata::AnnData, model::DynModel, saved::SavedModel,
    serde_json::json, train::Ending,
};

use crate::{
    failure::{Error, Result},
    files,
    keeper::{Keeper, best_of},
    plan::{Format, Training, Ui},
    term,
};

/// The data set to train on.
///
/// # Errors
/// When it cannot be read.
pub fn read(training: &Training, ui: &Ui) -> Result<AnnData> {
    ui.step(format!("reading {}", training.file.display()));
    let adata = files::read_h5ad(&training.file, training.backed)?;
    let (n, g) = (term::count(adata.n_obs(), "cell"), term::count(adata.n_vars(), "gene"));
    ui.step(format!("{n} × {g}"));
    Ok(adata)
}

/// Keeps what training came to, beyond the `n_before` epochs that are kept already.
///
/// # Errors
/// What stopped the training; when the model cannot be kept where it should.
pub fn end(
    training: &Training,
    trained: Result<Ending, FrameworkError>,
    n_before: usize,
    model: &dyn DynModel,
    adata: &AnnData,
    mut keeper: Keeper<'_>,
    ui: &Ui,
) -> Result<()> {
    keeper.finish();
    let error = match trained {
        Ok(Ending::Complete | Ending::EarlyStopping) => {
            let saved = model.save()?;
            keeper.keep(&saved, adata)?;
            return tell(training, &saved, ui);
        }
        Ok(Ending::Cancelled) => None,
        Err(error) => Some(error.into()),
    };
    let reached = model.save().ok().filter(|saved| n_epochs(saved) > n_before);
    if let Some(saved) = &reached {
        keeper.keep(saved, adata)?;
    }
    let n_kept = reached.as_ref().map_or(n_before, n_epochs);
    Err(match (error, reached) {
        (None, _) => {
            Error::TrainingStopped { kept: (n_kept > 0).then(|| (training.out.clone(), n_kept)) }
        }
        (Some(error), None) => error,
        (Some(error), Some(_)) => {
            Error::KeptLastGood { source: Box::new(error), kept: training.out.clone() }
        }
    })
}

/// Epochs in the history.
pub fn n_epochs(saved: &SavedModel) -> usize {
    saved.meta.history.values().map(Vec::len).max().unwrap_or(0)
}

fn tell(training: &Training, saved: &SavedModel, ui: &Ui) -> Result<()> {
    let (history, n_epochs) = (&saved.meta.history, n_epochs(saved));
    let last = ["elbo_train", "elbo_validation"].into_iter().filter_map(|metric| {
        let value = history.get(metric)?.last()?;
        Some(format!(", {metric} {}", term::number(*value)))
    });
    let epochs = term::count(n_epochs, "epoch");
    let ending = saved.meta.training.as_ref().and_then(|done| done.ending);
    let why = if ending == Some(Ending::EarlyStopping) { ", stopped early" } else { "" };
    ui.say(format!("trained {epochs}{why}{}", last.collect::<String>()));
    let state = saved.meta.training.as_ref().and_then(|done| done.state.as_ref());
    if let Some(best) = state.and_then(|state| state.best.as_ref()) {
        let (metric, value) = (&best.metric, term::number(best.value));
        let (epoch, dir) = (best.epoch, best_of(&training.out));
        ui.say(format!(
            "best checkpoint: {metric} {value} after epoch {epoch}, in {}",
            dir.display()
        ));
    }
    ui.say(format!("wrote the model to {}", training.out.display()));
    if ui.format == Format::Json {
        return term::print_json(&json!({
            "out": training.out, "model": saved.meta.model_name, "epochs": n_epochs, "history": history,
        }));
    }
    Ok(())
}
