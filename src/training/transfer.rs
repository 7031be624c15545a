//! Training that begins with the weights of another model.

use super::TrainConfig;
use crate::{
    checkpoint::{Checkpoint, CheckpointError},
    model::{state_dict::StateDict, trainable::in_block},
};

/// The generator's weights, and the discriminator's where the file has one that can be read.
pub type InitialWeights = (StateDict, Option<StateDict>);

/// Thousands of images that a discriminator without a past sees before it teaches a generator that has one, at most.
const DISCRIMINATOR_FIRST_KIMG: f64 = 4.0;
/// The same as a share of the whole training, at most.
const DISCRIMINATOR_FIRST_SHARE: f64 = 0.05;

/// [`TrainConfig::discriminator_first_kimg`] of a training that begins like this and was not told.
pub fn discriminator_first_kimg(config: &TrainConfig, init: &Option<InitialWeights>) -> f64 {
    match init {
        Some((_, None)) => DISCRIMINATOR_FIRST_KIMG.min(DISCRIMINATOR_FIRST_SHARE * config.kimg),
        Some((_, Some(_))) | None => 0.0,
    }
}

/// Names of the weights that turn features into colours, of resolutions that `source` does not know: a generator that adds
/// up the images of its blocks shows the image of `source`, enlarged, as long as these are zero. None for other generators,
/// which make their image in the last block alone.
pub(super) fn new_colours<'a>(names: impl Iterator<Item = &'a str>, source: &StateDict) -> Vec<String> {
    let side = |name: &str| in_block(name).filter(|(_, weight)| *weight == "torgb.weight").map(|(side, _)| side);
    let known = source.0.keys().filter_map(|name| side(name)).max();
    let own: Vec<(usize, &str)> = names.filter_map(|name| Some((side(name)?, name))).collect();
    let Some(known) = known.filter(|_| own.len() > 1) else { return Vec::new() };
    own.into_iter().filter(|(side, _)| *side > known).map(|(_, name)| name.to_owned()).collect()
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::state_dict::HostTensor,
        training::preset::{Preset, PresetOptions},
    };

    fn source(names: &[&str]) -> StateDict {
        let tensor = HostTensor { shape: vec![1], data: vec![1.0] };
        StateDict(names.iter().map(|name| ((*name).to_owned(), tensor.clone())).collect())
    }

    #[test]
    fn only_blocks_that_the_source_lacks_begin_without_colours() {
        let own = ["synthesis.b4.torgb.weight", "synthesis.b8.torgb.weight", "synthesis.b16.torgb.weight"];
        let small = source(&["synthesis.b4.torgb.weight", "synthesis.b8.torgb.weight", "synthesis.b8.conv1.weight"]);
        assert_eq!(new_colours(own.into_iter(), &small), ["synthesis.b16.torgb.weight"]);
        assert!(new_colours(own.into_iter(), &source(&own)).is_empty());
        assert!(new_colours(own[2..].iter().copied(), &small).is_empty(), "a residual generator has one image");
        assert!(new_colours(own.into_iter(), &source(&["mapping.fc0.weight"])).is_empty());
    }

    #[test]
    fn a_discriminator_without_a_past_comes_first() {
        let config = |kimg| Preset::StyleGan2E.build(&PresetOptions { kimg, ..PresetOptions::default() }).unwrap();
        let (init, whole) = ((source(&[]), None), (source(&[]), Some(source(&[]))));
        assert_eq!(discriminator_first_kimg(&config(1000.0), &Some(init.clone())), DISCRIMINATOR_FIRST_KIMG);
        assert_eq!(discriminator_first_kimg(&config(2.0), &Some(init)), 0.1);
        assert_eq!(discriminator_first_kimg(&config(1000.0), &Some(whole)), 0.0);
        assert_eq!(discriminator_first_kimg(&config(1000.0), &None), 0.0);
        let config = TrainConfig { discriminator_first_kimg: Some(0.5), ..config(1.0) };
        assert!(config.is_discriminator_first(499) && !config.is_discriminator_first(500));
    }
}
