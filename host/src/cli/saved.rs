//! The commands on a saved model, but for pictures of it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `scvi show`
#[derive(Clone, Debug, Args)]
pub struct Show {
    /// The model's folder, ours or written by scvi-tools
    pub dir: PathBuf,
    /// One of its attributes [default: a summary of all]
    pub attribute: Option<Attribute>,
    /// The entry of get-state-registry (a registry key) or of get-setup-arg (an argument)
    #[arg(requires = "attribute")]
    pub key: Option<String>,
    /// For view-anndata-setup: this data set, registered in the model's terms
    #[arg(long, value_name = "FILE")]
    pub adata: Option<PathBuf>,
    /// For view-anndata-setup: without the tables of what each field remembers
    #[arg(long)]
    pub hide_state_registries: bool,
}

/// What a saved model says about itself, under its name in Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Attribute {
    /// Where its data set lies
    Adata,
    /// Arguments and training status
    SummaryString,
    /// Whether it was trained
    IsTrained,
    /// To what its data set was reduced
    MinifiedDataType,
    /// Each metric, epoch by epoch
    History,
    /// Rows that it was trained on
    TrainIndices,
    /// Rows held out to validate
    ValidationIndices,
    /// Rows that training never saw
    TestIndices,
    /// Its parameters, with their shapes
    Module,
    /// Names of its genes
    GetVarNames,
    /// In which terms data sets are registered, as JSON
    #[value(alias = "load-registry")]
    Registry,
    /// Statistics of all fields
    SummaryStats,
    /// What fields remember, as JSON
    GetStateRegistry,
    /// The set-up, as tables
    ViewAnndataSetup,
    /// The arguments of the set-up
    #[value(alias = "view-setup-method-args")]
    ViewSetupArgs,
    /// One argument of the set-up
    GetSetupArg,
}

/// `scvi convert`
#[derive(Clone, Debug, Args)]
pub struct Convert {
    /// The model's folder: ours, or of scvi-tools in its layout of today or before 0.15; where
    /// it holds several models, one of the files
    pub src: PathBuf,
    /// The folder to write: for scvi-tools 1.4.2 if SRC is ours, ours if it is of scvi-tools
    pub dst: PathBuf,
    /// What the names of scvi-tools' files in DST begin with; files of other prefixes stay
    #[arg(long, value_name = "PREFIX")]
    pub prefix: Option<String>,
    /// Save this data set with the model [default: the one saved with it in SRC]
    #[arg(long, value_name = "FILE")]
    pub adata: Option<PathBuf>,
    /// The class of the model, for files of before 0.15, which do not say it
    #[arg(long, value_name = "CLASS")]
    pub model: Option<String>,
    /// Replace the model if there is one
    #[arg(long)]
    pub overwrite: bool,
}

/// `scvi query`
#[derive(Clone, Debug, Args)]
pub struct Query {
    /// The model's folder, ours or written by scvi-tools
    pub dir: PathBuf,
    /// What to ask, e.g. get-latent-representation
    pub method: String,
    /// The data set asked about [default: the one saved with the model, else the one trained on]
    #[arg(long, value_name = "FILE")]
    pub adata: Option<PathBuf>,
    /// Leave X and layers in the file and read them row by row, for data larger than memory
    #[arg(long)]
    pub backed: bool,
    /// Where the answer goes: .h5ad (the data set with the answer in it), .csv, .tsv, .npz, or `-`
    /// for a table on standard output
    #[arg(long, value_name = "OUT")]
    pub out: PathBuf,
    /// Replace OUT if it exists
    #[arg(long)]
    pub overwrite: bool,
}

/// `scvi map`
#[derive(Clone, Debug, Args)]
pub struct Map {
    /// The reference model's folder, ours or written by scvi-tools
    pub dir: PathBuf,
    /// The query data set (.h5ad); its genes are brought into the reference's order, missing ones
    /// padded with zeros
    pub query: PathBuf,
    /// Folder for the model of the query
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Leave X and layers in the file and read them row by row, for data larger than memory
    #[arg(long)]
    pub backed: bool,
    /// Keep a copy of the data set in the model's folder; done anyway where genes had to be changed
    #[arg(long)]
    pub save_anndata: bool,
    /// Replace the folder if it exists
    #[arg(long)]
    pub overwrite: bool,
}

/// `scvi minify`
#[derive(Clone, Debug, Args)]
pub struct Minify {
    /// The model's folder, ours or written by scvi-tools
    pub dir: PathBuf,
    /// The data set to reduce [default: the one saved with the model, else the one trained on]
    #[arg(long, value_name = "FILE")]
    pub adata: Option<PathBuf>,
    /// Leave X and layers in the file and read them row by row, for data larger than memory
    #[arg(long)]
    pub backed: bool,
    /// Folder for the model and the reduced data set
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Replace the folder if it exists
    #[arg(long)]
    pub overwrite: bool,
}
