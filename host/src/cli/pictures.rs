//! `scvi plot` and `scvi report`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `scvi plot`
#[derive(Clone, Debug, Args)]
pub struct Plot {
    /// The model's folder, ours or written by scvi-tools
    pub dir: PathBuf,
    /// What to draw
    #[command(subcommand)]
    pub picture: Picture,
}

/// What can be drawn.
#[derive(Clone, Debug, Subcommand)]
pub enum Picture {
    /// The metrics of each epoch, with the best epoch and the one in which training stopped early
    #[command(arg_required_else_help = true)]
    History {
        /// Only these, e.g. elbo for that of training and of validation [default: all that change]
        #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
        metric: Vec<String>,
        /// Where it goes.
        #[command(flatten)]
        file: PictureFile,
    },
    /// A map of the latent space: cells that the model holds alike lie together
    #[command(arg_required_else_help = true)]
    Latent {
        /// What to draw.
        #[command(flatten)]
        latent: LatentSpace,
        /// Where it goes.
        #[command(flatten)]
        file: PictureFile,
    },
    /// Differential expression: each gene by how much and how surely it changes (volcano plots)
    #[command(arg_required_else_help = true)]
    De {
        /// Draw this table (.csv or .tsv), as `scvi query DIR differential-expression` wrote it,
        /// instead of comparing now
        #[arg(long, value_name = "FILE")]
        table: Option<PathBuf>,
        /// Only comparisons of these groups [default: all in the table]
        #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
        group: Vec<String>,
        /// How many genes to name in each plot, half of them on either side
        #[arg(long, value_name = "N", default_value_t = 10)]
        n_genes: usize,
        /// The data set to compare in [default: the one saved with the model, else the one trained
        /// on]
        #[arg(long, value_name = "FILE", conflicts_with = "table")]
        adata: Option<PathBuf>,
        /// Leave X and layers in the file and read them row by row, for data larger than memory
        #[arg(long, conflicts_with = "table")]
        backed: bool,
        /// Where it goes.
        #[command(flatten)]
        file: PictureFile,
    },
}

/// What of a latent space to draw.
#[derive(Clone, Debug, Args)]
pub struct LatentSpace {
    /// Columns of obs that give the colours, a map for each [default: those that the model was set
    /// up with]
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    pub color: Vec<String>,
    /// Draw these of obsm beside the latent space, e.g. X_pca: what was there before the model
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    pub beside: Vec<String>,
    /// The data set to draw [default: the one saved with the model, else the one trained on]
    #[arg(long, value_name = "FILE")]
    pub adata: Option<PathBuf>,
    /// Leave X and layers in the file and read them row by row, for data larger than memory
    #[arg(long)]
    pub backed: bool,
    /// Draw at most so many cells, evenly spread over the data set
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = at_least_one)]
    pub max_cells: usize,
}

/// Where a picture goes.
#[derive(Clone, Debug, Args)]
pub struct PictureFile {
    /// The picture (.svg or .png)
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace it if it exists
    #[arg(long)]
    pub overwrite: bool,
}

/// `scvi report`
#[derive(Clone, Debug, Args)]
pub struct Report {
    /// The model's folder, ours or written by scvi-tools
    pub dir: PathBuf,
    /// What to draw.
    #[command(flatten)]
    pub latent: LatentSpace,
    /// The page (.html); it holds all it shows
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace it if it exists
    #[arg(long)]
    pub overwrite: bool,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&n| n > 0).ok_or_else(|| "expected a whole number from 1".into())
}
