//! From commands to the timeline, and from the timeline to the engine.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use egui::Context;

use super::{TimelineCommand, command::GAIN};
use crate::{
    checkpoint::SnapshotFile,
    engine::{ModelSummary, OpenTicket, PairView, Snapshot, SnapshotRequest, Sweep},
    ui::{
        app::App,
        state::{AppState, FileQuestion, Opening},
        toast::ToastKind,
        widgets::scrubber::step,
    },
};

/// How often the folder of the run is looked at: another process may train there.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// How long a frame of an animation is shown.
const FRAME_TIME: Duration = Duration::from_millis(200);

/// The timeline's side of the engine.
#[derive(Debug, Default)]
pub(in crate::ui) struct Travel {
    /// What the engine was asked for last, or what was on the screen already.
    asked: Option<SnapshotRequest>,
    /// The newest request that was not answered yet.
    waiting: Option<OpenTicket>,
    /// Answers to requests before this one are of a run that was left.
    since: OpenTicket,
    /// Whether the folder is being looked at.
    listing: bool,
    listed: Option<Instant>,
}

impl Travel {
    /// Whether every request was answered.
    pub fn is_settled(&self) -> bool {
        self.waiting.is_none() && !(self.listing && self.listed.is_none())
    }

    /// A model is being opened: answers to what was asked before come too late. Should it not open, it is asked again.
    pub fn forget(&mut self, ticket: OpenTicket) {
        self.since = ticket;
        if self.waiting.take().is_some() {
            self.asked = None;
        }
    }

    /// Another model was opened: no answer is wanted any more.
    fn forget_all(&mut self) {
        self.since = self.waiting.take().unwrap_or(self.since);
        self.asked = None;
    }

    /// Whether an answer is still wanted.
    fn takes(&mut self, ticket: OpenTicket) -> bool {
        if self.waiting.is_some_and(|waiting| waiting <= ticket) {
            self.waiting = None;
        }
        ticket > self.since
    }
}

impl AppState {
    /// The newest weights of a training that runs in this window, or ran.
    pub fn live(&self) -> Option<Snapshot> {
        let view = self.training.view.as_ref()?;
        Some(Snapshot::Live { run: view.folder.clone(), ema: view.ema.clone()? })
    }

    /// What is newest of the run on the timeline, in memory or in a file.
    fn newest(&self) -> Option<Snapshot> {
        let run = self.timeline.run.as_deref();
        let live =
            self.live().filter(|live| matches!(live, Snapshot::Live { run: folder, .. } if Some(&**folder) == run));
        let file = self.timeline.snapshots.last().cloned().map(Snapshot::File);
        match (live, file) {
            (Some(live), Some(file)) if file.nimg() > live.nimg() => Some(file),
            (live, file) => live.or(file),
        }
    }
}

impl App {
    /// Carries out a command.
    pub(in crate::ui) fn apply_timeline(&mut self, command: TimelineCommand, ctx: &Context) {
        let timeline = &mut self.state.timeline;
        match command {
            TimelineCommand::OpenRun => self.ask(FileQuestion::Run),
            TimelineCommand::Show(nimg) => self.show(nimg),
            TimelineCommand::Previous => self.step(-1),
            TimelineCommand::Next => self.step(1),
            TimelineCommand::Follow(on) => self.follow(on),
            TimelineCommand::ToggleFollow => self.follow(!self.state.timeline.follow),
            TimelineCommand::View(view) => self.compare(view),
            TimelineCommand::ToggleBeside => {
                let on = timeline.view != Some(PairView::SideBySide);
                self.compare(on.then_some(PairView::SideBySide));
            }
            TimelineCommand::ToggleDifference => {
                let on = !matches!(timeline.view, Some(PairView::Difference { .. }));
                self.compare(on.then_some(PairView::Difference { gain: GAIN }));
            }
            TimelineCommand::Against(nimg) => timeline.against = timeline.nearest(nimg).cloned(),
            TimelineCommand::Pin => {
                timeline.against = timeline.at().and_then(|nimg| timeline.nearest(nimg)).cloned();
                timeline.view = timeline.view.or(Some(PairView::SideBySide));
            }
            TimelineCommand::Smooth(on) => timeline.smooth = on,
            TimelineCommand::Export => self.ask(FileQuestion::Sweep),
            TimelineCommand::ExportTo(path) => self.export_sweep(path),
            TimelineCommand::Close => timeline.leave(),
        }
        ctx.request_repaint();
    }

    fn show(&mut self, nimg: u64) {
        let timeline = &mut self.state.timeline;
        let found = timeline.nearest(nimg).cloned();
        // Whoever looks at the past does not want to be carried away from there.
        timeline.follow = false;
        timeline.shown = found.map(Snapshot::File).or(timeline.shown.take());
    }

