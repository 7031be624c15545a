//! From commands to the state and the engine: the only place that acts on what the user asked for.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    path::{Path, PathBuf},
};

use egui::{Context, ViewportCommand};

use super::{
    animation::Animation,
    app::App,
    command::Command,
    export::ExportKind,
    palette,
    performance::Performance,
    state::{Dialog, FileQuestion, Opening},
    toast::ToastKind,
    zoom::CanvasView,
};
use crate::{
    base::error_chain::error_chain,
    engine::{ModelSource, RenderRequest, SaveImage, SaveTarget, export::ExportModel},
    session::{PoseEdit, pose::SeedPosition, record},
};

/// Random seeds are below this, so that they stay short enough to be read aloud.
const RANDOM_SEEDS: u64 = 1_000_000;
/// Smallest and largest scale of text and controls.
const UI_SCALES: (f32, f32) = (0.5, 3.0);

impl App {
    /// Carries out a command; one that cannot act now is dropped.
    pub(super) fn apply(&mut self, command: Command, ctx: &Context) {
        if !command.enabled(&self.state) {
            return;
        }
        match command {
            Command::Open => self.ask(FileQuestion::Open),
            Command::OpenTyped => self.state.dialog = Some(Dialog::OpenTyped),
            Command::OpenPath(path) => self.open_path(path),
            Command::OpenBundled => self.open_model(ModelSource::Bundled),
            Command::CancelOpen => self.cancel_open(),
            Command::ClearRecent => self.state.recent.clear(),
            Command::SaveImage => self.ask(FileQuestion::Save),
            Command::SaveTyped => self.state.dialog = Some(Dialog::SaveTyped),
            Command::SaveImageTo(path) => self.save_to(path),
            Command::Capture => self.capture(),
            Command::Export(kind) => self.ask(FileQuestion::Export(kind)),
            Command::ExportTo(kind, path) => self.export_to(kind, path),
            Command::CancelExport => {
                if let Some(engine) = &self.engine {
                    engine.cancel_export();
                }
            }
            Command::ChooseNetwork => self.state.choosing = true,
            Command::SelectNetwork(name) => self.select_network(name),
            Command::DismissChoice => self.keep_network(),
            Command::Palette => {
                palette::forget(ctx);
                self.state.dialog = Some(Dialog::Palette);
            }
            Command::Quit => self.close(ctx),
            Command::Training(command) => self.apply_training(command, ctx),
            Command::Timeline(command) => self.apply_timeline(command, ctx),
            other => self.apply_pose(other, ctx),
        }
    }

    fn apply_pose(&mut self, command: Command, ctx: &Context) {
        let state = &mut self.state;
        match command {
            Command::Edit(edit, gesture) => {
                state.document.edit(&edit, gesture);
            }
            Command::Undo => {
                state.document.undo();
            }
            Command::Redo => {
                state.document.redo();
            }
            Command::Random => {
                let x = (RandomState::new().build_hasher().finish() % RANDOM_SEEDS) as f64;
                state.document.edit(&PoseEdit::Seed(SeedPosition { x, y: 0.0 }), None);
            }
            Command::Snap => {
                let seed = state.pose().seed;
                let snapped = SeedPosition { x: seed.x.round(), y: seed.y.round() };
                state.document.edit(&PoseEdit::Seed(snapped), None);
            }
            Command::CopyPose => self.copy_pose(ctx),
            Command::PastePose => ctx.send_viewport_cmd(ViewportCommand::RequestPaste),
            Command::PasteText(text) => self.paste_pose(&text),
            Command::AnimateSeed(on) => self.set_animation(Animation { seed: on, ..self.state.animation }),
            Command::ToggleAnimateSeed => {
                self.set_animation(Animation { seed: !self.state.animation.seed, ..self.state.animation });
            }
            Command::SeedSpeed(speed) => {
                self.set_animation(Animation { seed_speed: speed, ..self.state.animation });
            }
            Command::AnimateNoise(on) => self.set_animation(Animation { noise: on, ..self.state.animation }),
            Command::ToggleAnimateNoise => {
                self.set_animation(Animation { noise: !self.state.animation.noise, ..self.state.animation });
            }
            Command::NoiseSpeed(speed) => {
                self.set_animation(Animation { noise_speed: speed, ..self.state.animation });
            }
            other => self.apply_view(other),
        }
    }

