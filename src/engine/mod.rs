//! Worker threads: the render thread with its caches, and background jobs.

pub mod bundled;
pub mod events;
pub mod export;
pub mod handle;
pub mod message;
pub mod model;
pub mod pipeline;
pub mod preview;
pub mod render;
pub mod save;
pub mod snapshots;
pub mod sweep;
pub mod threads;
pub mod tuning;

mod cache;
mod noise;
mod open;
mod statistics;

pub use handle::{Engine, EngineError};
pub use message::{
    Against, DisplayDevice, EngineEvent, Frame, LayerValues, ModelId, ModelSource, ModelSummary, OpenTicket, PairView,
    PresentedImage, RenderRequest, SaveImage, SaveTarget, Stamp, Timings,
};
pub use open::OpenError;
pub use render::RenderError;
pub use snapshots::{Snapshot, SnapshotRequest};
pub use sweep::Sweep;
