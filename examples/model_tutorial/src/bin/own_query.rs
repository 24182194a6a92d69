//! Step 3, "Writing methods to query the model": a query of one's own. As in the tutorial it is
//! `get_latent_representation`, written by hand; it takes the place of the one of step 2.
//!
//! | tutorial | here |
//! |---|---|
//! | a method of the class | a function that makes a `Query`, listed by its path in `export_plugin!` |
//! | its parameters, and what the docstring says of them | a struct with `#[derive(Params)]` |
//! | `if self.is_trained_ is False: raise` | `Model::require_trained` |
//! | `self._validate_anndata`, `self._make_dataloader`, the loop, `inference_mode` | `Model::for_each_batch` |
//! | `self.module._get_inference_input`, `self.module.inference` | `model.module().inference` |
//! | `outputs["qz_m"]` | `inferred.qz().mean()`, for any module whose inference has `HasQz` |
//! | the array that is returned | a named result for the `Sink`, with the place where scanpy looks for it |

use std::io::{self, Write};

use anyhow::{Context, Result, bail};
use scvi_framework::{
    anndata::{AnnData, DType, Dense, Element, Slot},
    data::Cells,
    model::{Answers, Model, Observer, OutputSpec, Query, Settings, Silent},
    nn::convert,
    params::Args,
    prelude::*,
    train::TrainParams,
};
use scvi_model_tutorial::{Scvi, ScviParams, ScviSetup, exported, synthetic};

export_plugin!(Scvi => [
    get_elbo,
    get_marginal_ll,
    get_reconstruction_error,
    crate::get_latent_representation,
]);

/// Arguments of the query. The docs of a field are its help on the command line.
#[derive(Clone, Debug, Params)]
struct LatentParams {
    /// Rows to use; all when not given.
    indices: Option<Vec<usize>>,
    /// Cells per minibatch.
    #[param(default = 128usize, min = 1)]
    batch_size: usize,
}

/// The query by its name: reads its arguments, asks, and sends the answer off.
fn get_latent_representation<M: BaseModelClass>() -> Query<M>
where
    <M::Module as BaseModule>::Inference: HasQz,
{
    let (name, about) = ("get_latent_representation", "Mean of each cell's posterior.");
    Query::new::<LatentParams>(name, about, |model, adata, args, sink, observer| {
        let latent = latent_means(model, adata, &LatentParams::from_args(args)?, observer)?;
        sink.begin(&OutputSpec {
            name: "latent".into(),
            shape: latent.shape.clone(),
            dtype: Some(DType::Float32),
            place: (Slot::Obsm, M::LATENT_KEY.into()),
            columns: None,
        })?;
        sink.rows(Element::Dense(latent))
    })
}

/// The query itself: mean of q(z|x), float32 `[n_cells, n_latent]`, rows in the order asked for.
fn latent_means<M: BaseModelClass>(
    model: &Model<M>,
    cells: &mut (impl Cells + ?Sized),
    params: &LatentParams,
    observer: &mut dyn Observer,
) -> scvi_framework::Result<Dense>
where
    <M::Module as BaseModule>::Inference: HasQz,
{
    model.require_trained()?;
    let mut latent = Vec::new();
    let (indices, batch_size) = (params.indices.as_deref(), params.batch_size);
    model.for_each_batch(cells, indices, batch_size, observer, |ctx, batch| {
        let inferred = model.module().inference(ctx, batch)?;
        latent.push(inferred.qz().mean().shallow_clone()); // [n_cells, n_latent]
        Ok(())
    })?;
    convert::to_dense(&Tensor::f_cat(&latent, 0)?)
}

fn main() -> Result<()> {
    let out = &mut io::stdout().lock();
    let (model, mut adata) = trained()?;
    let (spec, latent) = ask(&model, &mut adata, &Args::new())?;
    writeln!(out, "{}, {:?}, for {:?}, first cells:", spec.name, spec.shape, spec.place)?;
    for cell in latent.values.to_f64().chunks(latent.shape[1]).take(3) {
        writeln!(out, "{cell:.4?}")?;
    }
    Ok(())
}

/// `SCVI(adata)` and `train`.
fn trained() -> Result<(Model<Scvi>, AnnData)> {
    let mut adata = synthetic()?;
    let setup = ScviSetup { batch_key: Some("batch".into()), layer: None };
    let params = ScviParams::default();
    let mut model = Model::<Scvi>::new(&mut adata, &setup, &params, &Settings::default())?;
    let params = TrainParams { max_epochs: Some(10), ..Default::default() };
    model.train(&mut adata, &params, &mut Silent)?;
    Ok((model, adata))
}

