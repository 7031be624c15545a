//! Every user action is one variant of [`Command`], and the variant knows its label, tooltip and shortcuts. Menus,
//! buttons, the keyboard and the palette all come from here; [`super::apply`] is the only place that acts on them.

use std::{cell::RefCell, path::PathBuf, rc::Rc};

use egui::{Context, Key, KeyboardShortcut, Modifiers, ThemePreference};

use super::{
    dock::DockTab,
    export::ExportKind,
    state::AppState,
    timeline::TimelineCommand,
    toast::ToastId,
    training::TrainingCommand,
    zoom::{CanvasView, Zoom},
};
use crate::session::{GestureId, PoseEdit};

/// Something that the user wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Ask for a model or a saved picture with the system's file dialog.
    Open,
    /// Type the path of a model or a saved picture.
    OpenTyped,
    /// Open a model, or restore the pose of a saved picture.
    OpenPath(PathBuf),
    /// Open the model that comes with the program.
    OpenBundled,
    /// Give up on the model that is being opened.
    CancelOpen,
    /// Forget the list of recent files.
    ClearRecent,
    /// Ask where to save the image.
    SaveImage,
    /// Type where to save the image.
    SaveTyped,
    /// Save the image to this file, with its pose inside.
    SaveImageTo(PathBuf),
    /// Save the image with the next free number, without asking.
    Capture,
    /// Ask where to write the model in another format.
    Export(ExportKind),
    /// Write the model to this file.
    ExportTo(ExportKind, PathBuf),
    /// Give up on the file that is being written.
    CancelExport,
    /// Ask which network of the model's file to show.
    ChooseNetwork,
    /// Show the network of this name of the model's file.
    SelectNetwork(String),
    /// Go on with the network that is shown.
    DismissChoice,
    /// Close the program.
    Quit,

    /// Change the pose. Consecutive edits of one gesture (a drag) are one step of undo.
    Edit(PoseEdit, Option<GestureId>),
    /// Take back the last step.
    Undo,
    /// Do the last undone step again.
    Redo,
    /// Put the pose on the clipboard as text.
    CopyPose,
    /// Ask the clipboard for a pose.
    PastePose,
    /// Take the pose that this text holds.
    PasteText(String),
    /// Go to a random seed.
    Random,
    /// Round the seed's position to whole steps.
    Snap,
    /// Start or stop the walk through the seeds.
    AnimateSeed(bool),
    /// Speed of the walk, in seeds a second, -5..=5.
    SeedSpeed(f32),
    /// Start or stop the turning of the noise field.
    AnimateNoise(bool),
    /// Speed of the turning, in turns a second, -5..=5.
    NoiseSpeed(f32),
    /// Start or stop the walk, whichever applies.
    ToggleAnimateSeed,
    /// Start or stop the turning, whichever applies.
    ToggleAnimateNoise,

    /// Show the layer in the style vector panel, by its index in the model's layers.
    SelectLayer(usize),
    /// Show the layer before.
    PreviousLayer,
    /// Show the layer after.
    NextLayer,
    /// Show what is known of the model.
    ModelDetails,

    /// Scale the image and bring it back to the middle.
    Zoom(Zoom),
    /// Scale and place the image.
    View(CanvasView),
    /// Enlarge the image by one step.
    ZoomIn,
    /// Shrink the image by one step.
    ZoomOut,
    /// Show the pose without its edits while true.
    Compare(bool),
    /// Choose the colours.
    Theme(ThemePreference),
    /// Enlarge or shrink text and controls, 0.5..=3.
    UiScale(f32),
    /// Show this tab of the dock, or close the dock if it is in sight.
    Dock(DockTab),
    /// Show or hide the panel on the left.
    ToggleLeftPanel,
    /// Show or hide the panel on the right.
    ToggleRightPanel,
    /// Open or close a section of the panels, by its title.
    Section(String, bool),
    /// Highest number of requested images a second, 5..=1000.
    FpsLimit(u32),
    /// Set the number of processors that compute an image at most.
    ThreadLimit(u32),
    /// Wait for the screen's refresh or not.
    Vsync(bool),
    /// Store feature maps in 16 bits where the GPU can.
    Half(bool),

    /// Something about training.
    Training(TrainingCommand),
    /// Something about the snapshots of a training.
    Timeline(TimelineCommand),

    /// Search all commands.
    Palette,
    /// Show all shortcuts.
    Shortcuts,
    /// Show what this program is.
    About,
    /// Close the dialog that is open.
    CloseDialog,
    /// Take the error off the image.
    DismissError,
    /// Take a message away.
    DismissToast(ToastId),
}

