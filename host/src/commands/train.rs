//! `scvi train`: read, set up, train, save; or go on with a training that stopped.

use scvi_framework::{
    Error as FrameworkError,
    model::{Settings, Setup},
    params::Args,
    saved::{ModelMeta, folder},
    serde_json::{Value, json},
};

use crate::{
    failure::{Error, Result},
    keeper::{self, Keeper},
    plan::{Start, Train, Ui},
    session::Session,
    staged::Overwrite,
    term,
    trained::{end, n_epochs, read},
};

/// Trains and saves; what was reached is saved even when training is stopped or fails.
pub fn run(plan: &Train, session: &Session, settings: &Settings, ui: &Ui) -> Result<()> {
    match plan.start {
        Start::Afresh(overwrite) => begin(plan, overwrite, session, settings, ui),
        Start::Resume { seed } => {
            folder::recover(&plan.training.out)?;
            if plan.training.out.join(folder::META).exists() {
                return resume(plan, seed, session, settings, ui);
            }
            ui.say(format!(
                "nothing to go on with in {}: training begins",
                plan.training.out.display()
            ));
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
    let training = &plan.training;
    keeper::check(training, overwrite)?;
    let class = session.open(&plan.model)?;
    let setup = Setup { args: plan.setup.clone(), fields: session.fields(&plan.fields)? };
    let mut adata = read(training, ui)?;
    let mut model = class.create(&mut adata, &setup, &plan.init, settings)?;
    let mut keeper = Keeper::of_new(training, session, overwrite, ui.show);
    ui.step(format!("training {}", plan.model));
    let trained = model.train(&mut adata, &training.args, &mut keeper);
    end(training, trained, 0, &*model, &adata, keeper, ui)
}

fn resume(
    plan: &Train,
    seed: Option<i64>,
    session: &Session,
    settings: &Settings,
    ui: &Ui,
) -> Result<()> {
    let training = &plan.training;
    keeper::check(training, Overwrite::Replace)?;
    let saved = folder::read_with_optimizer(&plan.training.out)?;
    check_is_same(plan, seed, &saved.meta, session)?;
    let class = session.class_of(&plan.training.out, &saved)?;
    let fields = session.fields_of(&plan.training.out, &saved)?;
    let state = saved.meta.training.as_ref().and_then(|training| training.state.as_ref());
    let n_before = n_epochs(&saved);
    let seed = state.map_or(settings.seed, |state| state.seed);
    ui.say(format!("going on after {}", term::count(n_before, "epoch")));
    let mut adata = read(training, ui)?;
    let mut model = class.load(saved, &fields, &Settings { seed, ..settings.clone() })?;
    let mut keeper = Keeper::of_resumed(training, session, ui.show);
    let trained = model.resume(&mut adata, &training.args, &mut keeper);
    end(training, trained, n_before, &*model, &adata, keeper, ui)
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
