//! `scvi query`: ask a saved model about a data set.

use scvi_framework::{model::Settings, params::Args};

use crate::{
    failure::{Error, Result},
    plan::{Query, Ui},
    questions::Question,
    session::Session,
    staged,
};

/// Asks, and writes the answer.
pub fn run(plan: &Query, session: &Session, settings: &Settings, ui: &Ui) -> Result<()> {
    if let Some(path) = plan.output.path() {
        staged::check_file(path, plan.overwrite)?;
    }
    let question = Question::find(&plan.dir, &plan.method, session, ui)?;
    plan.output.check(question.method())?;
    let mut asked = question.about(&plan.data, settings, ui)?;
    // The answer goes into the data set as it was read, not as the model registers it.
    let mut answer = plan.output.open(&asked.adata, rows_asked(&plan.args), ui.format)?;
    let done = asked.ask(&plan.args, answer.sink(), ui);
    if let Err(Error::Interrupted) = done {
        answer.rescue()?.into_iter().for_each(|line| ui.say(format!("interrupted; {line}")));
        return done;
    }
    done?;
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
