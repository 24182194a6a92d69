//! `scvi plot`: draw a saved model.

use scvi_framework::model::Settings;

use crate::{
    failure::{Error, Result},
    plan::{Data, Drawing, Plot, Shown, Ui},
    plots::{Picture, comparisons::Comparisons, history::History, volcano},
    questions::{DIFFERENTIAL_EXPRESSION, Question},
    results::{Content, Gathered},
    session::Session,
    staged,
};

use super::latent_map;

/// Draws, and writes the picture.
pub fn run(plan: &Plot, session: &Session, settings: &Settings, ui: &Ui) -> Result<()> {
    staged::check_file(plan.canvas.path(), plan.overwrite)?;
    let picture = match &plan.drawing {
        Drawing::History(metrics) => {
            History::of(&plan.dir, &session.saved(&plan.dir)?.meta)?.only(metrics)?.draw()
        }
        Drawing::Latent(latent) => {
            latent_map::draw(&plan.dir, latent, session, settings, ui)?.picture
        }
        Drawing::Table(path, shown) => volcanos(Comparisons::read(path)?, shown)?,
        Drawing::Compared(data, args, shown) => {
            let compared = compared(plan, data, args, session, settings, ui)?;
            volcanos(compared, shown)?
        }
    };
    plan.canvas.write(picture)?;
    ui.say(format!("wrote {}", plan.canvas.path().display()));
    Ok(())
}

fn volcanos(comparisons: Comparisons, shown: &Shown) -> Result<Picture> {
    Ok(volcano::draw(&comparisons.only(&shown.groups)?, shown.n_genes))
}

fn compared(
    plan: &Plot,
    data: &Data,
    args: &scvi_framework::params::Args,
    session: &Session,
    settings: &Settings,
    ui: &Ui,
) -> Result<Comparisons> {
    let method = DIFFERENTIAL_EXPRESSION;
    let mut asked = Question::find(&plan.dir, method, session, ui)?.about(data, settings, ui)?;
    match &asked.gather(args, ui)?[..] {
        [Gathered { content: Content::Table(table), .. }] => Comparisons::of(table, method),
        _ => Err(Error::Answer { method, expected: "one table" }),
    }
}
