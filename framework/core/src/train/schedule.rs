//! What changes from epoch to epoch: number of epochs, KL weight, learning rate, the end.

use super::{Heard, Mode, TrainParams};
use crate::error::{Error, Result};

/// Epochs for a data set when the user names none: `20000 / n_cells * 400`, rounded half to even,
/// between 1 and 400.
pub fn heuristic_epochs(n_cells: usize) -> usize {
    let epochs = (20_000.0 / n_cells.max(1) as f64 * 400.0).round_ties_even();
    (epochs.min(400.0) as usize).max(1)
}

/// Weight of the KL divergence over training.
#[derive(Clone, Copy, Debug)]
pub struct KlSchedule {
    n_epochs: usize,
    n_steps: usize,
    min: f64,
    max: f64,
}

impl KlSchedule {
    /// As the arguments say.
    ///
    /// # Errors
    /// When the minimum is above the maximum.
    pub fn new(params: &TrainParams) -> Result<Self> {
        if params.min_kl_weight > params.max_kl_weight {
            return Err(Error::Argument {
                name: "min_kl_weight".into(),
                expected: format!("at most max_kl_weight, which is {}", params.max_kl_weight),
                found: params.min_kl_weight.to_string(),
            });
        }
        Ok(Self {
            n_epochs: params.n_epochs_kl_warmup.unwrap_or(0),
            n_steps: params.n_steps_kl_warmup.unwrap_or(0),
            min: params.min_kl_weight,
            max: params.max_kl_weight,
        })
    }

    /// The weight in this epoch and at this optimiser step, both from 0.
    pub fn weight(&self, epoch: usize, step: usize) -> f64 {
        let (done, span) =
            if self.n_epochs > 0 { (epoch, self.n_epochs) } else { (step, self.n_steps) };
        if done >= span {
            return self.max;
        }
        self.min + (self.max - self.min) * done as f64 / span as f64
    }
}

/// Counts epochs without improvement of a metric that should fall, or rise.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    best: f64,
    waited: usize,
    patience: usize,
    min_delta: f64,
    mode: Mode,
}

impl Patience {
    /// Runs out after `patience` epochs that are not better than the best by `min_delta`.
    pub fn new(patience: usize, min_delta: f64, mode: Mode) -> Self {
        let best = match mode {
            Mode::Min => f64::INFINITY,
            Mode::Max => f64::NEG_INFINITY,
        };
        Self { best, waited: 0, patience, min_delta, mode }
    }

    /// Goes on from what was heard before.
    #[must_use]
    pub fn after(self, heard: Heard) -> Self {
        Self { best: heard.best.unwrap_or(self.best), waited: heard.waited, ..self }
    }

    /// What was heard.
    pub fn heard(&self) -> Heard {
        Heard { best: self.best.is_finite().then_some(self.best), waited: self.waited }
    }

    /// The best value so far.
    pub fn best(&self) -> f64 {
        self.best
    }

    /// Whether it has run out.
    pub fn ran_out(&self) -> bool {
        self.waited >= self.patience
    }

    /// Hears the next value; true when patience has run out.
    pub fn hear(&mut self, value: f64) -> bool {
        let is_better = match self.mode {
            Mode::Min => value < self.best - self.min_delta,
            Mode::Max => value > self.best + self.min_delta,
        };
        if is_better {
            self.best = value;
            self.waited = 0;
            return false;
        }
        self.waited += 1;
        self.ran_out()
    }
}

/// Lowers the learning rate when a metric no longer falls.
#[derive(Clone, Copy, Debug)]
pub struct Plateau {
    patience: Patience,
    factor: f64,
    min: f64,
}

impl Plateau {
    /// As the arguments say.
    pub fn new(params: &TrainParams) -> Self {
        // libtorch's rule lowers after more than `lr_patience` bad epochs.
        let patience = Patience::new(params.lr_patience + 1, params.lr_threshold, Mode::Min);
        Self { patience, factor: params.lr_factor, min: params.lr_min }
    }

    /// Goes on from what was heard before.
    #[must_use]
    pub fn after(self, heard: Heard) -> Self {
        Self { patience: self.patience.after(heard), ..self }
    }

    /// What was heard.
    pub fn heard(&self) -> Heard {
        self.patience.heard()
    }

    /// Hears the next value of the metric; gives the learning rate from now on.
    pub fn next_lr(&mut self, value: f64, lr: f64) -> f64 {
        if !self.patience.hear(value) {
            return lr;
        }
        self.patience.waited = 0;
        (lr * self.factor).max(self.min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_shrink_with_the_data() {
        for (n_cells, epochs) in [
            (100, 400),
            (20_000, 400),
            (18_641, 400),
            (30_000, 267),
            (8_000_000, 1),
            (100_000_000, 1),
        ] {
            assert_eq!(heuristic_epochs(n_cells), epochs, "{n_cells} cells");
        }
        assert_eq!(heuristic_epochs(3_200_000), 2); // 2.5 rounds to even
    }

    #[test]
    fn kl_weight_rises_by_epochs_or_by_steps() {
        let by_epochs = KlSchedule::new(&TrainParams::default()).unwrap();
        assert_eq!(by_epochs.weight(0, 999), 0.0);
        assert_eq!(by_epochs.weight(19, 0), 0.0475);
        assert_eq!(by_epochs.weight(400, 0), 1.0);
        let steps = TrainParams {
            n_epochs_kl_warmup: None,
            n_steps_kl_warmup: Some(10),
            min_kl_weight: 0.2,
            ..Default::default()
        };
        let by_steps = KlSchedule::new(&steps).unwrap();
        assert!((by_steps.weight(7, 5) - 0.6).abs() < 1e-12);
        let neither = TrainParams { n_epochs_kl_warmup: Some(0), ..Default::default() };
        assert_eq!(KlSchedule::new(&neither).unwrap().weight(0, 0), 1.0);
        let crossed = TrainParams { min_kl_weight: 2.0, ..Default::default() };
        assert_eq!(
            KlSchedule::new(&crossed).unwrap_err().to_string(),
            "argument `min_kl_weight`: expected at most max_kl_weight, which is 1, found 2"
        );
    }

    #[test]
    fn patience_runs_out_after_as_many_bad_epochs() {
        for (mode, sign) in [(Mode::Min, 1.0), (Mode::Max, -1.0)] {
            let mut patience = Patience::new(2, 0.5, mode);
            let values = [10.0, 9.0, 8.8, 8.4, 8.3, 8.2];
            let heard: Vec<bool> = values.map(|v| patience.hear(sign * v)).into();
            assert_eq!(heard, [false, false, false, false, false, true]);
            assert_eq!(patience.best(), sign * 8.4);
        }
    }

    #[test]
    fn plateau_lowers_after_more_than_its_patience_and_not_below_the_minimum() {
        let params = TrainParams { lr_patience: 1, lr_min: 5e-4, ..Default::default() };
        let mut plateau = Plateau::new(&params);
        let mut lr = 1e-3;
        let rates: Vec<f64> = [5.0, 5.0, 5.0, 5.0, 5.0]
            .map(|v| {
                lr = plateau.next_lr(v, lr);
                lr
            })
            .into();
        assert_eq!(rates, [1e-3, 1e-3, 6e-4, 6e-4, 5e-4]);
    }
}
