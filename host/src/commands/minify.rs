//! `scvi minify`: reduce a data set to the posterior of its cells, and save the model with it.

use std::{fs, path::Path};

use scvi_framework::{model::Settings, saved::folder::ADATA, serde_json::json};

use crate::{
    failure::{Error, Result},
    files,
    folder::{self, DataSet},
    interrupt,
    plan::{Format, Minify, Ui},
    progress::Progress,
    session::Session,
    staged, term,
};

/// Reduces the data set and writes the folder; model and data set stay as they are.
pub fn run(plan: &Minify, session: &Session, settings: &Settings, ui: &Ui) -> Result<()> {
    staged::check_model(&plan.out, plan.overwrite)?;
    let saved = session.saved(&plan.dir)?;
    let class = session.class_of(&plan.dir, &saved)?;
    let fields = session.fields_of(&plan.dir, &saved)?;
    let plugin = saved.meta.plugin.clone();
    let file = folder::data_set(&plan.dir, plan.data.adata.as_deref())?;
    ui.step(format!("reading {}", file.display()));
    let mut adata = files::read_h5ad(&file, plan.data.backed)?;
    let mut model = class.load(saved, &fields, settings)?;
    let mut progress = Progress::new(ui.show);
    let minified = model.minify_adata(&mut adata, &plan.args, &mut progress);
    progress.finish();
    if interrupt::requested() {
        return Err(Error::Interrupted);
    }
    minified?;
    let mut saved = model.save()?;
    saved.meta.plugin = saved.meta.plugin.or(plugin);
    folder::write(&plan.out, &saved, plan.overwrite, &file, DataSet::Copy(&adata))?;
    let size = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    let (before, after) = (size(&file), size(&plan.out.join(ADATA)));
    let megabytes = |n: u64| format!("{} MB", term::number(n as f64 / 1e6));
    ui.say(format!("the data set went from {} to {}", megabytes(before), megabytes(after)));
    ui.say(format!("wrote it and the model to {}", plan.out.display()));
    match ui.format {
        Format::Json => term::print_json(&json!({
            "out": plan.out, "model": saved.meta.model_name, "bytes": [before, after],
        })),
        Format::Text => Ok(()),
    }
}