    fn apply_view(&mut self, command: Command) {
        let state = &mut self.state;
        let last_layer = state.layers().len().saturating_sub(1);
        match command {
            Command::SelectLayer(layer) => state.selected_layer = layer.min(last_layer),
            Command::PreviousLayer => state.selected_layer = state.selected_layer.saturating_sub(1),
            Command::NextLayer => state.selected_layer = (state.selected_layer + 1).min(last_layer),
            Command::Zoom(zoom) => state.canvas = CanvasView { zoom, ..CanvasView::default() },
            Command::View(view) => state.canvas = view,
            Command::ZoomIn => state.canvas = state.canvas.stepped(true, state.measured),
            Command::ZoomOut => state.canvas = state.canvas.stepped(false, state.measured),
            Command::Compare(on) => state.comparing = on,
            Command::Theme(theme) => state.theme = theme,
            Command::UiScale(scale) if scale.is_finite() => state.ui_scale = scale.clamp(UI_SCALES.0, UI_SCALES.1),
            Command::Dock(tab) => state.dock.toggle(tab),
            Command::ToggleLeftPanel => state.left_panel = !state.left_panel,
            Command::ToggleRightPanel => state.right_panel = !state.right_panel,
            Command::Section(title, open) => {
                state.sections.insert(title, open);
            }
            Command::FpsLimit(limit) => {
                let limits = Performance::FPS_LIMITS;
                state.performance.fps_limit = limit.clamp(*limits.start(), *limits.end());
            }
            Command::ThreadLimit(limit) => {
                state.performance.threads = limit.clamp(1, Performance::max_threads());
            }
            Command::Vsync(on) => state.performance.vsync = on,
            Command::Half(on) => self.set_half(on),
            Command::Shortcuts => state.dialog = Some(Dialog::Shortcuts),
            Command::ModelDetails => state.dialog = Some(Dialog::ModelDetails),
            Command::About => state.dialog = Some(Dialog::About),
            Command::CloseDialog => state.dialog = None,
            Command::DismissError => state.error = None,
            Command::DismissToast(id) => state.toasts.dismiss(id),
            _ => {}
        }
    }

    pub(super) fn ask(&mut self, question: FileQuestion) {
        let typed = question.typed();
        // A portal may hang for good; asking a second time must not.
        if self.state.asking.is_some() {
            self.state.dialog = Some(typed);
            return;
        }
        let folder = match question {
            FileQuestion::Open | FileQuestion::Run => self.state.open_dir.clone(),
            FileQuestion::Save | FileQuestion::Sweep => Some(self.state.capture_folder()),
            FileQuestion::Export(_) => Some(self.state.export_folder()),
            FileQuestion::Training(question) => self.state.training.folder_for(question),
        };
        let name = match question {
            FileQuestion::Export(kind) => kind.file_name(&self.state.image_stem()),
            FileQuestion::Training(question) => question.file_name().to_owned(),
            FileQuestion::Sweep => self.state.sweep_name(),
            FileQuestion::Open | FileQuestion::Run | FileQuestion::Save => self.state.image_name(),
        };
        let folder = folder.unwrap_or_else(|| PathBuf::from("."));
        match self.background.ask(question, &folder, &name) {
            Ok(()) => self.state.asking = Some(question),
            Err(error) => {
                log::warn!("the file dialog could not be started: {error}");
                self.state.dialog = Some(typed);
            }
        }
    }

    fn open_path(&mut self, path: PathBuf) {
        let is_picture = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
        if !is_picture {
            self.open_model(ModelSource::Path(path));
        } else if let Err(error) = self.background.read_pose(path) {
            self.state.toasts.push(ToastKind::Error, format!("The picture could not be read: {error}"));
        }
    }

    fn open_model(&mut self, source: ModelSource) {
        let Some(engine) = &self.engine else { return };
        let source = match source {
            ModelSource::Path(path) => match self.state.networks.get(&path) {
                Some(network) => ModelSource::Network(path, network.clone()),
                None => ModelSource::Path(path),
            },
            other => other,
        };
        let (name, path) = match &source {
            ModelSource::Bundled => ("the bundled model".to_owned(), None),
            ModelSource::Path(path) | ModelSource::Network(path, _) => {
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
                (name, Some(path.clone()))
            }
        };
        engine.set_half(self.state.performance.half);
        let ticket = engine.open(source);
        self.travel.forget(ticket);
        self.ticket = Some(ticket);
        self.state.opening = Some(Opening { name, path, done: 0, total: 0, tuned: None });
        self.state.error = None;
    }