/// The query by its name, of the model as a host holds it.
fn ask(model: &Model<Scvi>, adata: &mut AnnData, args: &Args) -> Result<(OutputSpec, Dense)> {
    let model = exported()?.load(model.save()?, &[], &Settings::default())?;
    let mut answers = Answers::default();
    model.query("get_latent_representation", adata, args, &mut answers, &mut Silent)?;
    let (spec, mut blocks) = answers.0.pop().context("the query answers")?;
    match blocks.pop() {
        Some(Element::Dense(latent)) => Ok((spec, latent)),
        _ => bail!("the answer is an array"),
    }
}

#[cfg(test)]
mod tests {
    use scvi_framework::{
        model::{Setup, queries},
        serde_json::json,
        testkit,
    };

    use super::*;

    /// One test: random numbers are drawn from one generator per process.
    #[test]
    fn the_query_answers_like_the_ready_made_one_and_the_model_conforms() {
        let (model, mut adata) = trained().unwrap();
        let (spec, latent) = ask(&model, &mut adata, &Args::new()).unwrap();
        assert_eq!(spec.shape, [400, 10]);
        assert_eq!(spec.place, (Slot::Obsm, "X_latent".into()));
        let params = queries::LatentParams::default();
        let ready_made = model.get_latent_representation(&mut adata, &params, &mut Silent).unwrap();
        assert_eq!(ready_made, queries::Latent::Points(latent.clone()));

        let latent = latent.values.to_f64();
        let args = Args::from_iter([("indices".to_owned(), json!([7, 3]))]);
        let (_, two) = ask(&model, &mut adata, &args).unwrap();
        check_close(&two.values.to_f64(), &[&latent[70..80], &latent[30..40]].concat());
        check_close(&latent, &recomputed(&model, &adata));

        check_untrained_is_refused(&mut adata);
        testkit::conforms::<Scvi>();
    }

    #[track_caller]
    fn check_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!((found - expected).abs() < 1e-4, "value {i}: {found}, expected {expected}");
        }
    }

    #[track_caller]
    fn check_untrained_is_refused(adata: &mut AnnData) {
        let (setup, settings) = (Setup::new(Args::new()), Settings::default());
        let model = exported().unwrap().create(adata, &setup, &Args::new(), &settings).unwrap();
        let (asked, answers) = ("get_latent_representation", &mut Answers::default());
        let refused = model.query(asked, adata, &Args::new(), answers, &mut Silent).unwrap_err();
        assert_eq!(refused.to_string(), "this SCVI model has not been trained; train it first");
    }

    /// The means from the saved weights, number by number in float64: log(1 + x), a linear layer,
    /// batch normalisation by its running moments, ReLU, and the linear map to the means.
    fn recomputed(model: &Model<Scvi>, adata: &AnnData) -> Vec<f64> {
        let weights = model.save().unwrap().weights;
        let of = |name: &str| weights[&format!("z_encoder.{name}")].values.to_f64();
        let layer = |name: &str| of(&format!("encoder.fc_layers.Layer 0.{name}"));
        let (shift, scale) = (layer("1.bias"), layer("1.weight"));
        let (mean, variance) = (layer("1.running_mean"), layer("1.running_var"));
        let hidden_layer = (layer("0.weight"), layer("0.bias"));
        let mean_layer = (of("mean_encoder.weight"), of("mean_encoder.bias"));
        let linear = |x: &[f64], (weight, bias): &(Vec<f64>, Vec<f64>)| -> Vec<f64> {
            let dot = |row: &[f64]| row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
            weight.chunks(x.len()).zip(bias).map(|(row, bias)| dot(row) + bias).collect()
        };
        let Some(Element::Dense(counts)) = adata.x() else { panic!("counts are dense") };
        let mut means = Vec::new();
        for cell in counts.values.to_f64().chunks(adata.n_vars()) {
            let x: Vec<f64> = cell.iter().map(|count| count.ln_1p()).collect();
            let mut hidden = linear(&x, &hidden_layer);
            for (i, h) in hidden.iter_mut().enumerate() {
                *h = (*h - mean[i]) / (variance[i] + 1e-3).sqrt() * scale[i] + shift[i];
                *h = h.max(0.0);
            }
            means.extend(linear(&hidden, &mean_layer));
        }
        means
    }
}
