//! Training: what a run is, its presets, its random numbers, its schedule, its folder, and the thread that runs it.

pub mod config;
pub mod error;
pub mod growing;
pub mod preset;
pub mod random;

pub use config::TrainConfig;
pub use error::TrainError;
