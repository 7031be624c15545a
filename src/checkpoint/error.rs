//! Why a file could not be opened or saved.

use std::path::{Path, PathBuf};

use super::pickle::PickleError;
use crate::{base::atomic_file::AtomicFileError, model::config::ConfigError};

/// What can be opened, for every message about a file that cannot.
pub const WHAT_OPENS: &str = "Stylescope opens official StyleGAN2 pickles (PyTorch), official StyleGAN and StyleGAN2 \
    pickles (TensorFlow), community StyleGAN2 and StyleGAN checkpoints (.pt), state dicts of these (.pt, .safetensors), \
    folders of trainings and its own .safetensors";

/// A file that could not be opened or saved.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file could not be read.
    #[error("{} cannot be read; check that it exists and that you may read it", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What is at the path is no file of a size that a model can have.
    #[error("{} {what}; choose a model file", .path.display())]
    NotAModelFile {
        /// The path.
        path: PathBuf,
        /// What it is instead.
        what: String,
    },
    /// The file has no network of the name that was asked for.
    #[error("{} has no generator {name}; it has {known}", .path.display())]
    NoSuchNetwork {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
        /// The generators that it has.
        known: String,
    },
    /// The user asked to stop.
    #[error("opening {} was cancelled", .path.display())]
    Cancelled {
        /// The file.
        path: PathBuf,
    },
    /// The user asked to stop writing. What was there before is still there.
    #[error("writing {} was cancelled", .path.display())]
    ExportCancelled {
        /// The target.
        path: PathBuf,
    },
    /// The file is damaged, hostile or of a kind that is not supported.
    #[error("{} cannot be opened", .path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Place, cause and remedy.
        #[source]
        fault: Fault,
    },
    /// The file could not be written. What was there before is still there.
    #[error("the model was not saved")]
    Save(#[from] AtomicFileError),
    /// The network cannot be written.
    #[error("{} was not saved", .path.display())]
    Unsaved {
        /// The target.
        path: PathBuf,
        /// Why.
        #[source]
        fault: Fault,
    },
}

/// What is wrong inside of a file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// A part of the file contradicts its format.
    #[error("{place}: {cause}; the file is damaged or was made to do harm, get it again from where it came from")]
    Damaged {
        /// Offset, entry or array.
        place: String,
        /// What is wrong there.
        cause: String,
    },
    /// The pickle in the file was refused.
    #[error("{place} was refused; the file is damaged or no model file, get it again from where it came from")]
    Pickle {
        /// Which pickle of the file.
        place: String,
        /// Where in it and why.
        source: PickleError,
    },
    /// A weight is missing or does not fit the others.
    #[error("{network}: {cause}; {WHAT_OPENS}")]
    Weights {
        /// Which network of the file.
        network: String,
        /// What is missing or wrong.
        cause: String,
    },
    /// The network is beyond what the program runs.
    #[error("{network} is not supported")]
    Config {
        /// Which network of the file.
        network: String,
        /// Which number.
        source: ConfigError,
    },
    /// The system could not read a part of the file.
    #[error("a part of it cannot be read ({cause}); check the disk, and that nothing changes the file meanwhile")]
    Unreadable {
        /// What the system said.
        cause: String,
    },
    /// The user asked to stop.
    #[error("it was cancelled")]
    Cancelled,
    /// The file is intact, but of something else.
    #[error("it is {what}; {WHAT_OPENS}")]
    Unsupported {
        /// What it is.
        what: String,
    },
}

impl Fault {
    pub(super) fn damaged(place: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::Damaged { place: place.into(), cause: cause.into() }
    }

    pub(super) fn pickle(place: impl Into<String>) -> impl FnOnce(PickleError) -> Self {
        let place = place.into();
        move |source| Self::Pickle { place, source }
    }

    pub(super) fn unreadable(error: &std::io::Error) -> Self {
        Self::Unreadable { cause: error.to_string() }
    }

    pub(super) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into() }
    }

    pub(super) fn in_file(self, path: &Path) -> CheckpointError {
        let path = path.to_owned();
        match self {
            Self::Cancelled => CheckpointError::Cancelled { path },
            fault => CheckpointError::Refused { path, fault },
        }
    }
}

/// `text` for a message: names come from the file and may be long or hold control characters.
pub(super) fn shown(text: &str) -> String {
    const MAX_CHARS: usize = 80;
    let mut result: String = text.chars().take(MAX_CHARS).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        result.push('…');
    }
    result
}