/// Where a command stands in menus and in the help sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Files.
    File,
    /// The pose.
    Edit,
    /// What is seen and how.
    View,
    /// The network.
    Model,
    /// Training.
    Train,
    /// Help.
    Help,
}

impl Group {
    /// All groups, in the order of the menu bar.
    pub const ALL: [Self; 6] = [Self::File, Self::Edit, Self::View, Self::Model, Self::Train, Self::Help];

    /// The menu's name.
    pub fn label(self) -> &'static str {
        match self {
            Self::File => "File",
            Self::Edit => "Edit",
            Self::View => "View",
            Self::Model => "Model",
            Self::Train => "Train",
            Self::Help => "Help",
        }
    }

    /// The group's commands that need no further words, in the order of the menu. `None` is a separator.
    pub fn commands(self) -> Vec<Option<Command>> {
        use Command as C;
        match self {
            Self::File => vec![
                Some(C::Open),
                Some(C::OpenTyped),
                Some(C::OpenBundled),
                Some(C::ClearRecent),
                None,
                Some(C::SaveImage),
                Some(C::SaveTyped),
                Some(C::Capture),
                None,
                Some(C::Quit),
            ],
            Self::Edit => vec![
                Some(C::Undo),
                Some(C::Redo),
                None,
                Some(C::CopyPose),
                Some(C::PastePose),
                None,
                Some(C::Random),
                Some(C::Snap),
                Some(C::ToggleAnimateSeed),
                Some(C::ToggleAnimateNoise),
                None,
                Some(C::Edit(PoseEdit::ResetTruncation, None)),
                Some(C::Edit(PoseEdit::ResetMix, None)),
                Some(C::Edit(PoseEdit::ResetNoise, None)),
                Some(C::Edit(PoseEdit::ResetAll, None)),
            ],
            Self::View => vec![
                Some(C::Zoom(Zoom::Fit)),
                Some(C::Zoom(Zoom::FitWhole)),
                Some(C::Zoom(Zoom::ACTUAL)),
                Some(C::ZoomIn),
                Some(C::ZoomOut),
                None,
                Some(C::Compare(true)),
                None,
                Some(C::ToggleLeftPanel),
                Some(C::ToggleRightPanel),
                Some(C::Dock(DockTab::Training)),
                None,
                Some(C::Theme(ThemePreference::Dark)),
                Some(C::Theme(ThemePreference::Light)),
                Some(C::Theme(ThemePreference::System)),
            ],
            Self::Model => vec![
                Some(C::ModelDetails),
                Some(C::ChooseNetwork),
                None,
                Some(C::Export(ExportKind::Exact)),
                Some(C::Export(ExportKind::Half)),
                Some(C::Export(ExportKind::StateDict)),
                Some(C::Export(ExportKind::Onnx)),
                None,
                Some(C::PreviousLayer),
                Some(C::NextLayer),
            ],
            Self::Train => {
                let training = TrainingCommand::MENU.map(|entry| entry.map(C::Training));
                let timeline = TimelineCommand::MENU.map(|entry| entry.map(C::Timeline));
                training.into_iter().chain([None]).chain(timeline).collect()
            }
            Self::Help => vec![Some(C::Shortcuts), Some(C::Palette), None, Some(C::About)],
        }
    }
}

const CTRL: Modifiers = Modifiers::COMMAND;
const CTRL_SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);

const fn key(modifiers: Modifiers, key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(modifiers, key)
}

const fn plain(k: Key) -> KeyboardShortcut {
    key(Modifiers::NONE, k)
}

