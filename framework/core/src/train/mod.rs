//! Training: the plan, the optimiser, the runner.

mod history;
mod noise;
mod nonfinite;
mod optim;
mod params;
mod plan;
mod runner;
mod schedule;
mod state;

pub use history::{EpochSums, History, Subset};
pub use optim::{Adam, clip_grad_norm, clip_grad_value};
pub use params::{Clip, Mode, Monitor, Optimizer, TrainParams};
pub use plan::TrainingPlan;
pub use runner::{Ending, Runner};
pub use schedule::{KlSchedule, Patience, Plateau, heuristic_epochs};
pub use state::{Best, Heard, Snapshot, TrainerState};
