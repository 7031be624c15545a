//! What the window asks of the render thread, and what comes back.

use std::{sync::Arc, time::Duration};

use crate::{
    latent::statistics::LatentStatistics,
    model::{config::GeneratorConfig, layer::LayerInfo},
    session::Pose,
};

/// Identifies an opened model; a new one for every opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelId(pub u64);

/// What the window knows of an opened model. Holds no tensors.
#[derive(Debug, Clone)]
pub struct ModelSummary {
    /// Which opening this was.
    pub id: ModelId,
    /// Where it came from; `None` for the bundled model.
    pub path: Option<std::path::PathBuf>,
    /// Short name for the title and the status line.
    pub name: String,
    /// Lines that `stylescope info` prints of the same file.
    pub details: Vec<String>,
    /// An honest word about the model that the window shows, e.g. that the bundled network is untrained.
    pub notice: Option<String>,
    /// The network.
    pub config: GeneratorConfig,
    /// Its layers, in order.
    pub layers: Vec<LayerInfo>,
}

/// The newest wish of the window: compared with the last one and sent only when it differs.
#[derive(Debug, Clone, PartialEq)]
pub struct RenderRequest {
    /// The model to render.
    pub model: ModelId,
    /// What to render.
    pub pose: Pose,
    /// The layer whose style and `w` values the frame shall bring along.
    pub inspect: Option<usize>,
}

/// A request's place in the order of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Stamp(pub u64);

/// Milliseconds of a frame by stage. On a GPU the synthesis figure is the time to record and submit; nothing waits.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Timings {
    /// Seeds to `w`.
    pub map: Duration,
    /// `ws` to styles.
    pub affine: Duration,
    /// Styles to the image tensor.
    pub synthesis: Duration,
    /// Image tensor to texture.
    pub present: Duration,
    /// From the request's arrival at the render thread to the finished texture.
    pub total: Duration,
}

/// The vectors of the inspected layer, as the image was made from them (edits included).
#[derive(Debug, Clone, PartialEq)]
pub struct LayerValues {
    /// The layer.
    pub layer: usize,
    /// Its style vector.
    pub style: Vec<f32>,
    /// The `w` that drives it.
    pub w: Vec<f32>,
}

/// A texture with an image in it, ready to be shown.
#[derive(Debug, Clone)]
pub struct PresentedImage {
    /// `Rgba8Unorm`; the render thread does not write to it while this frame is the newest or the one before.
    pub texture: wgpu::Texture,
    /// Width and height in pixels.
    pub size: [u32; 2],
}

/// A finished request.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Which request this answers.
    pub stamp: Stamp,
    /// The model it was rendered with.
    pub model: ModelId,
    /// The image, or why there is none.
    pub image: Result<PresentedImage, Arc<crate::engine::render::RenderError>>,
    /// Times by stage.
    pub timings: Timings,
    /// Bytes that were mapped back from a GPU for this session's frames so far; stays 0 (`ui` shows it).
    pub bytes_read_back: u64,
    /// The vectors of the layer that the request named.
    pub inspected: Option<LayerValues>,
    /// What is known of the spread of styles, once it was worked out.
    pub statistics: Option<Arc<LatentStatistics>>,
}