    /// Shows another network of the same file, unless it is on the screen already.
    fn select_network(&mut self, name: String) {
        self.state.choosing = false;
        let Some(model) = &self.state.model else { return };
        let Some(path) = model.path.clone() else { return };
        self.state.networks.insert(path.clone(), name.clone());
        if model.network != name {
            self.open_model(ModelSource::Network(path, name));
        }
    }

    /// Stays with the network that is on the screen.
    fn keep_network(&mut self) {
        if let Some(model) = &self.state.model {
            self.select_network(model.network.clone());
        }
    }

    fn export_to(&mut self, kind: ExportKind, path: PathBuf) {
        let Some((engine, model)) = self.engine.as_ref().zip(self.state.model.as_ref()) else { return };
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let (format, precision) = (kind.format(), kind.precision());
        engine.export(ExportModel { model: model.id, format, precision, path: path.clone() });
        self.state.exporting = Some(Opening { name, path: Some(path), done: 0, total: 0, tuned: None });
    }

    /// Opens what is on the screen again, the other way; a snapshot of a training is the same either way. The pose stays.
    fn set_half(&mut self, on: bool) {
        self.state.performance.half = on;
        if let Some(model) = self.state.model.as_ref().filter(|model| model.nimg.is_none()) {
            self.open_model(model.path.clone().map_or(ModelSource::Bundled, ModelSource::Path));
        }
    }

    fn cancel_open(&mut self) {
        if let Some(engine) = &self.engine {
            engine.cancel_open();
        }
        self.state.opening = None;
        self.ticket = None;
    }

    fn capture(&mut self) {
        let target = SaveTarget::Numbered { dir: self.state.capture_folder(), stem: self.state.image_stem() };
        self.save(target);
    }

    fn save_to(&mut self, path: PathBuf) {
        self.state.capture_dir = path.parent().map(Path::to_path_buf);
        self.save(SaveTarget::Path(path));
    }

    fn save(&mut self, target: SaveTarget) {
        let Some((engine, model)) = self.engine.as_ref().zip(self.state.model.as_ref()) else { return };
        let pose = self.state.pose().clone();
        let request = RenderRequest::new(model.id, pose.clone());
        engine.save_image(SaveImage { request, target });
        self.state.saving.push_back(pose);
    }

    fn copy_pose(&mut self, ctx: &Context) {
        let name = self.state.model.as_ref().map_or("", |model| model.name.as_str());
        match record::pose_to_text(self.state.pose(), name) {
            Ok(text) => {
                ctx.copy_text(text);
                self.state.toasts.push(ToastKind::Info, "Pose copied");
            }
            Err(error) => self.state.toasts.push(ToastKind::Error, format!("The pose could not be copied: {error}")),
        }
    }

    fn paste_pose(&mut self, text: &str) {
        match record::pose_from_text(text) {
            Ok(pose) => {
                self.state.document.edit(&PoseEdit::Replace(Box::new(pose)), None);
                self.state.toasts.push(ToastKind::Info, "Pose pasted");
            }
            Err(error) => {
                self.state
                    .toasts
                    .push(ToastKind::Error, format!("The clipboard holds no pose: {}", error_chain(&error)));
            }
        }
    }

    fn set_animation(&mut self, animation: Animation) {
        let speed = |speed: f32, old: f32| {
            if speed.is_finite() { speed.clamp(-Animation::MAX_SPEED, Animation::MAX_SPEED) } else { old }
        };
        let old = self.state.animation;
        let starts = (animation.seed && !old.seed) || (animation.noise && !old.noise);
        self.state.animation = Animation {
            seed_speed: speed(animation.seed_speed, old.seed_speed),
            noise_speed: speed(animation.noise_speed, old.noise_speed),
            ..animation
        };
        if starts {
            // What moves by itself is one step of undo, from where it was when it began to move.
            self.state.document.mark("Animate");
        }
    }
}
