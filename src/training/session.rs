//! A training on its own thread: commands in, events out.
//!
//! The thread owns the networks. It shows what happens through a bounded channel of events and a newest-value mailbox with the
//! generator's moving average; nobody waits for anybody: events that nobody takes are dropped, but for the last.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use burn::tensor::Device;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use super::{
    checkpoint_store::{self, SavedState},
    config::{Changes, DatasetSource, TrainConfig},
    error::TrainError,
    growing,
    history::{self, HistoryLine},
    preflight::remaining_seconds,
    run_folder::{self, RunFolder, SnapshotFile},
    sample_grid,
    trainer::{Batch, Phases, Progress, Trainer, TrainerState},
    transfer::InitialWeights,
};
use crate::{
    base::{error_chain::error_chain, mailbox::Mailbox, worker},
    checkpoint::save_safetensors,
    data::{Dataset, DatasetOptions, Loader, LoaderOptions},
    model::{config::GeneratorConfig, state_dict::StateDict},
};

/// How a training begins.
#[derive(Debug, Clone)]
pub enum Start {
    /// Anew, in a folder without a run.
    New {
        /// What is trained.
        config: Box<TrainConfig>,
        /// Weights to begin with instead of fresh ones: the generator's and the discriminator's (transfer).
        init: Option<InitialWeights>,
    },
    /// From the newest checkpoint of the folder.
    Resume {
        /// What is different from now on.
        changes: Changes,
    },
}

/// What a running training can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrainCommand {
    /// Stop between two iterations and wait.
    Pause,
    /// Go on.
    Resume,
    /// One iteration of the generator alone; then pause.
    StepG,
    /// One iteration of the discriminator alone; then pause.
    StepD,
    /// Write a snapshot of the moving average now.
    SnapshotNow,
    /// Write a checkpoint and end.
    Stop,
}

/// What a training tells.
#[derive(Debug, Clone, PartialEq)]
pub enum TrainEvent {
    /// The networks are there.
    Begun {
        /// Values that learn: generator and discriminator.
        parameters: [usize; 2],
        /// Images shown so far.
        nimg: u64,
        /// Images in all.
        total: u64,
        /// What was noticed on the way, e.g. a damaged checkpoint that was passed over.
        notes: Vec<String>,
        /// What the run is, and what lies in its folder already.
        past: Box<Past>,
    },
    /// The first steps were timed, so that the time left can be told before the first tick.
    Speed {
        /// Seconds for a thousand images, with regularisers by their share.
        sec_per_kimg: f64,
        /// Seconds until the end, at that speed.
        remaining: f64,
    },
    /// A tick has ended.
    Tick {
        /// What was measured; also a line of the history.
        line: HistoryLine,
        /// Seconds for a thousand images.
        sec_per_kimg: f64,
        /// Seconds until the end, at that speed.
        remaining: f64,
    },
    /// A picture of the grid was written.
    Sample(PathBuf),
    /// A snapshot was written.
    Snapshot(PathBuf),
    /// A checkpoint was written.
    Checkpoint(PathBuf),
    /// The training waits; with a reason if something failed.
    Paused(Option<String>),
    /// It goes on.
    Resumed,
    /// It ended, and nothing more comes.
    Ended {
        /// Images shown.
        nimg: u64,
        /// Whether the whole length was trained.
        complete: bool,
    },
    /// It failed, and nothing more comes.
    Failed {
        /// What happened, with its causes.
        error: String,
        /// What to try.
        proposal: String,
    },
}

/// What a run is and has behind it when its training begins or goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// What decides the result.
    pub config: TrainConfig,
    /// A line a tick, oldest first.
    pub history: Vec<HistoryLine>,
    /// Snapshots of the generator, oldest first.
    pub snapshots: Vec<SnapshotFile>,
    /// The newest picture of the grid.
    pub sample: Option<PathBuf>,
}

