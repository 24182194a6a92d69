//! In which samples cells like each cell are abundant.

use rand::{SeedableRng, rngs::StdRng, seq::index};
use serde_json::json;
use tch::{Kind, Tensor};

use super::{
    AggregatedPosterior,
    decoding::{Inference, plain},
    progress::Part,
};
use crate::{
    Params,
    anndata::{AnnData, DataFrame, Element, Slot},
    distributions::Normal,
    error::{Error, Result, list},
    fields::encode,
    model::{BaseModelClass, Event, HasQz, Model, Observer, OutputSpec, Query},
    params::Params as _,
};

/// Arguments of [`differential_abundance`].
#[derive(Clone, Debug, PartialEq, Params)]
pub struct DifferentialAbundanceParams {
    /// Column of obs with the sample of each cell.
    pub sample_key: Option<String>,
    /// Cells per minibatch.
    #[param(default = 128usize, min = 1)]
    pub batch_size: usize,
    /// Cells of each sample, at random, that stand for it; all when not given.
    #[param(min = 1)]
    pub num_cells_posterior: Option<usize>,
    /// Degrees of freedom of Student's t; normal distributions when not given.
    #[param(min = 0.0)]
    pub dof: Option<f64>,
}

/// `differential_abundance`: density of each cell in each sample.
pub fn differential_abundance<M: BaseModelClass>() -> Query<M>
where
    Inference<M>: HasQz,
{
    let about = "How densely each sample's cells lie in the latent space where each cell is, as log \
                 densities of cells by samples.";
    Query::new::<DifferentialAbundanceParams>(
        "differential_abundance",
        about,
        |model, adata, args, sink, observer| {
            let params = DifferentialAbundanceParams::from_args(args)?;
            let table = model.differential_abundance(adata, &params, observer)?;
            sink.begin(&OutputSpec {
                name: "da_log_probs".into(),
                shape: vec![table.n_rows(), table.columns.len()],
                dtype: None,
                place: (Slot::Obsm, "da_log_probs".into()),
                columns: Some(table.columns.keys().cloned().collect()),
            })?;
            sink.rows(Element::DataFrame(table))
        },
    )
    .with_tables()
}

impl<M: BaseModelClass> Model<M>
where
    Inference<M>: HasQz,
{
    /// Log density of each cell's latent mean under the aggregated posterior of each sample's cells,
    /// float32: a row per cell, a column per sample, in the order in which samples first occur. Cells
    /// whose sample is missing have densities, and belong to none.
    ///
    /// Memory: the answer, `2 * n_obs * n_latent` float32, and as many float64 for the cells of a sample.
    ///
    /// # Errors
    /// [`Error::NotTrained`]; [`Error::Argument`] when no column is given, or it names no sample;
    /// [`Error::MissingElement`] when there is no such column; when the data do not fit the model.
    pub fn differential_abundance(
        &self,
        adata: &mut AnnData,
        params: &DifferentialAbundanceParams,
        observer: &mut dyn Observer,
    ) -> Result<DataFrame> {
        let samples = samples(adata, params)?;
        let mut progress = Part::new(observer, adata.n_obs() * (1 + samples.len()));
        let all = self.posteriors(adata, None, params.batch_size, &mut progress)?;
        let mut rng = StdRng::seed_from_u64(self.settings.seed as u64);
        let mut table = DataFrame::new(adata.obs_names()?.iter());
        table.index_name = Some("obs_names".into());
        for Sample { name, mut cells } in samples {
            if let Some(n) = params.num_cells_posterior.filter(|&n| n < cells.len()) {
                cells = index::sample(&mut rng, cells.len(), n).iter().map(|i| cells[i]).collect();
            }
            let cells = Tensor::from_slice(&cells);
            let [loc, scale] = [all.mean(), all.scale()].map(|x| x.index_select(0, &cells));
            let posterior = AggregatedPosterior::new(&Normal::new(loc, scale), params.dof)?;
            let log_probs = log_probs(&posterior, all.mean(), params.batch_size, &mut progress)?;
            table.columns.insert(name, Element::vector(log_probs));
        }
        Ok(table)
    }
}

/// Cells that belong together.
struct Sample {
    name: String,
    cells: Vec<i64>,
}

/// The samples that have cells, in the order in which they first occur.
fn samples(adata: &AnnData, params: &DifferentialAbundanceParams) -> Result<Vec<Sample>> {
    let wrong = |expected: String, found: &str| Error::Argument {
        name: "sample_key".into(),
        expected,
        found: found.into(),
    };
    let Some(key) = &params.sample_key else {
        let present: Vec<&String> = adata.obs().columns.keys().collect();
        let expected = format!("a column of obs with samples (present: {})", list(&present));
        return Err(wrong(expected, "none"));
    };
    let what = format!("obs['{key}']");
    let column = encode(adata.obs().column(Slot::Obs.name(), key)?, &what)?;
    let mut samples: Vec<Sample> = Vec::new();
    let mut places = vec![None; column.categories.len()];
    for (cell, &code) in column.codes.iter().enumerate().filter(|(_, code)| **code >= 0) {
        let place = *places[code as usize].get_or_insert_with(|| {
            let name = plain(&json!(column.categories[code as usize]));
            samples.push(Sample { name, cells: Vec::new() });
            samples.len() - 1
        });
        samples[place].cells.push(cell as i64);
    }
    if samples.is_empty() {
        return Err(wrong("a column that names the sample of at least one cell".into(), &what));
    }
    Ok(samples)
}

/// Log density of each of the points `[n, n_latent]`.
fn log_probs(
    posterior: &AggregatedPosterior,
    points: &Tensor,
    batch_size: usize,
    observer: &mut dyn Observer,
) -> Result<Vec<f32>> {
    let total = points.size()[0] as usize;
    let mut log_probs = Vec::with_capacity(total);
    for points in points.split(batch_size as i64, 0) {
        let of_batch = posterior.log_prob(&points)?.to_kind(Kind::Float);
        log_probs.extend(Vec::<f32>::try_from(&of_batch)?);
        observer.hear(&Event::Progress { done: log_probs.len(), total });
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
    }
    Ok(log_probs)
}
