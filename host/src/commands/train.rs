//! `scvi train`: read, set up, train, save; or go on with a training that stopped.

use scvi_framework::{
    Error as FrameworkError,
    anndata::AnnData,
    model::{DynModel, Settings, Setup},
    params::Args,
    saved::{ModelMeta, SavedModel, folder},
    serde_json::{Value, json},
    train::Ending,
};

use crate::{
    failure::{Error, Result},
    files,
    keeper::{self, Keeper, best_of},
    plan::{Format, Start, Train, Ui},
    session::Session,
    staged::Overwrite,
    term,
};

/// Trains and saves; what was reached is saved even when training is stopped or fails.
pub fn run(plan: &Train, session: &Session, settings: &Settings, ui: &Ui) -> Result<()> {
    match plan.start {
        Start::Afresh(overwrite) => begin(plan, overwrite, session, settings, ui),
        Start::Resume { seed } => {
            folder::recover(&plan.out)?;
            if plan.out.join(folder::META).exists() {
                return resume(plan, seed, session, settings, ui);
            }
            ui.say(format!("nothing to go on with in {}: training begins", plan.out.display()));
            begin(plan, Overwrite::Refuse, session, settings, ui)
        }
    }
}

fn begin(
    plan: &Train,
    overwrite: Overwrite,
    session: &Session,
    settings: &Settings,
    ui: &Ui,
) -> Result<()> {
    keeper::check(plan, overwrite)?;
    let class = session.open(&plan.model)?;
    let setup = Setup { args: plan.setup.clone(), fields: session.fields(&plan.fields)? };
    let mut adata = read(plan, ui)?;
    let mut model = class.create(&mut adata, &setup, &plan.init, settings)?;
    let mut keeper = Keeper::of_new(plan, session, overwrite, ui.show);
    ui.step(format!("training {}", plan.model));
    let trained = model.train(&mut adata, &plan.training, &mut keeper);
    end(plan, trained, 0, &*model, &adata, keeper, ui)
}

fn resume(
    plan: &Train,
    seed: Option<i64>,
    session: &Session,
    settings: &Settings,
    ui: &Ui,
) -> Result<()> {
    keeper::check(plan, Overwrite::Replace)?;
    let saved = folder::read_with_optimizer(&plan.out)?;
    check_is_same(plan, seed, &saved.meta, session)?;
    let class = session.class_of(&plan.out, &saved)?;
    let fields = session.fields_of(&plan.out, &saved)?;
    let state = saved.meta.training.as_ref().and_then(|training| training.state.as_ref());
    let n_before = n_epochs(&saved);
    let seed = state.map_or(settings.seed, |state| state.seed);
    ui.say(format!("going on after {}", term::count(n_before, "epoch")));
    let mut adata = read(plan, ui)?;
    let mut model = class.load(saved, &fields, &Settings { seed, ..settings.clone() })?;
    let mut keeper = Keeper::of_resumed(plan, session, ui.show);
    let trained = model.resume(&mut adata, &plan.training, &mut keeper);
    end(plan, trained, n_before, &*model, &adata, keeper, ui)
}

/// Refuses words that make another model of the one that is to go on.
fn check_is_same(
    plan: &Train,
    seed: Option<i64>,
    meta: &ModelMeta,
    session: &Session,
) -> Result<()> {
    let state = meta.training.as_ref().and_then(|training| training.state.as_ref());
    let begun_with = state.map(|state| Value::from(state.seed));
    let setup_args = meta.registry.get("setup_args").and_then(Value::as_object);
    let model = session.open(&plan.model)?.description().name;
    let said = [("model".to_owned(), Value::from(model))];
    same(&said.into_iter().collect(), |_| Some(Value::from(meta.model_name.clone())))?;
    same(&plan.setup, |name| setup_args?.get(name).cloned())?;
    same(&plan.init, |name| meta.init_params.get(name).cloned())?;
    let said = seed.map(|seed| ("seed".to_owned(), Value::from(seed)));
    same(&said.into_iter().collect(), |_| begun_with.clone())?;
    let has = |field: &Value| {
        let said = field.as_object().into_iter().flatten();
        let said: Vec<_> = said.collect();
        meta.given().any(|given| said.iter().all(|(key, v)| given.json.get(key) == Some(*v)))
    };
    match plan.fields.iter().find(|field| !has(field)) {
        None => Ok(()),
        Some(field) => {
            let given: Vec<&Value> = meta.given().map(|given| given.json).collect();
            Err(other("field", json!(given), field))
        }
    }
}

fn same(said: &Args, saved: impl Fn(&str) -> Option<Value>) -> Result<()> {
    for (name, found) in said {
        let expected = saved(name).unwrap_or_default();
        if expected != *found {
            return Err(other(name, expected, found));
        }
    }
    Ok(())
}

fn other(name: &str, expected: Value, found: &Value) -> Error {
    let (name, expected, found) = (name.to_owned(), expected.to_string(), found.to_string());
    FrameworkError::OtherTraining { name, expected, found }.into()
}

fn read(plan: &Train, ui: &Ui) -> Result<AnnData> {
    ui.step(format!("reading {}", plan.file.display()));
    let adata = files::read_h5ad(&plan.file, plan.backed)?;
    let (n, g) = (term::count(adata.n_obs(), "cell"), term::count(adata.n_vars(), "gene"));
    ui.step(format!("{n} × {g}"));
    Ok(adata)
}

/// Keeps what training came to, beyond the `n_before` epochs that are kept already.
fn end(
    plan: &Train,
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
            return tell(plan, &saved, ui);
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
            Error::TrainingStopped { kept: (n_kept > 0).then(|| (plan.out.clone(), n_kept)) }
        }
        (Some(error), None) => error,
        (Some(error), Some(_)) => {
            Error::KeptLastGood { source: Box::new(error), kept: plan.out.clone() }
        }
    })
}

fn n_epochs(saved: &SavedModel) -> usize {
    saved.meta.history.values().map(Vec::len).max().unwrap_or(0)
}

fn tell(plan: &Train, saved: &SavedModel, ui: &Ui) -> Result<()> {
    let (history, n_epochs) = (&saved.meta.history, n_epochs(saved));
    let last = ["elbo_train", "elbo_validation"].into_iter().filter_map(|metric| {
        let value = history.get(metric)?.last()?;
        Some(format!(", {metric} {}", term::number(*value)))
    });
    let epochs = term::count(n_epochs, "epoch");
    let ending = saved.meta.training.as_ref().and_then(|training| training.ending);
    let why = if ending == Some(Ending::EarlyStopping) { ", stopped early" } else { "" };
    ui.say(format!("trained {epochs}{why}{}", last.collect::<String>()));
    let state = saved.meta.training.as_ref().and_then(|training| training.state.as_ref());
    if let Some(best) = state.and_then(|state| state.best.as_ref()) {
        let (metric, value) = (&best.metric, term::number(best.value));
        let (epoch, dir) = (best.epoch, best_of(&plan.out));
        ui.say(format!(
            "best checkpoint: {metric} {value} after epoch {epoch}, in {}",
            dir.display()
        ));
    }
    ui.say(format!("wrote the model to {}", plan.out.display()));
    if ui.format == Format::Json {
        return term::print_json(&json!({
            "out": plan.out, "model": saved.meta.model_name, "epochs": n_epochs, "history": history,
        }));
    }
    Ok(())
}
