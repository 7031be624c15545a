//! The window's side of the engine: every call returns at once.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Sender, TrySendError, bounded};

use crate::{
    base::{
        mailbox::{Mailbox, lock},
        worker::Worker,
    },
    engine::{
        events::{Events, Wake},
        export::{ExportJob, ExportModel, Work},
        message::{
            DisplayDevice, EngineEvent, Frame, ModelSource, OpenTicket, RenderRequest, SaveImage, SaveTarget, Stamp,
        },
        model::Models,
        open::{Current, OpenJob},
        render::{Renderer, Stamped},
        save::{SaveJob, Saver, asked_for},
        snapshots::{Asked, Shared, SnapshotLoader, SnapshotRequest},
        statistics::StatisticsJob,
        sweep::Sweep,
        threads::ThreadLimit,
        tuning::Tuning,
    },
    gpu::{
        device::{Compute, ComputeKind},
        health::DeviceHealth,
    },
    model::Placement,
};

/// Images that may wait to be saved.
const MAX_SAVES: usize = 16;
/// How long a closing window waits for threads that have nothing to lose.
const SHUTDOWN: Duration = Duration::from_secs(2);
/// How long it waits until the images that were asked for are written.
const SHUTDOWN_SAVES: Duration = Duration::from_secs(10);

/// Why the engine could not be started.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The operating system refused a thread.
    #[error("the {name} thread could not be started")]
    Thread {
        /// The thread.
        name: &'static str,
        /// The operating system's word.
        #[source]
        source: std::io::Error,
    },
    /// The window draws with another device than the one that computes, so it could not show its textures.
    #[error("the window uses another graphics device ({display}) than the computation ({compute})")]
    DisplayNotShared {
        /// The window's.
        display: String,
        /// The one that computes.
        compute: String,
    },
}

/// Owns the render thread and the jobs. Dropping it stops them.
pub struct Engine {
    requests: Mailbox<Stamped>,
    frames: Mailbox<Frame>,
    events: Events,
    models: Models,
    placement: Placement,
    half: AtomicBool,
    opening: Current,
    exporting: Current,
    stamps: AtomicU64,
    tickets: Arc<AtomicU64>,
    snapshots: Mailbox<Asked>,
    rendering: Arc<AtomicBool>,
    threads: ThreadLimit,
    /// On a GPU.
    tuning: Option<Tuning>,
    stopping: Arc<AtomicBool>,
    /// `None` once the engine ends.
    saves: Option<Sender<SaveJob>>,
    render: Option<Worker>,
    loader: Option<Worker>,
    saver: Option<Worker>,
    /// Openings and statistics, the finished ones among them until the next begins.
    jobs: Mutex<Vec<Worker>>,
}

impl Engine {
    /// Starts the render thread. `wake` is called from the engine's threads after each frame and each event.
    ///
    /// # Errors
    /// [`EngineError`] if a thread cannot be started, or if `compute` is a GPU and `display` another device.
    pub fn start(compute: Compute, display: DisplayDevice, wake: Wake) -> Result<Self, EngineError> {
        if let Some(shared) = &compute.shared
            && shared.device != display.device
        {
            return Err(EngineError::DisplayNotShared { display: display.info.name, compute: compute.name });
        }
        let events = Events::new(Arc::clone(&wake));
        let (requests, frames, models) = (Mailbox::default(), Mailbox::default(), Models::default());
        let (rendering, threads) = (Arc::new(AtomicBool::new(false)), ThreadLimit::default());
        let mut renderer = Renderer {
            requests: requests.clone(),
            frames: frames.clone(),
            models: models.clone(),
            health: DeviceHealth::watch(&display.device),
            display,
            events: events.clone(),
            wake,
            rendering: Arc::clone(&rendering),
            threads: threads.clone(),
            presenter: None,
            pipeline: None,
            other: None,
            last_frame: None,
            last_request: None,
        };
        let (saves, jobs) = bounded(MAX_SAVES);
        let mut saver = Saver { jobs, events: events.clone() };
        let render = start("render", &events, move || renderer.step())?;
        let saver = start("save", &events, move || saver.step())?;
        let tuning = Tuning::of(&compute);
        let placement = match compute.kind {
            ComputeKind::Cpu => Placement::cpu(),
            ComputeKind::Gpu | ComputeKind::Software => Placement::split(compute.device),
        };
        let (tickets, stopping) = (Arc::new(AtomicU64::new(1)), Arc::new(AtomicBool::new(false)));
        let snapshots = Mailbox::default();
        let shared = Shared {
            placement: placement.clone(),
            models: models.clone(),
            events: events.clone(),
            tickets: Arc::clone(&tickets),
            rendering: Arc::clone(&rendering),
            stopping: Arc::clone(&stopping),
        };
        let mut loader = SnapshotLoader::new(snapshots.clone(), shared);
        let loader = start("snapshots", &events, move || loader.step())?;
        Ok(Self {
            requests,
            frames,
            events,
            models,
            placement,
            half: AtomicBool::new(false),
            opening: Current::default(),
            exporting: Current::default(),
            stamps: AtomicU64::new(1),
            tickets,
            snapshots,
            rendering,
            threads,
            tuning,
            stopping,
            saves: Some(saves),
            render: Some(render),
            loader: Some(loader),
            saver: Some(saver),
            jobs: Mutex::default(),
        })
    }

