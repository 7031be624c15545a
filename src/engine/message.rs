//! What the window asks of the render thread, and what comes back.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{
    engine::{render::RenderError, tuning::Tuned},
    latent::statistics::LatentStatistics,
    model::{config::GeneratorConfig, layer::LayerInfo},
    session::Pose,
};

pub use crate::gpu::{pair::PairView, ring::PresentedImage};

/// Identifies an opened model; a new one for every opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelId(pub u64);

/// What the window knows of an opened model. Holds no tensors.
#[derive(Debug, Clone)]
pub struct ModelSummary {
    /// Which opening this was.
    pub id: ModelId,
    /// Where it came from; `None` for the bundled model.
    pub path: Option<PathBuf>,
    /// Short name for the title and the status line; of a snapshot, that of its run.
    pub name: String,
    /// Of a snapshot of a training: images that had been shown to the networks.
    pub nimg: Option<u64>,
    /// The network of the file that this is, by its name there.
    pub network: String,
    /// The generators of the file, in its order.
    pub networks: Vec<NetworkChoice>,
    /// Lines that `stylescope info` prints of the same file.
    pub details: Vec<String>,
    /// An honest word about the model that the window shows, e.g. that the bundled network is a small one.
    pub notice: Option<String>,
    /// The network.
    pub config: GeneratorConfig,
    /// Its layers, in order.
    pub layers: Vec<LayerInfo>,
}

impl ModelSummary {
    /// Whether layers and channels mean the same in both: those of two snapshots of one training do.
    pub fn has_layers_of(&self, other: &Self) -> bool {
        // Strengths are learned.
        let place = |layer: &LayerInfo| LayerInfo { noise_strength: 0.0, ..layer.clone() };
        self.layers.iter().map(place).eq(other.layers.iter().map(place))
    }
}

/// A generator of a file that can be shown instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkChoice {
    /// Its name in the file, e.g. `G_ema`.
    pub name: String,
    /// What it is, in a word or two.
    pub what: &'static str,
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
    /// The same pose of another model, seen together with it.
    pub against: Option<Against>,
}

impl RenderRequest {
    /// The pose of a model, and nothing else.
    pub fn new(model: ModelId, pose: Pose) -> Self {
        Self { model, pose, inspect: None, against: None }
    }
}

/// Another model to compare with, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Against {
    /// The other model. Its image is on the left of the two.
    pub model: ModelId,
    /// How both are seen.
    pub view: PairView,
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

/// A finished request.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Which request this answers.
    pub stamp: Stamp,
    /// The model it was rendered with.
    pub model: ModelId,
    /// The image, or why there is none.
    pub image: Result<PresentedImage, Arc<RenderError>>,
    /// Whether the image shows two models; its size is then another one than the model's.
    pub pair: bool,
    /// Where the image is that of a lower block, the pixels on its side: it is to be shown as large as the full image,
    /// which follows under the same stamp unless a newer request comes first.
    pub preview: Option<u32>,
    /// Times by stage.
    pub timings: Timings,
    /// Bytes that were mapped back from a GPU for this session's frames so far; stays 0 (`ui` shows it).
    pub bytes_read_back: u64,
    /// The vectors of the layer that the request named.
    pub inspected: Option<LayerValues>,
    /// What is known of the spread of styles, once it was worked out.
    pub statistics: Option<Arc<LatentStatistics>>,
}

/// The wgpu device that draws the window. Where the compute device is a GPU, it has to be that device.
#[derive(Debug, Clone)]
pub struct DisplayDevice {
    /// The logical device.
    pub device: wgpu::Device,
    /// Its queue.
    pub queue: wgpu::Queue,
    /// What it runs on.
    pub info: wgpu::AdapterInfo,
}

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// A file; of several networks the one that the explorer prefers.
    Path(PathBuf),
    /// A network of a file by its name there.
    Network(PathBuf, String),
    /// The network that the program brings along.
    Bundled,
}

/// Identifies one opening. A new opening cancels the one before, whose events are not told any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct OpenTicket(pub u64);

/// Where an image goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaveTarget {
    /// To this file, replacing what is there.
    Path(PathBuf),
    /// To the next free `{stem}-{number:04}.png` of a folder, which is made if it is missing.
    Numbered {
        /// The folder.
        dir: PathBuf,
        /// What the name begins with.
        stem: String,
    },
}

/// An image to render at full resolution and to keep as a PNG that carries its pose.
#[derive(Debug, Clone, PartialEq)]
pub struct SaveImage {
    /// What to render.
    pub request: RenderRequest,
    /// Where it goes.
    pub target: SaveTarget,
}

/// What happened in the background since the window asked last.
#[derive(Debug, Clone)]
pub enum EngineEvent {
    /// A file is being read.
    OpenProgress {
        /// Which opening.
        ticket: OpenTicket,
        /// Units done (bytes while a file is read).
        done: u64,
        /// Units in all; 0 while that is not known.
        total: u64,
    },
    /// The model's layers are being timed on this device, to find the fastest kernels: once for every shape.
    TuneProgress {
        /// Which opening.
        ticket: OpenTicket,
        /// How far it is.
        tuned: Tuned,
    },
    /// A model is ready: requests may name it from now on. The engine keeps the model before it until the first
    /// frame of the new one.
    Opened(Arc<ModelSummary>),
    /// The snapshots that were asked for are ready: requests may name them from now on.
    SnapshotsReady {
        /// Which request for snapshots.
        ticket: OpenTicket,
        /// The one to show.
        shown: Arc<ModelSummary>,
        /// The one to compare it with, if there is one.
        against: Option<Arc<ModelSummary>>,
    },
    /// A snapshot could not be shown; what is shown goes on.
    SnapshotFailed {
        /// Which request for snapshots.
        ticket: OpenTicket,
        /// The chain of causes in one line.
        message: String,
    },
    /// A model could not be opened; the one before goes on.
    OpenFailed {
        /// Which opening.
        ticket: OpenTicket,
        /// The file; `None` for the bundled model.
        path: Option<PathBuf>,
        /// The chain of causes in one line, and what to do.
        message: String,
    },
    /// An opening was given up at the user's wish.
    OpenCancelled {
        /// Which opening.
        ticket: OpenTicket,
    },
    /// An image was written.
    Saved(PathBuf),
    /// An image could not be written.
    SaveFailed {
        /// The file or folder that was asked for.
        path: PathBuf,
        /// The chain of causes in one line.
        message: String,
    },
    /// A model is being written.
    ExportProgress {
        /// Bytes written.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// A model was written.
    Exported(PathBuf),
    /// A model could not be written; what was there before is still there.
    ExportFailed {
        /// The file that was asked for.
        path: PathBuf,
        /// The chain of causes in one line.
        message: String,
    },
    /// An export was given up at the user's wish.
    ExportCancelled,
    /// The spread of the model's latents is known.
    Statistics {
        /// The model.
        model: ModelId,
        /// The numbers.
        statistics: Arc<LatentStatistics>,
    },
    /// A worker panicked and was started again.
    WorkerRestarted {
        /// The worker's name.
        worker: String,
        /// What the panic said.
        message: String,
    },
    /// The graphics device reported an error outside of any frame, or was lost. A lost device does not come back:
    /// the program has to be started again.
    DeviceError {
        /// What the driver said.
        message: String,
        /// Whether the device is gone.
        lost: bool,
    },
}
