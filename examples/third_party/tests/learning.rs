//! The model learns. In a file of its own: random numbers are drawn from one generator per process.
#![allow(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use poisson_vae::{PoissonVae, PoissonVaeParams, PoissonVaeSetup};
use scvi_framework::{
    data::{Simulation, simulate},
    model::{Model, Settings, Silent},
    train::TrainParams,
};

#[test]
fn the_loss_falls() {
    let mut adata = simulate(&Simulation { n_obs: 300, n_vars: 40, ..Default::default() }).unwrap();
    let setup = PoissonVaeSetup { batch_key: Some("batch".into()), ..Default::default() };
    let settings = Settings { device: "cpu".into(), threads: Some(1), ..Default::default() };
    let params = PoissonVaeParams::default();
    let mut model = Model::<PoissonVae>::new(&mut adata, &setup, &params, &settings).unwrap();
    let params = TrainParams { max_epochs: Some(60), ..Default::default() };
    model.train(&mut adata, &params, &mut Silent).unwrap();
    let loss = &model.history()["reconstruction_loss_train"];
    assert!(loss[59] < 0.9 * loss[0], "{loss:?}");
}
