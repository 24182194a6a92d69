//! Same seed, same bytes. In a process of its own: the generator of random numbers is the process's.
#![allow(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use scvi_framework::{
    data::{Simulation, simulate},
    model::{Model, Settings, Silent},
    saved::SavedModel,
    train::TrainParams,
};
use scvi_plugin_scvi::{Scvi, ScviParams, ScviSetup};

fn trained(seed: i64) -> SavedModel {
    let mut adata = simulate(&Simulation { n_obs: 300, n_vars: 40, ..Default::default() }).unwrap();
    let setup = ScviSetup { batch_key: Some("batch".into()), ..Default::default() };
    let settings = Settings { seed, device: "cpu".into(), threads: Some(1) };
    let mut model =
        Model::<Scvi>::new(&mut adata, &setup, &ScviParams::default(), &settings).unwrap();
    let params = TrainParams { max_epochs: Some(3), ..Default::default() };
    model.train(&mut adata, &params, &mut Silent).unwrap();
    model.save().unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let (first, second, other) = (trained(1), trained(1), trained(2));
    assert_eq!(first.weights, second.weights);
    assert_eq!(first.meta.history, second.meta.history);
    assert_eq!(first.meta.train_indices, second.meta.train_indices);
    assert_ne!(first.weights, other.weights);
    assert_ne!(first.meta.train_indices, other.meta.train_indices);
}
