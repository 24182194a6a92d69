//! Where in the latent space a group of cells lies: the mixture of their posteriors.

use std::f64::consts::{PI, TAU};

use tch::{Kind, Tensor};

use super::{decoding::Inference, latent::stacked};
use crate::{
    Params,
    anndata::AnnData,
    distributions::{Normal, draw_gamma},
    error::{Error, Result},
    model::{BaseModelClass, HasQz, Model, Observer},
};

/// Arguments of [`Model::get_aggregated_posterior`].
#[derive(Clone, Debug, PartialEq, Params)]
pub struct AggregatedPosteriorParams {
    /// Rows to use; all when not given.
    pub indices: Option<Vec<usize>>,
    /// Cells per minibatch.
    #[param(default = 128usize, min = 1)]
    pub batch_size: usize,
    /// Degrees of freedom of Student's t; normal distributions when not given.
    #[param(default = 3.0, min = 0.0)]
    pub dof: Option<f64>,
}

/// A mixture with a component per cell, all of one weight: Student's t distributions or normal ones,
/// around the mean of the cell's posterior, with its standard deviation as scale. Latent dimensions
/// are independent within a component. In float64, on the CPU.
#[derive(Debug)]
pub struct AggregatedPosterior {
    components: Normal,
    dof: Option<f64>,
}

/// Points whose densities are computed at a time.
const N_POINTS: i64 = 256;
/// Components under which they are computed at a time.
const N_CELLS: i64 = 1024;

impl AggregatedPosterior {
    /// Of the posteriors `components` `[n_cells, n_latent]`, whose locations and scales those of
    /// Student's t with `dof` degrees of freedom are, where these are given.
    ///
    /// # Errors
    /// [`Error::Argument`] for degrees of freedom that are none, or no cell at all.
    pub fn new(components: &Normal, dof: Option<f64>) -> Result<Self> {
        if let Some(dof) = dof.filter(|dof| !(*dof > 0.0 && dof.is_finite())) {
            return Err(Error::Argument {
                name: "dof".into(),
                expected: "a number above 0, or none for normal distributions".into(),
                found: dof.to_string(),
            });
        }
        let (n_cells, _) = components.mean().size2()?;
        if n_cells == 0 {
            return Err(Error::Argument {
                name: "indices".into(),
                expected: "at least one row".into(),
                found: "none".into(),
            });
        }
        let wide = |x: &Tensor| x.to_device(tch::Device::Cpu).to_kind(Kind::Double);
        let components = Normal::new(wide(components.mean()), wide(components.scale()));
        Ok(Self { components, dof })
    }

    /// Log density of each of the points `[n, n_latent]`, float64 `[n]`.
    ///
    /// Memory: a few arrays of 2 MB beside the answer, however many points and components there are.
    ///
    /// # Errors
    /// [`Error::Shape`] when the points are of another space.
    pub fn log_prob(&self, points: &Tensor) -> Result<Tensor> {
        let (n_cells, n_latent) = self.components.mean().size2()?;
        let (n_points, n_dims) = points.size2()?;
        if n_dims != n_latent {
            let shape = |n_dims: i64| vec![n_points as usize, n_dims as usize];
            let what = "points in the latent space".into();
            return Err(Error::Shape { what, expected: shape(n_latent), found: shape(n_dims) });
        }
        let (loc, scale) = (self.components.mean(), self.components.scale());
        let (loc, scale) = (loc.split(N_CELLS, 0), scale.split(N_CELLS, 0));
        let points = points.to_device(tch::Device::Cpu).to_kind(Kind::Double);
        let of_points = points.split(N_POINTS, 0).into_iter().map(|points| {
            let of_cells = loc.iter().zip(&scale).map(|(loc, scale)| {
                let in_each = match self.dof {
                    None => log_normal(&points, loc, scale),
                    Some(dof) => log_student_t(&points, loc, scale, dof),
                };
                in_each.logsumexp([1], false)
            });
            let of_cells: Vec<Tensor> = of_cells.collect();
            Tensor::stack(&of_cells, 1).logsumexp([1], false) - (n_cells as f64).ln()
        });
        Ok(Tensor::cat(&of_points.collect::<Vec<_>>(), 0))
    }

