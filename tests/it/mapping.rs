//! Real cells of one study mapped onto a reference of another.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::{env, path::Path};

use scvi_framework::{
    anndata::{AnnData, Dense, Element, Slot},
    model::{
        MappingParams, Model, Settings, Silent,
        queries::{Latent, LatentParams},
    },
    train::TrainParams,
};
use scvi_h5ad::ReadOptions;
use scvi_plugin_scvi::{Scvi, ScviParams, ScviSetup};

/// Up to `n` cells of a batch, with their counts; `None`, said aloud, where the data are not at hand.
fn cells_of(batch: &str, n: usize) -> Option<AnnData> {
    let Some(data) = env::var_os("SCVI_TEST_DATA") else {
        println!("skipped: SCVI_TEST_DATA is not set");
        return None;
    };
    let path = Path::new(&data).join("data/counts/pbmc15k_2batch_protein_missing_in_5k.h5ad");
    let adata = scvi_h5ad::read(&path, ReadOptions::default()).unwrap();
    let Element::Categorical(column) = adata.get(Slot::Obs, "batch").unwrap() else {
        panic!("batches are categories")
    };
    let Element::Strings(names) = &*column.categories else { panic!("with names") };
    let codes = column.codes.to_i64();
    let is_of = |row: &usize| usize::try_from(codes[*row]).is_ok_and(|c| names.get(c) == batch);
    let rows: Vec<usize> = (0..adata.n_obs()).filter(is_of).take(n).collect();
    let mut cells = AnnData::new(adata.obs().take_rows(&rows).unwrap(), adata.var().clone());
    cells.set(Slot::X, "", adata.x().unwrap().take_rows(&rows).unwrap()).unwrap();
    Some(cells)
}

fn latent(model: &Model<Scvi>, adata: &mut AnnData) -> Dense {
    let asked = model.get_latent_representation(adata, &LatentParams::default(), &mut Silent);
    let Latent::Points(points) = asked.unwrap() else { panic!("points were asked for") };
    points
}

/// The encoder that knows no batches stays, and so does one that knows them.
#[test]
fn cells_of_a_real_reference_lie_where_they_lay_to_the_last_bit() {
    let Some(reference) = cells_of("PBMC10k", 1500) else { return };
    let Some(query) = cells_of("PBMC5k", 1000) else { return };
    let few = TrainParams { max_epochs: Some(2), ..Default::default() };
    for encode_covariates in [false, true] {
        let (mut reference, mut query) = (reference.clone(), query.clone());
        let setup = ScviSetup { batch_key: Some("batch".into()), ..Default::default() };
        let params = ScviParams { encode_covariates, ..Default::default() };
        let settings = Settings::default();
        let mut model = Model::<Scvi>::new(&mut reference, &setup, &params, &settings).unwrap();
        model.train(&mut reference, &few, &mut Silent).unwrap();
        let before = latent(&model, &mut reference);
        let mapping = MappingParams::default();
        let mut mapped = Model::load_query_data(&mut query, &model, &mapping, &settings).unwrap();
        mapped.train(&mut query, &few, &mut Silent).unwrap();
        assert_eq!(latent(&mapped, &mut reference), before);
        assert!(latent(&mapped, &mut query).values.to_f64().iter().all(|z| z.is_finite()));
    }
}
