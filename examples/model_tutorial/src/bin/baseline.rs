//! Step 1, "Baseline version of `SCVI` class": a class with `n_latent` alone, which can be set up,
//! trained, saved and loaded, and knows no query yet.
//!
//! | tutorial | here |
//! |---|---|
//! | `SCVI.setup_anndata(adata, batch_key="batch")` | `Model::setup_anndata`, which returns the manager |
//! | `_setup_adata_manager_store`, `_per_instance_manager_store` | managers are values; a model keeps its own |
//! | `SCVI(adata)` finds the manager | `Model::with_manager` takes it |
//! | `model._validate_anndata(adata2)` | `model.adata_manager().validate(&mut adata2)`; each query does so |
//! | `model.train(max_epochs=20)` | `model.train`, with the data set |
//! | `datasplitter_kwargs={"external_indexing": …}` | `TrainParams::external_indexing` |
//! | `model.save`, `SCVI.load` | `Model::save` and `load`, which give and take a value; `saved::folder` is its place |
//! | `AttributeError` of a query that is not there | the query is not listed, so nobody can name it |

use std::io::{self, Write};

use anyhow::{Context, Result, bail};
use scvi_framework::{
    anndata::{AnnData, Element, Scalar, Slot},
    export_plugin,
    model::{Answers, Model, Settings, Setup, Silent},
    params::{Args, Params},
    saved::folder::{self, Overwrite},
    serde_json::json,
    train::TrainParams,
};
use scvi_model_tutorial::{Scvi, ScviParams, ScviSetup, exported, synthetic};

export_plugin!(Scvi => []);

fn main() -> Result<()> {
    let out = &mut io::stdout().lock();
    let mut adata = synthetic()?;
    writeln!(out, "{adata}\n")?;
    let mut model = managers(&mut adata, out)?;
    training(&mut model, &mut adata, out)?;
    save_and_load(&model, out)?;
    writeln!(out, "{}", missing_query(&mut adata)?)?;
    Ok(())
}

/// A model of batches, and what becomes of the data set when others register it too.
fn managers(adata: &mut AnnData, out: &mut impl Write) -> Result<Model<Scvi>> {
    let (params, settings) = (ScviParams::default(), Settings::default());
    let by_batch = ScviSetup { batch_key: Some("batch".into()), layer: None };
    let manager = Model::<Scvi>::setup_anndata(adata, &by_batch)?;
    writeln!(out, "adata UUID: {}\n{}", adata.id(), manager.view_registry())?;
    let model = Model::<Scvi>::with_manager(manager, adata, &params, &settings)?;
    writeln!(out, "{}\n", model.summary_string())?;

    // Another data set is brought into the terms of the model when it is asked about.
    let mut adata2 = synthetic()?;
    model.adata_manager().validate(&mut adata2)?;
    writeln!(out, "{adata2}\n")?;

    // A second model without batches, and the first one again, on the same data set.
    let model2 = Model::<Scvi>::new(adata, &ScviSetup::default(), &params, &settings)?;
    show_last_setup("Model 2", &model2, adata, out)?;
    model.adata_manager().validate(adata)?; // replays the registration
    show_last_setup("Model 1", &model, adata, out)?;
    Ok(model)
}

/// Whose registration the data set holds now.
fn show_last_setup(
    name: &str,
    model: &Model<Scvi>,
    adata: &AnnData,
    out: &mut impl Write,
) -> Result<()> {
    let last = match adata.get(Slot::Uns, "_scvi_manager_uuid")? {
        Element::Scalar(Scalar::String(id)) => id,
        _ => bail!("the identity of a manager is a text"),
    };
    writeln!(out, "{name}, manager UUID: {}", model.adata_manager().id)?;
    writeln!(out, "Last setup with manager UUID: {last}")?;
    writeln!(out, "Encoded batches: {:?}\n", batches(adata)?)?;
    Ok(())
}

/// The codes of the first and the last cell.
fn batches(adata: &AnnData) -> Result<(f64, f64)> {
    match adata.get(Slot::Obs, "_scvi_batch")? {
        Element::Dense(codes) if !codes.values.is_empty() => {
            Ok((codes.values.get_f64(0), codes.values.get_f64(codes.values.len() - 1)))
        }
        _ => bail!("a code per cell"),
    }
}

