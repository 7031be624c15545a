//! Worker threads: the render thread with its caches, and background jobs.

pub mod handle;
pub mod message;
pub mod render;

pub use handle::Engine;
pub use message::{
    DisplayDevice, EngineEvent, Frame, LayerValues, ModelId, ModelSource, ModelSummary, OpenTicket, PresentedImage,
    RenderRequest, SaveImage, SaveTarget, Stamp, Timings,
};
pub use render::RenderError;
