//! From commands to the training: the only place that acts on what the user asked of it.

use egui::{Context, ViewportCommand};

use super::{Closing, Phase, TrainingCommand};
use crate::{
    training::session::TrainCommand,
    ui::{app::App, toast::ToastKind},
};

impl App {
    /// Carries out a command.
    pub(in crate::ui) fn apply_training(&mut self, command: TrainingCommand, ctx: &Context) {
        match command {
            TrainingCommand::Form(form) => self.state.training.form = *form,
            TrainingCommand::Start => self.start_training(),
            TrainingCommand::TogglePause => self.toggle_pause(),
            TrainingCommand::StepG => self.tell_training(TrainCommand::StepG),
            TrainingCommand::StepD => self.tell_training(TrainCommand::StepD),
            TrainingCommand::Snapshot => self.tell_training(TrainCommand::SnapshotNow),
            TrainingCommand::Stop => self.stop_training(),
            TrainingCommand::SaveAndClose => {
                self.state.training.closing = Some(Closing::Saving);
                self.stop_training();
            }
            TrainingCommand::CloseUnsaved => {
                // A training that waits for room on the disk gives up when it is told so again.
                self.state.training.closing = Some(Closing::Saving);
                self.tell_training(TrainCommand::Stop);
            }
            TrainingCommand::KeepOpen => self.state.training.closing = None,
        }
        ctx.request_repaint();
    }

    fn start_training(&mut self) {
        if let Some(view) = self.state.training.view.as_ref().filter(|view| view.phase.is_active()) {
            let folder = view.folder.display();
            let text = format!("A training is under way in {folder}. Stop it before you start another one.");
            self.state.toasts.push(ToastKind::Info, text);
            return;
        }
        let launch = match self.state.training.form.launch(self.state.model.as_deref()) {
            Ok(launch) => launch,
            Err(refusal) => return self.state.toasts.push(ToastKind::Error, refusal.text),
        };
        match self.training.start(launch) {
            Ok(view) => self.state.training.view = Some(view),
            Err(error) => {
                self.state.toasts.push(ToastKind::Error, format!("The training could not be started: {error}"));
            }
        }
    }

    fn toggle_pause(&mut self) {
        let phase = self.state.training.view.as_ref().map(|view| &view.phase);
        let command = if matches!(phase, Some(Phase::Paused(_))) { TrainCommand::Resume } else { TrainCommand::Pause };
        self.tell_training(command);
    }

    fn stop_training(&mut self) {
        self.tell_training(TrainCommand::Stop);
        if let Some(view) = self.state.training.view.as_mut().filter(|view| view.phase.is_active()) {
            view.phase = Phase::Stopping(None);
        }
    }

    fn tell_training(&mut self, command: TrainCommand) {
        if !self.training.send(command) {
            self.state.toasts.push(ToastKind::Info, "The training is busy; try again in a moment");
        }
    }

    /// Takes over what the training did since the last frame.
    pub(in crate::ui) fn drain_training(&mut self, ctx: &Context) {
        let training = &mut self.state.training;
        let Some(view) = &mut training.view else { return };
        let was_active = view.phase.is_active();
        self.training.poll(view);
        if !was_active {
            return;
        }
        match &view.phase {
            Phase::Failed { error, .. } => {
                log::error!("the training failed: {error}");
                self.state.toasts.push(ToastKind::Error, "The training failed");
            }
            Phase::Ended { complete } => {
                training.form.last_run = Some(view.folder.clone());
                let text = if *complete { "The training is done" } else { "The training is saved and has ended" };
                self.state.toasts.push(ToastKind::Success, text);
            }
            // Between two events the numbers move.
            Phase::Running => ctx.request_repaint_after(super::REFRESH),
            Phase::Starting | Phase::Paused(_) | Phase::Stopping(_) => {}
        }
    }

    /// Closes the window; while a training is under way it asks first.
    pub(in crate::ui) fn close(&mut self, ctx: &Context) {
        if self.state.training.is_active() {
            self.state.training.closing.get_or_insert(Closing::Asking);
        } else {
            ctx.send_viewport_cmd(ViewportCommand::Close);
        }
    }

    /// What closing has to do with the training: the window's own button asks too, and once the training has ended the window
    /// goes.
    pub(in crate::ui) fn watch_closing(&mut self, ctx: &Context) {
        let active = self.state.training.is_active();
        if active && ctx.input(|input| input.viewport().close_requested()) {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            self.close(ctx);
        }
        match self.state.training.closing {
            Some(Closing::Saving) if !active => {
                self.state.training.closing = Some(Closing::Done);
                ctx.send_viewport_cmd(ViewportCommand::Close);
            }
            // It ended while the question stood there.
            Some(Closing::Asking) if !active => self.state.training.closing = None,
            _ => {}
        }
    }
}
