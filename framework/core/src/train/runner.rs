//! The training loop.

use std::mem;

use super::{
    Adam, Best, Clip, EpochSums, KlSchedule, Mode, Patience, Plateau, Snapshot, Subset,
    TrainParams, TrainerState, clip_grad_norm, clip_grad_value, noise, nonfinite,
};
use crate::{
    data::{Batch, DataModule},
    error::{Error, Result},
    model::{BaseModule, Checkpoint, Ctx, Event, LossOutput, Observer},
    nn::Store,
    saved::SavedModel,
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
    /// Epochs to run, those of the snapshot that training begins from included.
    pub max_epochs: usize,
    /// The model that a snapshot is part of, for checkpoints.
    pub save: &'a dyn Fn(&Snapshot) -> Result<SavedModel>,
}

/// What changes from step to step beside the parameters.
struct Live {
    names: Vec<String>,
    adam: Adam,
    kl: KlSchedule,
    patience: Patience,
    plateau: Plateau,
    step: usize,
}

/// The metrics of an epoch, by name.
type Metrics = Vec<(String, f64)>;

impl<M: BaseModule> Runner<'_, M> {
    /// Trains on from `at`, which holds the parameters as they are. However it ends, parameters and
    /// `at` are those after the last full epoch.
    ///
    /// # Errors
    /// [`Error::NonFiniteLoss`], parameters and `at` then being those where the last good epoch began;
    /// errors of the module and the loader.
    pub fn run(&self, at: &mut Snapshot, observer: &mut dyn Observer) -> Result<Ending> {
        self.check()?;
        let mut live = self.begin(at)?;
        let mut before: Option<Snapshot> = None;
        loop {
            if self.params.early_stopping && live.patience.ran_out() {
                observer.hear(&self.stopping(at.state.epoch, &live.patience));
                return Ok(Ending::EarlyStopping);
            }
            if at.state.epoch >= self.max_epochs {
                return Ok(Ending::Complete);
            }
            let metrics = match self.epoch(&at.state, &mut live, observer) {
                Ok(Some(metrics)) => metrics,
                Ok(None) => {
                    self.store.load(&at.weights)?;
                    return Ok(Ending::Cancelled);
                }
                Err(error) => {
                    // A first step that fails says that the epoch began badly.
                    if live.step == at.state.step
                        && let Some(earlier) = before.take()
                    {
                        *at = earlier;
                    }
                    self.store.load(&at.weights)?;
                    return Err(error);
                }
            };
            let (next, news) = self.next(at, &mut live, metrics)?;
            before = Some(mem::replace(at, next));
            if let Some(is_best) = news {
                self.checkpoint(at, is_best, observer)?;
            }
        }
    }

    fn begin(&self, at: &Snapshot) -> Result<Live> {
        let params = self.params;
        let (names, parameters): (Vec<_>, Vec<_>) = self.store.trainable().into_iter().unzip();
        let mut adam = Adam::new(parameters, params)?;
        adam.load_state_dict(&names, &at.optimizer)?;
        adam.lr = at.state.lr;
        let patience = Patience::new(
            params.early_stopping_patience,
            params.early_stopping_min_delta,
            params.early_stopping_mode,
        );
        Ok(Live {
            names,
            adam,
            kl: KlSchedule::new(params)?,
            patience: patience.after(at.state.early_stopping),
            plateau: Plateau::new(params).after(at.state.plateau),
            step: at.state.step,
        })
    }

    /// The snapshot after an epoch with these metrics; and whether it is the best checkpoint so far,
    /// where it is to be one.
    fn next(
        &self,
        at: &Snapshot,
        live: &mut Live,
        mut metrics: Metrics,
    ) -> Result<(Snapshot, Option<bool>)> {
        let (params, epoch) = (self.params, at.state.epoch);
        let value = |metrics: &Metrics, name: &str| {
            metrics.iter().find(|(metric, _)| metric == name).map(|(_, value)| *value)
        };
        let watched = value(&metrics, params.early_stopping_monitor.word());
        let followed = value(&metrics, params.lr_scheduler_metric.word());
        let judge = self.judge();
        let judged = value(&metrics, judge);
        if let (true, Some(value)) = (params.reduce_lr_on_plateau, followed) {
            metrics.push(("lr-Adam".into(), live.adam.lr));
            live.adam.lr = live.plateau.next_lr(value, live.adam.lr);
        }
        let watches = params.early_stopping && epoch >= params.early_stopping_warmup_epochs;
        let stops = match watched {
            Some(value) if watches => live.patience.hear(value),
            _ => false,
        };
        let mut history = at.history.clone();
        for (name, value) in metrics {
            history.entry(name).or_default().push(value);
        }
        let epoch = epoch + 1;
        let is_last = stops || epoch == self.max_epochs;
        let is_due = params.checkpoint_every.is_some_and(|n| is_last || epoch.is_multiple_of(n));
        let mut best = at.state.best.clone();
        let better = judged.filter(|value| is_due && self.is_better(*value, best.as_ref()));
        if let Some(value) = better {
            best = Some(Best { metric: judge.into(), value, epoch });
        }
        let state = TrainerState {
            epoch,
            step: live.step,
            lr: live.adam.lr,
            early_stopping: live.patience.heard(),
            plateau: live.plateau.heard(),
            best,
            ..at.state.clone()
        };
        let optimizer = live.adam.state_dict(&live.names)?;
        let next = Snapshot { weights: self.store.weights()?, optimizer, history, state };
        Ok((next, is_due.then_some(better.is_some())))
    }

    /// Hands a checkpoint over. One that cannot be kept is told, and training goes on: it may be the
    /// last of many hours.
    fn checkpoint(&self, at: &Snapshot, is_best: bool, observer: &mut dyn Observer) -> Result<()> {
        let checkpoint = Checkpoint { model: (self.save)(at)?, is_best };
        if let Err(error) = observer.checkpoint(&checkpoint) {
            let epoch = at.state.epoch;
            let text = format!("the checkpoint after epoch {epoch} was not kept: {error}");
            observer.hear(&Event::Note { text });
        }
        Ok(())
    }

    /// One pass over the training cells, and over those held out where that is due; `None` when
    /// cancelled.
    fn epoch(
        &self,
        at: &TrainerState,
        live: &mut Live,
        observer: &mut dyn Observer,
    ) -> Result<Option<Metrics>> {
        let epoch = at.epoch;
        noise::seed_epoch(at.seed, epoch);
        let Some(sums) = self.train(epoch, live, observer)? else { return Ok(None) };
        let kl_weight = live.kl.weight(epoch, live.step.saturating_sub(1));
        let mut metrics = sums.metrics(Subset::Train, self.data.train.n_cells());
        metrics.push(("kl_weight".into(), kl_weight));
        if self.validates(epoch) {
            metrics.extend(self.validate(kl_weight)?);
        }
        Ok(Some(metrics))
    }

    fn train(
        &self,
        epoch: usize,
        live: &mut Live,
        observer: &mut dyn Observer,
    ) -> Result<Option<EpochSums>> {
        let device = self.store.device();
        let (mut sums, mut cells) = (EpochSums::default(), 0);
        for batch in self.data.train.epoch(epoch) {
            if observer.cancelled() {
                return Ok(None);
            }
            let batch = batch?.to_device(device);
            if batch.n_cells() < 2 {
                continue; // cannot be normalised; another cell is left over in the next epoch
            }
            let (freezing, kl_weight) = (self.store.freezing(), live.kl.weight(epoch, live.step));
            let ctx = Ctx { freezing, ..Ctx::training(device, kl_weight) };
            let loss = self.forward(&ctx, &batch)?;
            let grads = live.adam.gradients(&loss.loss)?;
            match (self.params.gradient_clip_val, self.params.gradient_clip_algorithm) {
                (Some(max), Clip::Norm) => clip_grad_norm(&grads, max),
                (Some(max), Clip::Value) => clip_grad_value(&grads, max),
                (None, _) => {}
            }
            if !loss.loss.double_value(&[]).is_finite() {
                let tensor = nonfinite::origin(&batch, self.store, &loss);
                return Err(Error::NonFiniteLoss { epoch: epoch + 1, step: live.step + 1, tensor });
            }
            live.adam.step(&grads)?;
            sums.add(&loss);
            live.step += 1;
            cells += batch.n_cells() as usize;
            observer.hear(&Event::Training {
                epoch,
                max_epochs: self.max_epochs,
                cells,
                n_cells: self.data.train.n_cells(),
                loss: sums.mean_loss(),
            });
        }
        Ok(Some(sums))
    }

    fn validate(&self, kl_weight: f64) -> Result<Metrics> {
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
        let params = self.params;
        let watches = params.early_stopping || params.reduce_lr_on_plateau;
        let needed = watches.then_some(1).or(params.checkpoint_every);
        let every = params.check_val_every_n_epoch.or(needed);
        every.is_some_and(|n| (epoch + 1).is_multiple_of(n))
    }

    /// The metric that tells the best checkpoint: the one that early stopping watches, of the training
    /// cells where none are held out.
    fn judge(&self) -> &'static str {
        let monitor = self.params.early_stopping_monitor;
        match self.data.validation {
            Some(_) => monitor.word(),
            None => monitor.of_training(),
        }
    }

    fn is_better(&self, value: f64, best: Option<&Best>) -> bool {
        value.is_finite()
            && best.is_none_or(|best| match self.params.early_stopping_mode {
                Mode::Min => value < best.value,
                Mode::Max => value > best.value,
            })
    }

    fn stopping(&self, n_epochs: usize, patience: &Patience) -> Event {
        let monitor = self.params.early_stopping_monitor.word();
        let (best, waited) = (patience.best(), self.params.early_stopping_patience);
        let text = format!(
            "early stopping after epoch {n_epochs}: {monitor} has not improved on {best:.3} for \
             {waited} epochs"
        );
        Event::Note { text }
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
