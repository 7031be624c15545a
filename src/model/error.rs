//! Why a generator could not be built or run.

use super::{config::ConfigError, state_dict::StateDictError};

/// Errors of [`super::Generator`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// The configuration asks for a network that cannot be.
    #[error("the network's configuration is not usable")]
    Config(#[from] ConfigError),
    /// The weights do not fit the configuration.
    #[error("the network's weights do not fit its configuration")]
    Weights(#[from] StateDictError),
    /// An input has another shape than the network needs.
    #[error("{what} has shape {found:?}, the network needs {expected}")]
    Input {
        /// Which input.
        what: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// The shape it must have, in words.
        expected: String,
    },
    /// A conditional network was asked without a label, or the other way round.
    #[error("{0}")]
    Label(&'static str),
    /// A block was asked for that does not exist.
    #[error("block {index} of a network with {count} blocks")]
    Block {
        /// The block.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// [`super::Generator::finish`] before the last block.
    #[error("the image is not finished: not every block has run")]
    Unfinished,
    /// Values could not be read from the device.
    #[error("reading {what} from the device failed: {cause}")]
    Device {
        /// What was read.
        what: String,
        /// What the device said.
        cause: String,
    },
}