/// The generator's moving average with the number of images behind it.
#[derive(Debug, Clone)]
pub struct EmaSnapshot {
    /// Images shown.
    pub nimg: u64,
    /// What the network is.
    pub config: GeneratorConfig,
    /// Its weights.
    pub weights: StateDict,
}

/// A training on its own thread. Dropping it stops the training (with a checkpoint) and waits for that.
pub struct TrainingSession {
    commands: Sender<TrainCommand>,
    events: Receiver<TrainEvent>,
    ema: Mailbox<EmaSnapshot>,
    live: Arc<Live>,
    abort: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Called from the training's thread after each event, e.g. to wake a window.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Where the training is between two ticks, for whoever looks.
#[derive(Debug, Default)]
struct Live {
    nimg: AtomicU64,
    iteration: AtomicU64,
}

impl Live {
    fn set(&self, progress: Progress) {
        self.nimg.store(progress.nimg, Ordering::Relaxed);
        self.iteration.store(progress.iteration, Ordering::Relaxed);
    }
}

/// Commands that may wait for the training to take them.
const COMMANDS: usize = 16;
/// Events that may wait to be taken.
const EVENTS: usize = 256;
/// Steps that are timed for [`TrainEvent::Speed`].
const TIMED_STEPS: u64 = 4;
/// After a failed write the training tries again by itself after this time.
const RETRY: Duration = Duration::from_secs(30);

impl TrainingSession {
    /// Starts the thread. Whatever goes wrong from here on is an event.
    ///
    /// # Errors
    /// If the system refuses the thread.
    pub fn start(folder: PathBuf, start: Start, device: Device) -> Result<Self, TrainError> {
        Self::start_waking(folder, start, device, Arc::new(|| {}))
    }

    /// The same; `wake` is called after each event.
    ///
    /// # Errors
    /// If the system refuses the thread.
    pub fn start_waking(folder: PathBuf, start: Start, device: Device, wake: Wake) -> Result<Self, TrainError> {
        let (commands, inbox) = bounded(COMMANDS);
        let (outbox, events) = bounded(EVENTS);
        let (ema, abort) = (Mailbox::default(), Arc::new(AtomicBool::new(false)));
        let live = Arc::new(Live::default());
        let shared = Shared { ema: ema.clone(), live: Arc::clone(&live), abort: Arc::clone(&abort) };
        let body = move || {
            let outlet = Outlet(outbox, wake);
            let result = worker::catch(|| {
                let mut run = Run::new(folder, start, device, inbox, outlet.clone(), shared)?;
                run.run()
            });
            match result {
                Ok(Ok(())) => {}
                Ok(Err(error)) => outlet.fail(&error),
                Err(panic) => outlet.fail(&TrainError::Panicked(panic)),
            }
        };
        let thread = std::thread::Builder::new().name("train".into()).spawn(body).map_err(TrainError::Thread)?;
        Ok(Self { commands, events, ema, live, abort, thread: Some(thread) })
    }

    /// Tells the training something; `false` if it has ended or too much is waiting.
    pub fn send(&self, command: TrainCommand) -> bool {
        self.commands.try_send(command).is_ok()
    }

    /// The events, oldest first; the channel closes when the thread has ended.
    pub fn events(&self) -> &Receiver<TrainEvent> {
        &self.events
    }

    /// The newest moving average that nobody has taken yet appears here after every tick.
    pub fn ema(&self) -> &Mailbox<EmaSnapshot> {
        &self.ema
    }

    /// Where it is now; events tell it at ticks alone.
    pub fn progress(&self) -> Progress {
        let Live { nimg, iteration } = &*self.live;
        Progress { nimg: nimg.load(Ordering::Relaxed), iteration: iteration.load(Ordering::Relaxed) }
    }

    /// Whether the thread has ended: dropping the session does not wait then.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for TrainingSession {
    fn drop(&mut self) {
        self.abort.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was told as an event.
            let _ = thread.join();
        }
    }
}

/// The sending end of the events.
#[derive(Clone)]
struct Outlet(Sender<TrainEvent>, Wake);