/// Trains on nine tenths of the cells, and another model on rows that the caller names.
fn training(model: &mut Model<Scvi>, adata: &mut AnnData, out: &mut impl Write) -> Result<()> {
    let params = TrainParams { max_epochs: Some(20), ..Default::default() };
    model.train(adata, &params, &mut Silent)?;
    let losses = &model.history()["reconstruction_loss_train"];
    writeln!(out, "Reconstruction error, 20 epochs: {losses:.1?}\n{}\n", model.summary_string())?;

    let (train, validation): (Vec<usize>, Vec<usize>) =
        (0..adata.n_obs()).partition(|row| row % 4 != 0);
    let params = TrainParams {
        max_epochs: Some(1),
        external_indexing: Some(json!([train, validation])),
        ..Default::default()
    };
    let manager = model.adata_manager().clone();
    let (arguments, settings) = (ScviParams::default(), Settings::default());
    let mut other = Model::<Scvi>::with_manager(manager, adata, &arguments, &settings)?;
    other.train(adata, &params, &mut Silent)?;
    let (train, validation) = (other.train_indices().len(), other.validation_indices().len());
    writeln!(out, "With external indices: {train} cells to train on, {validation} to validate\n")?;
    Ok(())
}

/// Through a folder and back.
fn save_and_load(model: &Model<Scvi>, out: &mut impl Write) -> Result<Model<Scvi>> {
    let folder = tempfile::tempdir()?;
    let dir = folder.path().join("saved_model");
    folder::write(&dir, &model.save()?, Overwrite::Refuse)?;
    let loaded = Model::<Scvi>::load(folder::read(&dir)?, &Settings::default())?;
    writeln!(out, "Loaded: {}\n", loaded.summary_string())?;
    Ok(loaded)
}

/// What somebody hears who asks for a query by a name that the class does not list.
fn missing_query(adata: &mut AnnData) -> Result<String> {
    let (setup, settings) = (Setup::new(Args::new()), Settings::default());
    let params = ScviParams::default().to_args();
    let model = exported()?.create(adata, &setup, &params, &settings)?;
    let (asked, answers) = ("get_latent_representation", &mut Answers::default());
    let refused = model.query(asked, adata, &Args::new(), answers, &mut Silent);
    Ok(refused.err().context("there is such a query")?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test: random numbers are drawn from one generator per process.
    #[test]
    fn it_is_set_up_trained_and_saved() {
        let out = &mut Vec::new();
        let mut adata = synthetic().unwrap();
        let mut model = managers(&mut adata, out).unwrap();
        training(&mut model, &mut adata, out).unwrap();
        let losses = &model.history()["reconstruction_loss_train"];
        assert_eq!(losses.len(), 20);
        assert!(losses[19] < 0.99 * losses[0], "{losses:?}");

        let loaded = save_and_load(&model, out).unwrap();
        assert_eq!(loaded.save().unwrap().weights, model.save().unwrap().weights);
        assert_eq!(loaded.history(), model.history());

        let printed = String::from_utf8(out.clone()).unwrap();
        let of = |name: &str| format!("{name}, manager UUID: ");
        let (_, rest) = printed.split_once(&of("Model 2")).unwrap();
        let (second, rest) = rest.split_once(&of("Model 1")).unwrap();
        let first = rest.split_once("\n\n").unwrap().0;
        for (printed, codes) in [(first, "(0.0, 1.0)"), (second, "(0.0, 0.0)")] {
            let id = printed.split_once('\n').unwrap().0;
            let last =
                format!("{id}\nLast setup with manager UUID: {id}\nEncoded batches: {codes}");
            assert_eq!(printed.trim_end(), last);
        }
        let about = "SCVI model with the following parameters:\nn_latent: 10.\nTraining status";
        for line in [
            format!("{about}: Not Trained"),
            format!("{about}: Trained"),
            format!("Loaded: {about}: Trained"),
            "With external indices: 300 cells to train on, 100 to validate".into(),
        ] {
            assert!(printed.contains(&line), "{line:?} is not in\n{printed}");
        }
        assert_eq!(
            missing_query(&mut adata).unwrap(),
            "SCVI has no method `get_latent_representation`; it has get_from_registry"
        );
    }
}
