//! The fixed part of the command line. What models, methods and simulations take is added by
//! [`crate::options`] once it is known which one is meant.

mod pictures;
mod saved;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use scvi_framework::{
    fields::kind_of,
    serde_json::{self, Value},
};

pub use pictures::{LatentSpace, Picture, PictureFile, Plot, Report};
pub use saved::{Attribute, Convert, Map, Minify, Query, Show};

/// Single-cell variational models as plugins.
#[derive(Clone, Debug, Parser)]
#[command(name = "scvi", version, propagate_version = true, max_term_width = 100)]
#[command(infer_long_args = false, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What holds everywhere.
    #[command(flatten)]
    pub global: Global,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Look for plugins here too (repeatable; also SCVI_PLUGIN_PATH)
    #[arg(long, global = true, value_name = "DIR")]
    pub plugin_dir: Vec<PathBuf>,
    /// Where to compute: auto, cpu, cuda, cuda:N or N
    #[arg(long, global = true, default_value = "auto", value_parser = device)]
    pub device: String,
    /// Threads for computing
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub threads: Option<i32>,
    /// Fixes initial weights, order of cells and noise [default: 0]
    #[arg(long, global = true, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<i64>,
    /// No progress bar or progress lines
    #[arg(long, global = true)]
    pub no_progress: bool,
    /// Errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// JSON on standard output, for programs
    #[arg(long, global = true)]
    pub json: bool,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Which plugins are there, and what is in a plugin's file
    #[command(subcommand, arg_required_else_help = true)]
    Plugins(Plugins),
    /// Which models there are, and what they take
    #[command(subcommand, arg_required_else_help = true)]
    Models(Models),
    /// Which kinds of fields there are, for --field
    #[command(subcommand, arg_required_else_help = true)]
    Fields(Fields),
    /// Make a data set, or look at one
    #[command(subcommand, arg_required_else_help = true)]
    Data(Data),
    /// Show how a model would read a data set
    #[command(arg_required_else_help = true)]
    #[command(after_help = "The model's own options: scvi setup MODEL --help")]
    Setup(Setup),
    /// Train a model on a data set
    #[command(arg_required_else_help = true)]
    #[command(after_help = "The model's own options: scvi train MODEL --help")]
    Train(Train),
    /// Describe a saved model
    #[command(arg_required_else_help = true)]
    Show(Show),
    /// Convert a saved model: ours for scvi-tools, and those of scvi-tools for us
    #[command(arg_required_else_help = true)]
    Convert(Convert),
    /// Ask a saved model about a data set
    #[command(arg_required_else_help = true)]
    #[command(after_help = "The model's methods: scvi query DIR --help\n\
                            A method's own options: scvi query DIR METHOD --help")]
    Query(Query),
    /// Map a query data set onto a reference model: learn its new batches, forget nothing
    #[command(arg_required_else_help = true)]
    #[command(after_help = "The mapping's own options: scvi map DIR QUERY --help")]
    Map(Map),
    /// Reduce a data set to the posterior of its cells, and save the model with it
    #[command(arg_required_else_help = true)]
    #[command(after_help = "To what it can be reduced: scvi minify DIR --help")]
    Minify(Minify),
    /// Draw a saved model: its training, its latent space, what tells groups of cells apart
    #[command(arg_required_else_help = true)]
    Plot(Plot),
    /// Write a page about a saved model, for any browser
    #[command(arg_required_else_help = true)]
    Report(Report),
}

/// `scvi plugins`
#[derive(Clone, Debug, Subcommand)]
pub enum Plugins {
    /// List the plugins found, and files that were refused with the reason
    List,
    /// Read the manifest of a plugin's file without running any of its code
    #[command(arg_required_else_help = true)]
    Inspect {
        /// The shared library
        file: PathBuf,
    },
    /// Load a plugin, have it describe everything, and say what is wrong
    #[command(arg_required_else_help = true)]
    Check {
        /// The plugin's name, or its shared library
        plugin: String,
    },
    /// Write a crate that builds, to be changed into a model of your own
    #[command(arg_required_else_help = true)]
    New {
        /// The folder to write, named as the crate should be
        dir: PathBuf,
        /// The checkout of scvi-rs to depend on [default: the one in which this program lies]
        #[arg(long, value_name = "DIR")]
        checkout: Option<PathBuf>,
    },
}

/// `scvi models`
#[derive(Clone, Debug, Subcommand)]
pub enum Models {
    /// List the models of all plugins
    List,
    /// Show a model's arguments and methods, with defaults and help
    #[command(arg_required_else_help = true)]
    Show {
        /// The model, e.g. as `scvi models list` spells it
        model: String,
    },
}

/// `scvi fields`
#[derive(Clone, Debug, Subcommand)]
pub enum Fields {
    /// List the kinds of fields of all plugins, with what their JSON takes
    List,
}