impl Outlet {
    /// A listener that does not listen must not stop the training: what finds no room is dropped.
    fn tell(&self, event: TrainEvent) {
        if let Err(TrySendError::Full(event)) = self.0.try_send(event) {
            log::debug!("nobody takes the training's events; dropped {event:?}");
        }
        (self.1)();
    }

    /// The last word waits for room, as long as somebody could make it.
    fn tell_last(&self, event: TrainEvent) {
        let _ = self.0.send_timeout(event, Duration::from_secs(5));
        (self.1)();
    }

    fn fail(&self, error: &TrainError) {
        self.tell_last(TrainEvent::Failed { error: error_chain(error), proposal: proposal(error).to_owned() });
    }
}

/// What to try after a failure.
fn proposal(error: &TrainError) -> &'static str {
    match error {
        TrainError::NotFinite { .. } => {
            "The last checkpoint is kept. Resume from it with a smaller learning rate or a larger gamma; if it happens again, \
             look at the data for images that are all of one colour."
        }
        TrainError::Data(_) => "Run `stylescope dataset check` on the images, mend what it names, and resume.",
        TrainError::Write(_) | TrainError::Folder { .. } => "Free space or allow writing to the folder, then resume.",
        TrainError::Device { .. } | TrainError::Panicked(_) => {
            "Resume from the last checkpoint with a smaller batch, or on the CPU with --device cpu."
        }
        _ => "Mend what the message names, then start or resume again.",
    }
}

/// The images of a training.
fn open_dataset(config: &TrainConfig) -> Result<Dataset, TrainError> {
    let resolution = config.resolution();
    let result = match &config.dataset.source {
        DatasetSource::Portraits { seed } => Dataset::portraits(*seed, resolution),
        DatasetSource::Path(path) => {
            let options = DatasetOptions {
                x_flip: config.dataset.mirror,
                labels: config.generator.label_dim() > 0,
                ..DatasetOptions::default()
            };
            Dataset::open(path, resolution, &options)
        }
    };
    let dataset = result.map_err(|error| TrainError::Data(error_chain(&error)))?;
    let (channels, label_dim) = (config.generator.img_channels(), config.generator.label_dim());
    if dataset.channels() != channels || dataset.label_dim() != label_dim {
        return Err(TrainError::Data(format!(
            "they have {} channels and {} classes where the networks take {channels} and {label_dim}",
            dataset.channels(),
            dataset.label_dim()
        )));
    }
    Ok(dataset)
}

/// What the thread shares with the handle.
struct Shared {
    ema: Mailbox<EmaSnapshot>,
    live: Arc<Live>,
    abort: Arc<AtomicBool>,
}

/// Everything that the thread works with.
struct Run {
    folder: RunFolder,
    config: TrainConfig,
    device: Device,
    dataset: Dataset,
    trainer: Trainer,
    progress: Progress,
    seconds: f64,
    loader: Option<(Loader, usize)>,
    inbox: Receiver<TrainCommand>,
    outlet: Outlet,
    shared: Shared,
    notes: Vec<String>,
    /// Until it is told.
    history: Vec<HistoryLine>,
}

/// Whether to go on after looking at the commands.
#[derive(PartialEq, Eq)]
enum Next {
    Train(Phases),
    Stop,
}

const BOTH: Phases = Phases { g: true, d: true };

