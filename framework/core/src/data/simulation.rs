//! Simulated counts with the structure of real ones: cell types, batches, donors, depth.
//!
//! The log of a gene's share in a cell is a sum of normal effects (gene, cell type, batch, donor,
//! source, covariates, two gradients within a type); counts are negative binomial around
//! `depth * share`, drawn by inversion from one uniform number each.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use rand_distr::{Distribution, Gamma, LogNormal, Normal, Poisson, StandardNormal};

use crate::{
    Params,
    anndata::{AnnData, Categorical, DataFrame, Element, Slot, Sparse, SparseFormat, Values},
    error::{Error, Result},
};

/// Arguments of [`simulate`].
#[derive(Clone, Debug, PartialEq, Params)]
pub struct Simulation {
    /// Cells.
    #[param(default = 3000usize, min = 1)]
    pub n_obs: usize,
    /// Genes.
    #[param(default = 1000usize, min = 1)]
    pub n_vars: usize,
    /// Batches, in obs["batch"].
    #[param(default = 2usize, min = 1)]
    pub n_batches: usize,
    /// Cell types, in obs["cell_type"].
    #[param(default = 6usize, min = 1)]
    pub n_labels: usize,
    /// Donors, in obs["donor"]; each belongs to one batch.
    #[param(default = 4usize, min = 1)]
    pub n_donors: usize,
    /// Ways in which cells were obtained, in obs["cell_source"].
    #[param(default = 4usize, min = 1)]
    pub n_sources: usize,
    /// Share of counts that are not zero; sets the depth.
    #[param(default = 0.16, min = 0.001, max = 0.95)]
    pub density: f64,
    /// How far batches differ: standard deviation of the log fold changes between them.
    #[param(default = 0.3, min = 0)]
    pub batch_effect: f64,
    /// How far cell types differ: standard deviation of the log fold changes of their marker genes.
    #[param(default = 1.5, min = 0)]
    pub label_effect: f64,
    /// Fixes all values.
    pub seed: u64,
}

/// What a cell is.
struct Cell {
    label: usize,
    batch: usize,
    donor: usize,
    source: usize,
    depth: f64,
    /// Standard normal; percentages of mitochondrial and ribosomal counts are functions of them.
    covariates: [f64; 2],
    gradients: [f64; 2],
}

/// Effects on the log share of each gene.
struct Effects {
    gene: Vec<f64>,
    label: Vec<Vec<f64>>,
    batch: Vec<Vec<f64>>,
    donor: Vec<Vec<f64>>,
    source: Vec<Vec<f64>>,
    covariates: Vec<Vec<f64>>,
    gradients: Vec<Vec<f64>>,
    /// Inverse dispersion of each gene.
    theta: Vec<f64>,
}

/// Counts of cell types in batches, CSR float32; obs columns `batch`, `cell_type`, `donor`,
/// `cell_source` (categorical), `percent_mito`, `percent_ribo` (float32). Every cell has a count.
///
/// # Errors
/// Never with arguments in range.
pub fn simulate(p: &Simulation) -> Result<AnnData> {
    let simulator = Simulator::new(p);
    let mut adata = simulator.cells()?;
    adata.set(Slot::X, "", Element::Sparse(simulator.counts(0..p.n_obs)?))?;
    Ok(adata)
}

/// Cells of which all is drawn but the counts, so that these never need be in memory all at once.
pub struct Simulator {
    p: Simulation,
    effects: Effects,
    cells: Vec<Cell>,
    depth: f64,
}

impl Simulator {
    /// Draws cells and genes.
    pub fn new(p: &Simulation) -> Self {
        let mut random = StdRng::seed_from_u64(p.seed);
        let effects = Effects::draw(p, &mut random);
        let cells = draw_cells(p, &mut random);
        let depth = depth(p, &effects, &cells);
        Self { p: p.clone(), effects, cells, depth }
    }

    /// The data set of [`simulate`] without X.
    ///
    /// # Errors
    /// Never with arguments in range.
    pub fn cells(&self) -> Result<AnnData> {
        let mut adata = AnnData::new(
            DataFrame::new((0..self.p.n_obs).map(|i| format!("cell_{i}"))),
            DataFrame::new((0..self.p.n_vars).map(|g| format!("gene_{g}"))),
        );
        let column = |of: fn(&Cell) -> usize| self.cells.iter().map(of).collect::<Vec<_>>();
        adata.set(Slot::Obs, "batch", categorical("batch", &column(|c| c.batch)))?;
        adata.set(Slot::Obs, "cell_type", categorical("type", &column(|c| c.label)))?;
        adata.set(Slot::Obs, "donor", categorical("donor", &column(|c| c.donor)))?;
        adata.set(Slot::Obs, "cell_source", categorical("source", &column(|c| c.source)))?;
        for (i, (name, typical)) in
            [("percent_mito", -3.5f64), ("percent_ribo", -3.0)].iter().enumerate()
        {
            let share = |c: &Cell| (1.0 / (1.0 + (-typical - 0.6 * c.covariates[i]).exp())) as f32;
            let shares: Vec<f32> = self.cells.iter().map(share).collect();
            adata.set(Slot::Obs, name, Element::vector(shares))?;
        }
        Ok(adata)
    }

