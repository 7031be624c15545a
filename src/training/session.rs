//! A training on its own thread: commands in, events out.
//!
//! The thread owns the networks. It shows what happens through a bounded channel of events and a newest-value mailbox with the
//! generator's moving average; nobody waits for anybody: events that nobody takes are dropped, but for the last.

mod persist;
mod run;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use burn::tensor::Device;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::{
    config::{Changes, TrainConfig},
    courtesy,
    error::TrainError,
    history::HistoryLine,
    trainer::Progress,
    transfer::InitialWeights,
};
use crate::{
    base::{error_chain::error_chain, mailbox::Mailbox, worker},
    checkpoint::SnapshotFile,
    model::{config::GeneratorConfig, state_dict::StateDict},
};
use run::{Run, Shared};

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
    /// Fail in this way: for tests of those who listen.
    #[doc(hidden)]
    Fail(Fault),
}

/// Ways to fail.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "for tests")]
pub enum Fault {
    Panic,
    LostDevice,
    NotFinite,
}

impl Fault {
    fn happen(self, nimg: u64) -> TrainError {
        match self {
            #[allow(clippy::panic, reason = "what it is for")]
            Self::Panic => panic!("asked for"),
            Self::LostDevice => TrainError::Device { what: "a step".into(), cause: "the device was lost".into() },
            Self::NotFinite => TrainError::NotFinite { nimg, advice: "Resume it.".into() },
        }
    }
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
    /// Something that was asked for did not work; the training goes on.
    Notice(String),
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

impl TrainingSession {
    /// Starts the thread. Whatever goes wrong from here on is an event.
    ///
    /// # Errors
    /// If the system refuses the thread.
    pub fn start(folder: PathBuf, start: Start, device: Device) -> Result<Self, TrainError> {
        Self::launch(folder, start, device, Arc::new(|| {}), || {})
    }

    /// The same beside a window: the training gives way to all other threads, and `wake` is called after each event.
    ///
    /// # Errors
    /// If the system refuses the thread.
    pub fn start_in_background(folder: PathBuf, start: Start, device: Device, wake: Wake) -> Result<Self, TrainError> {
        Self::launch(folder, start, device, wake, courtesy::give_way)
    }

    fn launch(
        folder: PathBuf,
        start: Start,
        device: Device,
        wake: Wake,
        before: impl FnOnce() + Send + 'static,
    ) -> Result<Self, TrainError> {
        let (commands, inbox) = bounded(COMMANDS);
        let (outbox, events) = bounded(EVENTS);
        let (ema, abort) = (Mailbox::default(), Arc::new(AtomicBool::new(false)));
        let live = Arc::new(Live::default());
        let shared = Shared { ema: ema.clone(), live: Arc::clone(&live), abort: Arc::clone(&abort) };
        let body = move || {
            before();
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
        self.tell_last(TrainEvent::Failed { error: error_chain(error), proposal: proposal(error) });
    }
}

/// What to try after a failure.
fn proposal(error: &TrainError) -> String {
    let text = match error {
        TrainError::NotFinite { advice, .. } => advice,
        TrainError::Data(_) => "Run `stylescope dataset check` on the images, mend what it names, and resume.",
        TrainError::Write(_) | TrainError::Folder { .. } => "Free space or allow writing to the folder, then resume.",
        TrainError::Device { .. } | TrainError::Panicked(_) => {
            "Resume from the last checkpoint with a smaller batch, or on the CPU with --device cpu."
        }
        _ => "Mend what the message names, then start or resume again.",
    };
    text.to_owned()
}
