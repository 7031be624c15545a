//! What the window shows. Panels read it; only `App::logic` changes it.

use std::{path::PathBuf, sync::Arc};

use super::{
    animation::Animation,
    performance::Performance,
    picture::Picture,
    toast::Toasts,
    zoom::{CanvasView, Measured},
};
use crate::{
    engine::message::{LayerValues, ModelSummary},
    latent::statistics::LatentStatistics,
    model::layer::LayerInfo,
    session::{Document, Pose},
};

/// Everything that panels draw from.
pub struct AppState {
    /// The opened model; `None` before the first.
    pub model: Option<Arc<ModelSummary>>,
    /// The pose and its history.
    pub document: Document,
    /// The newest image.
    pub picture: Picture,
    /// The vectors of the selected layer, as the newest image was made from them.
    pub inspected: Option<LayerValues>,
    /// The spread of `w` and of the styles, once it was worked out.
    pub statistics: Option<Arc<LatentStatistics>>,
    /// Scale and place of the image.
    pub canvas: CanvasView,
    /// What the canvas found when it was drawn last.
    pub measured: Measured,
    /// Whether the unedited pose is shown.
    pub comparing: bool,
    /// What moves by itself.
    pub animation: Animation,
    /// The layer of the style vector panel, an index of [`AppState::layers`].
    pub selected_layer: usize,
    /// Files that were opened, newest first.
    pub recent: Vec<PathBuf>,
    /// Where the network runs.
    pub device: DeviceLine,
    /// Times of the last frames.
    pub performance: Performance,
    /// The model that is being opened.
    pub opening: Option<Opening>,
    /// A failure that stands over the image until the next success.
    pub error: Option<ErrorOverImage>,
    /// Messages that come and go.
    pub toasts: Toasts,
    /// The dialog that is open.
    pub dialog: Option<Dialog>,
    /// The question that the system's file dialog is asking.
    pub asking: Option<FileQuestion>,
    /// Images that are being saved.
    pub saving: usize,
    /// The last saved image.
    pub saved: Option<SavedImage>,
}

/// What a file dialog of the system is asking for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileQuestion {
    /// A model or a saved picture to open.
    Open,
    /// Where to save the image.
    Save,
}

/// Where the network runs, for the status line.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeviceLine {
    /// The device's name.
    pub name: String,
    /// "GPU", "CPU" or "software".
    pub kind: &'static str,
}

/// A model on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Opening {
    /// What is opened, for people.
    pub name: String,
    /// Where it lies; `None` for the bundled model.
    pub path: Option<PathBuf>,
    /// Steps done.
    pub done: u64,
    /// Steps in all; 0 while that is not known.
    pub total: u64,
}

/// A failure with its whole chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorOverImage {
    /// What did not work, in a few words.
    pub title: String,
    /// Why, and what can be done.
    pub text: String,
}

/// An image that lies on the disk.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedImage {
    /// The file.
    pub path: PathBuf,
    /// The pose that it carries.
    pub pose: Pose,
}

/// Windows over the window; at most one, and none asks a question that would lose work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialog {
    /// A path to open, typed.
    OpenTyped,
    /// A path to save to, typed.
    SaveTyped,
    /// All commands, searched.
    Palette,
    /// All shortcuts.
    Shortcuts,
    /// What is known of the model.
    ModelDetails,
    /// What this program is.
    About,
}

impl AppState {
    /// The state of a window that just opened.
    pub fn new(device: DeviceLine) -> Self {
        Self {
            model: None,
            document: Document::default(),
            picture: Picture::default(),
            inspected: None,
            statistics: None,
            canvas: CanvasView::default(),
            measured: Measured::default(),
            comparing: false,
            animation: Animation::default(),
            selected_layer: 0,
            recent: Vec::new(),
            device,
            performance: Performance::default(),
            opening: None,
            error: None,
            toasts: Toasts::default(),
            dialog: None,
            asking: None,
            saving: 0,
            saved: None,
        }
    }

    /// The pose that is edited.
    pub fn pose(&self) -> &Pose {
        self.document.pose()
    }

    /// The pose that is shown: the edited one, or while comparing the same latent without edits.
    pub fn shown_pose(&self) -> Pose {
        if self.comparing { self.pose().unedited() } else { self.pose().clone() }
    }

    /// The model's layers; empty without a model.
    pub fn layers(&self) -> &[LayerInfo] {
        self.model.as_ref().map_or(&[], |model| &model.layers)
    }

    /// The layer of the style vector panel.
    pub fn layer(&self) -> Option<&LayerInfo> {
        self.layers().get(self.selected_layer)
    }

    /// Number of `w` inputs of the synthesis network; 0 without a model.
    pub fn num_ws(&self) -> usize {
        self.model.as_ref().map_or(0, |model| model.config.num_ws())
    }

    /// Number of classes; 0 without a model or for an unconditional one.
    pub fn label_dim(&self) -> usize {
        self.model.as_ref().map_or(0, |model| model.config.label_dim())
    }

    /// Whether any layer takes noise.
    pub fn has_noise(&self) -> bool {
        self.layers().iter().any(|layer| layer.noise_index.is_some())
    }

    /// The layers that the `w` with this index drives.
    pub fn layers_of_ws(&self, ws: usize) -> impl Iterator<Item = (usize, &LayerInfo)> {
        self.layers().iter().enumerate().filter(move |(_, layer)| layer.ws_index == ws)
    }

    /// Whether the pose on the screen lies on the disk.
    pub fn is_saved(&self) -> bool {
        self.saved.as_ref().is_some_and(|saved| saved.pose == *self.pose())
    }
}
