//! Parts that conditional variational autoencoders of counts have in common.

use tch::{Kind, Tensor};

use super::{Init, LatentDistribution, Layout, Path, Stretch, one_hot};
use crate::{
    data::Batch,
    distributions::{Likelihood, Normal},
    error::{Error, Result},
    model::{Ctx, HasLibrary, HasPx, HasQz, ModuleData},
};

/// Posterior of a minibatch and a sample of it.
#[derive(Debug)]
pub struct Latent {
    /// q(z|x), before `distribution` transforms it `[n_cells, n_latent]`.
    pub qz: Normal,
    /// A sample, transformed `[.., n_cells, n_latent]`.
    pub z: Tensor,
    /// q(l|x) of the log library size `[n_cells, 1]`; `None` where it is observed.
    pub ql: Option<Normal>,
    /// Log library size, observed or a sample `[.., n_cells, 1]`.
    pub library: Tensor,
    /// How normal samples become `z`.
    pub distribution: LatentDistribution,
}

impl HasQz for Latent {
    fn qz(&self) -> &Normal {
        &self.qz
    }

    fn z(&self) -> &Tensor {
        &self.z
    }

    fn latent_distribution(&self) -> LatentDistribution {
        self.distribution
    }

    fn at(&self, ctx: &Ctx<'_>, draws: &Tensor) -> Result<Self> {
        let (n_samples, n_cells, _) = draws.size3()?;
        Ok(Self {
            qz: self.qz.shallow_clone(),
            z: self.distribution.transform(draws.shallow_clone()),
            ql: self.ql.as_ref().map(Normal::shallow_clone),
            library: match &self.ql {
                Some(ql) => ql.rsample_n(ctx, n_samples),
                None => self.library.f_expand([n_samples, n_cells, 1], false)?,
            },
            distribution: self.distribution,
        })
    }
}

impl HasLibrary for Latent {
    fn library(&self) -> &Tensor {
        &self.library
    }

    fn ql(&self) -> Option<&Normal> {
        self.ql.as_ref()
    }
}

/// What a decoder says about the counts of a minibatch.
#[derive(Debug)]
pub struct Expression {
    /// Log expected frequency of each gene `[.., n_cells, n_vars]`.
    pub log_scale: Tensor,
    /// p(x|z).
    pub px: Likelihood,
    /// Prior of the log library size `[n_cells, 1]`; `None` where it is observed.
    pub pl: Option<Normal>,
}

impl HasPx for Expression {
    fn px(&self) -> &Likelihood {
        &self.px
    }

    fn px_scale(&self) -> Tensor {
        self.log_scale.exp()
    }

    fn pl(&self) -> Option<&Normal> {
        self.pl.as_ref()
    }
}

/// Normal prior of the log library size, one per batch, as buffers `library_log_means` and
/// `library_log_vars` `[1, n_batch]`.
#[derive(Debug)]
pub struct LibraryPrior {
    log_means: Tensor,
    log_vars: Tensor,
}

impl LibraryPrior {
    /// With the moments of the registered data.
    ///
    /// # Errors
    /// [`Error::NoDataSet`] when the model is made without a data set.
    pub fn new(path: &Path<'_>, data: &ModuleData<'_>) -> Result<Self> {
        let what = "the prior of a latent library size";
        let moments = data.library_log_moments.as_ref();
        let (means, vars) = moments.ok_or(Error::NoDataSet(what))?;
        let per_batch = |name: &str, values: &[f32]| {
            let buffer = path.buffer(name, &Tensor::from_slice(values).unsqueeze(0)); // [1, n_batch]
            path.layout(name, Layout::new(1, [Stretch::Categories(values.len() as i64)]));
            buffer
        };
        Ok(Self {
            log_means: per_batch("library_log_means", means),
            log_vars: per_batch("library_log_vars", vars),
        })
    }

    /// The prior of each cell `[n_cells, 1]`.
    ///
    /// # Errors
    /// When a batch code is unknown.
    pub fn prior(&self, batch: &Batch) -> Result<Normal> {
        let codes = batch.batch_index()?.f_squeeze_dim(-1)?.to_kind(Kind::Int64);
        let mean = self.log_means.f_index_select(1, &codes)?.tr(); // [n_cells, 1]
        let variance = self.log_vars.f_index_select(1, &codes)?.tr();
        Ok(Normal::from_variance(mean, &variance))
    }
}

crate::choices! {
    /// What the dispersion of a gene depends on.
    pub enum Dispersion {
        /// Nothing.
        #[default]
        Gene = "gene",
        /// The batch of the cell.
        GeneBatch = "gene-batch",
        /// The label of the cell.
        GeneLabel = "gene-label",
        /// The cell: the decoder says it.
        GeneCell = "gene-cell",
    }
}

/// Log inverse dispersion of genes, as parameter `px_r`: `[n_vars]`, `[n_vars, n_batch]`,
/// `[n_vars, n_labels]`, or none when the decoder says it.
#[derive(Debug)]
pub enum GeneDispersion {
    /// One per gene.
    Gene(Tensor),
    /// One per gene and batch.
    GeneBatch(Tensor),
    /// One per gene and label.
    GeneLabel(Tensor),
    /// The decoder's.
    GeneCell,
}

impl GeneDispersion {
    /// Fresh parameters, standard normal.
    pub fn new(path: &Path<'_>, kind: Dispersion, data: &ModuleData<'_>) -> Self {
        let n_vars = data.stats.n_vars();
        let px_r = |shape: &[i64]| path.param("px_r", shape, Init::Normal);
        let per_category = |n: i64| {
            let px_r = px_r(&[n_vars, n]);
            path.layout("px_r", Layout::new(1, [Stretch::Categories(n)]));
            px_r
        };
        match kind {
            Dispersion::Gene => Self::Gene(px_r(&[n_vars])),
            Dispersion::GeneBatch => Self::GeneBatch(per_category(data.stats.n_batch())),
            Dispersion::GeneLabel => Self::GeneLabel(per_category(data.stats.n_labels())),
            Dispersion::GeneCell => Self::GeneCell,
        }
    }

    /// Log inverse dispersion `[n_vars]` or `[.., n_cells, n_vars]`; `of_cell` is asked when the
    /// decoder says it.
    ///
    /// # Errors
    /// When a code is unknown; those of `of_cell`.
    pub fn log_theta(
        &self,
        batch: &Batch,
        of_cell: impl FnOnce() -> Result<Tensor>,
    ) -> Result<Tensor> {
        let of_group = |px_r: &Tensor, codes: &Tensor| {
            let one_hot = one_hot(codes, px_r.size()[1], px_r.kind())?;
            Ok(one_hot.f_linear(px_r, None::<&Tensor>)?) // [n_cells, n_vars]
        };
        match self {
            Self::Gene(px_r) => Ok(px_r.shallow_clone()),
            Self::GeneBatch(px_r) => of_group(px_r, batch.batch_index()?),
            Self::GeneLabel(px_r) => of_group(px_r, batch.labels()?),
            Self::GeneCell => of_cell(),
        }
    }
}
