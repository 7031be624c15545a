//! Writing the open model in another format, in the background.

use std::path::PathBuf;

use crate::{
    base::{error_chain::error_chain, worker::catch},
    checkpoint::{CheckpointError, ExportFormat, Precision, Progress, export_with},
    engine::{
        events::Events,
        message::{EngineEvent, ModelId, OpenTicket},
        model::Models,
        open::Current,
        render::RenderError,
    },
    model::ModelError,
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
    /// Something panicked.
    #[error("the export failed unexpectedly: {0}")]
    Panicked(String),
}

/// One export.
pub(crate) struct ExportJob {
    pub ticket: OpenTicket,
    pub export: ExportModel,
    pub models: Models,
    pub events: Events,
    pub current: Current,
}

impl ExportJob {
    /// Writes the model and tells how it ended.
    pub fn run(self) {
        let result = catch(|| self.write()).unwrap_or_else(|message| Err(ExportError::Panicked(message)));
        if !self.current.finish(self.ticket) {
            // Who cancelled it has told of it.
            return;
        }
        let path = self.export.path.clone();
        self.events.push(match result {
            Ok(()) => EngineEvent::Exported(path),
            Err(error) => EngineEvent::ExportFailed { path, message: error_chain(&error) },
        });
    }

    fn write(&self) -> Result<(), ExportError> {
        let ExportModel { model, format, precision, path } = &self.export;
        let model = self.models.get(*model).ok_or(RenderError::NotOpen(*model))?;
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
}
