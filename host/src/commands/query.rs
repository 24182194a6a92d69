//! `scvi query`: ask a saved model about a data set.

use std::time::Instant;

use scvi_framework::{model::Settings, params::Args};

use crate::{
    failure::{Error, Result},
    files, folder, interrupt,
    options::kebab,
    plan::{Query, Ui},
    progress::Progress,
    session::Session,
    staged,
};

/// Asks, and writes the answer.
pub fn run(plan: &Query, session: &Session, settings: &Settings, ui: &Ui) -> Result<()> {
    if let Some(path) = plan.output.path() {
        staged::check_file(path, plan.overwrite)?;
    }
    let saved = session.saved(&plan.dir)?;
    let class = session.class_of(&plan.dir, &saved)?;
    let fields = session.fields_of(&plan.dir, &saved)?;
    let description = class.description();
    let asked = kebab(&plan.method);
    let Some(method) = description.methods.iter().find(|m| kebab(&m.name) == asked) else {
        let known = description.methods.iter().map(|m| kebab(&m.name)).collect();
        return Err(Error::unknown_method(&description.name, &plan.method, known));
    };
    plan.output.check(method)?;
    for note in &saved.meta.notes {
        ui.say(format!("note: {note}"));
    }
    let file = folder::data_set(&plan.dir, plan.adata.as_deref())?;
    ui.step(format!("reading {}", file.display()));
    let mut adata = files::read_h5ad(&file, plan.backed)?;
    let model = class.load(saved, &fields, settings)?;
    // The answer goes into the data set as it was read, not as the model registers it.
    let mut answer = plan.output.open(&adata, rows_asked(&plan.args), ui.format)?;
    let mut progress = Progress::new(ui.show);
    let start = Instant::now();
    let asked = model.query(&method.name, &mut adata, &plan.args, answer.sink(), &mut progress);
    progress.finish();
    ui.step(format!("answered in {:.3} s", start.elapsed().as_secs_f64()));
    if interrupt::requested() {
        answer.rescue()?.into_iter().for_each(|line| ui.say(format!("interrupted; {line}")));
        return Err(Error::Interrupted { kept: None });
    }
    asked?;
    for line in answer.finish()? {
        ui.say(line);
    }
    Ok(())
}

/// The rows asked about, by the argument that all methods on rows have; `None` for all.
fn rows_asked(args: &Args) -> Option<Vec<usize>> {
    let rows = args.get("indices")?.as_array()?;
    rows.iter().map(|row| Some(row.as_u64()? as usize)).collect()
}