    /// Draws from libtorch's generator, float64 `[n_samples, n_latent]`.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn sample(&self, n_samples: usize) -> Result<Tensor> {
        let (n_cells, _) = self.components.mean().size2()?;
        let cells = Tensor::randint(n_cells, [n_samples as i64], tch::kind::INT64_CPU);
        let loc = self.components.mean().index_select(0, &cells);
        let scale = self.components.scale().index_select(0, &cells);
        let Some(dof) = self.dof else { return Normal::new(loc, scale).sample() };
        let precision = draw_gamma(&loc.full_like(dof / 2.0), &loc.ones_like())?;
        Normal::new(loc, scale / precision.sqrt()).sample()
    }
}

/// Log density of each point `[n, n_latent]` under each of independent normal distributions with these
/// means and standard deviations `[n_cells, n_latent]`: `[n, n_cells]`. Squares of differences are
/// multiplied out, which leaves products of matrices.
fn log_normal(points: &Tensor, loc: &Tensor, scale: &Tensor) -> Tensor {
    let precision = scale.square().reciprocal();
    let weighted = loc * &precision;
    let squares = points.square().matmul(&precision.tr()) - points.matmul(&weighted.tr()) * 2.0;
    let constant = weighted * loc + scale.log() * 2.0 + TAU.ln();
    (squares + constant.sum_dim_intlist(-1, false, None)) * -0.5
}

/// As [`log_normal`], of Student's t: one dimension after the other.
fn log_student_t(points: &Tensor, loc: &Tensor, scale: &Tensor, dof: f64) -> Tensor {
    let ln_gamma = |x: f64| Tensor::from(x).lgamma().double_value(&[]);
    let half = f64::midpoint(dof, 1.0);
    let log_norm = ln_gamma(half) - ln_gamma(dof / 2.0) - 0.5 * (dof * PI).ln();
    let steepness = (scale * dof.sqrt()).reciprocal();
    let constant = (log_norm - scale.log()).sum_dim_intlist(-1, false, None);
    let mut tails = Tensor::zeros([points.size()[0], loc.size()[0]], tch::kind::DOUBLE_CPU);
    for dim in 0..points.size()[1] {
        let [loc, steepness] = [loc, &steepness].map(|x| x.select(1, dim).contiguous());
        let z = (points.narrow(1, dim, 1) - loc) * steepness;
        tails += z.square().log1p();
    }
    constant - tails * half
}

