//! Training: what a run is, its presets, its random numbers, its schedule, its folder, and the thread that runs it.

pub mod config;
pub mod error;
pub mod growing;
pub mod losses;
pub mod optimizer;
pub mod phases;
pub mod preset;
pub mod random;
pub mod trainer;

pub use config::TrainConfig;
pub use error::TrainError;
pub use trainer::{Batch, PhaseTimes, Phases, Progress, Trainer, TrainerState};
