//! What the user means: paths told apart from standard output, flags turned into choices.

mod pictures;
mod training;

use std::path::PathBuf;

use clap::{CommandFactory, error::ErrorKind};
use scvi_framework::{model::Settings, params::Args, serde_json::Value};
use scvi_h5ad::{Backing, Features, ImportOptions};

use crate::{
    cli::{self, Attribute, Cli, Command, Fields, Global, Models, Plugins},
    failure::Result,
    parse::Parsed,
    progress::Show,
    results::Output,
    staged::Overwrite,
    term,
};

pub use pictures::{Drawing, Map, Plot, Report, Shown};
pub use training::{KeepData, MapQuery, Start, Train, Training};

/// What to do, and how to talk about it.
#[derive(Debug)]
pub struct Plan {
    /// What to do.
    pub job: Job,
    /// Further places for plugins.
    pub plugin_dirs: Vec<PathBuf>,
    /// Seed, device, threads.
    pub settings: Settings,
    /// How to talk.
    pub ui: Ui,
}

/// What to do.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names of the commands say it")]
pub enum Job {
    ListPlugins,
    InspectPlugin { file: PathBuf },
    CheckPlugin { plugin: String },
    NewPlugin { dir: PathBuf, checkout: Option<PathBuf> },
    ListModels,
    ShowModel { model: String },
    ListFields,
    Simulate(Simulate),
    Convert(Convert),
    ShowData { file: PathBuf },
    Setup(Setup),
    Train(Train),
    ShowSaved { dir: PathBuf, part: Part },
    ConvertModel(ConvertModel),
    Query(Query),
    Map(MapQuery),
    Minify(Minify),
    Plot(Plot),
    Report(Report),
}

/// What of a saved model to show.
#[derive(Debug)]
pub enum Part {
    /// A summary of everything.
    Summary,
    /// One attribute.
    Attribute {
        /// Which.
        attribute: Attribute,
        /// The entry of it, when named.
        key: Option<String>,
    },
    /// Its set-up, or that of a data set in its terms.
    Setup {
        /// The data set, when named.
        adata: Option<PathBuf>,
        /// How much of it.
        states: States,
    },
}

/// Whether a set-up is shown with what its fields remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum States {
    /// With it.
    Shown,
    /// Without.
    Hidden,
}

/// Which data set to simulate.
#[derive(Debug)]
pub struct Simulate {
    /// The file to write.
    pub out: PathBuf,
    /// Whether it may be replaced.
    pub overwrite: Overwrite,
    /// With structure or without.
    pub structure: Structure,
    /// The simulation's arguments.
    pub args: Args,
}

/// What to make an `.h5ad` file of.
#[derive(Debug)]
pub struct Convert {
    /// The file or folder to read.
    pub src: PathBuf,
    /// The file to write.
    pub dst: PathBuf,
    /// Whether it may be replaced.
    pub overwrite: Overwrite,
    /// The modality, when named.
    pub modality: Option<String>,
    /// What to take of a file of 10x.
    pub options: ImportOptions,
}

/// Which saved model to convert into what.
#[derive(Debug)]
pub struct ConvertModel {
    /// The saved model.
    pub src: PathBuf,
    /// The folder to write.
    pub dst: PathBuf,
    /// What the names of files for scvi-tools begin with.
    pub prefix: Option<String>,
    /// The data set to go along, when named.
    pub adata: Option<PathBuf>,
    /// The class, when named.
    pub model: Option<String>,
    /// Whether what is there may be replaced.
    pub overwrite: Overwrite,
}

/// What simulated cells have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structure {
    /// Cell types and batch effects.
    CellTypes,
    /// Nothing: independent noise.
    Iid,
}

/// How a model would read a data set.
#[derive(Debug)]
pub struct Setup {
    /// The model.
    pub model: String,
    /// The data set.
    pub file: PathBuf,
    /// Where its matrices are kept.
    pub backed: Backing,
    /// Arguments of `setup_anndata`.
    pub setup: Args,
    /// Fields beside the model's.
    pub fields: Vec<Value>,
}

