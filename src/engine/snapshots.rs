//! Models of a training: its snapshots, and the moving average of one that runs. They take each other's place while the
//! pose stays; the image of the one before is shown until that of the next is there.
//!
//! One thread makes them. The newest request wins, as with images, and networks that were made stay for a while.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use burn::tensor::Device;

use crate::{
    base::{
        error_chain::error_chain,
        mailbox::{Mailbox, Received},
        worker::{Outcome, catch},
    },
    checkpoint::{self, CheckpointError, Progress, SnapshotFile},
    engine::{
        cache::RecentlyUsed,
        events::Events,
        message::{EngineEvent, ModelId, OpenTicket},
        model::{Models, OpenModel, Origin},
        open::OpenError,
        statistics::StatisticsJob,
    },
    model::Placement,
    training::session::EmaSnapshot,
};

/// Bytes that networks of snapshots may take together while nobody shows them.
pub const KEPT_BYTES: usize = 512 << 20;
/// A network on the CPU takes so many times its weights: the kernels keep 36 transformed values beside 9.
const CPU_FACTOR: usize = 5;
/// While requests keep coming, a reading is given up for a newer one only if the last network is younger than this.
const FRESH: Duration = Duration::from_millis(300);
/// When no request has come for so long, what is less urgent is worked out.
const IDLE: Duration = Duration::from_secs(1);

/// Weights of a training.
#[derive(Debug, Clone)]
pub enum Snapshot {
    /// In a file.
    File(SnapshotFile),
    /// In memory, from a training that writes to the folder `run`.
    Live {
        /// The folder.
        run: PathBuf,
        /// The weights.
        ema: Arc<EmaSnapshot>,
    },
}

impl Snapshot {
    /// Images that had been shown to the networks.
    pub fn nimg(&self) -> u64 {
        match self {
            Self::File(file) => file.nimg,
            Self::Live { ema, .. } => ema.nimg,
        }
    }
}

impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(a), Self::File(b)) => a == b,
            (Self::Live { ema: a, .. }, Self::Live { ema: b, .. }) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

/// The snapshots that the window wants to show.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotRequest {
    /// The one whose pose is edited.
    pub shown: Snapshot,
    /// One to compare it with.
    pub against: Option<Snapshot>,
}

/// A request as it waits for its thread.
#[derive(Debug)]
pub(crate) struct Asked {
    pub ticket: OpenTicket,
    pub request: SnapshotRequest,
}

/// A file as it was when it was read: a training that is resumed may write it again.
type Key = (PathBuf, u64, Option<SystemTime>);

/// What the thread owns.
pub(crate) struct SnapshotLoader {
    requests: Mailbox<Asked>,
    placement: Placement,
    models: Models,
    events: Events,
    /// Numbers for models, shared with the openings.
    tickets: Arc<AtomicU64>,
    rendering: Arc<AtomicBool>,
    stopping: Arc<AtomicBool>,
    kept: RecentlyUsed<Key, Arc<OpenModel>>,
    last_made: Option<Instant>,
    /// A model whose statistics nobody has worked out yet.
    unmeasured: Option<ModelId>,
}

/// What the engine's threads share.
pub(crate) struct Shared {
    pub placement: Placement,
    pub models: Models,
    pub events: Events,
    pub tickets: Arc<AtomicU64>,
    pub rendering: Arc<AtomicBool>,
    pub stopping: Arc<AtomicBool>,
}

impl SnapshotLoader {
    pub fn new(requests: Mailbox<Asked>, shared: Shared) -> Self {
        let Shared { placement, models, events, tickets, rendering, stopping } = shared;
        let kept = RecentlyUsed::new(KEPT_BYTES);
        Self {
            requests,
            placement,
            models,
            events,
            tickets,
            rendering,
            stopping,
            kept,
            last_made: None,
            unmeasured: None,
        }
    }

    /// Waits for a request and answers it.
    pub fn step(&mut self) -> Outcome {
        match self.requests.receive(IDLE) {
            Received::Closed => return Outcome::Finished,
            Received::TimedOut => self.measure(),
            Received::Value(asked) => self.answer(asked),
        }
        Outcome::Again
    }

    fn answer(&mut self, Asked { ticket, request }: Asked) {
        let SnapshotRequest { shown, against } = &request;
        let made = catch(|| {
            let against = against.as_ref().map(|against| self.model(against)).transpose()?;
            Ok((self.model(shown)?, against))
        });
        let made = made.unwrap_or_else(|message| Err(OpenError::Panicked(message)));
        match made {
            Ok((shown, against)) => {
                self.last_made = Some(Instant::now());
                self.unmeasured = Some(shown.summary.id);
                let summary = |model: &Arc<OpenModel>| Arc::clone(&model.summary);
                let (of_shown, of_against) = (summary(&shown), against.as_ref().map(summary));
                // The one that is shown comes last: what was added before it may go when it has its first frame.
                against.into_iter().for_each(|model| self.models.add(model));
                self.models.add(shown);
                self.events.push(EngineEvent::SnapshotsReady { ticket, shown: of_shown, against: of_against });
            }
            Err(OpenError::File(CheckpointError::Cancelled { .. })) if self.requests.has_value() => {}
            Err(error) => {
                let message = error_chain(&error);
                log::error!("{message}");
                self.events.push(EngineEvent::SnapshotFailed { ticket, message });
            }
        }
    }

