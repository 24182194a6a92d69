//! A latent space in two dimensions.

use manifolds_rs::{UmapParams, umap};
use rayon::ThreadPoolBuilder;

use crate::failure::{Error, Result};

/// Neighbours of a cell that are kept near it, as in scanpy.
const N_NEIGHBOURS: usize = 15;

/// How close cells may come, and how far apart groups lie, as in scanpy.
const MIN_DIST: f32 = 0.5;
const SPREAD: f32 = 1.0;

/// A space of many dimensions, row-major `[n_cells, n_dims]`.
pub struct Space {
    /// `the latent space`, `X_pca`
    pub name: String,
    /// How many dimensions it has.
    pub n_dims: usize,
    /// Where each cell lies in it.
    pub values: Vec<f32>,
}

/// A place in the plane for each cell.
pub struct Embedding {
    /// The space that was laid out.
    pub name: String,
    /// The places.
    pub points: Vec<(f64, f64)>,
    /// What the axes are.
    pub axes: [&'static str; 2],
}

impl Embedding {
    /// UMAP of a space; of two dimensions or of few cells, its first two dimensions as they are. The
    /// same `seed` gives the same places on any number of threads.
    ///
    /// # Errors
    /// [`Error::Embedding`] when the cells cannot be laid out.
    pub fn of(space: Space, seed: i64, threads: Option<i32>) -> Result<Self> {
        let Space { name, n_dims, values } = space;
        let n_cells = values.len() / n_dims.max(1);
        let failed = |reason: String| Error::Embedding { name: name.clone(), n_cells, reason };
        if values.iter().any(|value| !value.is_finite()) {
            return Err(failed("not all values are finite".into()));
        }
        if n_dims <= 2 || n_cells <= N_NEIGHBOURS {
            let second = |row: &[f32]| row.get(1).copied().unwrap_or(0.0);
            let point = |row: &[f32]| (f64::from(row[0]), f64::from(second(row)));
            let points = values.chunks(n_dims.max(1)).map(point).collect();
            return Ok(Self { name, points, axes: ["dimension 1", "dimension 2"] });
        }
        let params = UmapParams {
            k: N_NEIGHBOURS,
            ..UmapParams::new_default_2d(Some(MIN_DIST), Some(SPREAD))
        };
        let n_threads = threads.map_or(0, |n| n as usize); // 0: as many as there are cores
        let pool = ThreadPoolBuilder::new().num_threads(n_threads).build();
        let axes = pool
            .map_err(|e| failed(e.to_string()))?
            .install(|| umap((&values[..], n_cells, n_dims), None, &params, seed as usize, 0));
        let axes = axes.map_err(|e| failed(e.to_string()))?;
        let (x, y) = (axes[0].iter(), axes[1].iter());
        let points = x.zip(y).map(|(&x, &y)| (f64::from(x), f64::from(y))).collect();
        Ok(Self { name, points, axes: ["UMAP 1", "UMAP 2"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(values: Vec<f32>, n_dims: usize) -> Space {
        Space { name: "X_pca".into(), n_dims, values }
    }

    /// Two clumps of cells in four dimensions.
    fn clumps() -> Space {
        let noise = |i: usize, j: usize| ((i * 7919 + j * 104_729) % 1000) as f32 / 1000.0;
        let row = |i| (0..4).map(move |j| noise(i, j) + (i / 60) as f32 * 30.0);
        space((0..120).flat_map(row).collect(), 4)
    }

    #[test]
    fn clumps_stay_apart_and_the_seed_decides() -> Result<()> {
        let one = Embedding::of(clumps(), 1, Some(1))?;
        let mean = |points: &[(f64, f64)]| {
            let n = points.len() as f64;
            points.iter().fold((0.0, 0.0), |m, p| (m.0 + p.0 / n, m.1 + p.1 / n))
        };
        let far = |p: (f64, f64), q: (f64, f64)| (p.0 - q.0).hypot(p.1 - q.1);
        let (first, second) = (mean(&one.points[..60]), mean(&one.points[60..]));
        assert!(one.points[..60].iter().all(|&p| far(p, first) < far(p, second)));
        assert!(one.points[60..].iter().all(|&p| far(p, second) < far(p, first)));
        assert_eq!(Embedding::of(clumps(), 1, Some(2))?.points, one.points);
        assert_ne!(Embedding::of(clumps(), 2, Some(1))?.points, one.points);
        Ok(())
    }

    #[test]
    fn equal_cells_can_be_laid_out() -> Result<()> {
        let points = Embedding::of(space(vec![1.0; 300], 3), 0, Some(1))?.points;
        assert_eq!(points.len(), 100);
        assert!(points.iter().all(|p| p.0.is_finite() && p.1.is_finite()));
        Ok(())
    }

    #[test]
    fn two_dimensions_stay_as_they_are() -> Result<()> {
        let flat = Embedding::of(space(vec![1.0, 2.0, 3.0, 4.0], 2), 0, None)?;
        assert_eq!((flat.points, flat.axes[0]), (vec![(1.0, 2.0), (3.0, 4.0)], "dimension 1"));
        let line = Embedding::of(space(vec![1.0, 2.0], 1), 0, None)?;
        assert_eq!(line.points, [(1.0, 0.0), (2.0, 0.0)]);
        Ok(())
    }

    #[test]
    fn values_that_are_not_finite_are_refused() {
        let failed = Embedding::of(space(vec![1.0, f32::NAN], 2), 0, None).err();
        let expected = "X_pca: 1 cell cannot be laid out on a map: not all values are finite";
        assert_eq!(failed.map(|error| error.to_string()).as_deref(), Some(expected));
    }
}
