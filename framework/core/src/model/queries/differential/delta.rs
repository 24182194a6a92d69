//! The width of no change, estimated: most genes do not change, some are lower, some are higher.

/// How far out of the modes of changed genes the threshold lies.
const SHARE: f64 = 0.6;
/// The smallest threshold.
const LEAST: f64 = 0.1;
/// Added to variances, so that none vanishes.
const FLOOR: f64 = 1e-6;

/// A threshold from the mean log2 fold change of each gene: a share of the mean distance of the two
/// outer components of a mixture of three normal distributions.
pub(super) fn estimate(lfc_means: &[f64]) -> f64 {
    let means = mixture_means(lfc_means);
    let outer = (means[0].abs() + means[2].abs()) / 2.0;
    (SHARE * outer).max(LEAST)
}

/// Means of three normal components, ascending, by expectation maximisation from thirds of the data.
fn mixture_means(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let mut centres = [1, 3, 5].map(|sixth| sorted[(sixth * n / 6).min(n - 1)]);
    // Lloyd's steps: the centres of the thirds, drawn to where the values gather.
    for _ in 0..100 {
        let mut sums = [(0.0, 0usize); 3];
        for &value in &sorted {
            let k = nearest(value, &centres);
            sums[k] = (sums[k].0 + value, sums[k].1 + 1);
        }
        let next = std::array::from_fn(|k| match sums[k] {
            (_, 0) => centres[k],
            (sum, n) => sum / n as f64,
        });
        if next == centres {
            break;
        }
        centres = next;
    }
    let mut mixture = Mixture::of(&sorted, |value| {
        let k = nearest(value, &centres);
        std::array::from_fn(|j| f64::from(u8::from(j == k)))
    });
    let mut before = f64::NEG_INFINITY;
    for _ in 0..100 {
        let likelihood = sorted.iter().map(|&v| mixture.log_prob(v)).sum::<f64>() / n as f64;
        if likelihood - before < 1e-3 {
            break;
        }
        before = likelihood;
        mixture = Mixture::of(&sorted, |value| mixture.responsibilities(value));
    }
    let mut means = mixture.means;
    means.sort_by(f64::total_cmp);
    means
}

fn nearest(value: f64, centres: &[f64; 3]) -> usize {
    let distance = |k: &usize| (value - centres[*k]).abs();
    (0..3).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(0)
}

/// Three normal distributions with weights.
struct Mixture {
    weights: [f64; 3],
    means: [f64; 3],
    variances: [f64; 3],
}

impl Mixture {
    /// The likeliest for values that belong to the components in these shares.
    fn of(values: &[f64], shares: impl Fn(f64) -> [f64; 3]) -> Self {
        let (mut n, mut sums) = ([f64::EPSILON * 10.0; 3], [0.0; 3]);
        let shares: Vec<[f64; 3]> = values.iter().map(|&value| shares(value)).collect();
        for (&value, share) in values.iter().zip(&shares) {
            for k in 0..3 {
                n[k] += share[k];
                sums[k] += share[k] * value;
            }
        }
        let means: [f64; 3] = std::array::from_fn(|k| sums[k] / n[k]);
        let mut squares = [0.0; 3];
        for (&value, share) in values.iter().zip(&shares) {
            for k in 0..3 {
                squares[k] += share[k] * (value - means[k]).powi(2);
            }
        }
        Self {
            weights: n.map(|n| n / values.len() as f64),
            means,
            variances: std::array::from_fn(|k| squares[k] / n[k] + FLOOR),
        }
    }

    fn log_parts(&self, value: f64) -> [f64; 3] {
        std::array::from_fn(|k| {
            let deviation = (value - self.means[k]).powi(2) / self.variances[k];
            self.weights[k].ln()
                - 0.5 * (deviation + (std::f64::consts::TAU * self.variances[k]).ln())
        })
    }

    fn log_prob(&self, value: f64) -> f64 {
        let parts = self.log_parts(value);
        let highest = parts.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        highest + parts.iter().map(|part| (part - highest).exp()).sum::<f64>().ln()
    }

    fn responsibilities(&self, value: f64) -> [f64; 3] {
        let whole = self.log_prob(value);
        self.log_parts(value).map(|part| (part - whole).exp())
    }
}