/// What to ask whom about what.
#[derive(Debug)]
pub struct Query {
    /// The saved model.
    pub dir: PathBuf,
    /// The method as the user spelt it.
    pub method: String,
    /// The data set.
    pub data: Data,
    /// Where the answer goes.
    pub output: Output,
    /// Whether it may be replaced.
    pub overwrite: Overwrite,
    /// The method's arguments.
    pub args: Args,
}

/// Which data set to reduce.
#[derive(Debug)]
pub struct Minify {
    /// The saved model.
    pub dir: PathBuf,
    /// The data set.
    pub data: Data,
    /// Folder for the model and the reduced data set.
    pub out: PathBuf,
    /// Whether it may be replaced.
    pub overwrite: Overwrite,
    /// Arguments of `minify_adata`.
    pub args: Args,
}

/// A data set that a saved model is asked about.
#[derive(Debug)]
pub struct Data {
    /// The file, when named.
    pub adata: Option<PathBuf>,
    /// Where its matrices are kept.
    pub backed: Backing,
}

/// How to talk to the user.
#[derive(Clone, Copy, Debug)]
pub struct Ui {
    /// Results for people or programs.
    pub format: Format,
    /// Progress and notes.
    pub show: Show,
    /// Say more.
    pub detail: Detail,
}

/// Who reads the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// People.
    Text,
    /// Programs.
    Json,
}

/// How much is said on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Errors only.
    Quiet,
    /// What was done.
    Normal,
    /// Each step.
    Verbose,
}

impl Ui {
    fn of(global: &Global) -> Self {
        let format = if global.json { Format::Json } else { Format::Text };
        let show = match (global.quiet, global.no_progress) {
            (true, _) => Show::Nothing,
            (false, true) => Show::Notes,
            (false, false) => Show::Progress,
        };
        let detail = match (global.quiet, global.verbose) {
            (true, _) => Detail::Quiet,
            (false, true) => Detail::Verbose,
            (false, false) => Detail::Normal,
        };
        Self { format, show, detail }
    }

    /// Says on standard error what was done.
    pub fn say(&self, text: impl AsRef<str>) {
        if self.detail >= Detail::Normal {
            term::tell(text.as_ref());
        }
    }

    /// Says on standard error what is being done, to those who want to know.
    pub fn step(&self, text: impl AsRef<str>) {
        if self.detail >= Detail::Verbose {
            term::tell(text.as_ref());
        }
    }
}

