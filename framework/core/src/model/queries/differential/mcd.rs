//! The minimum covariance determinant: mean and covariance of the half of the points that fills the
//! smallest ellipsoid, which the other half cannot spoil. Found by FAST-MCD (Rousseeuw and
//! Van Driessen, Technometrics 41, 1999), many starts side by side in one tensor.
//!
//! A *C-step* takes the `h` points nearest to a fit, by its own measure, and fits these; the
//! determinant never grows. Few steps tell good starts from bad ones, and subsets of 300 points
//! suffice for that, so that only the best fits are carried on with all points.

use rand::{rngs::StdRng, seq::SliceRandom};
use tch::{Kind, Tensor};

use crate::error::Result;

/// Random starts in all.
const N_STARTS: usize = 500;
/// Starts side by side.
const AT_ONCE: usize = 100;
/// Fits that are carried on, of each subset and of all.
const N_BEST: i64 = 10;
/// Points of a subset, and how many subsets at most.
const SUBSET: usize = 300;
const N_SUBSETS: usize = 5;
/// C-steps at most, when they should converge.
const N_STEPS: usize = 100;
/// Variance added in each direction, in units of the points' spread, so that every fit has a measure.
const RIDGE: f64 = 1e-10;

/// Means and covariances of as many sets of points.
#[derive(Debug)]
pub(super) struct Fits {
    mean: Tensor,    // [n_fits, 1, p]
    root: Tensor,    // of the covariance, lower triangular [n_fits, p, p]
    log_det: Tensor, // of the covariance [n_fits]
}

/// The fit to the narrowest half of points `[n, p]`, float64 and spread about as far as 1 in each
/// direction, and how many points that half has. `None` when there are too few points, or half of
/// them lie in a plane.
///
/// # Errors
/// When libtorch fails.
pub(super) fn narrowest_half(points: &Tensor, rng: &mut StdRng) -> Result<Option<(Fits, i64)>> {
    let (n, p) = points.size2()?;
    if n < p + 2 {
        return Ok(None);
    }
    let half = |n_points: usize| {
        let h = (n + p + 2) / 2; // of all points
        (n_points as i64 * h + n - 1) / n
    };
    let mut order: Vec<i64> = (0..n).collect();
    order.shuffle(rng);
    let n_subsets = match order.len() {
        small if small <= 2 * SUBSET => 1,
        large => (large / SUBSET).min(N_SUBSETS),
    };
    if n_subsets > 1 {
        order.truncate(order.len().min(SUBSET * N_SUBSETS) / n_subsets * n_subsets);
    }
    let mut candidates = Vec::new();
    for subset in order.chunks(order.len() / n_subsets) {
        let subset = points.f_index_select(0, &Tensor::from_slice(subset))?;
        let h = half(subset.size()[0] as usize);
        candidates.push(starts(&subset, h, N_STARTS / n_subsets, rng)?);
    }
    let mut fits = Fits::joined(&candidates)?;
    if n_subsets > 1 {
        let merged = points.f_index_select(0, &Tensor::from_slice(&order))?;
        for _ in 0..2 {
            fits = fits.step(&merged, half(order.len()))?;
        }
    }
    let fits = fits.best()?;
    let mut finished = Vec::new();
    for i in 0..fits.len() {
        finished.push(converged(fits.take(&Tensor::from_slice(&[i]))?, points, half(n as usize))?);
    }
    let best = Fits::joined(&finished)?.best()?.take(&Tensor::from_slice(&[0i64]))?;
    let covariance = best.root.f_matmul(&best.root.mt())?;
    let narrowest = covariance.f_linalg_eigvalsh("L")?.min().double_value(&[]);
    if narrowest < 100.0 * RIDGE {
        return Ok(None);
    }
    Ok(Some((best, half(n as usize))))
}

/// The best of many fits that began with `p + 1` random points.
fn starts(points: &Tensor, h: i64, n_starts: usize, rng: &mut StdRng) -> Result<Fits> {
    let (n, p) = points.size2()?;
    let mut best = Vec::new();
    for first in (0..n_starts).step_by(AT_ONCE) {
        let n_fits = AT_ONCE.min(n_starts - first);
        let chosen: Vec<i64> = (0..n_fits)
            .flat_map(|_| rand::seq::index::sample(rng, n as usize, p as usize + 1))
            .map(|index| index as i64)
            .collect();
        let chosen = points.f_index_select(0, &Tensor::from_slice(&chosen))?;
        let fits = Fits::of(&chosen.view([n_fits as i64, p + 1, p]))?;
        best.push(fits.step(points, h)?.step(points, h)?.best()?);
    }
    Fits::joined(&best)?.best()
}

/// C-steps until the determinant falls no further.
fn converged(mut fits: Fits, points: &Tensor, h: i64) -> Result<Fits> {
    for _ in 0..N_STEPS {
        let next = fits.step(points, h)?;
        let fallen = (&fits.log_det - &next.log_det).max().double_value(&[]);
        fits = next;
        if fallen <= f64::EPSILON {
            break;
        }
    }
    Ok(fits)
}

impl Fits {
    /// Of points `[n_fits, h, p]`.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn of(points: &Tensor) -> Result<Self> {
        let (_, h, p) = points.size3()?;
        let mean = points.mean_dim(1i64, true, Kind::Double);
        let centred = points - &mean;
        let ridge = Tensor::eye(p, (Kind::Double, points.device())) * RIDGE;
        let covariance = centred.mt().f_matmul(&centred)? / h as f64 + ridge;
        let root = covariance.f_linalg_cholesky(false)?;
        let log_det = 2.0 * root.diagonal(0, 1, 2).log().sum_dim_intlist(-1, false, None);
        Ok(Self { mean, root, log_det })
    }

    /// Fits to the `h` points nearest to each of these.
    fn step(&self, points: &Tensor, h: i64) -> Result<Self> {
        let (_, nearest) = self.distances(points)?.f_topk(h, 1, false, false)?;
        let chosen = points.f_index_select(0, &nearest.view(-1))?;
        Self::of(&chosen.view([self.len(), h, -1]))
    }

    /// Squared distances of points `[n, p]` by the measure of each fit `[n_fits, n]`.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn distances(&self, points: &Tensor) -> Result<Tensor> {
        let centred = (points.unsqueeze(0) - &self.mean).mt();
        let standard = self.root.f_linalg_solve_triangular(&centred, false, true, false)?;
        Ok(standard.square().sum_dim_intlist(1i64, false, None))
    }

    /// Logarithm of the determinant of the first fit's covariance.
    #[cfg(test)]
    pub fn log_det(&self) -> f64 {
        self.log_det.double_value(&[0])
    }

    fn best(&self) -> Result<Self> {
        let (_, order) = self.log_det.f_topk(N_BEST.min(self.len()), 0, false, true)?;
        self.take(&order)
    }

    fn take(&self, which: &Tensor) -> Result<Self> {
        Ok(Self {
            mean: self.mean.f_index_select(0, which)?,
            root: self.root.f_index_select(0, which)?,
            log_det: self.log_det.f_index_select(0, which)?,
        })
    }

    fn joined(all: &[Self]) -> Result<Self> {
        let join = |part: fn(&Self) -> &Tensor| {
            Tensor::f_cat(&all.iter().map(part).collect::<Vec<_>>(), 0)
        };
        let (mean, root) = (join(|fits| &fits.mean)?, join(|fits| &fits.root)?);
        Ok(Self { mean, root, log_det: join(|fits| &fits.log_det)? })
    }

    fn len(&self) -> i64 {
        self.log_det.numel() as i64
    }
}
