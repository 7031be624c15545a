//! Why a training could not begin or go on.

use std::{io, path::PathBuf};

use crate::{
    base::atomic_file::AtomicFileError,
    checkpoint::CheckpointError,
    model::{ModelError, config::ConfigError, state_dict::StateDictError},
};

/// Errors of a training.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The configuration asks for a training that cannot be.
    #[error("the training's configuration is not usable")]
    Config(#[from] ConfigError),
    /// A network could not be built or run.
    #[error("a network of the training failed")]
    Model(#[from] ModelError),
    /// Weights do not fit the networks of the configuration.
    #[error("weights do not fit the networks of this training")]
    Weights(#[from] StateDictError),
    /// A model file could not be read or written.
    #[error("a model file of the training failed")]
    ModelFile(#[from] CheckpointError),
    /// A file of the run could not be written.
    #[error("the run could not be saved")]
    Write(#[from] AtomicFileError),
    /// A file of the run could not be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the run is not what it should be.
    #[error("{} is damaged: {cause}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The folder of the run cannot be used as asked.
    #[error("{} {what}", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it and what to do, e.g. `holds a run already; continue it with --resume`.
        what: String,
    },
    /// The state of a training lacks something, or has it in another shape.
    #[error("the checkpoint does not fit this training: {0}")]
    State(String),
    /// The networks of another model cannot be taken over.
    #[error("the model cannot be the start of this training: {0}")]
    Transfer(String),
    /// The images could not be read.
    #[error("the training's images could not be read: {0}")]
    Data(String),
    /// The device failed.
    #[error("{what} failed on the device: {cause}")]
    Device {
        /// What was computed or read.
        what: String,
        /// What the device said.
        cause: String,
    },
    /// The operating system refused a thread.
    #[error("the training's thread could not be started")]
    Thread(#[source] io::Error),
    /// The training's thread panicked.
    #[error("the training stopped unexpectedly: {0}")]
    Panicked(String),
    /// A loss is no number any more.
    #[error("the losses are no numbers any more (NaN or infinite) after {nimg} images")]
    NotFinite {
        /// Images shown until it was noticed.
        nimg: u64,
        /// What to try.
        advice: String,
    },
}
