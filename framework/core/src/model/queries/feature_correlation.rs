//! Which genes go together, in expression as the model sees it.

use tch::{Kind, Tensor};

use super::{
    correlation::{Correlation, Pearson, Spearman},
    decoding::{Decoding, Generative, Inference},
};
use crate::{
    Params,
    anndata::{AnnData, DType, Dense, Element, Slot},
    choices,
    distributions::draw_gamma,
    error::Result,
    model::{BaseModelClass, HasPx, HasQz, Model, Observer, OutputSpec, Query},
    nn::convert,
    params::Params as _,
};

choices! {
    /// What of two genes is compared.
    pub enum CorrelationType {
        /// The order of the values.
        #[default]
        Spearman = "spearman",
        /// The values.
        Pearson = "pearson",
    }
}

/// Arguments of [`get_feature_correlation_matrix`].
#[derive(Clone, Debug, PartialEq, Params)]
pub struct FeatureCorrelationParams {
    /// Rows to use; all when not given.
    pub indices: Option<Vec<usize>>,
    /// Draws per cell.
    #[param(default = 10usize, min = 1)]
    pub n_samples: usize,
    /// Cells per minibatch.
    #[param(default = 64usize, min = 1)]
    pub batch_size: usize,
    /// Library size that all cells are given.
    #[param(default = 1000usize, min = 1)]
    pub rna_size_factor: usize,
    /// Batches to decode in, by category; the mean over several. Each cell's own when not given.
    pub transform_batch: Vec<String>,
    /// Correlation of the order of the values (spearman) or of the values (pearson).
    pub correlation_type: CorrelationType,
}

/// `get_feature_correlation_matrix`: correlation between genes.
pub fn get_feature_correlation_matrix<M: BaseModelClass>() -> Query<M>
where
    Inference<M>: HasQz,
    Generative<M>: HasPx,
{
    let about = "Correlation between genes in expression drawn from the posterior, free of depth and of \
                 the noise of counting.";
    Query::new::<FeatureCorrelationParams>(
        "get_feature_correlation_matrix",
        about,
        |model, adata, args, sink, observer| {
            let params = FeatureCorrelationParams::from_args(args)?;
            let matrix = model.get_feature_correlation_matrix(adata, &params, observer)?;
            sink.begin(&OutputSpec {
                name: "feature_correlation_matrix".into(),
                shape: matrix.shape.clone(),
                dtype: Some(DType::Float32),
                place: (Slot::Varp, format!("{}_feature_correlation", M::NAME.to_lowercase())),
                columns: Some(model.var_names.clone()),
            })?;
            sink.rows(Element::Dense(matrix))
        },
    )
}

impl<M: BaseModelClass> Model<M>
where
    Inference<M>: HasQz,
    Generative<M>: HasPx,
{
    /// Correlation between genes, float32 `[n_vars, n_vars]`, over all draws of all cells: what the
    /// counts would be Poisson around if the library size were `rna_size_factor`, gamma distributed
    /// around the expected frequencies. Likelihoods without such a dispersion (Poisson, normal) have
    /// these frequencies themselves in place of the gamma's draws. Not a number where a gene does not
    /// vary.
    ///
    /// Memory: a few float64 `[n_vars, n_vars]`. For `spearman` there are 4 bytes for each of
    /// `n_samples * n_cells * n_vars` draws, of one batch of `transform_batch` at a time: up to 256 MB
    /// in memory, more in a temporary file.
    ///
    /// # Errors
    /// When batches are unknown, or the data do not fit the model.
    pub fn get_feature_correlation_matrix(
        &self,
        adata: &mut AnnData,
        params: &FeatureCorrelationParams,
        observer: &mut dyn Observer,
    ) -> Result<Dense> {
        let batches = self.batch_codes("transform_batch", &params.transform_batch)?;
        let n_vars = self.var_names.len();
        let n_cells = params.indices.as_ref().map_or(adata.n_obs(), Vec::len);
        let mut sum = Tensor::zeros([n_vars as i64; 2], tch::kind::DOUBLE_CPU);
        for &batch in &batches {
            let mut correlation: Box<dyn Correlation> = match params.correlation_type {
                CorrelationType::Pearson => Box::new(Pearson::new(n_vars)),
                CorrelationType::Spearman => {
                    Box::new(Spearman::new(n_vars, n_cells * params.n_samples)?)
                }
            };
            let how = Decoding {
                indices: params.indices.clone(),
                batch_size: params.batch_size,
                n_samples: params.n_samples,
                batches: vec![batch],
            };
            self.decode(adata, &how, observer, |generated| {
                generated.iter().try_for_each(|px| {
                    let draws = denoised(px, params.rna_size_factor)?.to_kind(Kind::Float);
                    correlation.add(&draws.to_device(tch::Device::Cpu).flatten(0, -2))
                })
            })?;
            sum += correlation.finish()?;
        }
        convert::to_dense(&(sum / batches.len() as f64).to_kind(Kind::Float))
    }
}

/// A draw of expression at this library size `[.., n_cells, n_vars]`.
fn denoised(px: &impl HasPx, library_size: usize) -> Result<Tensor> {
    let mean = px.px_scale() * library_size as f64;
    match px.px().theta() {
        Some(theta) => draw_gamma(&theta, &mean),
        None => Ok(mean),
    }
}

#[cfg(test)]
mod tests {
    use tch::Tensor;

    use super::denoised;
    use crate::{
        distributions::{Likelihood, NegativeBinomial, Normal, Poisson},
        nn::Expression,
    };

    /// Two genes with frequencies 0.2 and 0.8, in many cells.
    fn draw(px: impl Fn(Tensor) -> Likelihood) -> Tensor {
        let log_scale = Tensor::from_slice(&[0.2f32, 0.8]).log().repeat([200_000, 1]);
        let px = px(&log_scale + 9.0); // with a library size that must not matter
        denoised(&Expression { log_scale, px, pl: None }, 1000).unwrap()
    }

    #[test]
    fn draws_are_gamma_distributed_around_expected_frequencies() {
        tch::manual_seed(0);
        let theta = [0.5f32, 4.0];
        let draws = draw(|log_rate| {
            Likelihood::Nb(NegativeBinomial::from_logs(log_rate, Tensor::from_slice(&theta).log()))
        });
        for (gene, (mean, theta)) in [200.0, 800.0].into_iter().zip(theta).enumerate() {
            let draws = draws.select(1, gene as i64);
            let (found, sd) = (draws.mean(None).double_value(&[]), mean / f64::from(theta).sqrt());
            assert!((found / mean - 1.0).abs() < 0.02, "mean {found} for {mean}");
            let found = draws.std(true).double_value(&[]);
            assert!((found / sd - 1.0).abs() < 0.02, "standard deviation {found} for {sd}");
        }
    }

    #[test]
    fn without_dispersion_draws_are_the_expected_frequencies() {
        let poisson = draw(|log_rate| Likelihood::Poisson(Poisson::from_log(log_rate)));
        let normal = draw(|log_rate| Likelihood::Normal(Normal::new(log_rate.exp(), log_rate)));
        for draws in [poisson, normal] {
            let expected = Tensor::from_slice(&[200.0f32, 800.0]).expand_as(&draws);
            assert!(draws.allclose(&expected, 1e-5, 0.0, false));
        }
    }
}
