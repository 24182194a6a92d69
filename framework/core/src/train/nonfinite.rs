//! Where a loss that is not a number came from.

use tch::Tensor;

use crate::{data::Batch, model::LossOutput, nn::Store};

/// The first thing that is not finite, in the order in which it would spoil the rest: input,
/// parameters, parts of the loss.
pub fn origin(batch: &Batch, store: &Store, loss: &LossOutput) -> String {
    if let Some(key) = batch.keys().find(|key| batch.get(key).is_some_and(bad)) {
        return format!("input `{key}`");
    }
    if let Some((name, _)) = store.state_dict().iter().find(|(_, t)| bad(t)) {
        return format!("parameter `{name}`");
    }
    if bad(&loss.reconstruction_loss) {
        return format!("reconstruction_loss of {}", cells(&loss.reconstruction_loss));
    }
    for (name, kl) in &loss.kl_local {
        if bad(kl) {
            return format!("{name} of {}", cells(kl));
        }
    }
    "the loss itself".into()
}

fn bad(tensor: &Tensor) -> bool {
    tensor.is_floating_point() && tensor.isfinite().all().int64_value(&[]) == 0
}

fn cells(per_cell: &Tensor) -> String {
    let n_bad = per_cell.isfinite().logical_not().sum(tch::Kind::Int64).int64_value(&[]);
    format!("{n_bad} of {} cells of the minibatch", per_cell.size()[0])
}