impl Run {
    fn new(
        path: PathBuf,
        start: Start,
        device: Device,
        inbox: Receiver<TrainCommand>,
        outlet: Outlet,
        shared: Shared,
    ) -> Result<Self, TrainError> {
        let mut notes = Vec::new();
        let (folder, dataset, init, resume) = match start {
            Start::New { config, init } => {
                let dataset = open_dataset(&config)?;
                let fingerprint = dataset.fingerprint().to_owned();
                (RunFolder::create(&path, *config, fingerprint)?, dataset, init, false)
            }
            Start::Resume { changes } => {
                let mut folder = RunFolder::open(&path)?;
                folder.change(&changes)?;
                let dataset = open_dataset(&folder.run().config)?;
                if dataset.fingerprint() != folder.run().dataset_fingerprint {
                    notes.push("The images are not those that the run began with.".into());
                }
                (folder, dataset, None, true)
            }
        };
        let config = folder.run().config.clone();
        let mut trainer = Trainer::new(&config, &device)?;
        let (mut progress, mut history) = (Progress::default(), Vec::new());
        if let Some((generator, discriminator)) = init {
            trainer.init_from(generator, discriminator)?;
        }
        if resume {
            if let Some(restored) = checkpoint_store::newest(&folder.checkpoints())? {
                notes.extend(
                    restored.passed_over.iter().map(|reason| format!("A checkpoint was passed over: {reason}")),
                );
                let SavedState { nimg, iteration, arrays, scalars } = restored.state;
                trainer.restore(&TrainerState { arrays, scalars })?;
                progress = Progress { nimg, iteration };
            } else {
                notes.push("There is no checkpoint yet; the run begins anew.".into());
            }
            history = history::rewind(&folder.history(), progress.nimg)?;
        }
        shared.live.set(progress);
        let seconds = history.last().map_or(0.0, |line| line.seconds);
        Ok(Self {
            folder,
            config,
            device,
            dataset,
            trainer,
            progress,
            seconds,
            loader: None,
            inbox,
            outlet,
            shared,
            notes,
            history,
        })
    }

    fn run(&mut self) -> Result<(), TrainError> {
        let total = self.config.total_images();
        self.outlet.tell(TrainEvent::Begun {
            parameters: self.trainer.num_parameters(),
            nimg: self.progress.nimg,
            total,
            notes: std::mem::take(&mut self.notes),
            past: Box::new(Past {
                config: self.config.clone(),
                history: std::mem::take(&mut self.history),
                snapshots: run_folder::snapshots(self.folder.path())?,
                sample: run_folder::newest_sample(self.folder.path())?,
            }),
        });
        let tick_images = ((self.config.intervals.tick_kimg * 1000.0).round() as u64).max(1);
        if self.progress.nimg == 0 {
            // A kill before the first tick then loses nothing but that tick.
            self.persist(0)?;
        }
        let mut tick_start = (Instant::now(), self.progress.nimg, self.waited());
        let mut timed = Some((self.progress.iteration, 0.0));
        // A single step of one network begins a pause, whose end says what comes next.
        let mut pause = None;
        while self.progress.nimg < total {
            let phases = match self.listen(pause.take())? {
                Next::Train(phases) => phases,
                Next::Stop => return self.end(false),
            };
            pause = (phases != BOTH).then_some(None);
            let start = Instant::now();
            let batch = self.next_batch()?;
            let count = batch.1;
            self.trainer.step(&batch.0, self.progress, phases)?;
            let step_seconds = start.elapsed().as_secs_f64();
            let before = self.progress.nimg / tick_images;
            self.progress.nimg += count as u64;
            self.progress.iteration += 1;
            self.shared.live.set(self.progress);
            if self.progress.nimg / tick_images > before || self.progress.nimg >= total {
                self.tick(&tick_start)?;
                self.persist(self.progress.nimg / tick_images)?;
                tick_start = (Instant::now(), self.progress.nimg, self.waited());
                timed = None;
            }
            if let Some((first, seconds)) = &mut timed {
                *seconds += step_seconds;
                if self.progress.iteration == *first + TIMED_STEPS {
                    let (first, seconds) = (*first, *seconds);
                    self.tell_speed(first, seconds, count);
                    timed = None;
                }
            }
        }
        self.end(true)
    }

    /// Tells how fast the first steps were, which took `seconds`, with regularisers by how often they come.
    fn tell_speed(&self, first: u64, seconds: f64, batch: usize) {
        let share = self.trainer.times().usual_share(&self.config, first, TIMED_STEPS);
        let image = share * seconds / (TIMED_STEPS as f64 * batch as f64);
        let remaining = remaining_seconds(&self.config, self.progress.nimg, image);
        self.outlet.tell(TrainEvent::Speed { sec_per_kimg: image * 1000.0, remaining });
    }

