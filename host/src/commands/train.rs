//! `scvi train`: read, set up, train, save.

use scvi_framework::{
    anndata::AnnData,
    model::{DynModel, Settings, Setup},
    saved::SavedModel,
    serde_json::json,
    train::Ending,
};

use crate::{
    failure::{Error, Result},
    files, folder,
    plan::{Format, KeepData, Train, Ui},
    progress::Progress,
    session::Session,
    staged, term,
};

/// Trains and saves; what was reached is saved even when training is stopped or fails.
pub fn run(plan: &Train, session: &Session, settings: &Settings, ui: &Ui) -> Result<()> {
    staged::check_model(&plan.out, plan.overwrite)?;
    let class = session.open(&plan.model)?;
    let setup = Setup { args: plan.setup.clone(), fields: session.fields(&plan.fields)? };
    ui.step(format!("reading {}", plan.file.display()));
    let mut adata = files::read_h5ad(&plan.file, plan.backed)?;
    let (n, g) = (term::count(adata.n_obs(), "cell"), term::count(adata.n_vars(), "gene"));
    ui.step(format!("{n} × {g}"));
    let mut model = class.create(&mut adata, &setup, &plan.init, settings)?;
    let mut progress = Progress::new(ui.show);
    let trained = model.train(&mut adata, &plan.training, &mut progress).map_err(Error::from);
    progress.finish();
    match trained {
        Ok(Ending::Cancelled) => {
            keep(plan, session, &model.save()?, &adata)?;
            Err(Error::Interrupted { kept: Some(plan.out.clone()) })
        }
        Ok(ending) => {
            let saved = model.save()?;
            keep(plan, session, &saved, &adata)?;
            tell(plan, ending, &saved, ui)
        }
        Err(error) => Err(match last_good(&*model) {
            Some(saved) => {
                keep(plan, session, &saved, &adata)?;
                Error::KeptLastGood { source: Box::new(error), kept: plan.out.clone() }
            }
            None => error,
        }),
    }
}

/// The state before training failed, if any epoch was finished.
fn last_good(model: &dyn DynModel) -> Option<SavedModel> {
    let saved = model.save().ok()?;
    saved.meta.history.values().any(|values| !values.is_empty()).then_some(saved)
}

fn keep(plan: &Train, session: &Session, saved: &SavedModel, adata: &AnnData) -> Result<()> {
    let mut saved = saved.clone();
    if saved.meta.plugin.is_none() {
        saved.meta.plugin = session.plugin_of(&saved.meta.model_name);
    }
    let copy = match plan.keep {
        KeepData::Copy => Some(adata),
        KeepData::Path => None,
    };
    folder::write(&plan.out, &saved, plan.overwrite, &plan.file, copy)
}

fn tell(plan: &Train, ending: Ending, saved: &SavedModel, ui: &Ui) -> Result<()> {
    let history = &saved.meta.history;
    let n_epochs = history.values().map(Vec::len).max().unwrap_or(0);
    let last = ["elbo_train", "elbo_validation"].into_iter().filter_map(|metric| {
        let value = history.get(metric)?.last()?;
        Some(format!(", {metric} {}", term::number(*value)))
    });
    let epochs = term::count(n_epochs, "epoch");
    let why = if ending == Ending::EarlyStopping { ", stopped early" } else { "" };
    ui.say(format!("trained {epochs}{why}{}", last.collect::<String>()));
    ui.say(format!("wrote the model to {}", plan.out.display()));
    if ui.format == Format::Json {
        return term::print_json(&json!({
            "out": plan.out, "model": saved.meta.model_name, "epochs": n_epochs, "history": history,
        }));
    }
    Ok(())
}
