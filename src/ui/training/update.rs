//! What happens in every frame: the training's events, what was done on other threads, what the choices come to.

use std::sync::Arc;

use egui::{Context, ViewportCommand};

use super::{
    Closing, Phase, ShownSample, TrainingState,
    errand::{self, TrainingAnswer},
    form::Begin,
    look,
    plan::Plan,
    view::REFRESH,
};
use crate::{
    training::{preflight, run_folder},
    ui::{
        app::App,
        background::{Answer, Background},
        dock::DockTab,
        toast::ToastKind,
    },
};

impl App {
    /// Takes over what happened since the last frame.
    pub(in crate::ui) fn update_training(&mut self, ctx: &Context) {
        self.listen_to_training(ctx);
        let open = self.state.model.as_deref();
        let training = &mut self.state.training;
        let classes = training.classes();
        if !training.plan.as_ref().is_some_and(|plan| plan.is_of(&training.form, open, &classes)) {
            training.plan = Some(Plan::of(&training.form, open, &classes));
        }
        training.ask_sample(&self.background);
        let in_sight = self.state.dock.shows(DockTab::Training);
        // Nothing can be trained by classes that are not known.
        if in_sight || training.form.classes {
            training.look.follow(&training.form, &self.background);
        }
        if in_sight {
            self.measure_speed();
        }
        self.watch_closing(ctx);
    }

    fn listen_to_training(&mut self, ctx: &Context) {
        let training = &mut self.state.training;
        let Some(view) = training.view.as_mut().filter(|view| view.phase.is_active()) else { return };
        self.training.poll(view);
        self.training.make_room(ctx.input(|input| input.pointer.any_down()));
        if let (Some(config), Some(seconds)) = (&view.config, view.sec_per_kimg) {
            let flops = preflight::flops_per_image(config, view.progress.nimg);
            training.flops_per_second = Some(1000.0 * flops / seconds).filter(|rate| rate.is_finite() && *rate > 0.0);
        }
        match &view.phase {
            Phase::Failed { error, .. } => {
                log::error!("the training failed: {error}");
                self.state.toasts.push(ToastKind::Error, "The training failed");
            }
            Phase::Ended { complete } => {
                let text = if *complete { "The training is done" } else { "The training is saved and has ended" };
                self.state.toasts.push(ToastKind::Success, text);
            }
            // Between two events the numbers move.
            Phase::Running => ctx.request_repaint_after(REFRESH),
            Phase::Starting | Phase::Paused(_) | Phase::Stopping(_) => {}
        }
        if view.config.is_some() && training.form.last_run.as_ref() != Some(&view.folder) {
            // From now on there is something to resume.
            training.form.last_run = Some(view.folder.clone());
        }
    }

    /// Measures once how fast this machine trains, so that the time can be told before a training begins.
    fn measure_speed(&mut self) {
        let training = &mut self.state.training;
        if training.flops_per_second.is_some() || training.measuring || training.is_active() {
            return;
        }
        training.measuring = true;
        let device = self.training.device();
        let work = move || Some(Answer::Training(TrainingAnswer::Speed(errand::speed(&device))));
        if let Err(error) = self.background.spawn("measure speed", work) {
            log::warn!("the speed is not measured: {error}");
        }
    }

    /// Takes over what was done on another thread.
    pub(in crate::ui) fn on_training_answer(&mut self, answer: TrainingAnswer, ctx: &Context) {
        let (training, toasts) = (&mut self.state.training, &mut self.state.toasts);
        match answer {
            TrainingAnswer::Images(number, images) => training.look.on_images(number, images, ctx),
            TrainingAnswer::Report(number, report) => training.look.on_report(number, report),
            TrainingAnswer::Sample(path, Ok(tile)) => {
                // A newer one may be on its way; until then this is the newest.
                let nimg = run_folder::images_of(&path).unwrap_or(0);
                let texture = look::texture(ctx, "training samples", &tile);
                training.sample = Some(ShownSample { path, nimg, texture });
            }
            TrainingAnswer::Sample(_, Err(error)) => log::warn!("{error}"),
            TrainingAnswer::Run(folder, Ok(run)) => {
                training.form.take_over(&run.config);
                training.run = Some((folder, run));
            }
            TrainingAnswer::Run(_, Err(error)) => {
                training.form.begin = Begin::Scratch;
                toasts.push(ToastKind::Error, format!("This run cannot be resumed: {error}"));
            }
            TrainingAnswer::Speed(Ok(rate)) => training.flops_per_second = training.flops_per_second.or(Some(rate)),
            TrainingAnswer::Speed(Err(error)) => log::warn!("the speed was not measured: {error}"),
            TrainingAnswer::Written(path, Ok(())) => {
                toasts.push(ToastKind::Success, format!("Exported {}", path.display()));
            }
            TrainingAnswer::Written(path, Err(error)) => {
                toasts.push(ToastKind::Error, format!("{} could not be exported: {error}", path.display()));
            }
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
    fn watch_closing(&mut self, ctx: &Context) {
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

impl TrainingState {
    /// Has the newest picture of the grid read, if it was not asked for before.
    fn ask_sample(&mut self, background: &Background) {
        let newest = self.view.as_ref().and_then(|view| view.sample.as_ref());
        if newest.is_none() || newest == self.asked_sample.as_ref() {
            return;
        }
        self.asked_sample = newest.cloned();
        let Some(path) = self.asked_sample.clone() else { return };
        let work = move || {
            let tile = errand::sample(&path);
            Some(Answer::Training(TrainingAnswer::Sample(path, tile)))
        };
        if let Err(error) = background.spawn("read samples", work) {
            log::warn!("the samples are not shown: {error}");
        }
    }

    /// Has `run.json` of the run to go on with read.
    pub(super) fn ask_run(&mut self, background: &Background) {
        let Some(folder) = self.form.last_run.clone() else { return };
        let work = move || {
            let run = errand::run(&folder);
            Some(Answer::Training(TrainingAnswer::Run(folder, run)))
        };
        if let Err(error) = background.spawn("read run", work) {
            log::warn!("the run is not read: {error}");
        }
    }

    /// The history as it is, for a thread.
    pub(super) fn history(&self) -> Option<Arc<[crate::training::history::HistoryLine]>> {
        self.view.as_ref().map(|view| view.history.clone().into())
    }
}