    fn waited(&self) -> f64 {
        self.loader.as_ref().map_or(0.0, |(loader, _)| loader.waited().as_secs_f64())
    }

    /// The next batch, with the size of the schedule's stage.
    fn next_batch(&mut self) -> Result<(Batch, usize), TrainError> {
        let size = growing::stage(&self.config, self.progress.nimg).batch;
        let data = |error: crate::data::DataError| TrainError::Data(error_chain(&error));
        let loader = match &mut self.loader {
            Some((loader, found)) if *found == size => loader,
            slot => {
                let options =
                    LoaderOptions { batch: size, seed: self.config.seed, shown: self.progress.nimg, ahead: 2 };
                let loader = Loader::start(self.dataset.clone(), options).map_err(data)?;
                &mut slot.insert((loader, size)).0
            }
        };
        let batch = loader.next_batch().map_err(data)?;
        Ok((Batch { images: batch.images, labels: batch.labels }, size))
    }

    /// Takes the waiting commands. `pause` begins a pause, with its reason, that ends by a command or, after a failure, by itself.
    fn listen(&mut self, pause: Option<Option<String>>) -> Result<Next, TrainError> {
        let failed = matches!(pause, Some(Some(_)));
        let mut paused = pause.is_some();
        if let Some(reason) = pause {
            self.outlet.tell(TrainEvent::Paused(reason));
        }
        let since = Instant::now();
        loop {
            if self.shared.abort.load(Ordering::Relaxed) {
                return Ok(Next::Stop);
            }
            let command = if paused {
                match self.inbox.recv_timeout(Duration::from_millis(100)) {
                    Ok(command) => Some(command),
                    Err(RecvTimeoutError::Timeout) if failed && since.elapsed() > RETRY => Some(TrainCommand::Resume),
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return Ok(Next::Stop),
                }
            } else {
                self.inbox.try_recv().ok()
            };
            match command {
                None => return Ok(Next::Train(BOTH)),
                Some(TrainCommand::Stop) => return Ok(Next::Stop),
                Some(TrainCommand::Resume) if paused => {
                    paused = false;
                    self.outlet.tell(TrainEvent::Resumed);
                }
                Some(TrainCommand::Resume) => {}
                Some(TrainCommand::Pause) if !paused => {
                    paused = true;
                    self.outlet.tell(TrainEvent::Paused(None));
                }
                Some(TrainCommand::Pause) => {}
                Some(TrainCommand::StepG) => return Ok(Next::Train(Phases { g: true, d: false })),
                Some(TrainCommand::StepD) => return Ok(Next::Train(Phases { g: false, d: true })),
                Some(TrainCommand::SnapshotNow) => match self.snapshot() {
                    Ok(path) => self.outlet.tell(TrainEvent::Snapshot(path)),
                    // Asked for, not needed: it is told, and the training goes on.
                    Err(error) => log::warn!("the snapshot was not written: {}", error_chain(&error)),
                },
            }
        }
    }