impl<M: BaseModelClass> Model<M>
where
    Inference<M>: HasQz,
{
    /// The mixture of the posteriors of cells, before any transformation of the latent space.
    ///
    /// Memory: means and standard deviations, `2 * n_cells * n_latent` float64, and a minibatch.
    ///
    /// # Errors
    /// [`Error::NotTrained`]; [`Error::Argument`] for degrees of freedom that are none, or no cell;
    /// when the data do not fit the model.
    pub fn get_aggregated_posterior(
        &self,
        adata: &mut AnnData,
        params: &AggregatedPosteriorParams,
        observer: &mut dyn Observer,
    ) -> Result<AggregatedPosterior> {
        let indices = params.indices.as_deref();
        let posteriors = self.posteriors(adata, indices, params.batch_size, observer)?;
        AggregatedPosterior::new(&posteriors, params.dof)
    }

    /// q(z|x) of each cell, before any transformation, `[n_cells, n_latent]` on the CPU.
    pub(super) fn posteriors(
        &self,
        adata: &mut AnnData,
        indices: Option<&[usize]>,
        batch_size: usize,
        observer: &mut dyn Observer,
    ) -> Result<Normal> {
        self.require_trained()?;
        let (mut loc, mut scale) = (Vec::new(), Vec::new());
        self.for_each_batch(adata, indices, batch_size, observer, |ctx, batch| {
            let inferred = self.infer(ctx, batch)?;
            loc.push(inferred.qz().mean().to_device(tch::Device::Cpu));
            scale.push(inferred.qz().scale().to_device(tch::Device::Cpu));
            Ok(())
        })?;
        Ok(Normal::new(stacked(&loc), stacked(&scale)))
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::{PI, TAU};

    use tch::{Kind, Tensor};

    use super::AggregatedPosterior;
    use crate::distributions::Normal;

    fn components(n_cells: i64, n_latent: i64) -> Normal {
        tch::manual_seed(0);
        let loc = Tensor::randn([n_cells, n_latent], tch::kind::DOUBLE_CPU) * 2.0;
        let scale = Tensor::rand([n_cells, n_latent], tch::kind::DOUBLE_CPU) + 0.1;
        Normal::new(loc, scale)
    }

    fn rows(x: &Tensor) -> Vec<Vec<f64>> {
        Vec::<Vec<f64>>::try_from(x).unwrap()
    }

    /// The mixture's density, point by point and component by component, of this density.
    fn slow(components: &Normal, points: &Tensor, density: impl Fn(f64) -> f64) -> Tensor {
        let (loc, scale) = (rows(components.mean()), rows(components.scale()));
        let log_prob = |point: &Vec<f64>| {
            let of_cells = loc.iter().zip(&scale).map(|(loc, scale)| {
                let of_dims = point.iter().zip(loc).zip(scale);
                of_dims.map(|((x, loc), scale)| density((x - loc) / scale) / scale).product::<f64>()
            });
            (of_cells.sum::<f64>() / loc.len() as f64).ln()
        };
        Tensor::from_slice(&rows(points).iter().map(log_prob).collect::<Vec<_>>())
    }

    #[test]
    fn densities_are_those_of_closed_forms_over_several_portions() {
        let components = components(1100, 3);
        let points = Tensor::randn([300, 3], tch::kind::DOUBLE_CPU) * 3.0;
        let normal = |z: f64| (-z * z / 2.0).exp() / TAU.sqrt();
        let cauchy = |z: f64| 1.0 / (PI * (1.0 + z * z));
        let t3 = |z: f64| 6.0 * 3f64.sqrt() / (PI * (3.0 + z * z).powi(2));
        let cases: [(_, &dyn Fn(f64) -> f64); 3] =
            [(None, &normal), (Some(1.0), &cauchy), (Some(3.0), &t3)];
        for (dof, density) in cases {
            let posterior = AggregatedPosterior::new(&components, dof).unwrap();
            let found = posterior.log_prob(&points).unwrap();
            assert_eq!((found.size(), found.kind()), (vec![300], Kind::Double));
            assert!(found.allclose(&slow(&components, &points, density), 1e-10, 1e-10, false));
        }
    }

    /// Where every density is zero as a number, its logarithm is not.
    #[test]
    fn densities_far_away_stay_finite() {
        let components = Normal::new(
            Tensor::zeros([2, 1], tch::kind::FLOAT_CPU),
            Tensor::ones([2, 1], tch::kind::FLOAT_CPU),
        );
        let posterior = AggregatedPosterior::new(&components, None).unwrap();
        let found = posterior.log_prob(&Tensor::from_slice(&[1000.0f32]).view([1, 1])).unwrap();
        let expected = -0.5 * 1000f64.powi(2) - 0.5 * TAU.ln();
        assert!((found.double_value(&[0]) - expected).abs() < 1e-9);
    }

    #[test]
    fn draws_have_the_moments_of_the_mixture() {
        let components = components(5, 2);
        for (dof, widening) in [(None, 1.0), (Some(8.0), 8.0 / 6.0)] {
            let draws =
                AggregatedPosterior::new(&components, dof).unwrap().sample(200_000).unwrap();
            assert_eq!(draws.size(), [200_000, 2]);
            let mean = components.mean().mean_dim(0, false, None);
            assert!(draws.mean_dim(0, false, None).allclose(&mean, 0.0, 0.03, false));
            let between = components.mean().var_dim(0, false, false);
            let within = components.variance().mean_dim(0, false, None) * widening;
            assert!(draws.var_dim(0, false, false).allclose(&(within + between), 0.02, 0.0, false));
        }
    }

    #[test]
    fn what_makes_no_mixture_is_refused() {
        let refused = |n_cells, dof| {
            AggregatedPosterior::new(&components(n_cells, 2), dof).unwrap_err().to_string()
        };
        assert_eq!(
            refused(3, Some(0.0)),
            "argument `dof`: expected a number above 0, or none for normal distributions, found 0"
        );
        assert_eq!(refused(0, None), "argument `indices`: expected at least one row, found none");
        let posterior = AggregatedPosterior::new(&components(3, 2), None).unwrap();
        let points = Tensor::zeros([4, 1], tch::kind::DOUBLE_CPU);
        assert_eq!(
            posterior.log_prob(&points).unwrap_err().to_string(),
            "points in the latent space: expected shape [4, 2], found [4, 1]"
        );
    }
}
