//! What an iteration draws at random: a function of (seed, stream, iteration) and nothing else.

use super::{Progress, Trainer};
use crate::{
    grad::Var,
    training::{
        TrainConfig,
        ada::{AugmentConfig, AugmentPipe},
        config::Ada,
        losses::Latents,
        random::{Draws, Stream},
    },
};

impl Trainer {
    pub(super) fn latents(&self, stream: Stream, progress: Progress, batch: usize, label: Option<&Var>) -> Latents {
        let TrainConfig { seed, style_mixing_prob, ref generator, .. } = self.config;
        let z_dim = generator.z_dim();
        let mut draws = Draws::new(seed, stream, progress.iteration);
        let mut z = || Var::from_values(draws.normals(batch * z_dim), [batch, z_dim, 1, 1], &self.device);
        let (first, second) = (z(), z());
        let num_ws = generator.num_ws() as u64;
        let mixes = num_ws > 1 && draws.uniform() < style_mixing_prob;
        let mix = mixes.then(|| (second, 1 + draws.below(num_ws - 1) as usize));
        Latents { z: first, label: label.cloned(), mix }
    }

    /// Normal numbers for the noise inputs, a row a layer.
    pub(super) fn noise(&self, stream: Stream, progress: Progress) -> impl FnMut(usize) -> Vec<f32> + use<> {
        let (seed, mut layer) = (self.config.seed, 0);
        move |count| {
            let values = Draws::indexed(seed, stream, progress.iteration, layer).normals(count);
            layer += 1;
            values
        }
    }

    /// What happens to images before the discriminator sees them; nothing without augmentation.
    pub(super) fn augment(&self, stream: Stream, index: u32, progress: Progress) -> impl FnMut(&Var) -> Var + use<> {
        let (seed, ada, p) = (self.config.seed, self.config.ada, self.ada.p as f32);
        let pipe = AugmentPipe { config: AugmentConfig::bgc() };
        move |images| match ada {
            Ada::Off => images.clone(),
            Ada::Fixed { .. } | Ada::Adaptive { .. } => {
                pipe.apply(images, p, &mut Draws::indexed(seed, stream, progress.iteration, index))
            }
        }
    }
}