    /// Reads the losses of the tick, writes its line, and shows the moving average.
    fn tick(&mut self, start: &(Instant, u64, f64)) -> Result<(), TrainError> {
        let &(began, nimg, waited) = start;
        let elapsed = began.elapsed().as_secs_f64();
        self.seconds += elapsed;
        let values = self.trainer.tick()?;
        if values.values().any(|value| !value.is_finite()) {
            return Err(TrainError::NotFinite { nimg: self.progress.nimg });
        }
        let times = self.trainer.phase_times();
        let kimg = (self.progress.nimg - nimg) as f64 / 1000.0;
        let sec_per_kimg = elapsed / kimg.max(1e-9);
        let mut line = HistoryLine {
            nimg: self.progress.nimg,
            iteration: self.progress.iteration,
            seconds: self.seconds,
            values: values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        };
        let phases = [
            ("seconds_g", times.g),
            ("seconds_g_reg", times.g_reg),
            ("seconds_d", times.d),
            ("seconds_d_reg", times.d_reg),
            ("seconds_ema", times.ema),
            ("seconds_data", (self.waited() - waited).max(0.0)),
            ("sec_per_kimg", sec_per_kimg),
        ];
        line.values.extend(phases.map(|(name, value)| (name.to_owned(), value)));
        let path = self.folder.history();
        self.until_written(|_| history::append(&path, &line))?;
        let (config, weights) = self.trainer.ema()?;
        self.shared.ema.put(EmaSnapshot { nimg: self.progress.nimg, config, weights });
        let remaining = remaining_seconds(&self.config, self.progress.nimg, sec_per_kimg / 1000.0);
        self.outlet.tell(TrainEvent::Tick { line, sec_per_kimg, remaining });
        Ok(())
    }

    /// Writes what is due at the end of tick number `tick`: the grid, a snapshot, a checkpoint.
    fn persist(&mut self, tick: u64) -> Result<(), TrainError> {
        let intervals = self.config.intervals;
        let due = |ticks: u32| tick.is_multiple_of(u64::from(ticks.max(1)));
        if due(intervals.sample_ticks) {
            let path = self.folder.sample(self.progress.nimg);
            self.until_written(|run| {
                let (config, weights) = run.trainer.ema()?;
                sample_grid::write(&path, config, weights)
            })?;
            self.outlet.tell(TrainEvent::Sample(path));
        }
        if due(intervals.snapshot_ticks) && tick > 0 {
            let path = self.until_written(|run| run.snapshot())?;
            self.outlet.tell(TrainEvent::Snapshot(path));
        }
        if due(intervals.checkpoint_ticks) {
            self.checkpoint()?;
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<PathBuf, TrainError> {
        let path = self.folder.snapshot(self.progress.nimg);
        let (config, weights) = self.trainer.ema()?;
        let notes = [("training.nimg".to_owned(), self.progress.nimg.to_string())];
        save_safetensors(&path, &config, &weights, &notes)?;
        Ok(path)
    }

    fn checkpoint(&mut self) -> Result<(), TrainError> {
        let TrainerState { arrays, scalars } = self.trainer.state()?;
        let Progress { nimg, iteration } = self.progress;
        let state = SavedState { nimg, iteration, arrays, scalars };
        let folder = self.folder.checkpoints();
        let path = self.until_written(|_| checkpoint_store::save(&folder, &state))?;
        self.outlet.tell(TrainEvent::Checkpoint(path));
        Ok(())
    }

    /// Repeats `write` until it works: a disk that is full or a folder that is read-only pauses the training with its reason.
    fn until_written<T>(&mut self, mut write: impl FnMut(&mut Self) -> Result<T, TrainError>) -> Result<T, TrainError> {
        loop {
            match write(self) {
                Ok(value) => return Ok(value),
                Err(error @ (TrainError::Write(_) | TrainError::Folder { .. } | TrainError::ModelFile(_))) => {
                    if self.listen(Some(Some(error_chain(&error))))? == Next::Stop {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The end, with a checkpoint and a snapshot of where it is.
    fn end(&mut self, complete: bool) -> Result<(), TrainError> {
        self.checkpoint()?;
        if self.progress.nimg > 0 {
            let path = self.until_written(|run| run.snapshot())?;
            self.outlet.tell(TrainEvent::Snapshot(path));
            if complete {
                let path = self.folder.sample(self.progress.nimg);
                let (config, weights) = self.trainer.ema()?;
                sample_grid::write(&path, config, weights)?;
                self.outlet.tell(TrainEvent::Sample(path));
            }
        }
        self.outlet.tell_last(TrainEvent::Ended { nimg: self.progress.nimg, complete });
        Ok(())
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Run({}, {:?}, {:?})", self.folder.path().display(), self.progress, self.device)
    }
}
