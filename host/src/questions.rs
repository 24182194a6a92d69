//! A saved model with a data set, ready to be asked.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use scvi_framework::{
    anndata::AnnData,
    fields::AnnDataField,
    model::{DynModel, DynModelClass, MethodDescription, ModelDescription, Settings, Sink},
    params::Args,
    saved::SavedModel,
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
pub const LATENT: &str = "get-latent-representation";

/// The query that compares groups of cells.
pub const DIFFERENTIAL_EXPRESSION: &str = "differential-expression";

/// The method `name` of a model, spelt as in Python or on the command line.
///
/// # Errors
/// [`Error::UnknownMethod`].
pub fn find_method<'a>(model: &'a ModelDescription, name: &str) -> Result<&'a MethodDescription> {
    let asked = kebab(name);
    model.methods.iter().find(|method| kebab(&method.name) == asked).ok_or_else(|| {
        let known = model.methods.iter().map(|method| kebab(&method.name)).collect();
        Error::unknown_method(&model.name, name, known)
    })
}

/// A method of a saved model, still without a data set.
pub struct Question {
    dir: PathBuf,
    saved: SavedModel,
    class: Arc<dyn DynModelClass>,
    fields: Vec<Arc<dyn AnnDataField>>,
    method: MethodDescription,
}

impl Question {
    /// The method `name` of the model saved in `dir`.
    ///
    /// # Errors
    /// When the model has no such method, or its plugin is not here.
    pub fn find(dir: &Path, name: &str, session: &Session, ui: &Ui) -> Result<Self> {
        let saved = session.saved(dir)?;
        let class = session.class_of(dir, &saved)?;
        let fields = session.fields_of(dir, &saved)?;
        let method = find_method(&class.description(), name)?.clone();
        for note in &saved.meta.notes {
            ui.say(format!("note: {note}"));
        }
        Ok(Self { dir: dir.into(), saved, class, fields, method })
    }

    /// What the method takes and gives.
    pub fn method(&self) -> &MethodDescription {
        &self.method
    }

    /// Loads the model and the data set: the one named, else the model's own.
    ///
    /// # Errors
    /// When there is no data set, or the model cannot be loaded.
    pub fn about(self, data: &Data, settings: &Settings, ui: &Ui) -> Result<Asked> {
        let Self { dir, saved, class, fields, method } = self;
        let file = folder::data_set(&dir, data.adata.as_deref())?;
        ui.step(format!("reading {}", file.display()));
        let start = Instant::now();
        let adata = files::read_h5ad(&file, data.backed)?;
        ui.step(format!("read in {:.3} s", start.elapsed().as_secs_f64()));
        let model = class.load(saved, &fields, settings)?;
        Ok(Asked { adata, model, method })
    }
}

/// A saved model with a data set, of which one method is wanted.
pub struct Asked {
    /// The data set.
    pub adata: AnnData,
    model: Box<dyn DynModel>,
    method: MethodDescription,
}

impl Asked {
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
            return Err(Error::Interrupted);
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
