//! Rules on what a model does: training, saving, answering.

use serde_json::json;

use super::{Broken, answers};
use crate::{
    anndata::{AnnData, Slot},
    data::{Simulation, simulate},
    error::{Error, Result},
    model::{DynModel, DynModelClass, Settings, Silent},
    params::Args,
    saved::{self, SavedModel, folder},
};

const EPOCHS: usize = 2;

/// What to look at when random numbers differ.
const ALONE: &str = "noise must come from `ctx.noise`, and no other test may draw random numbers in \
                     this process meanwhile";

/// What scvi-tools calls the parts of the loss, per epoch.
const HISTORY: [&str; 9] = [
    "elbo_train",
    "reconstruction_loss_train",
    "kl_local_train",
    "kl_global_train",
    "elbo_validation",
    "reconstruction_loss_validation",
    "kl_local_validation",
    "kl_global_validation",
    "validation_loss",
];

/// Checks `class`, set up with `setup`.
pub(super) fn check(class: &dyn DynModelClass, setup: &Args) -> Broken {
    let mut broken = match trains_and_comes_back(class, setup) {
        Ok(broken) => broken,
        Err(e) => vec![format!("with {}: {e}", json!(setup))],
    };
    for name in setup.keys() {
        let fewer: Args =
            setup.iter().filter(|(n, _)| *n != name).map(|(n, v)| (n.clone(), v.clone())).collect();
        match trained(class, &fewer, 0) {
            Ok(_) => {}
            Err(Error::Argument { name: asked_for, .. }) if asked_for == *name => {}
            Err(e) => broken.push(format!(
                "without setup argument `{name}` it neither trains nor asks for it by name: {e}"
            )),
        }
    }
    broken
}

fn trains_and_comes_back(class: &dyn DynModelClass, setup: &Args) -> Result<Broken> {
    let (model, mut adata) = trained(class, setup, 0)?;
    let saved = model.save()?;
    let mut broken = flaws_of_history(&saved);

    let again = trained(class, setup, 0)?.0.save()?;
    if saved.weights != again.weights || saved.meta.history != again.meta.history {
        broken.push(format!("the same seed gives other weights; {ALONE}"));
    }
    let other = trained(class, setup, 1)?.0.save()?;
    if saved.weights == other.weights {
        broken.push("another seed gives the same weights".into());
    }

    let from_disk = through_a_folder(&saved)?;
    let other = settings(7); // the weights must come from the file, not from the seed
    let loaded = class.load(from_disk, &[], &other)?;
    let state = loaded.save()?;
    broken.extend(differences(&saved, &state));
    let mut fresh = adata_for_tests()?;
    for method in class.description().methods {
        let before = answers::ask(model.as_ref(), &method, &mut adata)?;
        let after = answers::ask(loaded.as_ref(), &method, &mut fresh)?;
        if before != after {
            let name = &method.name;
            broken.push(format!("query `{name}` answers otherwise after loading; {ALONE}"));
        }
        broken.extend(before.iter().flat_map(|answer| answers::flaws(answer, &method.name)));
    }
    Ok(broken)
}

/// A small data set with every kind of column.
fn adata_for_tests() -> Result<AnnData> {
    let mut adata = simulate(&Simulation { n_obs: 240, n_vars: 30, ..Default::default() })?;
    if let Some(counts) = adata.x().cloned() {
        adata.set(Slot::Layers, "counts", counts)?;
    }
    Ok(adata)
}

fn settings(seed: i64) -> Settings {
    Settings { seed, device: "cpu".into(), threads: Some(1) }
}

fn trained(
    class: &dyn DynModelClass,
    setup: &Args,
    seed: i64,
) -> Result<(Box<dyn DynModel>, AnnData)> {
    let mut adata = adata_for_tests()?;
    let mut model = class.create(&mut adata, &setup.into(), &Args::new(), &settings(seed))?;
    let args = Args::from_iter([
        ("max_epochs".to_owned(), json!(EPOCHS)),
        ("check_val_every_n_epoch".to_owned(), json!(1)),
    ]);
    model.train(&mut adata, &args, &mut Silent)?;
    Ok((model, adata))
}

fn flaws_of_history(saved: &SavedModel) -> Broken {
    let mut broken = Vec::new();
    let history = &saved.meta.history;
    for name in HISTORY.iter().filter(|name| !history.contains_key(**name)) {
        broken.push(format!("the history has no `{name}`"));
    }
    for (name, values) in history {
        if values.len() != EPOCHS || !values.iter().all(|v| v.is_finite()) {
            broken.push(format!("history `{name}` after {EPOCHS} epochs is {values:?}"));
        }
    }
    broken
}

fn through_a_folder(saved: &SavedModel) -> Result<SavedModel> {
    let place = tempfile::tempdir().map_err(|source| Error::Io {
        path: std::env::temp_dir(),
        action: "temporary folder could not be made",
        source,
    })?;
    let dir = place.path().join("model");
    folder::write(&dir, saved, folder::Overwrite::Refuse)?;
    saved::read(&dir)
}

/// What a saved model and the same model loaded and saved again do not share.
fn differences(saved: &SavedModel, loaded: &SavedModel) -> Broken {
    let mut broken = Vec::new();
    let shapes = |model: &SavedModel| -> Vec<(String, Vec<usize>)> {
        model.weights.iter().map(|(name, w)| (name.clone(), w.shape.clone())).collect()
    };
    if shapes(saved) != shapes(loaded) {
        let (a, b) = (shapes(saved), shapes(loaded));
        broken.push(format!("names and shapes of weights change by loading: {a:?}, then {b:?}"));
    } else if saved.weights != loaded.weights {
        broken.push("values of weights change by loading".into());
    }
    if saved.meta != loaded.meta {
        broken.push(format!(
            "arguments, registry or history change by loading: {:?}, then {:?}",
            saved.meta, loaded.meta
        ));
    }
    broken
}
