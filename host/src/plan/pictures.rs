//! What is to be drawn.

use std::path::PathBuf;

use scvi_framework::params::Args;

use super::{Data, backing};
use crate::{
    cli::{self, LatentSpace, Picture},
    failure::{Error, Result},
    plots::Canvas,
    staged::Overwrite,
};

/// What to draw of which model.
#[derive(Debug)]
pub struct Plot {
    /// The saved model.
    pub dir: PathBuf,
    /// What to draw.
    pub drawing: Drawing,
    /// The file to write, by the kind that its ending says.
    pub canvas: Canvas,
    /// Whether it may be replaced.
    pub overwrite: Overwrite,
}

/// What to draw.
#[derive(Debug)]
pub enum Drawing {
    /// These metrics of training, or all.
    History(Vec<String>),
    /// The latent space.
    Latent(Map),
    /// Comparisons in a table.
    Table(PathBuf, Shown),
    /// Comparisons to be made.
    Compared(Data, Args, Shown),
}

/// What of a comparison is shown.
#[derive(Debug)]
pub struct Shown {
    /// The groups, or all.
    pub groups: Vec<String>,
    /// Genes with their names.
    pub n_genes: usize,
}

/// A map of the latent space.
#[derive(Debug)]
pub struct Map {
    /// The data set.
    pub data: Data,
    /// Columns of obs that give the colours; those of the set-up where none is named.
    pub colors: Vec<String>,
    /// Matrices of obsm to draw beside it.
    pub beside: Vec<String>,
    /// The most cells to draw.
    pub max_cells: usize,
}

/// A page about a model.
#[derive(Debug)]
pub struct Report {
    /// The saved model.
    pub dir: PathBuf,
    /// The map in it.
    pub map: Map,
    /// The file to write.
    pub out: PathBuf,
    /// Whether it may be replaced.
    pub overwrite: Overwrite,
}

impl Plot {
    pub(super) fn of(dir: PathBuf, picture: Picture, args: Args) -> Result<Self> {
        let (drawing, file) = match picture {
            Picture::History { metric, file } => (Drawing::History(metric), file),
            Picture::Latent { latent, file } => (Drawing::Latent(Map::of(latent)), file),
            Picture::De { table, group, n_genes, adata, backed, file } => {
                let shown = Shown { groups: group, n_genes };
                let data = Data { adata, backed: backing(backed) };
                let drawing = match table {
                    Some(table) => Drawing::Table(table, shown),
                    None => Drawing::Compared(data, args, shown),
                };
                (drawing, file)
            }
        };
        let (canvas, overwrite) = (Canvas::of(&file.out)?, file.overwrite.into());
        Ok(Self { dir, drawing, canvas, overwrite })
    }
}

impl Map {
    fn of(latent: LatentSpace) -> Self {
        let LatentSpace { color, beside, adata, backed, max_cells } = latent;
        Self { data: Data { adata, backed: backing(backed) }, colors: color, beside, max_cells }
    }
}

impl Report {
    pub(super) fn of(report: cli::Report) -> Result<Self> {
        let cli::Report { dir, latent, out, overwrite } = report;
        if !out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("html")) {
            return Err(Error::Ending { path: out, expected: ".html" });
        }
        Ok(Self { dir, map: Map::of(latent), out, overwrite: overwrite.into() })
    }
}
