//! The training loop.

use super::{
    Adam, Clip, EpochSums, History, KlSchedule, Monitor, Patience, Plateau, Subset, TrainParams,
    clip_grad_norm, clip_grad_value, nonfinite,
};
use crate::{
    data::{Batch, DataModule},
    error::{Error, Result},
    model::{BaseModule, Ctx, Event, LossOutput, Observer},
    nn::Store,
};

/// How a training came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// All epochs done.
    Complete,
    /// The watched metric stopped improving.
    EarlyStopping,
    /// The observer asked for it.
    Cancelled,
}

/// Everything that one training needs.
pub struct Runner<'a, M: BaseModule> {
    /// The module whose parameters are changed.
    pub module: &'a M,
    /// The parameters.
    pub store: &'a Store,
    /// Minibatches to train on, and those held out.
    pub data: &'a DataModule<'a>,
    /// The arguments.
    pub params: &'a TrainParams,
    /// Epochs to run.
    pub max_epochs: usize,
}

impl<M: BaseModule> Runner<'_, M> {
    /// Trains, adding an entry per epoch to each metric of `history`.
    ///
    /// # Errors
    /// [`Error::NonFiniteLoss`], with parameters and history put back to where the last good epoch
    /// began; errors of the module and the loader.
    pub fn run(&self, history: &mut History, observer: &mut dyn Observer) -> Result<Ending> {
        self.check()?;
        let params = self.params;
        let kl = KlSchedule::new(params)?;
        let parameters = self.store.trainable().into_iter().map(|(_, trainable)| trainable);
        let mut adam = Adam::new(parameters, params)?;
        let mut patience = Patience::new(
            params.early_stopping_patience,
            params.early_stopping_min_delta,
            params.early_stopping_mode,
        );
        let mut plateau = Plateau::new(params);
        let mut step = 0;

        let mut states: Vec<(_, History)> = Vec::new(); // where this epoch and the last one began
        for epoch in 0..self.max_epochs {
            states.drain(..states.len().saturating_sub(1));
            states.push((self.store.weights()?, history.clone()));
            let first_step = step;
            let trained = self.epoch(epoch, &mut step, &kl, &mut adam, observer);
            let sums = match trained {
                Ok(Some(sums)) => sums,
                Ok(None) => return Ok(Ending::Cancelled),
                Err(error) => {
                    // A first step that fails says that the epoch began badly.
                    let last_good = if step == first_step { states.first() } else { states.last() };
                    if let Some((weights, as_it_was)) = last_good {
                        self.store.load(weights)?;
                        history.clone_from(as_it_was);
                    }
                    return Err(error);
                }
            };
            let kl_weight = kl.weight(epoch, step.saturating_sub(1));
            let mut metrics = sums.metrics(Subset::Train, self.data.train.n_cells());
            metrics.push(("kl_weight".into(), kl_weight));
            if self.validates(epoch) {
                metrics.extend(self.validate(kl_weight)?);
            }
            let value = |monitor: Monitor| {
                metrics.iter().find(|(name, _)| name == monitor.word()).map(|(_, value)| *value)
            };
            let watched = value(params.early_stopping_monitor);
            if let (true, Some(value)) =
                (params.reduce_lr_on_plateau, value(params.lr_scheduler_metric))
            {
                metrics.push(("lr-Adam".into(), adam.lr));
                adam.lr = plateau.next_lr(value, adam.lr);
            }
            for (name, value) in metrics {
                history.entry(name).or_default().push(value);
            }
            let watches = params.early_stopping && epoch >= params.early_stopping_warmup_epochs;
            if let (true, Some(value)) = (watches, watched)
                && patience.hear(value)
            {
                observer.hear(&Event::Note {
                    text: format!(
                        "early stopping after epoch {}: {} has not improved on {:.3} for {} epochs",
                        epoch + 1,
                        params.early_stopping_monitor.word(),
                        patience.best(),
                        params.early_stopping_patience
                    ),
                });
                return Ok(Ending::EarlyStopping);
            }
        }
        Ok(Ending::Complete)
    }

    /// One pass over the training cells; `None` when cancelled.
    fn epoch(
        &self,
        epoch: usize,
        step: &mut usize,
        kl: &KlSchedule,
        adam: &mut Adam,
        observer: &mut dyn Observer,
    ) -> Result<Option<EpochSums>> {
        let device = self.store.device();
        let (mut sums, mut cells) = (EpochSums::default(), 0);
        for batch in self.data.train.epoch(epoch) {
            let batch = batch?.to_device(device);
            if batch.n_cells() < 2 {
                continue; // cannot be normalised; another cell is left over in the next epoch
            }
            let freezing = self.store.freezing();
            let ctx = Ctx { freezing, ..Ctx::training(device, kl.weight(epoch, *step)) };
            let loss = self.forward(&ctx, &batch)?;
            let grads = adam.gradients(&loss.loss)?;
            match (self.params.gradient_clip_val, self.params.gradient_clip_algorithm) {
                (Some(max), Clip::Norm) => clip_grad_norm(&grads, max),
                (Some(max), Clip::Value) => clip_grad_value(&grads, max),
                (None, _) => {}
            }
            if !loss.loss.double_value(&[]).is_finite() {
                let tensor = nonfinite::origin(&batch, self.store, &loss);
                return Err(Error::NonFiniteLoss { epoch: epoch + 1, step: *step + 1, tensor });
            }
            adam.step(&grads)?;
            sums.add(&loss);
            *step += 1;
            cells += batch.n_cells() as usize;
            observer.hear(&Event::Training {
                epoch,
                max_epochs: self.max_epochs,
                cells,
                n_cells: self.data.train.n_cells(),
                loss: sums.mean_loss(),
            });
            if observer.cancelled() {
                return Ok(None);
            }
        }
        Ok(Some(sums))
    }

    fn validate(&self, kl_weight: f64) -> Result<Vec<(String, f64)>> {
        let Some(loader) = self.data.validation else { return Ok(Vec::new()) };
        let device = self.store.device();
        let ctx = Ctx { kl_weight, ..Ctx::eval(device) };
        let mut sums = EpochSums::default();
        tch::no_grad(|| -> Result<()> {
            for batch in loader.epoch(0) {
                sums.add(&self.forward(&ctx, &batch?.to_device(device))?);
            }
            Ok(())
        })?;
        Ok(sums.metrics(Subset::Validation, loader.n_cells()))
    }

    fn forward(&self, ctx: &Ctx, batch: &Batch) -> Result<LossOutput> {
        let inferred = self.module.inference(ctx, batch)?;
        let generated = self.module.generative(ctx, batch, &inferred)?;
        self.module.loss(ctx, batch, &inferred, &generated)
    }

    fn validates(&self, epoch: usize) -> bool {
        let watches = self.params.early_stopping || self.params.reduce_lr_on_plateau;
        let every = self.params.check_val_every_n_epoch.or(watches.then_some(1));
        every.is_some_and(|n| (epoch + 1).is_multiple_of(n))
    }

    fn check(&self) -> Result<()> {
        let needs = [
            (
                self.params.early_stopping,
                "early_stopping_monitor",
                self.params.early_stopping_monitor,
            ),
            (
                self.params.reduce_lr_on_plateau,
                "lr_scheduler_metric",
                self.params.lr_scheduler_metric,
            ),
        ];
        for (used, name, monitor) in needs {
            if used && monitor.is_validation() && self.data.validation.is_none() {
                return Err(Error::Argument {
                    name: name.into(),
                    expected:
                        "a training metric, since no cells are held out (or a smaller train_size)"
                            .into(),
                    found: monitor.word().into(),
                });
            }
        }
        Ok(())
    }
}
