//! A linear regression of labels on counts, trained on minibatches.

use std::io::Write;

use anyhow::Result;
use scvi_framework::{
    data::{AnnDataLoader, AnnDataManager, LoaderOptions, Order, SyntheticIid, synthetic_iid},
    fields::{AnnDataField, CategoricalObsField, LayerField},
    tch::{
        self, Device, Kind, Reduction,
        nn::{self, Module, OptimizerConfig},
    },
};

const N_GENES: usize = 10;
const N_LABELS: usize = 3;

/// Loss of the last minibatch of each of five epochs.
pub fn train() -> Result<Vec<f64>> {
    tch::manual_seed(0);
    let size = SyntheticIid { n_genes: N_GENES, n_labels: N_LABELS, ..Default::default() };
    let mut adata = synthetic_iid(&size)?;
    let fields = vec![
        LayerField::new("x", None).boxed(),
        CategoricalObsField::new("labels", Some("labels")).boxed(),
    ];
    let manager = AnnDataManager::register_fields(fields, &mut adata)?;

    let parameters = nn::VarStore::new(Device::Cpu);
    let model = nn::linear(parameters.root(), N_GENES as i64, 1, Default::default());
    let mut optimizer = nn::Adam::default().build(&parameters, 0.05)?;
    let order = Order::Shuffled { seed: 0 };
    let options = LoaderOptions { batch_size: 128, order, ..Default::default() };
    let loader = AnnDataLoader::new(&adata, manager.registry(), options)?;

    let mut losses = Vec::new();
    for epoch in 0..5 {
        let mut last = 0.0;
        for batch in loader.epoch(epoch) {
            let batch = batch?;
            let labels = batch.require("labels")?.to_kind(Kind::Float); // [n_cells, 1]
            let predicted = model.forward(batch.require("x")?); // [n_cells, 1]
            let loss = predicted.mse_loss(&labels, Reduction::Sum);
            optimizer.backward_step(&loss);
            last = loss.double_value(&[]);
        }
        losses.push(last);
    }
    Ok(losses)
}

pub fn run(out: &mut impl Write) -> Result<()> {
    for (epoch, loss) in train()?.iter().enumerate() {
        writeln!(out, "[iteration {}] loss: {loss}", epoch + 1)?;
    }
    Ok(())
}