    /// The counts of cells `rows`, CSR float32 `[rows.len(), n_vars]`; the same whatever is asked for
    /// beside them.
    ///
    /// # Errors
    /// When cells are asked for that there are not.
    pub fn counts(&self, rows: Range<usize>) -> Result<Sparse> {
        let n_obs = self.cells.len();
        let cells = self.cells.get(rows.clone());
        let cells = cells.ok_or(Error::RowIndex { index: rows.end, n_obs })?;
        let drawn = self.draw(rows.start, cells);
        let mut indptr = vec![0i64];
        indptr.extend(drawn.iter().scan(0, |end, row| {
            *end += row.len() as i64;
            Some(*end)
        }));
        let (indices, data): (Vec<i32>, Vec<f32>) = drawn.into_iter().flatten().unzip();
        let indptr: Values = match i32::try_from(data.len()) {
            Ok(_) => indptr.into_iter().map(|end| end as i32).collect::<Vec<_>>().into(),
            Err(_) => indptr.into(),
        };
        let shape = [cells.len(), self.p.n_vars];
        Sparse::new(SparseFormat::Csr, shape, data.into(), indices.into(), indptr)
    }

    /// Each cell has its own random numbers, so that neither threads nor blocks matter.
    fn draw(&self, first: usize, cells: &[Cell]) -> Vec<Vec<(i32, f32)>> {
        let n_threads = std::thread::available_parallelism().map_or(1, |n| n.get());
        let n_each = cells.len().div_ceil(n_threads).max(1);
        let draw = |first: usize, cells: &[Cell]| -> Vec<Vec<(i32, f32)>> {
            let numbered = cells.iter().enumerate().map(|(i, cell)| (first + i, cell));
            let counts = |(i, cell)| draw_cell(self.p.seed, i, &self.effects, cell, self.depth);
            numbered.map(counts).collect()
        };
        std::thread::scope(|scope| {
            let parts =
                cells.chunks(n_each).enumerate().map(|(i, part)| (first + i * n_each, part));
            let threads: Vec<_> =
                parts.map(|(first, part)| scope.spawn(move || draw(first, part))).collect();
            let joined = threads
                .into_iter()
                .map(|t| t.join().unwrap_or_else(|fault| std::panic::resume_unwind(fault)));
            joined.flatten().collect()
        })
    }
}

impl Effects {
    fn draw(p: &Simulation, random: &mut StdRng) -> Self {
        const GENES: f64 = 1.6; // spread of genes' mean expression: four orders of magnitude
        const MARKERS: f64 = 0.15; // share of genes that tell a cell type from others
        let mut normals = |sd: f64| -> Vec<f64> {
            (0..p.n_vars).map(|_| sd * random.sample::<f64, _>(StandardNormal)).collect()
        };
        let gene = normals(GENES);
        let mut several = |n: usize, sd: f64| (0..n).map(|_| normals(sd)).collect::<Vec<_>>();
        let mut label = several(p.n_labels, p.label_effect);
        let batch = several(p.n_batches, p.batch_effect);
        let donor = several(p.n_donors, 0.1);
        let source = several(p.n_sources, 0.2);
        let covariates = several(2, 0.1);
        let gradients = several(2, 0.2);
        for effect in label.iter_mut().flatten() {
            *effect *= f64::from(u8::from(random.random_bool(MARKERS)));
        }
        let theta = LogNormal::new(1.0, 0.5).expect("a positive standard deviation");
        let theta = (0..p.n_vars).map(|_| theta.sample(random)).collect();
        Self { gene, label, batch, donor, source, covariates, gradients, theta }
    }

    /// Share of each gene in a cell; they sum to 1.
    fn shares(&self, cell: &Cell) -> Vec<f64> {
        let of_kind = [
            &self.label[cell.label],
            &self.batch[cell.batch],
            &self.donor[cell.donor],
            &self.source[cell.source],
        ];
        let slopes = [&self.covariates, &self.gradients].into_iter().flatten();
        let slopes: Vec<_> = slopes.zip(cell.covariates.iter().chain(&cell.gradients)).collect();
        let log_share = |g: usize| {
            let fixed: f64 = of_kind.iter().map(|effect| effect[g]).sum();
            self.gene[g] + fixed + slopes.iter().map(|(effect, x)| effect[g] * *x).sum::<f64>()
        };
        let mut shares: Vec<f64> = (0..self.gene.len()).map(|g| log_share(g).exp()).collect();
        let total: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= total);
        shares
    }
}