impl Command {
    /// What the command is called, in menus, tooltips and the palette.
    pub fn label(&self) -> String {
        let label = match self {
            Self::Open => "Open\u{2026}",
            Self::OpenTyped => "Open by path\u{2026}",
            Self::OpenPath(path) => return format!("Open {}", path.display()),
            Self::OpenBundled => "Open the bundled model",
            Self::CancelOpen => "Cancel opening",
            Self::ClearRecent => "Clear recent files",
            Self::SaveImage => "Save image\u{2026}",
            Self::SaveTyped => "Save image by path\u{2026}",
            Self::SaveImageTo(path) => return format!("Save image to {}", path.display()),
            Self::Capture => "Capture image",
            Self::Export(kind) => kind.label(),
            Self::ExportTo(_, path) => return format!("Export to {}", path.display()),
            Self::CancelExport => "Cancel export",
            Self::ChooseNetwork => "Choose network",
            Self::SelectNetwork(name) => return format!("Show network {name}"),
            Self::DismissChoice => "Keep this network",
            Self::Quit => "Quit",
            Self::Edit(edit, _) => return edit.label(),
            Self::Undo => "Undo",
            Self::Redo => "Redo",
            Self::CopyPose => "Copy pose",
            Self::PastePose | Self::PasteText(_) => "Paste pose",
            Self::Random => "Random seed",
            Self::Snap => "Snap to seed",
            Self::AnimateSeed(true) | Self::ToggleAnimateSeed => "Animate seed",
            Self::AnimateSeed(false) => "Stop animating seed",
            Self::SeedSpeed(_) => "Seed animation speed",
            Self::AnimateNoise(true) | Self::ToggleAnimateNoise => "Animate noise",
            Self::AnimateNoise(false) => "Stop animating noise",
            Self::NoiseSpeed(_) => "Noise animation speed",
            Self::SelectLayer(_) => "Select layer",
            Self::PreviousLayer => "Previous layer",
            Self::NextLayer => "Next layer",
            Self::ModelDetails => "Model details",
            Self::Zoom(Zoom::Fit) => "Fit to window",
            Self::Zoom(Zoom::FitWhole) => "Fit to window, whole pixels",
            Self::Zoom(Zoom::ACTUAL) => "Actual pixels (1:1)",
            Self::Zoom(_) | Self::View(_) => "Zoom",
            Self::ZoomIn => "Zoom in",
            Self::ZoomOut => "Zoom out",
            Self::Compare(_) => "Compare with the unedited pose",
            Self::Theme(ThemePreference::Dark) => "Dark theme",
            Self::Theme(ThemePreference::Light) => "Light theme",
            Self::Theme(ThemePreference::System) => "System theme",
            Self::UiScale(_) => "Interface scale",
            Self::Dock(tab) => tab.label(),
            Self::ToggleLeftPanel => "Left panel",
            Self::ToggleRightPanel => "Right panel",
            Self::Section(title, true) => return format!("Open section {title}"),
            Self::Section(title, false) => return format!("Close section {title}"),
            Self::FpsLimit(_) => "FPS limit",
            Self::ThreadLimit(_) => "Processors",
            Self::Vsync(_) => "Vertical sync",
            Self::Half(_) => "16-bit feature maps",
            Self::Training(command) => command.label(),
            Self::Timeline(command) => command.label(),
            Self::Palette => "Command palette",
            Self::Shortcuts => "Keyboard shortcuts",
            Self::About => "About Stylescope",
            Self::CloseDialog => "Close",
            Self::DismissError | Self::DismissToast(_) => "Dismiss",
        };
        label.to_owned()
    }