impl Plan {
    /// What a parsed command line means.
    ///
    /// # Errors
    /// When an output is of no known kind.
    pub fn of(parsed: Parsed) -> Result<Self> {
        let Cli { command, global } = parsed.cli;
        let job = match command {
            Command::Plugins(Plugins::List) => Job::ListPlugins,
            Command::Plugins(Plugins::Inspect { file }) => Job::InspectPlugin { file },
            Command::Plugins(Plugins::Check { plugin }) => Job::CheckPlugin { plugin },
            Command::Plugins(Plugins::New { dir, checkout }) => Job::NewPlugin { dir, checkout },
            Command::Models(Models::List) => Job::ListModels,
            Command::Models(Models::Show { model }) => Job::ShowModel { model },
            Command::Fields(Fields::List) => Job::ListFields,
            Command::Data(cli::Data::Synthetic { out, iid, overwrite }) => {
                let structure = if iid { Structure::Iid } else { Structure::CellTypes };
                let overwrite = overwrite.into();
                Job::Simulate(Simulate { out, overwrite, structure, args: parsed.simulation })
            }
            Command::Data(cli::Data::Convert {
                src,
                dst,
                modality,
                genome,
                gex_only,
                overwrite,
            }) => {
                let features = if gex_only { Features::GeneExpression } else { Features::All };
                let options = ImportOptions { genome, features };
                let overwrite = overwrite.into();
                Job::Convert(Convert { src, dst, overwrite, modality, options })
            }
            Command::Data(cli::Data::Show { file }) => Job::ShowData { file },
            Command::Setup(s) => Job::Setup(Setup {
                model: s.model,
                file: s.file,
                backed: backing(s.backed),
                setup: parsed.setup,
                fields: s.fields.field,
            }),
            Command::Train(t) => Job::Train(Train {
                model: t.model,
                training: Training {
                    file: t.file,
                    backed: backing(t.backed),
                    out: t.out,
                    keep: KeepData::of(t.save_anndata),
                    args: parsed.training,
                },
                start: match t.resume {
                    true => Start::Resume { seed: global.seed },
                    false => Start::Afresh(t.overwrite.into()),
                },
                setup: parsed.setup,
                fields: t.fields.field,
                init: parsed.model,
            }),
            Command::Map(m) => Job::Map(MapQuery {
                dir: m.dir,
                training: Training {
                    file: m.query,
                    backed: backing(m.backed),
                    out: m.out,
                    keep: KeepData::of(m.save_anndata),
                    args: parsed.training,
                },
                overwrite: m.overwrite.into(),
                mapping: parsed.mapping,
            }),
            Command::Show(s) => Job::ShowSaved { dir: s.dir.clone(), part: Part::of(s)? },
            Command::Convert(c) => Job::ConvertModel(ConvertModel {
                src: c.src,
                dst: c.dst,
                prefix: c.prefix,
                adata: c.adata,
                model: c.model,
                overwrite: c.overwrite.into(),
            }),
            Command::Query(q) => Job::Query(Query {
                dir: q.dir,
                method: q.method,
                data: Data { adata: q.adata, backed: backing(q.backed) },
                output: Output::of(&q.out)?,
                overwrite: q.overwrite.into(),
                args: parsed.query,
            }),
            Command::Minify(m) => Job::Minify(Minify {
                dir: m.dir,
                data: Data { adata: m.adata, backed: backing(m.backed) },
                out: m.out,
                overwrite: m.overwrite.into(),
                args: parsed.minification,
            }),
            Command::Plot(p) => Job::Plot(Plot::of(p.dir, p.picture, parsed.query)?),
            Command::Report(report) => Job::Report(Report::of(report)?),
        };
        let ui = Ui::of(&global);
        let Global { plugin_dir, device, threads, seed, .. } = global;
        let seed = seed.unwrap_or(0);
        Ok(Self { job, plugin_dirs: plugin_dir, settings: Settings { seed, device, threads }, ui })
    }
}

impl Part {
    fn of(show: cli::Show) -> Result<Self> {
        use Attribute::{GetSetupArg, GetStateRegistry, ViewAnndataSetup};
        let cli::Show { attribute, key, adata, hide_state_registries, .. } = show;
        let misplaced = |message: &str| {
            let error = Cli::command().error(ErrorKind::ArgumentConflict, message);
            Err(error.into())
        };
        match attribute {
            Some(ViewAnndataSetup) if key.is_none() => {
                let states = if hide_state_registries { States::Hidden } else { States::Shown };
                Ok(Self::Setup { adata, states })
            }
            _ if adata.is_some() || hide_state_registries => {
                misplaced("--adata and --hide-state-registries belong to view-anndata-setup")
            }
            Some(attribute)
                if key.is_none() || matches!(attribute, GetStateRegistry | GetSetupArg) =>
            {
                Ok(Self::Attribute { attribute, key })
            }
            Some(_) => misplaced("KEY belongs to get-state-registry and get-setup-arg"),
            None => Ok(Self::Summary),
        }
    }
}

fn backing(on_disk: bool) -> Backing {
    if on_disk { Backing::Disk } else { Backing::Memory }
}
