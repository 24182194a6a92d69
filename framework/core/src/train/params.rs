//! Arguments of `train`: the runner's, the plan's and the trainer's, under their Python names.

use serde_json::Value;

use crate::{Params, choices};

choices! {
    /// Rule by which gradients change parameters.
    pub enum Optimizer {
        /// Adam, weight decay added to the gradient.
        #[default]
        Adam = "Adam",
        /// Adam, weight decay apart from the gradient.
        AdamW = "AdamW",
    }
}

choices! {
    /// A metric that is watched while training.
    pub enum Monitor {
        /// Negative ELBO of the validation cells.
        #[default]
        ElboValidation = "elbo_validation",
        /// Reconstruction error of the validation cells.
        ReconstructionLossValidation = "reconstruction_loss_validation",
        /// KL divergence of the validation cells.
        KlLocalValidation = "kl_local_validation",
        /// Loss of the validation cells, with the KL weight.
        ValidationLoss = "validation_loss",
        /// Negative ELBO of the training cells.
        ElboTrain = "elbo_train",
        /// Reconstruction error of the training cells.
        ReconstructionLossTrain = "reconstruction_loss_train",
    }
}

impl Monitor {
    /// Whether it is computed on held-out cells.
    pub fn is_validation(self) -> bool {
        self.word().contains("validation")
    }

    /// The same metric of the training cells.
    pub fn of_training(self) -> &'static str {
        match self {
            Self::ElboValidation | Self::ElboTrain => "elbo_train",
            Self::ReconstructionLossValidation | Self::ReconstructionLossTrain => {
                "reconstruction_loss_train"
            }
            Self::KlLocalValidation => "kl_local_train",
            Self::ValidationLoss => "train_loss",
        }
    }
}

choices! {
    /// Which way a metric gets better.
    pub enum Mode {
        /// Down.
        #[default]
        Min = "min",
        /// Up.
        Max = "max",
    }
}

choices! {
    /// What of a gradient is bounded.
    pub enum Clip {
        /// The norm of all entries together: they shrink alike.
        #[default]
        Norm = "norm",
        /// The size of each entry.
        Value = "value",
    }
}

/// Arguments of `train`.
#[derive(Clone, Debug, PartialEq, Params)]
pub struct TrainParams {
    /// Passes over the data; by default 400, fewer for more than 20,000 cells.
    #[param(min = 1)]
    pub max_epochs: Option<usize>,
    /// Cells per minibatch.
    #[param(default = 128usize, min = 2)]
    pub batch_size: usize,
    /// Fraction of the cells to train on; 0.9 when not given.
    #[param(min = 0, max = 1)]
    pub train_size: Option<f64>,
    /// Fraction of the cells held out for validation; what training leaves when not given.
    #[param(min = 0, max = 1)]
    pub validation_size: Option<f64>,
    /// Draw the split at random; otherwise validation is the first block of cells, then training.
    #[param(default = true)]
    pub shuffle_set_split: bool,
    /// Leave out the last minibatch of an epoch when it is not full.
    pub drop_last: bool,
    /// The split itself: a JSON list of up to three lists of row numbers (training, validation,
    /// test).
    pub external_indexing: Option<Value>,
    /// Keep sparse counts sparse until a minibatch is on the device; worth it for GPUs.
    pub load_sparse_tensor: bool,
    /// Stop when the watched metric no longer improves.
    pub early_stopping: bool,
    /// The metric that early stopping watches.
    pub early_stopping_monitor: Monitor,
    /// Whether the watched metric should fall (min) or rise (max).
    pub early_stopping_mode: Mode,
    /// Smallest change that counts as an improvement.
    #[param(min = 0)]
    pub early_stopping_min_delta: f64,
    /// Epochs without improvement before stopping.
    #[param(default = 45usize, min = 1)]
    pub early_stopping_patience: usize,
    /// Epochs before early stopping begins to watch.
    pub early_stopping_warmup_epochs: usize,
    /// Validate every so many epochs; never when not given and nothing watches.
    #[param(min = 1)]
    pub check_val_every_n_epoch: Option<usize>,
    /// Keep the model every so many epochs while training goes on, and the best of these apart, by
    /// the metric that early stopping watches or would watch.
    #[param(min = 1)]
    pub checkpoint_every: Option<usize>,
    /// Learning rate.
    #[param(default = 1e-3, min = 0)]
    pub lr: f64,
    /// Weight decay.
    #[param(default = 1e-6, min = 0)]
    pub weight_decay: f64,
    /// Take the posterior of each cell that its data set was reduced to, so that the decoder alone
    /// learns; for data sets that were minified with their counts kept.
    pub update_only_decoder: bool,
    /// Added to Adam's denominator.
    #[param(default = 0.01, min = 0)]
    pub eps: f64,
    /// The optimiser.
    pub optimizer: Optimizer,
    /// Epochs over which the KL weight rises from its minimum to its maximum; 0: not by epochs.
    #[param(default = 400usize)]
    pub n_epochs_kl_warmup: Option<usize>,
    /// Steps over which the KL weight rises, when not by epochs.
    pub n_steps_kl_warmup: Option<usize>,
    /// KL weight after the warm-up.
    #[param(default = 1.0, min = 0)]
    pub max_kl_weight: f64,
    /// KL weight at the start.
    #[param(default = 0.0, min = 0)]
    pub min_kl_weight: f64,
    /// Lower the learning rate when the watched metric no longer improves.
    pub reduce_lr_on_plateau: bool,
    /// Factor by which the learning rate is lowered.
    #[param(default = 0.6, min = 0, max = 1)]
    pub lr_factor: f64,
    /// Epochs without improvement before the learning rate is lowered.
    #[param(default = 30usize)]
    pub lr_patience: usize,
    /// Smallest change that counts as an improvement for the learning rate.
    #[param(min = 0)]
    pub lr_threshold: f64,
    /// Learning rate below which it is not lowered.
    #[param(min = 0)]
    pub lr_min: f64,
    /// The metric that the learning rate follows.
    pub lr_scheduler_metric: Monitor,
    /// How long the gradient may be; what exceeds it is cut back.
    #[param(min = 0)]
    pub gradient_clip_val: Option<f64>,
    /// Whether that is about the norm of the whole gradient or about each entry's value.
    pub gradient_clip_algorithm: Clip,
}
