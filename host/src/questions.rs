//! A saved model with a data set, ready to be asked.

use std::{path::Path, time::Instant};

use scvi_framework::{
    anndata::AnnData,
    model::{DynModel, MethodDescription, ModelDescription, Settings, Sink},
    params::Args,
};

use crate::{
    failure::{Error, Result},
    files, folder, interrupt,
    options::kebab,
    plan::{Data, Ui},
    progress::Progress,
    results::{Collector, Gathered},
    session::Session,
};

/// The query that gives each cell's place in the latent space.
pub const LATENT: &str = "get_latent_representation";

/// The query that compares groups of cells.
pub const DIFFERENTIAL_EXPRESSION: &str = "differential_expression";

/// The method `name` of a model, spelt as in Python or on the command line.
///
/// # Errors
/// [`Error::UnknownMethod`].
pub fn find_method<'a>(model: &'a ModelDescription, name: &str) -> Result<&'a MethodDescription> {
    let asked = kebab(name);
    model.methods.iter().find(|method| kebab(&method.name) == asked).ok_or_else(|| {
        let known = model.methods.iter().map(|method| kebab(&method.name)).collect();
        Error::unknown_method(&model.name, &asked, known)
    })
}

/// A saved model with a data set, of which one method is wanted.
pub struct Asked {
    /// The data set.
    pub adata: AnnData,
    model: Box<dyn DynModel>,
    method: MethodDescription,
}

impl Asked {
    /// Loads the model saved in `dir`, and the data set: the one named, else the model's own.
    ///
    /// # Errors
    /// When the model has no such method, its plugin is not here, or there is no data set.
    pub fn open(
        dir: &Path,
        method: &str,
        data: &Data,
        session: &Session,
        settings: &Settings,
        ui: &Ui,
    ) -> Result<Self> {
        let saved = session.saved(dir)?;
        let class = session.class_of(dir, &saved)?;
        let fields = session.fields_of(dir, &saved)?;
        let method = find_method(&class.description(), method)?.clone();
        for note in &saved.meta.notes {
            ui.say(format!("note: {note}"));
        }
        let file = folder::data_set(dir, data.adata.as_deref())?;
        ui.step(format!("reading {}", file.display()));
        let adata = files::read_h5ad(&file, data.backed)?;
        let model = class.load(saved, &fields, settings)?;
        Ok(Self { adata, model, method })
    }

    /// Whether the method takes this argument.
    pub fn takes(&self, argument: &str) -> bool {
        self.method.args.iter().any(|spec| spec.name == argument)
    }

    /// Asks; what comes goes to `sink`.
    ///
    /// # Errors
    /// [`Error::Interrupted`], and what the method refuses.
    pub fn ask(&mut self, args: &Args, sink: &mut dyn Sink, ui: &Ui) -> Result<()> {
        let mut progress = Progress::new(ui.show);
        let start = Instant::now();
        let asked = self.model.query(&self.method.name, &mut self.adata, args, sink, &mut progress);
        progress.finish();
        ui.step(format!("answered in {:.3} s", start.elapsed().as_secs_f64()));
        if interrupt::requested() {
            return Err(Error::Interrupted { kept: None });
        }
        Ok(asked?)
    }

    /// Asks, and gathers the results in memory.
    ///
    /// # Errors
    /// As [`Asked::ask`].
    pub fn gather(&mut self, args: &Args, ui: &Ui) -> Result<Vec<Gathered>> {
        let mut collector = Collector::default();
        self.ask(args, &mut collector, ui)?;
        Ok(collector.finish()?)
    }
}
