//! Differential expression: which genes differ between groups of cells, by posterior samples.

mod bayes;
mod counts;
mod delta;
mod functions;
mod groups;
mod mcd;
mod outliers;
mod quantile;
mod scales;
mod table;
#[cfg(test)]
mod tests;

pub use functions::{ChangeFn, ChangeFunctions, DomainFn};

use std::collections::HashSet;

use rand::{SeedableRng, rngs::StdRng};
use tch::Tensor;

use self::{
    bayes::{Change, change, vanilla},
    counts::{Counts, Known},
    groups::Groups,
    scales::{Pairs, paired},
    table::Columns,
};
use super::{
    ImportanceParams,
    decoding::{Generative, Inference},
    importance,
    progress::Part,
};
use crate::{
    Params,
    anndata::{AnnData, Element, Slot},
    data::MinifiedDataType,
    error::{Error, Result, list},
    model::{
        BaseModelClass, Event, HasLibrary, HasPx, HasQz, Model, Observer, OutputSpec, Query, Sink,
    },
    params::Params as _,
    selection::Selection,
};

crate::choices! {
    /// What is asked of a gene.
    pub enum DeMode {
        /// Whether its fold change leaves a region around zero (Boyeau et al. 2019).
        #[default]
        Change = "change",
        /// In which group it is higher (Lopez et al. 2018).
        Vanilla = "vanilla",
    }
}

crate::choices! {
    /// Whether higher and lower are one hypothesis or two.
    pub enum TestMode {
        /// Higher, lower, unchanged: the likelier of the first two counts.
        #[default]
        Three = "three",
        /// Changed or unchanged.
        Two = "two",
    }
}

crate::number_or! {
    /// Half the width of the region of log2 fold changes that count as no change.
    pub enum Delta {
        /// This number.
        Fixed = 0.25,
        /// Estimated from the fold changes of all genes.
        Estimated = "auto",
    }
}

/// Said when there are no counts to say anything of.
const WITHOUT_COUNTS: &str = "the data set is minified: silent genes are those whose expected count is \
                              small, and columns about the counts are left out";

/// Arguments of [`differential_expression`].
#[derive(Clone, Debug, PartialEq, Params)]
pub struct DifferentialExpressionParams {
    /// Column of obs with the groups.
    pub groupby: Option<String>,
    /// Groups to compare with `group2`; each of `groupby` when none is given.
    pub group1: Vec<String>,
    /// Group to compare with; all other cells when not given.
    pub group2: Option<String>,
    /// Cells of the first group, in place of `group1`.
    pub idx1: Option<Selection>,
    /// Cells of the second group; all not in `idx1` when not given.
    pub idx2: Option<Selection>,
    /// What is asked of a gene.
    pub mode: DeMode,
    /// Log2 fold changes within ± this are no change; `auto` estimates it.
    pub delta: Delta,
    /// Cells per minibatch.
    #[param(default = 128usize, min = 1)]
    pub batch_size: usize,
    /// Add means and shares of the counts of both groups, where the data set has its counts.
    #[param(default = true)]
    pub all_stats: bool,
    /// Decode both groups in the same batches, in place of each cell in its own.
    pub batch_correction: bool,
    /// Batches to decode the first group in; all when none is given.
    pub batchid1: Vec<String>,
    /// Batches to decode the second group in; all when none is given.
    pub batchid2: Vec<String>,
    /// Expected share of false discoveries among the genes called.
    #[param(default = 0.05, min = 0.0, max = 1.0)]
    pub fdr_target: f64,
    /// Posterior samples of each group.
    #[param(default = 5000usize, min = 1)]
    pub n_samples_overall: usize,
    /// Compare random pairs of samples, in place of each with one other.
    pub use_permutation: bool,
    /// How many random pairs.
    #[param(default = 10_000usize, min = 1)]
    pub m_permutation: usize,
    /// Added to frequencies before their ratio is taken; estimated from silent genes when not given.
    #[param(min = 0.0)]
    pub pseudocounts: Option<f64>,
    /// Mean count below which a gene is silent in a group.
    #[param(default = 0.01, min = 0.0)]
    pub threshold_counts: f64,
    /// Whether higher and lower are one hypothesis or two.
    pub test_mode: TestMode,
    /// Levels of credible intervals of the fold change to add, e.g. 0.9.
    pub cred_interval_lvls: Vec<f64>,
    /// Leave out the tenth of each group's cells that lies farthest from the others in the latent
    /// space; counts are still those of all cells.
    pub filter_outlier_cells: bool,
    /// How the samples of a group are weighted.
    #[param(flatten)]
    pub importance: ImportanceParams,
}

