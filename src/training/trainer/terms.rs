//! The losses and regularisers of an iteration, with what they draw.

use super::{Trainer, Turn};
use crate::{
    grad::{Var, no_graph},
    model::trainable::{Images, TrainNoise, Weights},
    training::{
        config::Loss,
        error::TrainError,
        optimizer::host,
        phases::{Augments, Phase, Reals, discriminator_main, discriminator_penalty, generator_main, generator_path},
        random::{Draws, Stream},
    },
};

/// What is descended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Term {
    Generator,
    PathLength,
    Discriminator,
    R1,
    R2,
}

impl Trainer {
    /// A term as a function of `weights`, those of the network that learns.
    pub(super) fn phase(&mut self, term: Term, weights: &Weights, turn: &Turn) -> Result<Phase, TrainError> {
        match term {
            Term::Generator => self.deceive(weights, turn),
            Term::PathLength => self.path(weights, turn),
            Term::Discriminator => self.discriminate(weights, turn),
            Term::R1 => self.r1(weights, turn),
            Term::R2 => self.r2(weights, turn),
        }
    }

    fn deceive(&self, weights: &Weights, turn: &Turn) -> Result<Phase, TrainError> {
        let &Turn { progress, reals, batch, .. } = turn;
        let latents = self.latents(Stream::GeneratorLatents, progress, batch, reals.label);
        let mut draw = self.noise(Stream::GeneratorNoise, progress);
        let mut fakes = self.augment(Stream::GeneratorAugment, 0, progress);
        let mut seen = self.augment(Stream::GeneratorAugment, 1, progress);
        let augments = Augments { fakes: Some(&mut fakes), reals: Some(&mut seen), points: None };
        let discriminator = self.d.weights(false);
        let noise = TrainNoise::Random(&mut draw);
        let weights = [weights, &discriminator];
        generator_main(&self.networks(), weights, &latents, noise, self.config.loss, reals, augments)
    }

    fn path(&mut self, weights: &Weights, turn: &Turn) -> Result<Phase, TrainError> {
        let progress = turn.progress;
        let batch = (turn.batch / self.config.pl_batch_shrink.max(1)).max(1);
        let label = turn.reals.label.map(|label| label.narrow(0, 0, batch));
        let latents = self.latents(Stream::PathLatents, progress, batch, label.as_ref());
        let side = Images::current_resolution(self.config.resolution(), self.lod.unwrap_or(0.0));
        let dims = [batch, self.config.generator.img_channels(), side, side];
        let y = Draws::new(self.config.seed, Stream::PathImage, progress.iteration).normals(dims.iter().product());
        let y = Var::from_values(y, dims, &self.device);
        let mut draw = self.noise(Stream::PathNoise, progress);
        let constants = [self.config.pl_weight, self.config.pl_decay];
        let noise = TrainNoise::Random(&mut draw);
        let (phase, mean) = generator_path(&self.networks(), weights, &latents, noise, &y, self.pl_mean, constants)?;
        // A single number a regularisation: reading it here keeps the next penalty free of a growing graph.
        self.pl_mean = host("the mean path length", mean.value().clone())?.first().copied().unwrap_or_default();
        Ok(phase)
    }

    fn discriminate(&self, weights: &Weights, turn: &Turn) -> Result<Phase, TrainError> {
        let &Turn { progress, reals, batch, .. } = turn;
        let latents = self.latents(Stream::DiscriminatorLatents, progress, batch, reals.label);
        let t = matches!(self.config.loss, Loss::WganGp { .. }).then(|| {
            let t = Draws::new(self.config.seed, Stream::Interpolation, progress.iteration).uniforms(batch);
            Var::from_values(t, [batch, 1, 1, 1], &self.device)
        });
        let mut draw = self.noise(Stream::DiscriminatorNoise, progress);
        let mut fakes = self.augment(Stream::FakeAugment, 0, progress);
        let mut seen = self.augment(Stream::RealAugment, 0, progress);
        let mut between = self.augment(Stream::RegularizerAugment, 0, progress);
        let augments = Augments { fakes: Some(&mut fakes), reals: Some(&mut seen), points: Some(&mut between) };
        let generator = self.g.weights(false);
        let noise = TrainNoise::Random(&mut draw);
        let weights = [&generator, weights];
        discriminator_main(&self.networks(), weights, &latents, noise, self.config.loss, reals, augments, t.as_ref())
    }

    fn r1(&self, weights: &Weights, turn: &Turn) -> Result<Phase, TrainError> {
        let Reals { images, label } = turn.reals;
        let mut augment = self.augment(Stream::RegularizerAugment, 0, turn.progress);
        let gamma = self.config.r1_gamma;
        discriminator_penalty(&self.networks(), weights, images, label, Some(&mut augment), gamma, "r1")
    }

    fn r2(&self, weights: &Weights, turn: &Turn) -> Result<Phase, TrainError> {
        let &Turn { progress, reals: Reals { label, .. }, batch, .. } = turn;
        let networks = self.networks();
        let latents = self.latents(Stream::RegularizerLatents, progress, batch, label);
        let mut draw = self.noise(Stream::RegularizerNoise, progress);
        let generator = self.g.weights(false);
        let fakes = no_graph(|| networks.generate(&generator, &latents, TrainNoise::Random(&mut draw)))?;
        let mut augment = self.augment(Stream::RegularizerAugment, 1, progress);
        let gamma = self.config.r2_gamma;
        discriminator_penalty(&networks, weights, &fakes.images, label, Some(&mut augment), gamma, "r2")
    }
}
