//! Training: the plan, the optimiser, the runner.

mod plan;

pub use plan::TrainingPlan;
