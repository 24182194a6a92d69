//! The tutorial of scvi-tools on minification as one program: the counts of a data set give way to the
//! posterior of its cells, and the model goes on working.
//!
//! `cargo run --release -p scvi-minification-tutorial`
//!
//! | tutorial | here |
//! |---|---|
//! | `model.adata` | models keep no data set: each call names one |
//! | `model.minify_adata()` | `model.minify_adata(&adata, …)` returns the new data set |
//! | `model.minified_data_type`, `_is_minified(adata)` | `MinifiedDataType::of(&adata)` |
//! | `BaseMinifiedModeModelClass`, `BaseMinifiedModeModuleClass` | the trait `MinifiedMode` of the module, nothing for the model |
//! | `model.save(path, save_anndata=True)` | `saved::folder::write_with`, and `scvi_h5ad::write` |

use std::{
    fs,
    io::{self, Write},
    path::Path,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use scvi_framework::{
    anndata::{AnnData, DType, Element, Raw, Slot, Sparse},
    data::{MinifiedDataType, Simulation, simulate},
    model::{
        Answers, MinifyParams, Model, Settings, Silent,
        queries::{Latent, LatentParams, LikelihoodParams},
    },
    saved::{
        self,
        folder::{self, ADATA, Overwrite},
    },
    train::TrainParams,
};
use scvi_h5ad::{ReadOptions, WriteOptions};
use scvi_plugin_scvi::{Scvi, ScviParams, ScviSetup};

/// The tutorial's data set has 18,641 cells and 1,200 genes.
const SIZE: (usize, usize) = (18_641, 1_200);

fn main() -> Result<()> {
    let out = &mut io::stdout().lock();
    let (n_obs, n_vars) = SIZE;
    run(&Simulation { n_obs, n_vars, ..Default::default() }, 20, out)
}

/// The tutorial with so many cells, genes and epochs.
fn run(size: &Simulation, max_epochs: usize, out: &mut impl Write) -> Result<()> {
    let save_dir = tempfile::tempdir()?;
    let (full_dir, minified_dir) =
        (save_dir.path().join("scvi_hca"), save_dir.path().join("scvi_hca_minified"));

    writeln!(out, "# Get the data and model\n")?;
    let (mut model, mut adata) = train(size, max_epochs)?;
    save(&full_dir, &model, &adata)?;
    writeln!(out, "{}\n\n{adata}\n", model.summary_string())?;
    writeln!(out, "raw is there: {}\n", adata.raw().is_some())?;

    writeln!(out, "# Minify\n")?;
    let params = LatentParams { give_mean: false, return_dist: true, ..Default::default() };
    let latent = model.get_latent_representation(&mut adata, &params, &mut Silent)?;
    let Latent::Moments { qzm, qzv } = latent else { bail!("mean and variance were asked for") };
    adata.set(Slot::Obsm, "X_latent_qzm", Element::Dense(qzm))?;
    adata.set(Slot::Obsm, "X_latent_qzv", Element::Dense(qzv))?;
    let mut minified = model.minify_adata(&adata, &MinifyParams::default(), &mut Silent)?;
    writeln!(out, "{}\n\n{minified}\n", model.summary_string())?;
    show_what_is_left(&adata, &minified, out)?;

    save(&minified_dir, &model, &minified)?;
    let megabytes =
        |dir: &Path| -> Result<f64> { Ok(fs::metadata(dir.join(ADATA))?.len() as f64 / 1e6) };
    let (before, after) = (megabytes(&full_dir)?, megabytes(&minified_dir)?);
    writeln!(out, "AnnData size before minification: {before:.1} MB")?;
    writeln!(out, "AnnData size after minification: {after:.1} MB\n")?;

    let (model_orig, mut full) = load(&full_dir)?;
    let of_counts = seconds(&model_orig, &mut full)?;
    let of_posterior = seconds(&model, &mut minified)?;
    writeln!(out, "get_likelihood_parameters without minified data: {of_counts:.2} s")?;
    writeln!(out, "get_likelihood_parameters with minified data: {of_posterior:.2} s\n")?;

    writeln!(out, "# Save and load\n")?;
    let (loaded, mut kept) = load(&minified_dir)?;
    writeln!(out, "minified model, minified data: {}", answer(&loaded, &mut kept))?;
    writeln!(out, "minified model, full data: {}", answer(&loaded, &mut full))?;
    writeln!(out, "full model, full data: {}", answer(&model_orig, &mut full))?;
    writeln!(out, "full model, minified data: {}\n", answer(&model_orig, &mut kept))?;

    writeln!(out, "# Support\n")?;
    writeln!(out, "{}", without_support()?)?;
    Ok(())
}

/// A data set as the tutorial has it: normalised logarithms in `X` and in `raw`, counts in a layer.
fn heart(size: &Simulation) -> Result<AnnData> {
    let mut adata = simulate(size)?;
    let counts = adata.x().cloned().context("simulated counts")?;
    let Element::Sparse(sparse) = &counts else { bail!("simulated counts are sparse") };
    let normalised = Element::Sparse(log1p_normalised(sparse)?);
    adata.set(Slot::Layers, "counts", counts)?;
    adata.set(Slot::X, "", normalised.clone())?;
    let var = adata.var().clone();
    adata.set_raw(Some(Raw { x: normalised, var, varm: Default::default() }));
    Ok(adata)
}

/// `sc.pp.normalize_total(target_sum=1e4)` and `sc.pp.log1p`.
fn log1p_normalised(counts: &Sparse) -> Result<Sparse> {
    let (starts, mut values) = (counts.indptr.to_i64(), counts.data.to_f64());
    for row in starts.windows(2) {
        let row = &mut values[row[0] as usize..row[1] as usize];
        let total: f64 = row.iter().sum();
        row.iter_mut().for_each(|value| *value = (*value * 1e4 / total).ln_1p());
    }
    let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
    Ok(Sparse { data: values.into(), ..counts.clone() })
}

fn train(size: &Simulation, max_epochs: usize) -> Result<(Model<Scvi>, AnnData)> {
    let mut adata = heart(size)?;
    let setup = ScviSetup {
        layer: Some("counts".into()),
        categorical_covariate_keys: vec!["cell_source".into(), "donor".into()],
        continuous_covariate_keys: vec!["percent_mito".into(), "percent_ribo".into()],
        ..Default::default()
    };
    let mut model = Model::new(&mut adata, &setup, &ScviParams::default(), &Settings::default())?;
    let params = TrainParams { max_epochs: Some(max_epochs), ..Default::default() };
    model.train(&mut adata, &params, &mut Silent)?;
    Ok((model, adata))
}

fn show_what_is_left(adata: &AnnData, minified: &AnnData, out: &mut impl Write) -> Result<()> {
    let word = |adata: &AnnData| -> Result<&str> {
        Ok(MinifiedDataType::of(adata)?.map_or("not minified", MinifiedDataType::word))
    };
    writeln!(out, "the data set that it was made of: {}", word(adata)?)?;
    writeln!(out, "the new one: {}", word(minified)?)?;
    for (name, element) in
        [("X", minified.x()), ("layers[\"counts\"]", minified.get(Slot::Layers, "counts").ok())]
    {
        let Some(Element::Sparse(sparse)) = element else { bail!("{name} is not sparse") };
        let [n_obs, n_vars] = sparse.shape;
        let (dtype, n) = (sparse.data.dtype(), sparse.nnz());
        writeln!(out, "{name}: {n_obs} × {n_vars}, {}, {n} stored values", DType::name(dtype))?;
    }
    writeln!(out, "raw is there: {}\n", minified.raw().is_some())?;
    Ok(())
}

/// Saves a model with its data set.
fn save(dir: &Path, model: &Model<Scvi>, adata: &AnnData) -> Result<()> {
    folder::write_with(dir, &model.save()?, Overwrite::Replace, |dir| {
        anyhow::Ok(scvi_h5ad::write(&dir.join(ADATA), adata, WriteOptions::default())?)
    })
}

/// Loads a model with the data set that was saved with it.
fn load(dir: &Path) -> Result<(Model<Scvi>, AnnData)> {
    let model = Model::load(saved::read(dir)?, &Settings::default())?;
    Ok((model, scvi_h5ad::read(&dir.join(ADATA), ReadOptions::default())?))
}

/// How long `get_likelihood_parameters(n_samples=3, give_mean=True)` takes.
fn seconds(model: &Model<Scvi>, adata: &mut AnnData) -> Result<f64> {
    let params = LikelihoodParams { n_samples: 3, give_mean: true, ..Default::default() };
    let start = Instant::now();
    model.get_likelihood_parameters(adata, &params, &mut Answers::default(), &mut Silent)?;
    Ok(start.elapsed().as_secs_f64())
}

/// Whether a model answers about a data set, or why not.
fn answer(model: &Model<Scvi>, adata: &mut AnnData) -> String {
    match model.get_latent_representation(adata, &LatentParams::default(), &mut Silent) {
        Ok(_) => "answers".into(),
        Err(refused) => refused.to_string(),
    }
}

/// What a model says whose module does not implement `MinifiedMode`: that of the tutorial on models.
fn without_support() -> Result<String> {
    use scvi_model_tutorial::{Scvi, ScviParams, ScviSetup, synthetic};
    let mut adata = synthetic()?;
    let (setup, params) = (ScviSetup::default(), ScviParams::default());
    let mut model = Model::<Scvi>::new(&mut adata, &setup, &params, &Settings::default())?;
    let refused = model.minify_adata(&adata, &MinifyParams::default(), &mut Silent).err();
    Ok(refused.context("a model without support was minified")?.to_string())
}

#[cfg(test)]
mod tests;