    /// What the command does, in a sentence; empty where the label says it all.
    pub fn tooltip(&self) -> &'static str {
        match self {
            Self::Open => "Open a model (.pkl, .pt, .safetensors), or a PNG saved here to restore its pose",
            Self::OpenTyped => "Type the path of a model or of a saved PNG",
            Self::OpenBundled => "A small model that comes with the program",
            Self::SaveImage => "Save the image as a PNG that carries the whole pose",
            Self::SaveTyped => "Type where the PNG shall be saved",
            Self::Capture => "Save the image under the next free number, without asking",
            Self::CopyPose => "Put the whole pose on the clipboard as text",
            Self::PastePose => "Take the pose from text on the clipboard",
            Self::Random => "Go to a random seed",
            Self::Snap => "Round the position in the plane of seeds to whole seeds, so that no neighbours are blended",
            Self::AnimateSeed(_) | Self::ToggleAnimateSeed => "Walk through the seeds along x",
            Self::SeedSpeed(_) => "Seeds a second; negative walks backwards",
            Self::AnimateNoise(_) | Self::ToggleAnimateNoise => "Turn the noise field smoothly",
            Self::NoiseSpeed(_) => "Turns of the noise field a second",
            Self::ModelDetails => "What the opened file holds",
            Self::ChooseNetwork => "Show another generator of the same file",
            Self::Export(kind) => kind.tooltip(),
            Self::Zoom(Zoom::Fit) => "The largest size that fits",
            Self::Zoom(Zoom::FitWhole) => "The largest whole multiple that fits, so that all pixels are of one size",
            Self::Zoom(Zoom::ACTUAL) => "One pixel of the image is one pixel of the screen",
            Self::Compare(_) => "Hold to see the same seed without truncation, mixing and edits",
            Self::Dock(tab) => tab.tooltip(),
            Self::FpsLimit(_) => "Highest number of images that are asked for in a second",
            Self::ThreadLimit(_) => "Highest number of processors that compute an image",
            Self::Vsync(_) => "Wait for the screen's refresh before a new picture is shown",
            Self::Half(_) => {
                "Store feature maps in 16 bits on the GPU: less memory, colours off by a level here and there"
            }
            Self::Training(command) => command.tooltip(),
            Self::Timeline(command) => command.tooltip(),
            Self::Palette => "Search all commands by name",
            _ => "",
        }
    }

    /// The keys that call the command; menus show the first.
    pub fn shortcuts(&self) -> &'static [KeyboardShortcut] {
        match self {
            Self::Open => const { &[key(CTRL, Key::O)] },
            Self::OpenTyped => const { &[key(CTRL_SHIFT, Key::O)] },
            Self::SaveImage => const { &[key(CTRL, Key::S)] },
            Self::Capture => const { &[plain(Key::F2), key(CTRL_SHIFT, Key::S)] },
            Self::Quit => const { &[key(CTRL, Key::Q)] },
            Self::Undo => const { &[key(CTRL, Key::Z)] },
            Self::Redo => const { &[key(CTRL_SHIFT, Key::Z), key(CTRL, Key::Y)] },
            Self::CopyPose => const { &[key(CTRL, Key::C)] },
            Self::PastePose => const { &[key(CTRL, Key::V)] },
            Self::Random => const { &[plain(Key::R)] },
            Self::Snap => const { &[plain(Key::N)] },
            Self::ToggleAnimateSeed => const { &[plain(Key::A)] },
            Self::ToggleAnimateNoise => const { &[key(Modifiers::SHIFT, Key::A)] },
            Self::PreviousLayer => const { &[plain(Key::OpenBracket)] },
            Self::NextLayer => const { &[plain(Key::CloseBracket)] },
            Self::ModelDetails => const { &[key(CTRL, Key::I)] },
            Self::Zoom(Zoom::Fit) => const { &[plain(Key::F)] },
            Self::Zoom(Zoom::FitWhole) => const { &[key(Modifiers::SHIFT, Key::F)] },
            Self::Zoom(Zoom::ACTUAL) => const { &[plain(Key::Num1)] },
            Self::ZoomIn => const { &[plain(Key::Plus), plain(Key::Equals)] },
            Self::ZoomOut => const { &[plain(Key::Minus)] },
            Self::Compare(true) => const { &[plain(Key::C)] },
            Self::Dock(DockTab::Training) => const { &[plain(Key::F4)] },
            Self::ToggleLeftPanel => const { &[plain(Key::F9)] },
            Self::ToggleRightPanel => const { &[plain(Key::F10)] },
            Self::Training(command) => command.shortcuts(),
            Self::Timeline(command) => command.shortcuts(),
            Self::Palette => const { &[key(CTRL_SHIFT, Key::P), key(CTRL, Key::P)] },
            Self::Shortcuts => const { &[plain(Key::F1)] },
            Self::CloseDialog => const { &[plain(Key::Escape)] },
            _ => &[],
        }
    }

    /// Whether the command can do anything now; what cannot is greyed.
    pub fn enabled(&self, state: &AppState) -> bool {
        match self {
            Self::Training(command) => command.enabled(state),
            Self::Timeline(command) => command.enabled(state),
            Self::Undo => state.document.can_undo(),
            Self::Redo => state.document.can_redo(),
            Self::CancelOpen => state.opening.is_some(),
            Self::Export(_) | Self::ExportTo(..) => state.model.is_some() && state.exporting.is_none(),
            Self::CancelExport => state.exporting.is_some(),
            Self::ChooseNetwork | Self::SelectNetwork(_) => state.has_choice(),
            Self::ClearRecent => !state.recent.is_empty(),
            Self::CloseDialog => state.dialog.is_some(),
            Self::DismissError => state.error.is_some(),
            Self::AnimateNoise(_) | Self::ToggleAnimateNoise => state.has_noise(),
            Self::PreviousLayer => state.model.is_some() && state.selected_layer > 0,
            Self::NextLayer => state.selected_layer + 1 < state.layers().len(),
            Self::Edit(PoseEdit::ResetTruncation, _) => state.pose().truncation != Default::default(),
            Self::Edit(PoseEdit::ResetMix, _) => state.pose().mix != Default::default(),
            Self::Edit(PoseEdit::ResetNoise, _) => state.pose().noise != Default::default(),
            Self::Edit(PoseEdit::ResetAll, _) => *state.pose() != state.pose().unedited(),
            Self::SaveImage
            | Self::SaveTyped
            | Self::SaveImageTo(_)
            | Self::Capture
            | Self::Edit(..)
            | Self::Random
            | Self::Snap
            | Self::AnimateSeed(_)
            | Self::ToggleAnimateSeed
            | Self::CopyPose
            | Self::PastePose
            | Self::PasteText(_)
            | Self::SelectLayer(_)
            | Self::ModelDetails
            | Self::Zoom(_)
            | Self::View(_)
            | Self::ZoomIn
            | Self::ZoomOut
            | Self::Compare(_) => state.model.is_some(),
            _ => true,
        }
    }
}

