//! The thread's loop: batches, steps, commands.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use burn::tensor::Device;
use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::{EmaSnapshot, Live, Outlet, Past, Start, TrainCommand, TrainEvent, persist::Average};
use crate::{
    base::{error_chain::error_chain, mailbox::Mailbox},
    checkpoint::run_snapshots,
    data::{Dataset, DatasetOptions, Loader, LoaderOptions},
    training::{
        TrainConfig,
        checkpoint_store::{self, SavedState},
        config::DatasetSource,
        diversity::Reference,
        error::TrainError,
        growing,
        history::{self, HistoryLine},
        preflight::remaining_seconds,
        run_folder::{self, RunFolder},
        ticks::{Tick, Ticks},
        trainer::{Batch, Phases, Progress, Trainer, TrainerState},
        transfer,
    },
};

/// Steps that are timed for [`TrainEvent::Speed`].
const TIMED_STEPS: u64 = 4;
/// After a failed write the training tries again by itself after this time.
const RETRY: Duration = Duration::from_secs(30);

/// The images of a training.
fn open_dataset(config: &TrainConfig) -> Result<Dataset, TrainError> {
    let resolution = config.resolution();
    let result = match &config.dataset.source {
        DatasetSource::Portraits { seed } => {
            let portraits = Dataset::portraits_without(*seed, resolution, Vec::new(), config.dataset.mirror);
            if config.generator.label_dim() > 0 { portraits.map(Dataset::with_hair_styles) } else { portraits }
        }
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
pub(super) struct Shared {
    pub(super) ema: Mailbox<EmaSnapshot>,
    pub(super) live: Arc<Live>,
    pub(super) abort: Arc<AtomicBool>,
}

/// Everything that the thread works with.
pub(super) struct Run {
    pub(super) folder: RunFolder,
    pub(super) config: TrainConfig,
    pub(super) device: Device,
    pub(super) dataset: Dataset,
    pub(super) trainer: Trainer,
    pub(super) progress: Progress,
    pub(super) seconds: f64,
    pub(super) loader: Option<(Loader, usize)>,
    pub(super) inbox: Receiver<TrainCommand>,
    pub(super) outlet: Outlet,
    pub(super) shared: Shared,
    pub(super) notes: Vec<String>,
    /// Until it is told.
    pub(super) history: Vec<HistoryLine>,
    /// What generated images are compared with; made when it is first needed.
    pub(super) reference: Option<Reference>,
    pub(super) average: Option<Average>,
}

/// Whether to go on after looking at the commands.
#[derive(PartialEq, Eq)]
pub(super) enum Next {
    Train,
    /// One step of one network, then a pause.
    Step(Phases),
    Stop,
}

impl Run {
    pub fn new(
        path: PathBuf,
        start: Start,
        device: Device,
        inbox: Receiver<TrainCommand>,
        outlet: Outlet,
        shared: Shared,
    ) -> Result<Self, TrainError> {
        let mut notes = Vec::new();
        let (folder, dataset, init, resume) = match start {
            Start::New { mut config, init } => {
                let first = transfer::discriminator_first_kimg(&config, &init);
                let first = *config.discriminator_first_kimg.get_or_insert(first);
                if first > 0.0 {
                    notes.push(format!(
                        "The discriminator is trained alone for the first {} images.",
                        (1000.0 * first).round()
                    ));
                }
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
            reference: None,
            average: None,
        })
    }

    pub fn run(&mut self) -> Result<(), TrainError> {
        let total = self.config.total_images();
        self.outlet.tell(TrainEvent::Begun {
            parameters: self.trainer.num_parameters(),
            nimg: self.progress.nimg,
            total,
            notes: std::mem::take(&mut self.notes),
            past: Box::new(Past {
                config: self.config.clone(),
                history: std::mem::take(&mut self.history),
                snapshots: run_snapshots(self.folder.path())?,
                sample: run_folder::newest_sample(self.folder.path())?,
            }),
        });
        let ticks = Ticks::of(&self.config);
        if self.progress.nimg == 0 {
            // A kill before the first tick then loses nothing but that tick.
            self.persist(0)?;
        }
        let mut tick_start = (Instant::now(), self.progress.nimg, self.waited());
        let mut timed = Some((self.progress.iteration, 0.0));
        // A single step of one network begins a pause, whose end says what comes next.
        let mut pause = None;
        while self.progress.nimg < total {
            let (phases, step_of_one) = match self.listen(pause.take())? {
                Next::Train => (Phases { g: !self.config.is_discriminator_first(self.progress.nimg), d: true }, false),
                Next::Step(phases) => (phases, true),
                Next::Stop => return self.end(false),
            };
            pause = step_of_one.then_some(None);
            self.average = None;
            let start = Instant::now();
            let batch = self.next_batch()?;
            let count = batch.1;
            self.trainer.step(&batch.0, self.progress, phases)?;
            let step_seconds = start.elapsed().as_secs_f64();
            let before = self.progress.nimg;
            self.progress.nimg += count as u64;
            self.progress.iteration += 1;
            self.shared.live.set(self.progress);
            let now = self.progress.nimg;
            let end = (now >= total).then(|| Tick::Whole(ticks.number(now)));
            if let Some(tick) = end.or_else(|| ticks.ended(before, now)) {
                self.tick(&tick_start)?;
                match tick {
                    Tick::Early => self.sample()?,
                    Tick::Whole(number) => self.persist(number)?,
                }
                tick_start = (Instant::now(), self.progress.nimg, self.waited());
                timed = None;
            }
            if !self.config.is_discriminator_first(self.progress.nimg)
                && let Some((first, seconds)) = &mut timed
            {
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

    pub(super) fn waited(&self) -> f64 {
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
    pub(super) fn listen(&mut self, pause: Option<Option<String>>) -> Result<Next, TrainError> {
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
                None => return Ok(Next::Train),
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
                Some(TrainCommand::StepG) => return Ok(Next::Step(Phases { g: true, d: false })),
                Some(TrainCommand::StepD) => return Ok(Next::Step(Phases { g: false, d: true })),
                Some(TrainCommand::SnapshotNow) => match self.snapshot() {
                    Ok(path) => self.outlet.tell(TrainEvent::Snapshot(path)),
                    // Asked for, not needed: it is told, and the training goes on.
                    Err(error) => {
                        self.outlet
                            .tell(TrainEvent::Notice(format!("The snapshot was not written: {}", error_chain(&error))));
                    }
                },
                Some(TrainCommand::Fail(fault)) => return Err(fault.happen(self.progress.nimg)),
            }
        }
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Run({}, {:?}, {:?})", self.folder.path().display(), self.progress, self.device)
    }
}
