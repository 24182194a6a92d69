//! Cells of a group that lie far from the others in the latent space, left out as scikit-learn's
//! `EllipticEnvelope` does: the tenth with the largest robust distances.

use rand::rngs::StdRng;
use tch::{Kind, Tensor};

use super::{
    super::{
        decoding::Inference,
        latent::{Latent, LatentParams},
    },
    mcd::{self, Fits},
    quantile::quantile,
};
use crate::{
    anndata::AnnData,
    error::Result,
    model::{BaseModelClass, Event, HasQz, Model, Observer},
};

/// The share of the cells that is kept.
const KEPT: f64 = 0.9;
/// The share of normal points within the distance from which a point no longer counts.
const CENTRAL: f64 = 0.975;

/// The cells of a group without its outliers by their places in the latent space `[n_obs, n_latent]`;
/// all of them, which the observer hears, where that cannot be estimated.
///
/// # Errors
/// When libtorch fails.
pub(super) fn without_outliers(
    latent: &Tensor,
    cells: Vec<usize>,
    group: &str,
    rng: &mut StdRng,
    observer: &mut dyn Observer,
) -> Result<Vec<usize>> {
    let rows: Vec<i64> = cells.iter().map(|&cell| cell as i64).collect();
    let points = latent.f_index_select(0, &Tensor::from_slice(&rows))?;
    let Some(kept) = inliers(&points, rng)? else {
        let text = format!(
            "group {group}: the covariance of its {} cells in the latent space cannot be estimated, \
             so that none is left out as an outlier",
            cells.len()
        );
        observer.hear(&Event::Note { text });
        return Ok(cells);
    };
    Ok(cells.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(cell, _)| cell).collect())
}

impl<M: BaseModelClass> Model<M>
where
    Inference<M>: HasQz,
{
    /// Where all cells lie in the latent space, float32 `[n_obs, n_latent]`.
    pub(super) fn latent_means(
        &self,
        adata: &mut AnnData,
        batch_size: usize,
        observer: &mut dyn Observer,
    ) -> Result<Tensor> {
        let params = LatentParams { batch_size, ..Default::default() };
        let (Latent::Points(means) | Latent::Moments { qzm: means, .. }) =
            self.get_latent_representation(adata, &params, observer)?;
        let shape: Vec<i64> = means.shape.iter().map(|&n| n as i64).collect();
        Ok(Tensor::from_slice(&means.values.to_f32()).view(shape.as_slice()))
    }
}

/// Whether each of the points `[n, p]` is kept; `None` when their covariance cannot be estimated.
///
/// # Errors
/// When libtorch fails.
pub(super) fn inliers(points: &Tensor, rng: &mut StdRng) -> Result<Option<Vec<bool>>> {
    let Some(points) = standardised(&points.to_kind(Kind::Double))? else { return Ok(None) };
    let Some((fit, n_half)) = mcd::narrowest_half(&points, rng)? else { return Ok(None) };
    let (n, p) = points.size2()?;
    // The narrowest half of normal points has a smaller covariance than all of them.
    let half = n_half as f64 / n as f64;
    let shrunk = chi2_cdf(chi2_quantile(half, p as f64), p as f64 + 2.0) / half;
    let farthest = chi2_quantile(CENTRAL, p as f64) / shrunk;
    let central = fit.distances(&points)?.squeeze_dim(0).lt(farthest).nonzero().view(-1);
    let fit = Fits::of(&points.f_index_select(0, &central)?.unsqueeze(0))?;
    let distances = Vec::<f64>::try_from(&fit.distances(&points)?.view(-1))?;
    let farthest = quantile(distances.clone(), KEPT).unwrap_or(f64::INFINITY);
    Ok(Some(distances.into_iter().map(|distance| distance <= farthest).collect()))
}

/// The points along the axes of their covariance in which they differ at all `[n, rank]`, in units of
/// the median deviation; `None` when half of the points have the same place on one, or a place is no
/// number.
fn standardised(points: &Tensor) -> Result<Option<Tensor>> {
    const RANK: f64 = 1e-12;
    let (n, _) = points.size2()?;
    if n < 2 || !bool::try_from(points.isfinite().all())? {
        return Ok(None);
    }
    let centred = points - points.mean_dim(0i64, true, Kind::Double);
    let covariance = centred.tr().f_matmul(&centred)? / n as f64;
    let (variances, axes) = covariance.f_linalg_eigh("L")?;
    let least = RANK * variances.max().double_value(&[]).max(f64::MIN_POSITIVE);
    let axes = axes.f_index_select(1, &variances.gt(least).nonzero().view(-1))?;
    let places = centred.f_matmul(&axes)?;
    let deviations = (&places - places.median_dim(0, true).0).abs();
    let spread = deviations.median_dim(0, true).0;
    if spread.numel() == 0 || spread.min().double_value(&[]) <= 0.0 {
        return Ok(None);
    }
    Ok(Some(places / spread))
}

/// The share of squared lengths below `x`, of standard normal points in `p` dimensions.
fn chi2_cdf(x: f64, p: f64) -> f64 {
    Tensor::from(p / 2.0).special_gammainc(&Tensor::from(x / 2.0)).double_value(&[])
}

/// The squared length below which this share lies, by bisection.
fn chi2_quantile(share: f64, p: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while chi2_cdf(high, p) < share {
        high *= 2.0;
    }
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        match chi2_cdf(middle, p) < share {
            true => low = middle,
            false => high = middle,
        }
    }
    high
}

#[cfg(test)]
mod tests;