    /// Asks for an image; an older request that has not begun is dropped.
    pub fn request(&self, request: RenderRequest) -> Stamp {
        self.put(request, false)
    }

    /// The same for a hand that moves: where the image takes long, frames with [`Frame::preview`] come before it.
    pub fn request_with_previews(&self, request: RenderRequest) -> Stamp {
        self.put(request, true)
    }

    fn put(&self, request: RenderRequest, previews: bool) -> Stamp {
        let stamp = Stamp(self.stamps.fetch_add(1, Ordering::Relaxed));
        self.requests.put(Stamped { stamp, request, previews, at: Instant::now() });
        stamp
    }

    /// At most `limit` processors compute from the next image on; see [`processors`](super::threads::processors).
    pub fn limit_threads(&self, limit: usize) {
        self.threads.set(limit);
    }

    /// From the next opening on, models store their feature maps in f16 on a device that can, or no longer do ([`Placement::half`]).
    /// Snapshots and animations of trainings stay in f32.
    pub fn set_half(&self, half: bool) {
        self.half.store(half, Ordering::Relaxed);
    }

    /// From the next opening on, layers are tuned by `tuning`, whatever the device. By itself, only a GPU is tuned.
    pub fn set_tuning(&mut self, tuning: Option<Tuning>) {
        self.tuning = tuning;
    }

    /// The newest frame that was not taken yet.
    pub fn take_frame(&self) -> Option<Frame> {
        self.frames.take()
    }

    /// Opens a model in the background, giving up an opening that is under way.
    pub fn open(&self, source: ModelSource) -> OpenTicket {
        let ticket = self.ticket();
        let path = match &source {
            ModelSource::Path(path) | ModelSource::Network(path, _) => Some(path.clone()),
            ModelSource::Bundled => None,
        };
        let placement = self.placement.clone().with_half(self.half.load(Ordering::Relaxed));
        let (models, events) = (self.models.clone(), self.events.clone());
        let current = self.opening.clone();
        current.begin(ticket);
        let (rendering, stopping) = (Arc::clone(&self.rendering), Arc::clone(&self.stopping));
        let tuning = self.tuning.clone();
        let job =
            OpenJob { ticket, source, placement, models: models.clone(), events: events.clone(), current, tuning };
        let work = move || {
            if let Some(model) = job.run() {
                // The same thread goes on with what is less urgent.
                StatisticsJob { model, models, events, rendering, stopping }.run(|| false);
            }
        };
        if let Err(error) = self.start_job("open", work) {
            self.opening.cancel();
            self.events.push(EngineEvent::OpenFailed { ticket, path, message: error.to_string() });
        }
        ticket
    }

    /// Gives up the opening that is under way; [`EngineEvent::OpenCancelled`] follows.
    pub fn cancel_open(&self) {
        if let Some(ticket) = self.opening.cancel() {
            self.events.push(EngineEvent::OpenCancelled { ticket });
        }
    }

