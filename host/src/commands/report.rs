//! `scvi report`: a page about a saved model.

use std::io::Write;

use scvi_framework::model::Settings;

use super::latent_map;
use crate::{
    facts,
    failure::{Error, Result},
    plan::{Report, Ui},
    plots::history::History,
    report::Page,
    session::Session,
    staged::{self, Staged},
};

/// Gathers, draws and writes; a part that cannot be had is named in the page.
pub fn run(plan: &Report, session: &Session, settings: &Settings, ui: &Ui) -> Result<()> {
    staged::check_file(&plan.out, plan.overwrite)?;
    let saved = session.saved(&plan.dir)?;
    let history = match History::of(&plan.dir, &saved.meta) {
        Ok(history) => Ok(history.draw()),
        Err(missing @ Error::NoHistory { .. }) => Err(missing.to_string()),
        Err(other) => return Err(other),
    };
    let (map, data_set) = match latent_map::draw(&plan.dir, &plan.map, session, settings, ui) {
        Ok(drawn) => (Ok(drawn.picture), Some(drawn.data_set)),
        Err(missing) if is_absent(&missing) => (Err(missing.to_string()), None),
        Err(other) => return Err(other),
    };
    for missing in [history.as_ref().err(), map.as_ref().err()].into_iter().flatten() {
        ui.say(format!("note: {missing}"));
    }
    let page = Page {
        model: &saved.meta.model_name,
        sections: facts::of(&plan.dir, &saved, session),
        notes: &saved.meta.notes,
        data_set,
        map,
        history,
    };
    let mut staged = Staged::create(&plan.out)?;
    let written = staged.file().write_all(page.html().as_bytes());
    written.map_err(|source| Error::Write { path: plan.out.clone(), source })?;
    staged.commit()?;
    ui.say(format!("wrote {}", plan.out.display()));
    Ok(())
}

/// Whether what is missing is no mistake of the user's: a page without a map is still of use.
fn is_absent(error: &Error) -> bool {
    matches!(
        error,
        Error::NoData { .. }
            | Error::NoPlugin { .. }
            | Error::NoFieldPlugin { .. }
            | Error::UnknownMethod { .. }
    )
}