    fn step(&mut self, steps: i64) {
        let timeline = &self.state.timeline;
        if let Some(nimg) = step(&timeline.marks(), timeline.at(), steps) {
            self.show(nimg);
        }
    }

    fn follow(&mut self, on: bool) {
        let open = self.state.timeline.run.as_ref();
        if let (true, Some(Snapshot::Live { run, .. })) = (on, self.state.live())
            && (self.state.training.is_active() || open.is_none())
            && open != Some(&run)
        {
            self.state.timeline.enter(&run, None);
            self.travel.listed = None;
        }
        self.state.timeline.follow = on;
    }

    fn compare(&mut self, view: Option<PairView>) {
        let timeline = &mut self.state.timeline;
        if timeline.against.is_none() {
            timeline.against = timeline.proposal().cloned();
        }
        timeline.view = view;
    }

    fn export_sweep(&mut self, path: PathBuf) {
        let Some(engine) = &self.engine else { return };
        let (timeline, pose) = (&self.state.timeline, self.state.pose().clone());
        let run = timeline.run.as_deref().and_then(|run| run.file_name());
        let name = run.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let (snapshots, between) = (timeline.snapshots.clone(), timeline.between());
        engine.export_sweep(Sweep { snapshots, pose, between, frame_time: FRAME_TIME, name, path: path.clone() });
        self.state.exporting = Some(Opening { name: file, path: Some(path), done: 0, total: 0, tuned: None });
    }

    /// A model was opened: one of a run brings its timeline along.
    pub(in crate::ui) fn enter_run_of(&mut self, model: &ModelSummary) {
        self.travel.forget_all();
        let snapshot = model.path.as_deref().and_then(SnapshotFile::of);
        let run = snapshot.as_ref().and_then(|snapshot| snapshot.run()).map(Path::to_path_buf);
        let Some((run, snapshot)) = run.zip(snapshot) else {
            self.state.timeline.leave();
            return;
        };
        let shown = Snapshot::File(snapshot);
        self.travel.asked = Some(SnapshotRequest { shown: shown.clone(), against: None });
        self.travel.listed = None;
        self.state.timeline.enter(&run, Some(shown));
        self.state.timeline.follow = false;
    }

    /// The folder of a run was looked at.
    pub(in crate::ui) fn on_run_listed(&mut self, run: PathBuf, snapshots: Result<Vec<SnapshotFile>, String>) {
        self.travel.listing = false;
        self.travel.listed = Some(Instant::now());
        let timeline = &mut self.state.timeline;
        if timeline.run.as_ref() != Some(&run) {
            self.travel.listed = None;
            return;
        }
        match snapshots {
            Ok(snapshots) => timeline.snapshots = snapshots,
            // The folder may be gone; what was seen of it is still known.
            Err(error) => log::warn!("{error}"),
        }
    }

    /// Snapshots are there: from now on they are what is asked for.
    pub(in crate::ui) fn on_snapshots(
        &mut self,
        ticket: OpenTicket,
        shown: Arc<ModelSummary>,
        against: Option<Arc<ModelSummary>>,
    ) {
        if !self.travel.takes(ticket) {
            return;
        }
        self.state.timeline.other = against;
        self.replace_model(shown);
    }

    /// A snapshot could not be shown.
    pub(in crate::ui) fn on_snapshot_failed(&mut self, ticket: OpenTicket, message: String) {
        if self.travel.takes(ticket) {
            self.state.toasts.push(ToastKind::Error, format!("The snapshot could not be shown: {message}"));
        }
    }

    /// Looks at the folder again now and then, follows the training, and asks the engine for what is to be seen now.
    pub(in crate::ui) fn travel(&mut self, ctx: &Context) {
        let Some(run) = self.state.timeline.run.clone() else { return };
        let due = self.travel.listed.is_none_or(|at| at.elapsed() >= LOOK_AGAIN);
        if due && !self.travel.listing {
            match self.background.list_run(run) {
                Ok(()) => self.travel.listing = true,
                Err(error) => {
                    log::warn!("the run's folder cannot be looked at: {error}");
                    self.travel.listed = Some(Instant::now());
                }
            }
        }
        ctx.request_repaint_after(LOOK_AGAIN);
        // A new network costs a whole image; while the hand moves a control it waits for its turn.
        if self.state.timeline.follow && !ctx.egui_is_using_pointer() {
            let newest = self.state.newest();
            self.state.timeline.shown = newest.or(self.state.timeline.shown.take());
        }
        let Some(wanted) = self.state.timeline.wanted() else { return };
        let known = self.travel.asked.as_ref().is_some_and(|asked| {
            asked.shown == wanted.shown && (wanted.against.is_none() || asked.against == wanted.against)
        });
        if let (false, Some(engine)) = (known, &self.engine) {
            self.travel.waiting = Some(engine.show_snapshots(wanted.clone()));
            self.travel.asked = Some(wanted);
        }
    }
}