/// `scvi data`
#[derive(Clone, Debug, Subcommand)]
pub enum Data {
    /// Simulate counts: cell types, batch effects, realistic depth and sparsity
    #[command(arg_required_else_help = true)]
    #[command(after_help = "Options with --iid: scvi data synthetic --iid --help")]
    Synthetic {
        /// The file to write (.h5ad)
        out: PathBuf,
        /// Independent noise without structure, as scvi-tools' synthetic_iid
        #[arg(long)]
        iid: bool,
        /// Replace the file if it exists
        #[arg(long)]
        overwrite: bool,
    },
    /// Make an .h5ad file of what other programs write
    #[command(arg_required_else_help = true)]
    #[command(after_help = CONVERT_HELP)]
    Convert {
        /// A file of Cell Ranger (.h5, version 2 or 3 and later), its folder with matrix.mtx (or,
        /// of several, the matrix itself), a .loom or an .h5mu file; told apart by their content
        src: PathBuf,
        /// The file to write (.h5ad)
        dst: PathBuf,
        /// Which modality of an .h5mu file; needed when there are several
        #[arg(long, value_name = "NAME")]
        modality: Option<String>,
        /// Which genome of a 10x file; needed for version 2 when there are several
        #[arg(long, value_name = "NAME")]
        genome: Option<String>,
        /// Only features of 10x that are of type "Gene Expression"
        #[arg(long)]
        gex_only: bool,
        /// Replace the file if it exists
        #[arg(long)]
        overwrite: bool,
    },
    /// Describe a data set: what is in it, whether it holds counts, which columns could serve
    #[command(arg_required_else_help = true)]
    Show {
        /// The data set: .h5ad, or anything that `scvi data convert` reads
        file: PathBuf,
    },
}

const CONVERT_HELP: &str = "\
All features of 10x are kept: genes, proteins, guides, peaks; column feature_types of var says which \
is which. scanpy's read_10x_h5 and read_10x_mtx leave out all but genes unless called with \
gex_only=False; --gex-only does as they do.
Names are the symbols of the genes, with their identifiers in column gene_ids of var. As in scanpy, \
repeated names are numbered when they come from a folder, and kept when they come from a file.
Of a .loom file, layer `spliced` becomes X where there is one.";

/// `scvi setup`
#[derive(Clone, Debug, Args)]
pub struct Setup {
    /// The model
    pub model: String,
    /// The data set (.h5ad)
    pub file: PathBuf,
    /// Leave X and layers in the file and read them row by row, for data larger than memory
    #[arg(long)]
    pub backed: bool,
    /// The fields given
    #[command(flatten)]
    pub fields: Given,
}

/// Fields of the user's own.
#[derive(Clone, Debug, Args)]
pub struct Given {
    /// Read this field too, or in the place of the model's own with that registry key (repeatable;
    /// the kinds: scvi fields list)
    #[arg(long, value_name = "JSON", value_parser = field, help_heading = "Set-up", display_order = 999)]
    pub field: Vec<Value>,
}

/// `scvi train`
#[derive(Clone, Debug, Args)]
pub struct Train {
    /// The model
    pub model: String,
    /// The data set (.h5ad)
    pub file: PathBuf,
    /// The fields given
    #[command(flatten)]
    pub fields: Given,
    /// Folder for the trained model
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Leave X and layers in the file and read them row by row, for data larger than memory
    #[arg(long)]
    pub backed: bool,
    /// Keep a copy of the data set in the model's folder
    #[arg(long)]
    pub save_anndata: bool,
    /// Replace the folder if it exists
    #[arg(long)]
    pub overwrite: bool,
    /// Go on with the training whose model or checkpoint is in DIR, as if it had never stopped; where
    /// there is none, begin. Options need not be repeated; --max-epochs, --checkpoint-every,
    /// --early-stopping and its patience may be others
    #[arg(long, conflicts_with = "overwrite")]
    pub resume: bool,
}

fn device(name: &str) -> Result<String, String> {
    let gpu = name.strip_prefix("cuda").is_some_and(|rest| {
        rest.is_empty() || rest.strip_prefix(':').is_some_and(|n| n.parse::<u8>().is_ok())
    });
    if gpu || ["auto", "cpu"].contains(&name) || name.parse::<u8>().is_ok() {
        return Ok(name.into());
    }
    Err("expected auto, cpu, cuda, cuda:N or N".into())
}

fn field(text: &str) -> Result<Value, String> {
    let json = serde_json::from_str(text).map_err(|e| format!("expected JSON: {e}"))?;
    match kind_of(&json) {
        Ok(_) => Ok(json),
        Err(_) => Err(r#"expected a JSON object with "field", the kind of field"#.into()),
    }
}
