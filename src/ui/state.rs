//! What the window shows. Panels read it; only `App::logic` changes it.

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    sync::Arc,
};

use egui::ThemePreference;

use super::{
    animation::Animation,
    dock::Dock,
    export::ExportKind,
    performance::Performance,
    picture::Picture,
    timeline::Timeline,
    toast::Toasts,
    training::{TrainingQuestion, TrainingState},
    zoom::{CanvasView, Measured},
};
use crate::{
    base::paths,
    engine::{
        message::{LayerValues, ModelSummary},
        tuning::Tuned,
    },
    latent::statistics::LatentStatistics,
    model::layer::LayerInfo,
    session::{
        Document, Pose,
        settings::{LastSession, WindowSize},
    },
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
    /// The colours.
    pub theme: ThemePreference,
    /// Factor on text and controls.
    pub ui_scale: f32,
    /// Whether the panel on the left is shown.
    pub left_panel: bool,
    /// Whether the panel on the right is shown.
    pub right_panel: bool,
    /// What the dock at the bottom shows.
    pub dock: Dock,
    /// Where the last model was opened from.
    pub open_dir: Option<PathBuf>,
    /// Whether sections of the panels are open, by their titles; those that are not named are.
    pub sections: BTreeMap<String, bool>,
    /// Where the last image was saved.
    pub capture_dir: Option<PathBuf>,
    /// The window's size, once it is known.
    pub window: Option<WindowSize>,
    /// What was open when the program ended the last time.
    pub last_session: Option<LastSession>,
    /// Whether an image is on its way.
    pub pending: bool,
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
    /// The file that the model is being written to.
    pub exporting: Option<Opening>,
    /// Whether the window asks which network of the file to show.
    pub choosing: bool,
    /// The networks that were chosen, by file: nobody is asked twice.
    pub networks: BTreeMap<PathBuf, String>,
    /// The poses of the images that are being saved, in their order.
    pub saving: VecDeque<Pose>,
    /// The last saved image.
    pub saved: Option<SavedImage>,
    /// Training.
    pub training: TrainingState,
    /// The run whose snapshots are travelled through.
    pub timeline: Timeline,
}

/// What a file dialog of the system is asking for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileQuestion {
    /// A model or a saved picture to open.
    Open,
    /// Where to save the image.
    Save,
    /// Where to write the model.
    Export(ExportKind),
    /// Something that a training needs.
    Training(TrainingQuestion),
    /// The folder of a run to open.
    Run,
    /// Where to write the animation of a run.
    Sweep,
}

/// Where the network runs, for the status line.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeviceLine {
    /// The device's name.
    pub name: String,
    /// "GPU", "CPU" or "software".
    pub kind: &'static str,
    /// Whether it can store feature maps in 16 bits.
    pub half: bool,
}

/// A model on its way, to the window or to the disk.
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
    /// How far the search for the fastest kernels is, once it has begun.
    pub tuned: Option<Tuned>,
}

/// A failure with its whole chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorOverImage {
    /// What failed.
    pub source: ErrorSource,
    /// What did not work, in a few words.
    pub title: String,
    /// Why, and what can be done.
    pub text: String,
}

/// What failed, which decides when the failure is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorSource {
    /// Opening a file: over when another opens, or when the user has read it.
    Open,
    /// Rendering: over with the next image.
    Render,
    /// The graphics device: over when the program is started again.
    Device,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialog {
    /// A path to open, typed.
    OpenTyped,
    /// A path to save to, typed.
    SaveTyped,
    /// A path to write the model to, typed.
    ExportTyped(ExportKind),
    /// A path that a training needs, typed.
    TrainingTyped(TrainingQuestion),
    /// A path to write the animation of a run to, typed.
    SweepTyped,
    /// All commands, searched.
    Palette,
    /// All shortcuts.
    Shortcuts,
    /// What is known of the model.
    ModelDetails,
    /// What this program is.
    About,
}

impl FileQuestion {
    /// The dialog that asks the same with a typed path.
    pub fn typed(self) -> Dialog {
        match self {
            Self::Open | Self::Run => Dialog::OpenTyped,
            Self::Save => Dialog::SaveTyped,
            Self::Sweep => Dialog::SweepTyped,
            Self::Export(kind) => Dialog::ExportTyped(kind),
            Self::Training(question) => Dialog::TrainingTyped(question),
        }
    }
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
            theme: ThemePreference::Dark,
            ui_scale: 1.0,
            left_panel: true,
            right_panel: true,
            dock: Dock::default(),
            open_dir: None,
            sections: BTreeMap::new(),
            capture_dir: None,
            window: None,
            last_session: None,
            pending: false,
            device,
            performance: Performance::default(),
            opening: None,
            error: None,
            toasts: Toasts::default(),
            dialog: None,
            asking: None,
            exporting: None,
            choosing: false,
            networks: BTreeMap::new(),
            saving: VecDeque::new(),
            saved: None,
            training: TrainingState::default(),
            timeline: Timeline::default(),
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

    /// Whether a section of the panels is open.
    pub fn section_is_open(&self, title: &str) -> bool {
        self.sections.get(title).copied().unwrap_or(true)
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

    /// Where images are saved until the user chooses another folder.
    pub fn capture_folder(&self) -> PathBuf {
        self.capture_dir.clone().unwrap_or_else(paths::pictures_dir)
    }

    /// Where models are written: beside the file that they came from.
    pub fn export_folder(&self) -> PathBuf {
        self.open_dir.clone().or_else(|| std::env::current_dir().ok()).unwrap_or_default()
    }

    /// What saved images begin with: the model's name, in letters that every file system takes.
    pub fn image_stem(&self) -> String {
        let name = self.model.as_ref().map_or("image", |model| model.name.as_str());
        let safe = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
        let stem: String = name.chars().take(64).map(safe).collect();
        let stem = if stem.is_empty() { "image".to_owned() } else { stem };
        match self.model.as_ref().and_then(|model| model.nimg) {
            Some(nimg) => format!("{stem}-{nimg:09}"),
            None => stem,
        }
    }

    /// The name that is proposed for the animation of the run.
    pub fn sweep_name(&self) -> String {
        let run = self.timeline.run.as_deref().and_then(|run| run.file_name());
        format!("{}-training.png", run.map_or("run".into(), |run| run.to_string_lossy()))
    }

    /// Whether the model's file has other generators to show.
    pub fn has_choice(&self) -> bool {
        self.model.as_ref().is_some_and(|model| model.path.is_some() && model.networks.len() > 1)
    }

    /// The name that is proposed for the image on the screen.
    pub fn image_name(&self) -> String {
        let seed = self.pose().seed;
        format!("{}-seed{:.0}.png", self.image_stem(), seed.x.round() + 100.0 * seed.y.round())
    }

    /// Whether the pose on the screen lies on the disk.
    pub fn is_saved(&self) -> bool {
        self.saved.as_ref().is_some_and(|saved| saved.pose == *self.pose())
    }
}