fn draw_cells(p: &Simulation, random: &mut StdRng) -> Vec<Cell> {
    let spread = Normal::new(0.0, 0.5f64).expect("a positive standard deviation");
    let abundance: Vec<f64> = (0..p.n_labels).map(|_| spread.sample(random).exp()).collect();
    let total: f64 = abundance.iter().sum();
    let mut draw = |_| {
        let donor = random.random_range(0..p.n_donors.max(p.n_batches));
        let mut left = random.random::<f64>() * total;
        let past = |&share: &f64| {
            left -= share;
            left < 0.0
        };
        Cell {
            label: abundance.iter().position(past).unwrap_or(p.n_labels - 1),
            batch: donor % p.n_batches,
            donor: donor % p.n_donors,
            source: random.random_range(0..p.n_sources),
            depth: spread.sample(random).exp(),
            covariates: [random.sample(StandardNormal), random.sample(StandardNormal)],
            gradients: [random.sample(StandardNormal), random.sample(StandardNormal)],
        }
    };
    (0..p.n_obs).map(&mut draw).collect()
}

/// The depth at which the wanted share of counts is not zero, by bisection over some cells.
fn depth(p: &Simulation, effects: &Effects, cells: &[Cell]) -> f64 {
    const CELLS: usize = 100;
    const STEPS: usize = 60;
    let some: Vec<(f64, Vec<f64>)> =
        cells.iter().take(CELLS).map(|cell| (cell.depth, effects.shares(cell))).collect();
    let n_values = (some.len() * p.n_vars) as f64;
    let density = |depth: f64| {
        let nonzero = |(own, shares): &(f64, Vec<f64>)| -> f64 {
            let means = shares.iter().zip(&effects.theta);
            means.map(|(share, &theta)| 1.0 - no_count(depth * own * share, theta)).sum()
        };
        some.iter().map(nonzero).sum::<f64>() / n_values
    };
    let (mut low, mut high) = (0.0f64, 30.0f64); // of the logarithm
    for _ in 0..STEPS {
        let middle = (low + high) / 2.0;
        let place = if density(middle.exp()) < p.density { &mut low } else { &mut high };
        *place = middle;
    }
    low.exp()
}

fn draw_cell(seed: u64, row: usize, effects: &Effects, cell: &Cell, depth: f64) -> Vec<(i32, f32)> {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15; // spreads neighbouring rows over all seeds
    let mut random = StdRng::seed_from_u64(seed ^ ODD.wrapping_mul(row as u64 + 1));
    let shares = effects.shares(cell);
    let mut counts = Vec::new();
    for (gene, (share, &theta)) in shares.iter().zip(&effects.theta).enumerate() {
        let count = negative_binomial(depth * cell.depth * share, theta, &mut random);
        if count > 0.0 {
            counts.push((gene as i32, count as f32));
        }
    }
    if counts.is_empty() {
        let best = (0..shares.len()).max_by(|&a, &b| shares[a].total_cmp(&shares[b]));
        counts.push((best.unwrap_or(0) as i32, 1.0));
    }
    counts
}

/// Probability that a negative binomial is 0.
fn no_count(mean: f64, theta: f64) -> f64 {
    (-theta * (mean / theta).ln_1p()).exp()
}

fn negative_binomial(mean: f64, theta: f64, random: &mut StdRng) -> f64 {
    const LONG_WALK: f64 = 100.0;
    if mean > LONG_WALK {
        let rate = Gamma::new(theta, mean / theta).map_or(mean, |gamma| gamma.sample(random));
        return Poisson::new(rate).map_or(0.0, |poisson| poisson.sample(random));
    }
    let mut left = random.random::<f64>();
    let (mut count, mut probability) = (0.0, no_count(mean, theta));
    let odds = mean / (mean + theta);
    while left >= probability && probability > f64::MIN_POSITIVE {
        left -= probability;
        probability *= (count + theta) / (count + 1.0) * odds;
        count += 1.0;
    }
    count
}

/// A categorical column of the names `<prefix>_<number>`; the categories are those that occur, in
/// the order of text.
pub(super) fn categorical(prefix: &str, numbers: &[usize]) -> Element {
    let name = |n: &usize| format!("{prefix}_{n}");
    let distinct: BTreeSet<usize> = numbers.iter().copied().collect();
    let names: BTreeMap<String, usize> = distinct.iter().map(|n| (name(n), *n)).collect();
    let code: BTreeMap<usize, i32> = names.values().copied().zip(0..).collect();
    let codes: Vec<i32> = numbers.iter().map(|n| code[n]).collect();
    let categories = Box::new(Element::strings(names.keys()));
    Element::Categorical(Categorical { codes: codes.into(), categories, ordered: false })
}
