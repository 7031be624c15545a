//! What happened in the background, taken over into the state.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use egui::Context;

use super::{
    app::App,
    background::Answer,
    command::Command,
    state::{ErrorOverImage, ErrorSource, FileQuestion, SavedImage},
    timeline::TimelineCommand,
    toast::ToastKind,
    training::TrainingCommand,
    typed_path::with_png,
};
use crate::{
    base::error_chain::error_chain,
    checkpoint::SnapshotFile,
    engine::{EngineEvent, Frame, ModelSummary, bundled},
    session::{PoseEdit, PoseRecord, settings::MAX_RECENT},
};

/// A file dialog that closes sooner without an answer never opened: nobody gives up that fast.
const NEVER_OPENED: Duration = Duration::from_millis(600);

impl App {
    /// Takes over everything that happened since the last frame.
    pub(super) fn drain(&mut self, ctx: &Context) {
        let events = self.engine.as_ref().map(|engine| engine.poll_events()).unwrap_or_default();
        for event in events {
            self.on_event(event);
        }
        for answer in self.background.poll() {
            self.on_answer(answer, ctx);
        }
        if let Some(frame) = self.engine.as_ref().and_then(|engine| engine.take_frame()) {
            self.on_frame(frame);
        }
    }

    fn on_event(&mut self, event: EngineEvent) {
        match event {
            EngineEvent::OpenProgress { ticket, done, total } => {
                if let (Some(opening), true) = (&mut self.state.opening, self.ticket == Some(ticket)) {
                    (opening.done, opening.total) = (done, total);
                }
            }
            EngineEvent::TuneProgress { ticket, tuned } => {
                if let (Some(opening), true) = (&mut self.state.opening, self.ticket == Some(ticket)) {
                    (opening.done, opening.total) = (tuned.done as u64, tuned.total as u64);
                    opening.tuned = Some(tuned);
                }
            }
            EngineEvent::Opened(summary) => self.on_opened(summary),
            EngineEvent::SnapshotsReady { ticket, shown, against } => self.on_snapshots(ticket, shown, against),
            EngineEvent::SnapshotFailed { ticket, message } => self.on_snapshot_failed(ticket, message),
            EngineEvent::OpenFailed { ticket, path, message } if self.ticket == Some(ticket) => {
                let name = path.as_deref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy());
                let name = name.unwrap_or("The bundled model".into());
                self.end_opening();
                if let Some(path) = &path {
                    // The file may be another one by now, without the network that was chosen.
                    self.state.networks.remove(path);
                }
                if std::mem::take(&mut self.resuming) {
                    // The window shall not start empty because a file of the last time is gone or damaged.
                    self.state.toasts.push(ToastKind::Error, format!("{name} could not be opened: {message}"));
                    self.commands.send(Command::OpenBundled);
                    return;
                }
                self.fail(ErrorSource::Open, &format!("{name} could not be opened"), message);
            }
            EngineEvent::OpenCancelled { ticket } if self.ticket == Some(ticket) => self.end_opening(),
            EngineEvent::OpenFailed { .. } | EngineEvent::OpenCancelled { .. } => {}
            EngineEvent::Saved(path) => self.on_saved(path),
            EngineEvent::SaveFailed { path, message } => {
                self.state.saving.pop_front();
                let text = format!("{} could not be saved: {message}", path.display());
                self.state.toasts.push(ToastKind::Error, text);
            }
            EngineEvent::ExportProgress { done, total } => {
                if let Some(exporting) = &mut self.state.exporting {
                    (exporting.done, exporting.total) = (done, total);
                }
            }
            EngineEvent::Exported(path) => {
                self.state.exporting = None;
                self.state.toasts.push(ToastKind::Success, format!("Exported {}", path.display()));
            }
            EngineEvent::ExportFailed { path, message } => {
                self.state.exporting = None;
                let text = format!("{} could not be exported: {message}", path.display());
                self.state.toasts.push(ToastKind::Error, text);
            }
            EngineEvent::ExportCancelled => {
                self.state.exporting = None;
                self.state.toasts.push(ToastKind::Info, "Export cancelled");
            }
            EngineEvent::Statistics { model, statistics } => {
                if self.state.model.as_ref().is_some_and(|open| open.id == model) {
                    self.state.statistics = Some(statistics);
                }
            }
            EngineEvent::WorkerRestarted { worker, message } => {
                let text = format!("The {worker} thread failed and was started again: {message}");
                self.state.toasts.push(ToastKind::Error, text);
            }
            EngineEvent::DeviceError { message, lost: true } => {
                let text = format!("{message}\n\nStart the program again, or with --device cpu if this comes back.");
                self.fail(ErrorSource::Device, "The graphics device was lost", text);
            }
            EngineEvent::DeviceError { message, lost: false } => {
                self.state.toasts.push(ToastKind::Error, format!("The graphics device reports: {message}"));
            }
        }
    }

    fn on_opened(&mut self, summary: Arc<ModelSummary>) {
        self.end_opening();
        self.resuming = false;
        self.enter_run_of(&summary);
        let state = &mut self.state;
        state.inspected = None;
        state.statistics = None;
        if let Some(path) = &summary.path {
            state.recent.retain(|known| known != path);
            state.recent.insert(0, path.clone());
            state.recent.truncate(MAX_RECENT);
            state.open_dir = path.parent().map(Path::to_path_buf);
        }
        // It asks once for each file; who chose a network has been asked.
        let is_new = state.model.as_ref().is_none_or(|before| before.path != summary.path);
        // Edits of layers and channels mean nothing in another network; in a snapshot of the same one they do.
        let same = state.model.as_ref().is_none_or(|before| before.has_layers_of(&summary));
        let was_chosen = summary.path.as_ref().is_some_and(|path| state.networks.contains_key(path));
        self.replace_model(summary);
        let state = &mut self.state;
        state.choosing = is_new && !was_chosen && state.has_choice();
        if !same {
            state.document.edit(&PoseEdit::ResetAll, None);
            state.document.edit(&PoseEdit::Class(0), None);
            state.selected_layer = 0;
            state.canvas = Default::default();
        }
    }

    /// Puts a model in the place of the one before. The pose stays, and the image until the new one is there.
    pub(super) fn replace_model(&mut self, summary: Arc<ModelSummary>) {
        let state = &mut self.state;
        if state.error.as_ref().is_some_and(|error| error.source != ErrorSource::Device) {
            state.error = None;
        }
        state.selected_layer = state.selected_layer.min(summary.layers.len().saturating_sub(1));
        state.model = Some(summary);
    }

    fn end_opening(&mut self) {
        self.ticket = None;
        self.state.opening = None;
    }

    fn on_frame(&mut self, frame: Frame) {
        let state = &mut self.state;
        // Behind a preview the full image is still to come.
        if frame.preview.is_none() {
            self.shown_stamp = self.shown_stamp.max(frame.stamp);
        }
        if state.model.as_ref().is_none_or(|model| model.id != frame.model) {
            return;
        }
        state.performance.bytes_read_back = frame.bytes_read_back;
        match frame.image {
            Ok(image) => {
                match (frame.preview, &state.model) {
                    (Some(_), Some(model)) => {
                        state.picture.show_preview(&image, model.config.resolution() as u32, &self.render_state);
                    }
                    _ => state.picture.show(&image, &self.render_state),
                }
                if state.performance.last().is_none() {
                    log::info!("first image, made in {:.1} ms", frame.timings.total.as_secs_f64() * 1e3);
                }
                state.performance.push(Instant::now(), frame.timings);
                state.inspected = frame.inspected;
                if let Some(statistics) = frame.statistics {
                    state.statistics = Some(statistics);
                }
                if state.error.as_ref().is_some_and(|error| error.source == ErrorSource::Render) {
                    state.error = None;
                }
            }
            Err(error) => {
                let text = error_chain(&*error);
                self.fail(ErrorSource::Render, "The image could not be rendered", text);
            }
        }
    }

    fn on_saved(&mut self, path: PathBuf) {
        let pose = self.state.saving.pop_front().unwrap_or_else(|| self.state.pose().clone());
        self.state.toasts.push(ToastKind::Success, format!("Saved {}", path.display()));
        self.state.saved = Some(SavedImage { path, pose });
    }

    fn on_answer(&mut self, answer: Answer, ctx: &Context) {
        match answer {
            Answer::Chosen { question, path: Some(path), .. } => {
                self.state.asking = None;
                self.commands.send(match question {
                    FileQuestion::Open | FileQuestion::Run => Command::OpenPath(path),
                    FileQuestion::Sweep => Command::Timeline(TimelineCommand::ExportTo(with_png(path))),
                    FileQuestion::Save => Command::SaveImageTo(with_png(path)),
                    FileQuestion::Export(kind) => Command::ExportTo(kind, kind.with_extension(path)),
                    FileQuestion::Training(question) => {
                        Command::Training(TrainingCommand::Chosen(question, question.finished(path)))
                    }
                });
            }
            Answer::Chosen { question, path: None, after } => {
                self.state.asking = None;
                if after < NEVER_OPENED {
                    self.state.dialog = Some(question.typed());
                }
            }
            Answer::Training(answer) => self.on_training_answer(answer, ctx),
            Answer::Run { run, snapshots } => self.on_run_listed(run, snapshots),
            Answer::Pose { path, record } => match record {
                Ok(record) => self.restore(*record),
                Err(message) => {
                    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
                    self.fail(ErrorSource::Open, &format!("{name} holds no pose"), message);
                }
            },
        }
    }

    /// Takes over the pose of a saved picture.
    fn restore(&mut self, record: PoseRecord) {
        self.state.document.edit(&PoseEdit::Replace(Box::new(record.pose)), None);
        self.state.error = None;
        let name = &record.model_name;
        match &self.state.model {
            Some(model) if model.name == *name => self.state.toasts.push(ToastKind::Success, "Pose restored"),
            Some(_) => {
                let text = format!("The picture was made with {name}; its pose looks different here");
                self.state.toasts.push(ToastKind::Info, text);
            }
            None => match self.known_model(name) {
                Some(open) => self.commands.send(open),
                None => self.state.toasts.push(ToastKind::Info, format!("Pose restored. Now open its model, {name}")),
            },
        }
    }

    /// How a model is opened that was open before.
    fn known_model(&self, name: &str) -> Option<Command> {
        if name == bundled::NAME {
            return Some(Command::OpenBundled);
        }
        let run = |path: &Path| SnapshotFile::of(path)?.run()?.file_name().map(|run| run.to_owned());
        let is_it = |path: &&PathBuf| {
            let parts = [path.file_name(), path.file_stem()].into_iter().flatten();
            parts.into_iter().any(|part| part == name) || run(path).is_some_and(|run| run == name)
        };
        self.state.recent.iter().find(is_it).cloned().map(Command::OpenPath)
    }

    /// A failure stands over the image, and as a message for those who look elsewhere.
    fn fail(&mut self, source: ErrorSource, title: &str, text: String) {
        log::debug!("{title}: {text}");
        self.state.toasts.push(ToastKind::Error, title);
        self.state.error = Some(ErrorOverImage { source, title: title.to_owned(), text });
    }
}