    /// Makes the networks of snapshots in the background; the newest request counts, and older ones may never be
    /// answered. [`EngineEvent::SnapshotsReady`] or [`EngineEvent::SnapshotFailed`] follows.
    pub fn show_snapshots(&self, request: SnapshotRequest) -> OpenTicket {
        let ticket = self.ticket();
        self.snapshots.put(Asked { ticket, request });
        ticket
    }

    /// Writes a model in the background, giving up an export that is under way; [`EngineEvent::Exported`] or
    /// [`EngineEvent::ExportFailed`] follows.
    pub fn export(&self, export: ExportModel) {
        // Taken now: it may be replaced at any time.
        self.write(Work::Model(self.models.get(export.model), export));
    }

    /// Writes an animation; events as for [`Engine::export`].
    pub fn export_sweep(&self, sweep: Sweep) {
        self.write(Work::Sweep(sweep, self.placement.clone()));
    }

    fn write(&self, work: Work) {
        let (ticket, current) = (self.ticket(), self.exporting.clone());
        current.begin(ticket);
        let events = self.events.clone();
        let job = ExportJob { ticket, work, events, current, committed: Default::default() };
        let path = job.path().to_owned();
        if let Err(error) = self.start_job("export", move || job.run()) {
            self.exporting.cancel();
            self.events.push(EngineEvent::ExportFailed { path, message: error.to_string() });
        }
    }

    fn ticket(&self) -> OpenTicket {
        OpenTicket(self.tickets.fetch_add(1, Ordering::Relaxed))
    }

    /// Gives up the export that is under way; [`EngineEvent::ExportCancelled`] follows.
    pub fn cancel_export(&self) {
        if self.exporting.cancel().is_some() {
            self.events.push(EngineEvent::ExportCancelled);
        }
    }

    /// Renders and writes an image in the background; [`EngineEvent::Saved`] or [`EngineEvent::SaveFailed`] follows.
    pub fn save_image(&self, save: SaveImage) {
        let Some(saves) = &self.saves else { return };
        let failed = |target: &SaveTarget, message: &str| {
            let path = asked_for(target).to_owned();
            self.events.push(EngineEvent::SaveFailed { path, message: message.to_owned() });
        };
        // The model is taken now: it may be replaced at any time.
        match saves.try_send(SaveJob { model: self.models.get(save.request.model), save }) {
            Ok(()) => {}
            Err(TrySendError::Full(job)) => {
                failed(&job.save.target, "too many images wait to be saved: try again in a moment")
            }
            Err(TrySendError::Disconnected(job)) => failed(&job.save.target, "the program is about to end"),
        }
    }

    /// What happened since the last call.
    pub fn poll_events(&self) -> Vec<EngineEvent> {
        self.events.take()
    }

    /// Stops the threads: images that were asked for are still written (ten seconds at most), everything else is given
    /// up (two seconds at most).
    pub fn shutdown(mut self) {
        self.stop();
    }

    fn start_job(&self, name: &'static str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        let said = self.events.clone();
        let on_panic = move |message| said.push(EngineEvent::WorkerRestarted { worker: name.to_owned(), message });
        let worker = Worker::once(name, work, on_panic)?;
        let mut jobs = lock(&self.jobs);
        jobs.retain(|job| !job.is_finished());
        jobs.push(worker);
        Ok(())
    }

    fn stop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.opening.cancel();
        self.exporting.cancel();
        self.requests.close();
        self.snapshots.close();
        self.saves = None;
        if let Some(saver) = self.saver.take() {
            saver.join(SHUTDOWN_SAVES);
        }
        let until = Instant::now() + SHUTDOWN;
        let threads = self.render.take().into_iter().chain(self.loader.take());
        for worker in threads.chain(lock(&self.jobs).drain(..)) {
            worker.join(until.saturating_duration_since(Instant::now()));
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts a thread that lasts as long as the engine.
fn start(
    name: &'static str,
    events: &Events,
    step: impl FnMut() -> crate::base::worker::Outcome + Send + 'static,
) -> Result<Worker, EngineError> {
    let events = events.clone();
    let said = move |message| events.push(EngineEvent::WorkerRestarted { worker: name.to_owned(), message });
    Worker::start(name, step, said).map_err(|source| EngineError::Thread { name, source })
}
