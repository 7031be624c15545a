//! Training that begins with the weights of another model.

use crate::{
    checkpoint::{Checkpoint, CheckpointError},
    model::state_dict::StateDict,
};

/// The generator's weights, and the discriminator's where the file has one that can be read.
pub type InitialWeights = (StateDict, Option<StateDict>);

/// Reads what a training can begin with: the generator of this name, else the one that the explorer would show.
///
/// # Errors
/// If the file has no such generator, or a network cannot be read.
pub fn initial_weights(checkpoint: &Checkpoint, network: Option<&str>) -> Result<InitialWeights, CheckpointError> {
    let index = checkpoint.generator_named(network)?;
    let (_, generator) = checkpoint.load_generator(index)?;
    let discriminator = match checkpoint.discriminator() {
        Some(index) => Some(checkpoint.load_discriminator(index)?.1),
        None => None,
    };
    Ok((generator, discriminator))
}
