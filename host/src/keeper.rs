//! Where a training's models go: checkpoints while it lasts, the model itself at its end.
//!
//! `DIR` is always a whole model: that of the last checkpoint, in the end the trained one.
//! `DIR.best` is the best checkpoint.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use scvi_framework::{
    Error as FrameworkError, Result as FrameworkResult,
    anndata::AnnData,
    model::{Checkpoint, Event, Observer},
    saved::SavedModel,
};

use crate::{
    failure::{Error, Result},
    folder::{self, DataSet},
    plan::{KeepData, Training},
    progress::{Progress, Show},
    session::Session,
    staged::{self, Overwrite},
};

/// The folder of the best checkpoint of the model in `dir`.
pub fn best_of(dir: &Path) -> PathBuf {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    dir.with_file_name(format!("{name}.best"))
}

/// Keeps the models of one training, and shows how far it is.
pub struct Keeper<'a> {
    training: &'a Training,
    session: &'a Session,
    progress: Progress,
    overwrite: Overwrite,
    has_copy: bool,
    has_checkpoint: bool,
}

/// Checks, before any work is done, that the models of a training can be written later.
///
/// # Errors
/// When something stands where they will go; where models may be replaced, when that is no model.
pub fn check(training: &Training, overwrite: Overwrite) -> Result<()> {
    staged::check_model(&training.out, overwrite)?;
    let has_best =
        overwrite == Overwrite::Replace || training.args.contains_key("checkpoint_every");
    if has_best { staged::check_model(&best_of(&training.out), overwrite) } else { Ok(()) }
}

impl<'a> Keeper<'a> {
    /// For a training from its beginning; from now on Ctrl-C stops that.
    pub fn of_new(
        training: &'a Training,
        session: &'a Session,
        overwrite: Overwrite,
        show: Show,
    ) -> Self {
        let progress = Progress::new(show);
        Self { training, session, progress, overwrite, has_copy: false, has_checkpoint: false }
    }

    /// For a training that goes on: its own models are replaced, and a copy of the data set stays.
    pub fn of_resumed(training: &'a Training, session: &'a Session, show: Show) -> Self {
        Self {
            has_copy: folder::has_copy(&training.out),
            has_checkpoint: true,
            ..Self::of_new(training, session, Overwrite::Replace, show)
        }
    }

    /// Takes the bar off the terminal.
    pub fn finish(&mut self) {
        self.progress.finish();
    }

    /// Writes the trained model, with what else was asked for.
    ///
    /// # Errors
    /// When it cannot be written there. [`Error::KeptNotAsAsked`] then says where it is.
    pub fn keep(&mut self, saved: &SavedModel, adata: &AnnData) -> Result<()> {
        let (out, wants_copy) = (&self.training.out, self.training.keep == KeepData::Copy);
        let data = match (self.has_copy, wants_copy) {
            (true, _) => DataSet::Stays,
            (false, true) => DataSet::Copy(adata),
            (false, false) => DataSet::Path,
        };
        let Err(error) = self.write(out, saved, self.overwrite, data) else { return Ok(()) };
        // Hours of work: better without its data set, or in another place, than nowhere.
        let without_copy = || self.write(out, saved, self.overwrite, DataSet::Path);
        let kept = if wants_copy && without_copy().is_ok() || self.has_checkpoint {
            Some(out.clone()) // where the last checkpoint is of the last epoch
        } else {
            self.elsewhere(saved).ok()
        };
        Err(match kept {
            Some(kept) => Error::KeptNotAsAsked { source: Box::new(error), kept },
            None => error,
        })
    }

    fn elsewhere(&self, saved: &SavedModel) -> Result<PathBuf> {
        let name = self.training.out.file_name().unwrap_or_default().to_string_lossy();
        let mut builder = tempfile::Builder::new();
        let folder = builder.prefix(&format!("{name}-")).tempdir_in(env::temp_dir());
        let folder = folder.map_err(|source| Error::Write { path: env::temp_dir(), source })?;
        let kept = folder.path().join(&*name);
        self.write(&kept, saved, Overwrite::Refuse, DataSet::Path)?;
        let _ = folder.keep();
        Ok(kept)
    }

    fn write(
        &self,
        dir: &Path,
        saved: &SavedModel,
        overwrite: Overwrite,
        data: DataSet<'_>,
    ) -> Result<()> {
        let mut saved = saved.clone();
        if saved.meta.plugin.is_none() {
            saved.meta.plugin = self.session.plugin_of(&saved.meta.model_name);
        }
        folder::write(dir, &saved, overwrite, &self.training.file, data)
    }

    fn keep_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let data = if self.has_copy { DataSet::Stays } else { DataSet::Path };
        self.write(&self.training.out, &checkpoint.model, self.overwrite, data)?;
        self.overwrite = Overwrite::Replace;
        let best = best_of(&self.training.out);
        if checkpoint.is_best {
            self.write(&best, &checkpoint.model, Overwrite::Replace, DataSet::Path)?;
        } else if !self.has_checkpoint {
            remove(&best)?; // of another training
        }
        self.has_checkpoint = true;
        Ok(())
    }
}

fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::Write { path: dir.into(), source })
        }
        _ => Ok(()),
    }
}

impl Observer for Keeper<'_> {
    fn hear(&mut self, event: &Event) {
        self.progress.hear(event);
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> FrameworkResult<()> {
        self.keep_checkpoint(checkpoint).map_err(|error| match error {
            Error::Framework(error) => error,
            Error::Write { path, source } => FrameworkError::Io { path, action: "write", source },
            other => FrameworkError::OnDisk { reason: other.to_string() },
        })
    }

    fn cancelled(&self) -> bool {
        self.progress.cancelled()
    }
}
