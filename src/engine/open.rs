//! Opening a model in the background: read, build, hand over.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    base::{error_chain::error_chain, worker::catch},
    checkpoint::{self, CheckpointError, Progress},
    engine::{
        bundled,
        events::Events,
        message::{EngineEvent, ModelId, ModelSource, OpenTicket},
        model::{Models, OpenModel},
        tuning::Tuning,
    },
    model::{ModelError, Placement},
    ops::gpu::{self, Choice, LayerShape},
};

/// Why a model was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] CheckpointError),
    /// The network could not be built from what the file holds.
    #[error("the network could not be built")]
    Build(#[from] ModelError),
    /// Something panicked.
    #[error("opening failed unexpectedly: {0}")]
    Panicked(String),
}

/// The opening (or export) that is under way. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Current(Arc<AtomicU64>);

impl Current {
    /// Makes `ticket` the current opening; the one before is given up.
    pub fn begin(&self, ticket: OpenTicket) {
        self.0.store(ticket.0, Ordering::Release);
    }

    /// Gives up the current opening, if there is one.
    pub fn cancel(&self) -> Option<OpenTicket> {
        let ticket = self.0.swap(0, Ordering::AcqRel);
        (ticket != 0).then_some(OpenTicket(ticket))
    }

    /// Whether `ticket` is still wanted.
    pub fn is(&self, ticket: OpenTicket) -> bool {
        self.0.load(Ordering::Acquire) == ticket.0
    }

    /// Ends the opening; false if it was given up before.
    pub fn finish(&self, ticket: OpenTicket) -> bool {
        self.0.compare_exchange(ticket.0, 0, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// One opening.
pub(crate) struct OpenJob {
    pub ticket: OpenTicket,
    pub source: ModelSource,
    pub placement: Placement,
    pub models: Models,
    pub events: Events,
    pub current: Current,
    /// On a GPU.
    pub tuning: Option<Tuning>,
}

impl OpenJob {
    /// Opens the model and tells of it, unless it was given up. Returns the model that was opened.
    pub fn run(self) -> Option<ModelId> {
        let opened = catch(|| self.open()).unwrap_or_else(|message| Err(OpenError::Panicked(message)));
        if let (Ok(model), Some(tuning)) = (&opened, &self.tuning) {
            self.tune(model, tuning);
        }
        if !self.current.finish(self.ticket) {
            return None;
        }
        match opened {
            Ok(model) => {
                let summary = Arc::clone(&model.summary);
                self.models.add(Arc::new(model));
                let id = summary.id;
                self.events.push(EngineEvent::Opened(summary));
                Some(id)
            }
            Err(error) => {
                let message = error_chain(&error);
                log::error!(
                    "{}: {message}",
                    self.path().map_or("the bundled model".into(), |path| path.to_string_lossy())
                );
                let path = self.path().map(Path::to_owned);
                self.events.push(EngineEvent::OpenFailed { ticket: self.ticket, path, message });
                None
            }
        }
    }

    fn path(&self) -> Option<&Path> {
        match &self.source {
            ModelSource::Path(path) | ModelSource::Network(path, _) => Some(path),
            ModelSource::Bundled => None,
        }
    }

    fn open(&self) -> Result<OpenModel, OpenError> {
        let id = ModelId(self.ticket.0);
        let (path, network) = match &self.source {
            ModelSource::Bundled => return bundled::open(id, &self.placement),
            ModelSource::Path(path) => (path, None),
            ModelSource::Network(path, network) => (path, Some(network.as_str())),
        };
        let checkpoint = checkpoint::open(path, &Half { job: self, second: false })?;
        OpenModel::build(id, checkpoint, network, &self.placement, &Half { job: self, second: true })
    }

    /// Finds the fastest kernels before the first image needs them.
    fn tune(&self, model: &OpenModel, tuning: &Tuning) {
        let device = &self.placement.synthesis;
        let time =
            |shape: &LayerShape, choice: Choice| gpu::measure(device, shape, choice).map_err(|error| error.to_string());
        let tell = |tuned| self.events.push(EngineEvent::TuneProgress { ticket: self.ticket, tuned });
        tuning.run(&model.generator.kernel_layers(1), time, tell, || self.cancelled());
    }

    fn cancelled(&self) -> bool {
        !self.current.is(self.ticket)
    }
}

/// One bar for both steps: what has a checksum is read while the file is opened, the weights after that.
struct Half<'a> {
    job: &'a OpenJob,
    second: bool,
}

impl Progress for Half<'_> {
    fn advance(&self, done: u64, total: u64) {
        let OpenJob { ticket, events, .. } = self.job;
        if !self.cancelled() {
            let done = if self.second { total + done } else { done };
            events.push(EngineEvent::OpenProgress { ticket: *ticket, done, total: 2 * total });
        }
    }

    fn cancelled(&self) -> bool {
        self.job.cancelled()
    }
}
