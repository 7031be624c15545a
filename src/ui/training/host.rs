//! The running training: started on a thread of its own, because reading the weights to begin with takes a while, and
//! listened to without waiting.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, TryRecvError, bounded};

use super::view::{Phase, TrainingView};
use crate::{
    base::{error_chain::error_chain, worker::Worker},
    checkpoint::{self, Checkpoint, CheckpointError},
    engine::bundled,
    gpu::{device::Compute, separate::SeparateDevice},
    training::{
        TrainConfig,
        config::Changes,
        courtesy,
        session::{Start, TrainCommand, TrainingSession, Wake},
        transfer::{self, InitialWeights},
    },
};

/// What shall be trained.
#[derive(Debug, Clone)]
pub enum Launch {
    /// A new run in a folder of this name within `runs`, numbered.
    New {
        /// The folder that holds the runs.
        runs: PathBuf,
        /// What the run's folder is called before its number.
        stem: String,
        /// What is trained.
        config: Box<TrainConfig>,
        /// The model to begin with instead of fresh weights.
        init: Option<InitFrom>,
    },
    /// On from the newest checkpoint of this run.
    Resume {
        /// The run.
        folder: PathBuf,
        /// What is different from now on.
        changes: Changes,
    },
}

/// A model whose weights a training begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InitFrom {
    /// The one that comes with the program.
    Bundled,
    /// A network of a file, by its name there.
    File(PathBuf, String),
}

type Launched = Result<(PathBuf, TrainingSession), String>;

/// Owns the training's thread.
pub struct TrainingHost {
    device: SeparateDevice,
    wake: Wake,
    launching: Option<Receiver<Launched>>,
    /// What was asked of a training that is being launched.
    waiting: Vec<TrainCommand>,
    session: Option<TrainingSession>,
    /// When a hand moved something last, as long as the training takes fewer processors for it.
    hand_moved: Option<Instant>,
}

/// How long after a drag the training takes all processors again.
const HAND_RESTS: Duration = Duration::from_millis(600);

impl TrainingHost {
    /// Nothing runs yet. Trainings get a device of their own beside the window's, `compute`. `wake` is called when there is
    /// something to take over.
    pub fn new(compute: Compute, wake: Wake) -> Self {
        let device = SeparateDevice::new(compute);
        Self { device, wake, launching: None, waiting: Vec::new(), session: None, hand_moved: None }
    }

    /// What computes, for whoever trains a few steps to measure them.
    pub fn device(&self) -> SeparateDevice {
        self.device.clone()
    }

    /// Starts a training and gives back what is known of it; what goes wrong is seen by [`TrainingHost::poll`].
    ///
    /// # Errors
    /// If the operating system refuses a thread.
    pub fn start(&mut self, launch: Launch) -> std::io::Result<TrainingView> {
        let (send, receive) = bounded(1);
        let (device, wake, said) = (self.device.clone(), self.wake.clone(), send.clone());
        let folder = match &launch {
            Launch::New { runs, .. } => runs.clone(),
            Launch::Resume { folder, .. } => folder.clone(),
        };
        let last = self.session.take();
        let work = move || {
            // It has ended, but its thread may still hold the folder.
            drop(last);
            let launched = prepare(launch).and_then(|(folder, start)| {
                let compute = device.get().map_err(|error| error_chain(&error))?;
                TrainingSession::start_in_background(folder.clone(), start, compute.device, wake.clone())
                    .map(|session| (folder, session))
                    .map_err(|error| error_chain(&error))
            });
            // A window that closed meanwhile does not want it: the session ends as it is dropped.
            if send.try_send(launched).is_ok() {
                wake();
            }
        };
        Worker::once("train start", work, move |panic| drop(said.try_send(Err(panic))))?;
        self.launching = Some(receive);
        self.waiting.clear();
        Ok(TrainingView::new(folder))
    }

    /// Tells the training something; `false` if there is none or too much is waiting.
    pub fn send(&mut self, command: TrainCommand) -> bool {
        match &self.session {
            Some(session) => session.send(command),
            None if self.launching.is_some() => {
                self.waiting.push(command);
                true
            }
            None => false,
        }
    }

    /// Takes over what happened since the last call.
    pub fn poll(&mut self, view: &mut TrainingView) {
        self.take_launched(view);
        let Some(session) = &self.session else { return };
        // Asked before the events are taken, so that the last one is among them.
        let finished = session.is_finished();
        session.events().try_iter().for_each(|event| view.on_event(event));
        if let Some(ema) = session.ema().take() {
            view.ema = Some(ema.into());
        }
        view.on_progress(Instant::now(), session.progress());
        if finished {
            self.session = None;
            if view.phase.is_active() {
                view.phase = failed("the training ended without a word".into());
            }
            if matches!(view.phase, Phase::Failed { .. }) {
                self.device.suspect();
            }
        }
    }

    /// Lets the training take fewer processors while a hand moves something.
    pub fn make_room(&mut self, hand_moves: bool) {
        if hand_moves {
            if self.hand_moved.replace(Instant::now()).is_none() {
                courtesy::make_room(true);
            }
        } else if self.hand_moved.is_some_and(|moved| moved.elapsed() > HAND_RESTS) {
            self.hand_moved = None;
            courtesy::make_room(false);
        }
    }

    fn take_launched(&mut self, view: &mut TrainingView) {
        let Some(launching) = &self.launching else { return };
        match launching.try_recv() {
            Err(TryRecvError::Empty) => return,
            Ok(Ok((folder, session))) => {
                view.folder = folder;
                for command in self.waiting.drain(..) {
                    session.send(command);
                }
                self.session = Some(session);
            }
            Ok(Err(error)) => view.phase = failed(error),
            Err(TryRecvError::Disconnected) => view.phase = failed("the training could not be started".into()),
        }
        self.launching = None;
    }
}

fn failed(error: String) -> Phase {
    Phase::Failed { error, proposal: "Mend what the message names, then start or resume again.".into() }
}

/// Reads what the training begins with, and finds a folder for it.
fn prepare(launch: Launch) -> Result<(PathBuf, Start), String> {
    match launch {
        Launch::Resume { folder, changes } => Ok((folder, Start::Resume { changes })),
        Launch::New { runs, stem, config, init } => {
            let init = match init {
                None => None,
                Some(from) => {
                    let read = initial_weights(&from).map_err(|error| error_chain(&error))?;
                    Some(read)
                }
            };
            let free = (1u32..).map(|n| runs.join(format!("{stem}-{n:03}"))).find(|path| !path.exists());
            let folder = free.ok_or("there is no free name for the run's folder")?;
            Ok((folder, Start::New { config, init }))
        }
    }
}

fn initial_weights(from: &InitFrom) -> Result<InitialWeights, CheckpointError> {
    let (checkpoint, name): (Checkpoint, Option<&str>) = match from {
        InitFrom::Bundled => (bundled::checkpoint()?, None),
        InitFrom::File(path, name) => (checkpoint::open(path, &())?, Some(name)),
    };
    transfer::initial_weights(&checkpoint, name)
}
