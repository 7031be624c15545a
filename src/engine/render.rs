//! The render thread: takes the newest request, renders it, and puts the frame where the window finds it.

use crate::engine::message::ModelId;

/// Why a request did not become an image.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RenderError {
    /// The request names a model that is not open (any more).
    #[error("model {} is not open", .0.0)]
    NotOpen(ModelId),
    /// Something in the way of the image panicked.
    #[error("rendering failed unexpectedly: {0}")]
    Panicked(String),
}
