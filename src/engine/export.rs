//! Writing files that take a while, in the background: the open model in another format, and animations.

use std::{
    cell::Cell,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    base::{error_chain::error_chain, worker::catch},
    checkpoint::{CheckpointError, ExportFormat, Precision, Progress, export_with},
    engine::{
        events::Events,
        message::{EngineEvent, ModelId, OpenTicket},
        model::OpenModel,
        open::Current,
        render::RenderError,
        sweep::{self, Sweep, SweepError},
    },
    model::{ModelError, Placement},
};

/// A model to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportModel {
    /// The model.
    pub model: ModelId,
    /// What to write.
    pub format: ExportFormat,
    /// How values are written, in the two safetensors formats.
    pub precision: Precision,
    /// Where it goes, replacing what is there.
    pub path: PathBuf,
}

/// Why a model was not written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The model is not open any more.
    #[error(transparent)]
    Closed(#[from] RenderError),
    /// Its weights could not be brought back from the device.
    #[error("the weights could not be read")]
    Weights(#[from] ModelError),
    /// The file could not be written.
    #[error(transparent)]
    File(#[from] CheckpointError),
    /// The animation could not be made.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// Something panicked.
    #[error("the export failed unexpectedly: {0}")]
    Panicked(String),
}

/// What is written.
#[allow(clippy::large_enum_variant, reason = "there is one at a time")]
pub(crate) enum Work {
    /// A model; `None` if it is not open any more.
    Model(Option<Arc<OpenModel>>, ExportModel),
    /// An animation.
    Sweep(Sweep, Placement),
}

/// One export.
pub(crate) struct ExportJob {
    pub ticket: OpenTicket,
    pub work: Work,
    pub events: Events,
    pub current: Current,
    /// The file was about to take its name and nobody had given it up: now nobody can.
    pub committed: Cell<bool>,
}

impl ExportJob {
    /// Writes the model and tells how it ended.
    pub fn run(self) {
        let result = catch(|| self.write()).unwrap_or_else(|message| Err(ExportError::Panicked(message)));
        if !self.committed.get() && !self.current.finish(self.ticket) {
            // Who cancelled it has told of it.
            return;
        }
        let path = self.path().to_owned();
        self.events.push(match result {
            Ok(()) => EngineEvent::Exported(path),
            Err(error) => EngineEvent::ExportFailed { path, message: error_chain(&error) },
        });
    }

    /// The file.
    pub fn path(&self) -> &Path {
        match &self.work {
            Work::Model(_, export) => &export.path,
            Work::Sweep(sweep, _) => &sweep.path,
        }
    }

    fn write(&self) -> Result<(), ExportError> {
        let (model, export) = match &self.work {
            Work::Sweep(sweep, placement) => return Ok(sweep::write(sweep, placement, self)?),
            Work::Model(model, export) => (model, export),
        };
        let ExportModel { model: id, format, precision, path } = export;
        let model = model.as_ref().ok_or(RenderError::NotOpen(*id))?;
        let weights = model.generator.state_dict()?;
        let notes = [("source".to_owned(), model.summary.name.clone())];
        Ok(export_with(path, *format, *precision, model.generator.config(), &weights, &notes, self)?)
    }
}

impl Progress for ExportJob {
    fn advance(&self, done: u64, total: u64) {
        if !self.cancelled() {
            self.events.push(EngineEvent::ExportProgress { done, total });
        }
    }

    fn cancelled(&self) -> bool {
        !self.current.is(self.ticket)
    }

    fn commit(&self) -> bool {
        self.committed.set(self.current.finish(self.ticket));
        self.committed.get()
    }
}