    /// The network of a snapshot: one that was kept, or a new one.
    fn model(&mut self, snapshot: &Snapshot) -> Result<Arc<OpenModel>, OpenError> {
        let id = || ModelId(self.tickets.fetch_add(1, Ordering::Relaxed));
        match snapshot {
            Snapshot::Live { run, ema } => {
                let origin = Origin {
                    path: Some(run.clone()),
                    name: run.file_name().unwrap_or(run.as_os_str()).to_string_lossy().into_owned(),
                    nimg: Some(ema.nimg),
                    details: vec![format!("The moving average of the training in {}", run.display())],
                    ..Origin::default()
                };
                let (config, weights) = (ema.config.clone(), ema.weights.clone());
                Ok(Arc::new(OpenModel::from_weights(id(), origin, config, weights, &self.placement)?))
            }
            Snapshot::File(file) => {
                let key = key(&file.path);
                if let Some(model) = self.kept.get(&key) {
                    return Ok(model);
                }
                let checkpoint = checkpoint::open(&file.path, self)?;
                let model = Arc::new(OpenModel::build(id(), checkpoint, None, &self.placement, self)?);
                self.kept.insert_weighing(key, Arc::clone(&model), self.bytes(&model));
                Ok(model)
            }
        }
    }

    fn bytes(&self, model: &OpenModel) -> usize {
        let factor = if self.placement.synthesis == Device::flex() { CPU_FACTOR } else { 1 };
        model.num_values.saturating_mul(size_of::<f32>() * factor)
    }

    /// Works out the statistics of the model that was made last.
    fn measure(&mut self) {
        let Some(model) = self.unmeasured.take() else { return };
        let (models, events) = (self.models.clone(), self.events.clone());
        let (rendering, stopping) = (Arc::clone(&self.rendering), Arc::clone(&self.stopping));
        let requests = self.requests.clone();
        StatisticsJob { model, models, events, rendering, stopping }.run(|| requests.has_value());
    }
}

impl Progress for SnapshotLoader {
    fn advance(&self, _: u64, _: u64) {}

    fn cancelled(&self) -> bool {
        let fresh = self.last_made.is_some_and(|at| at.elapsed() < FRESH);
        self.requests.is_closed() || (fresh && self.requests.has_value())
    }
}

fn key(path: &Path) -> Key {
    let metadata = std::fs::metadata(path).ok();
    let length = metadata.as_ref().map_or(0, std::fs::Metadata::len);
    (path.to_owned(), length, metadata.and_then(|metadata| metadata.modified().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checkpoint::save_safetensors,
        engine::bundled,
        model::{
            Generator,
            config::{ChannelTable, GeneratorConfig},
        },
    };
    use std::sync::Weak;

    fn loader(capacity: usize) -> SnapshotLoader {
        let shared = Shared {
            placement: Placement::cpu(),
            models: Models::default(),
            events: Events::new(Arc::new(|| {})),
            tickets: Arc::new(AtomicU64::new(1)),
            rendering: Arc::default(),
            stopping: Arc::default(),
        };
        SnapshotLoader { kept: RecentlyUsed::new(capacity), ..SnapshotLoader::new(Mailbox::default(), shared) }
    }

    #[test]
    fn networks_are_kept_within_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("snapshots")).unwrap();
        let mut config = bundled::checkpoint().unwrap().load_generator(0).unwrap().0;
        if let GeneratorConfig::StyleGan2(config) = &mut config {
            config.resolution = 8;
            config.channels = ChannelTable::from_base(64, 8, 8);
        }
        let weights = Generator::init(config.clone(), 1, &Placement::cpu()).unwrap().state_dict().unwrap();
        let bytes = weights.num_values() * size_of::<f32>() * CPU_FACTOR;
        let files: Vec<SnapshotFile> = (0..6)
            .map(|nimg| {
                let path = folder.path().join(format!("snapshots/{nimg:09}.safetensors"));
                save_safetensors(&path, &config, &weights, &[]).unwrap();
                SnapshotFile::of(&path).unwrap()
            })
            .collect();
        // Room for three and a half.
        let mut loader = loader(3 * bytes + bytes / 2);
        let made: Vec<Weak<OpenModel>> =
            files.iter().map(|file| Arc::downgrade(&loader.model(&Snapshot::File(file.clone())).unwrap())).collect();
        let alive = |made: &[Weak<OpenModel>]| made.iter().map(|model| model.strong_count()).collect::<Vec<_>>();
        assert_eq!(alive(&made), [0, 0, 0, 1, 1, 1], "those that rested longest are gone");
        let again = loader.model(&Snapshot::File(files[3].clone())).unwrap();
        assert!(std::ptr::eq(Arc::as_ptr(&again), made[3].as_ptr()), "it was not made again");
        drop(again);
        loader.model(&Snapshot::File(files[0].clone())).unwrap();
        assert_eq!(alive(&made), [0, 0, 0, 1, 0, 1], "the one that was used stays");
    }
}