/// The keys of a shortcut for people, e.g. `Ctrl+Shift+Z` or `+`.
pub fn keys_text(ctx: &Context, shortcut: &KeyboardShortcut) -> String {
    let modifiers = ctx.format_modifiers(shortcut.modifiers);
    let key = shortcut.logical_key.symbol_or_name();
    if modifiers.is_empty() { key.to_owned() } else { format!("{modifiers}+{key}") }
}

/// What a button's tooltip says: the command's, with its keys.
pub fn tooltip_text(ctx: &Context, command: &Command) -> String {
    let words = if command.tooltip().is_empty() { command.label() } else { command.tooltip().to_owned() };
    match command.shortcuts().first() {
        Some(shortcut) => format!("{words} ({})", keys_text(ctx, shortcut)),
        None => words,
    }
}

/// A cheap handle that panels push commands into; they are applied at the start of the next frame.
#[derive(Debug, Clone, Default)]
pub struct CommandSender(Rc<RefCell<Vec<Command>>>);

impl CommandSender {
    /// Asks for the command.
    pub fn send(&self, command: Command) {
        self.0.borrow_mut().push(command);
    }

    /// Asks for a change of the pose that is a step of undo by itself.
    pub fn edit(&self, edit: PoseEdit) {
        self.send(Command::Edit(edit, None));
    }

    /// Asks for a change of the pose that joins the others of its gesture.
    pub fn edit_in(&self, edit: PoseEdit, gesture: Option<GestureId>) {
        self.send(Command::Edit(edit, gesture));
    }

    /// Takes everything that was asked for since the last call, in order.
    pub fn take(&self) -> Vec<Command> {
        std::mem::take(&mut *self.0.borrow_mut())
    }

    /// Whether nothing waits to be applied.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}