/// `differential_expression`: a table of genes for each comparison.
pub fn differential_expression<M: BaseModelClass>() -> Query<M>
where
    Inference<M>: HasQz + HasLibrary,
    Generative<M>: HasPx,
{
    let about = "Genes that differ between groups of cells, with probabilities and fold changes.";
    Query::new::<DifferentialExpressionParams>(
        "differential_expression",
        about,
        |model, adata, args, sink, observer| {
            let params = DifferentialExpressionParams::from_args(args)?;
            model.differential_expression(adata, &params, sink, observer)
        },
    )
    .with_tables()
}

impl<M: BaseModelClass> Model<M>
where
    Inference<M>: HasQz + HasLibrary,
    Generative<M>: HasPx,
{
    /// Sends a table named `differential_expression` to `sink`, comparison by comparison: a row per
    /// gene, likeliest first, with the columns of scvi-tools.
    ///
    /// Memory: `2 * n_samples_overall * n_vars` float32, and as many again for the pairs.
    ///
    /// # Errors
    /// [`Error::Argument`] for groups, rows or batches that are not there, or a group without cells;
    /// when the data do not fit the model.
    pub fn differential_expression(
        &self,
        adata: &mut AnnData,
        params: &DifferentialExpressionParams,
        sink: &mut dyn Sink,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let functions = ChangeFunctions::default();
        self.differential_expression_with(adata, params, functions, sink, observer)
    }

    /// As [`Model::differential_expression`], with another change or another region in which it counts
    /// as one; for mode `change`.
    ///
    /// # Errors
    /// As [`Model::differential_expression`]; [`Error::Shape`] when a function gives another shape
    /// than it was given.
    pub fn differential_expression_with(
        &self,
        adata: &mut AnnData,
        params: &DifferentialExpressionParams,
        functions: ChangeFunctions<'_>,
        sink: &mut dyn Sink,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        if let Some(level) = params.cred_interval_lvls.iter().find(|l| !(0.0..1.0).contains(*l)) {
            return Err(Error::Argument {
                name: "cred_interval_lvls".into(),
                expected: "levels of at least 0 and less than 1".into(),
                found: level.to_string(),
            });
        }
        let groups = Groups::of(adata, params)?;
        let batches = self.batches(params)?;
        let sizes = groups.class_sizes();
        let n_visited = |(classes, batches): (&Vec<i64>, &Vec<Option<i64>>)| {
            let n_cells = classes.iter().map(|&class| sizes[class as usize]).sum();
            let n_samples = scales::draws_per_batch(params.n_samples_overall, batches.len());
            batches.len() * importance::n_visited(n_cells, n_samples, &params.importance)
        };
        let sides =
            groups.comparisons.iter().flat_map(|c| [&c.first, &c.second].into_iter().zip(&batches));
        let kind = MinifiedDataType::of(adata)?;
        let has_counts = kind.is_none_or(MinifiedDataType::has_counts);
        let n_passes = usize::from(has_counts) + usize::from(params.filter_outlier_cells);
        let total = n_passes * adata.n_obs() + sides.map(n_visited).sum::<usize>();
        let mut progress = Part::new(observer, total);
        let counts = self.counts(adata, &groups, params.batch_size, &mut progress)?;
        if matches!(counts, Counts::Expected(_)) {
            progress.hear(&Event::Note { text: WITHOUT_COUNTS.into() });
        }
        let latent = match params.filter_outlier_cells {
            true => Some(self.latent_means(adata, params.batch_size, &mut progress)?),
            false => None,
        };
        let mut rng = StdRng::seed_from_u64(self.settings.seed as u64);
        for (i, comparison) in groups.comparisons.iter().enumerate() {
            let sides = [&comparison.first, &comparison.second];
            let mut draw = |side: usize| {
                let mut cells = groups.cells(sides[side]);
                if let Some(latent) = &latent {
                    let group = comparison.name(side);
                    cells =
                        outliers::without_outliers(latent, cells, group, &mut rng, &mut progress)?;
                }
                self.scales(adata, &cells, &batches[side], params, &mut rng, &mut progress)
            };
            let (first, second) = (draw(0)?, draw(1)?);
            let scales = [first.mean()?, second.mean()?];
            let n_pairs = params.use_permutation.then_some(params.m_permutation);
            let pairs = paired(first, second, n_pairs, &mut rng)?;
            let known = |side: usize| {
                counts.of(sides[side], &groups, &scales[side], params.threshold_counts)
            };
            let known = [known(0)?, known(1)?];
            let mut tested = test(params, functions, &pairs, scales, known)?;
            tested.names = comparison.names.clone();
            let table = tested.table(&self.var_names, params)?;
            if i == 0 {
                let n_rows = groups.comparisons.len() * self.var_names.len();
                sink.begin(&OutputSpec {
                    name: "differential_expression".into(),
                    shape: vec![n_rows, table.columns.len()],
                    dtype: None,
                    place: (Slot::Uns, format!("{}_de", M::NAME.to_lowercase())),
                    columns: Some(table.columns.keys().cloned().collect()),
                })?;
            }
            sink.rows(Element::DataFrame(table))?;
        }
        Ok(())
    }

    /// The batches that each group is decoded in; `None` is each cell's own.
    fn batches(&self, params: &DifferentialExpressionParams) -> Result<[Vec<Option<i64>>; 2]> {
        let named = [("batchid1", &params.batchid1), ("batchid2", &params.batchid2)];
        let wrong = |(name, found): (&str, &Vec<String>), expected: &str| Error::Argument {
            name: name.into(),
            expected: expected.into(),
            found: if found.is_empty() { "all".into() } else { list(found) },
        };
        if !params.batch_correction {
            return match named.into_iter().find(|(_, batches)| !batches.is_empty()) {
                Some(given) => Err(wrong(given, "none, unless `batch_correction` is on")),
                None => Ok([vec![None], vec![None]]),
            };
        }
        let codes = |(name, named): (&str, &Vec<String>)| match named.is_empty() {
            true => Ok(self.all_batches()),
            false => self.batch_codes(name, named),
        };
        let [first, second] = [codes(named[0])?, codes(named[1])?];
        let sets: [HashSet<_>; 2] = [&first, &second].map(|codes| codes.iter().collect());
        if sets[0] != sets[1] && !sets[0].is_disjoint(&sets[1]) {
            return Err(wrong(named[1], "the batches of the first group, or none of these"));
        }
        Ok([first, second])
    }
}

/// What the samples and the counts of two groups say of each gene.
fn test(
    params: &DifferentialExpressionParams,
    functions: ChangeFunctions<'_>,
    pairs: &Pairs,
    scales: [Tensor; 2],
    counts: [Known; 2],
) -> Result<Columns> {
    let mut columns = match params.mode {
        DeMode::Vanilla => vanilla(pairs, scales)?,
        DeMode::Change => {
            let silent = counts.each_ref().map(|side| side.silent.clone());
            let how = Change {
                delta: params.delta,
                pseudocounts: params.pseudocounts,
                test_mode: params.test_mode,
                levels: &params.cred_interval_lvls,
                functions,
            };
            change(pairs, scales, silent, &how)?
        }
    };
    if let ([Some(first), Some(second)], true) =
        (counts.each_ref().map(|side| side.measured.as_ref()), params.all_stats)
    {
        columns.counts(first, second);
    }
    Ok(columns)
}
