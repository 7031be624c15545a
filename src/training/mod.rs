//! Training: what a run is, its presets, its random numbers, its schedule, its networks and losses, its folder, and the thread
//! that runs it.

pub mod ada;
pub mod checkpoint_store;
pub mod config;
pub mod courtesy;
pub mod diagnosis;
pub mod diversity;
pub mod error;
pub mod growing;
pub mod history;
pub mod losses;
pub mod measure;
pub mod noise_floor;
pub mod optimizer;
pub mod phases;
pub mod preflight;
pub mod preset;
pub mod random;
pub mod run_folder;
pub mod sample_grid;
pub mod session;
pub mod ticks;
pub mod trainer;
pub mod transfer;

pub use config::TrainConfig;
pub use error::TrainError;
pub use trainer::{Batch, PhaseTimes, Phases, Progress, Trainer, TrainerState};
