//! From commands to the training: the only place that acts on what the user asked of it.

use std::path::PathBuf;

use egui::Context;

use super::{
    Closing, Phase, Side, TrainingCommand, TrainingQuestion, charts,
    errand::TrainingAnswer,
    export,
    form::{Begin, DataChoice},
};
use crate::{
    session::{Pose, PoseEdit, pose::SeedPosition},
    training::{sample_grid, session::TrainCommand},
    ui::{
        app::App, background::Answer, command::Command, dock::DockTab, state::FileQuestion, timeline::TimelineCommand,
        toast::ToastKind,
    },
};

impl App {
    /// Carries out a command.
    pub(in crate::ui) fn apply_training(&mut self, command: TrainingCommand, ctx: &Context) {
        let training = &mut self.state.training;
        match command {
            TrainingCommand::Form(form) => {
                let resumes = form.begin == Begin::Resume && training.form.begin != Begin::Resume;
                training.form = *form;
                if resumes {
                    training.ask_run(&self.background);
                }
            }
            TrainingCommand::Show(side) => training.side = side,
            TrainingCommand::GoTo(control) => training.go_to(control),
            TrainingCommand::Ask(question) => self.ask(FileQuestion::Training(question)),
            TrainingCommand::Chosen(question, path) => self.on_chosen(question, path, ctx),
            TrainingCommand::PoseOf(cell) => self.pose_of(cell),
            TrainingCommand::ResumeLast => {
                training.form.begin = Begin::Resume;
                training.side = Side::Setup;
                training.ask_run(&self.background);
            }
            TrainingCommand::Start => self.start_training(),
            TrainingCommand::TogglePause => self.toggle_pause(),
            TrainingCommand::StepG => self.tell_training(TrainCommand::StepG),
            TrainingCommand::StepD => self.tell_training(TrainCommand::StepD),
            TrainingCommand::Snapshot => self.tell_training(TrainCommand::SnapshotNow),
            TrainingCommand::Stop => self.stop_training(),
            TrainingCommand::SaveAndClose => {
                training.closing = Some(Closing::Saving);
                self.stop_training();
            }
            TrainingCommand::CloseUnsaved => {
                // A training that waits for room on the disk gives up when it is told so again.
                training.closing = Some(Closing::Saving);
                self.tell_training(TrainCommand::Stop);
            }
            TrainingCommand::KeepOpen => training.closing = None,
            TrainingCommand::Inject(fault) => self.tell_training(TrainCommand::Fail(fault)),
        }
        ctx.request_repaint();
    }

    fn on_chosen(&mut self, question: TrainingQuestion, path: PathBuf, ctx: &Context) {
        let training = &mut self.state.training;
        match question {
            TrainingQuestion::DataFolder | TrainingQuestion::DataZip => training.form.data = DataChoice::Path(path),
            TrainingQuestion::Runs => training.form.runs = Some(path),
            TrainingQuestion::Run => {
                training.form.begin = Begin::Resume;
                training.form.last_run = Some(path);
                training.ask_run(&self.background);
            }
            TrainingQuestion::Csv => self.export_csv(path),
            TrainingQuestion::Png => self.export_png(path, ctx),
        }
    }

    fn export_csv(&mut self, path: PathBuf) {
        let Some(history) = self.state.training.history() else { return };
        let work = move || {
            let written = export::write_csv(&path, &history);
            Some(Answer::Training(TrainingAnswer::Written(path, written)))
        };
        if let Err(error) = self.background.spawn("export history", work) {
            self.state.toasts.push(ToastKind::Error, format!("The history could not be exported: {error}"));
        }
    }

    /// Writes the charts as they will be in the next picture of the window.
    fn export_png(&mut self, path: PathBuf, ctx: &Context) {
        let in_sight = self.state.dock.shows(DockTab::Training);
        let Some(area) = charts::area(ctx).filter(|_| in_sight) else {
            self.state.toasts.push(ToastKind::Info, "The charts are not in sight");
            return;
        };
        let (background, scale) = (self.background.clone(), ctx.pixels_per_point());
        ctx.request_screenshot(move |window| {
            let work = move || {
                let written = export::write_png(&path, &window, area * scale);
                Some(Answer::Training(TrainingAnswer::Written(path, written)))
            };
            if let Err(error) = background.spawn("export charts", work) {
                log::error!("the charts could not be exported: {error}");
            }
        });
    }

    /// Takes over the latent of a cell of the grid, without edits, and shows the network that drew it.
    fn pose_of(&mut self, cell: usize) {
        let folder = self.state.training.view.as_ref().map(|view| view.folder.clone());
        if let Some(folder) = folder.filter(|folder| self.state.timeline.run.as_ref() != Some(folder)) {
            let live = self.state.training.is_active() && self.state.live().is_some();
            let follow = Command::Timeline(TimelineCommand::Follow(true));
            self.commands.send(if live { follow } else { Command::OpenPath(folder) });
        }
        let (seed, class) = sample_grid::cell(cell, self.state.training.label_dim());
        let pose = Pose { seed: SeedPosition::of_seed(seed), class, ..self.state.pose().unedited() };
        self.state.document.edit(&PoseEdit::Replace(Box::new(pose)), None);
    }

    fn start_training(&mut self) {
        if let Some(view) = self.state.training.view.as_ref().filter(|view| view.phase.is_active()) {
            let folder = view.folder.display();
            let text = format!("A training is under way in {folder}. Stop it before you start another one.");
            self.state.toasts.push(ToastKind::Info, text);
            return;
        }
        let launch = match self.state.training.launch(self.state.model.as_deref()) {
            Ok(launch) => launch,
            Err(refusal) => {
                self.state.training.go_to(refusal.control);
                self.state.toasts.push(ToastKind::Error, refusal.text);
                return;
            }
        };
        match self.training.start(launch) {
            Ok(view) => {
                let training = &mut self.state.training;
                training.view = Some(view);
                training.side = Side::Run;
                (training.sample, training.asked_sample) = (None, None);
            }
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
}
