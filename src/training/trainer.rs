//! Both networks with everything that changes while they learn, and one iteration.

mod draws;
mod state;
mod terms;
mod times;

use std::{collections::BTreeMap, time::Instant};

use burn::tensor::{Device, Tensor};

use super::{
    ada::AdaController,
    config::{Ada, TrainConfig},
    error::TrainError,
    growing::{self, Stage},
    losses::Networks,
    noise_floor,
    optimizer::{Adam, AdamConfig, host, move_average, weight_gradients},
    phases::{Phase, Reals},
    random::{Draws, Stream},
    transfer,
};
use crate::{
    grad::{Var, no_graph, with_graph},
    model::{
        config::GeneratorConfig,
        discriminator_config::DiscriminatorConfig,
        state_dict::StateDict,
        trainable::{Params, TrainableDiscriminator, TrainableGenerator},
    },
    ops::cpu::{Runtime, batch},
};
pub use state::TrainerState;
use terms::Term;
pub use times::PhaseTimes;

/// Real images and labels of one iteration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// [N, C, H, W] at full resolution, -1..1.
    pub images: Vec<f32>,
    /// [N, label_dim]; empty without labels.
    pub labels: Vec<f32>,
}

/// Where a training is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Real images shown so far.
    pub nimg: u64,
    /// Iterations so far.
    pub iteration: u64,
}

/// Which networks an iteration trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phases {
    /// The generator.
    pub g: bool,
    /// The discriminator.
    pub d: bool,
}

/// One of the two networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Network {
    G,
    D,
}

/// What all terms of an iteration share.
struct Turn<'a> {
    progress: Progress,
    reals: Reals<'a>,
    batch: usize,
    lr_scale: f64,
}

/// The networks in training.
pub struct Trainer {
    config: TrainConfig,
    device: Device,
    generator: TrainableGenerator,
    discriminator: TrainableDiscriminator,
    g: Params,
    d: Params,
    ema: Params,
    adam_g: Adam,
    adam_d: Adam,
    /// Names of the strengths that [`TrainConfig::noise_floor`] holds.
    fine_strengths: Vec<String>,
    pl_mean: f32,
    ada: AdaController,
    /// Signs of the answers to reals that the controller has not seen yet, on the device.
    signs: Vec<Tensor<4>>,
    /// Resolution of the last iteration; the optimizers begin anew when it changes.
    resolution: Option<usize>,
    /// Level of detail of the last iteration, which snapshots are taken at.
    lod: Option<f32>,
    /// Sums of the reports since the last tick, on the device, with their number.
    sums: BTreeMap<&'static str, (Tensor<4>, u64)>,
    times: PhaseTimes,
}

impl Drop for Trainer {
    fn drop(&mut self) {
        batch::release();
    }
}

impl Trainer {
    /// Fresh networks of a configuration.
    ///
    /// # Errors
    /// If the configuration is out of range or asks for what is not there yet.
    pub fn new(config: &TrainConfig, device: &Device) -> Result<Self, TrainError> {
        config.validate()?;
        let grows = config.growing.is_some();
        let generator = TrainableGenerator::new(config.generator.clone(), grows, device)?;
        let discriminator = TrainableDiscriminator::new(config.discriminator.clone(), device)?;
        let seed = |stream| Draws::new(config.seed, stream, 0).below(1 << 53);
        let g = generator.init(seed(Stream::GeneratorInit), device)?;
        let d = discriminator.init(seed(Stream::DiscriminatorInit), device)?;
        let lod = grows.then(|| growing::stage(config, 0).lod as f32);
        Ok(Self {
            config: config.clone(),
            device: device.clone(),
            generator,
            discriminator,
            ema: g.clone(),
            fine_strengths: noise_floor::fine_strengths(g.names(), config.resolution()),
            g,
            d,
            adam_g: Adam::default(),
            adam_d: Adam::default(),
            pl_mean: 0.0,
            ada: AdaController::new(&config.ada),
            signs: Vec::new(),
            resolution: None,
            lod,
            sums: BTreeMap::new(),
            times: PhaseTimes::default(),
        })
    }

    /// Takes over the weights of another model where names and shapes agree (transfer).
    ///
    /// # Errors
    /// If nothing agrees.
    pub fn init_from(&mut self, generator: StateDict, discriminator: Option<StateDict>) -> Result<(), TrainError> {
        let copied = self.g.copy_from(&generator, &self.device)?;
        if copied == 0 {
            return Err(TrainError::Transfer(
                "none of its weights has the name and shape of one of this generator".into(),
            ));
        }
        self.ema.copy_from(&generator, &self.device)?;
        // Blocks that the other model lacks add their details to its image from nothing on.
        for name in transfer::new_colours(self.g.names(), &generator) {
            self.g.clear(&name);
            self.ema.clear(&name);
        }
        if let Some(discriminator) = discriminator {
            self.d.copy_from(&discriminator, &self.device)?;
        }
        Ok(())
    }

    /// One iteration, with the regularisers that are due.
    ///
    /// # Errors
    /// If the batch has another shape than the configuration says, or the device fails.
    pub fn step(&mut self, reals: &Batch, progress: Progress, phases: Phases) -> Result<(), TrainError> {
        match Runtime::shared() {
            Some(runtime) => runtime.stay_in(|| with_graph(|| self.iterate(reals, progress, phases))),
            None => self.iterate(reals, progress, phases),
        }
    }

    /// [`Self::step`] on this thread.
    pub(super) fn iterate(&mut self, reals: &Batch, progress: Progress, phases: Phases) -> Result<(), TrainError> {
        let stage = growing::stage(&self.config, progress.nimg);
        let (images, label, batch) = self.real_batch(reals)?;
        self.enter(&stage);
        let images = no_graph(|| self.discriminator.real_images(images, self.lod));
        let reals = Reals { images: &images, label: label.as_ref() };
        let turn = Turn { progress, reals, batch, lr_scale: stage.lr_scale };
        if phases.g {
            self.train(Network::G, &turn)?;
        }
        if phases.d {
            self.train(Network::D, &turn)?;
        }
        if phases.g {
            self.average(&turn);
        }
        self.adapt(&turn)
    }

    /// The batch on the device, its labels, and the number of images.
    fn real_batch(&self, reals: &Batch) -> Result<(Var, Option<Var>, usize), TrainError> {
        let (side, channels) = (self.config.resolution(), self.config.generator.img_channels());
        let label_dim = self.config.generator.label_dim();
        let each = channels * side * side;
        let batch = reals.images.len() / each;
        if batch == 0 || reals.images.len() != batch * each || reals.labels.len() != batch * label_dim {
            return Err(TrainError::Data(format!(
                "a batch of {} values and {} label values is not one of {channels}x{side}x{side} images with {label_dim} classes",
                reals.images.len(),
                reals.labels.len()
            )));
        }
        let images = Var::from_values(reals.images.clone(), [batch, channels, side, side], &self.device);
        let label =
            (label_dim > 0).then(|| Var::from_values(reals.labels.clone(), [batch, label_dim, 1, 1], &self.device));
        Ok((images, label, batch))
    }

    /// Takes up the stage of the schedule.
    fn enter(&mut self, stage: &Stage) {
        if self.config.growing.is_none() {
            return;
        }
        if self.resolution.is_some_and(|resolution| resolution != stage.resolution) {
            self.adam_g.reset();
            self.adam_d.reset();
        }
        self.resolution = Some(stage.resolution);
        self.lod = Some(stage.lod as f32);
    }

    /// A network's part of an iteration: its loss, and what regularises it, in the same step or, lazily, in one of its own.
    fn train(&mut self, network: Network, turn: &Turn) -> Result<(), TrainError> {
        let TrainConfig { pl_weight, r1_gamma, r2_gamma, .. } = self.config;
        let weighted = |terms: &[(Term, f64)]| -> Vec<Term> {
            terms.iter().filter(|(_, weight)| *weight > 0.0).map(|(term, _)| *term).collect()
        };
        let (main, penalties, interval, rate) = match network {
            Network::G => (
                Term::Generator,
                weighted(&[(Term::PathLength, pl_weight)]),
                self.config.generator_reg_interval,
                self.config.generator_lr,
            ),
            Network::D => (
                Term::Discriminator,
                weighted(&[(Term::R1, r1_gamma), (Term::R2, r2_gamma)]),
                self.config.discriminator_reg_interval,
                self.config.discriminator_lr,
            ),
        };
        let TrainConfig { adam_beta1: beta1, adam_beta2: beta2, adam_epsilon: epsilon, .. } = self.config;
        // The correction belongs to the optimizer, whether or not this iteration regularises.
        let lazy = interval.filter(|_| !penalties.is_empty());
        let adam = AdamConfig { lr: rate * turn.lr_scale, beta1, beta2, epsilon }.lazy(lazy);
        let start = Instant::now();
        match lazy {
            None => self.descend(network, &adam, &[&[main], &penalties[..]].concat(), 1.0, turn)?,
            Some(_) => self.descend(network, &adam, &[main], 1.0, turn)?,
        }
        let between = Instant::now();
        if let Some(interval) = lazy
            && turn.progress.iteration.is_multiple_of(u64::from(interval))
        {
            self.descend(network, &adam, &penalties, interval as f32, turn)?;
        }
        let (seconds, reg_seconds) = ((between - start).as_secs_f64(), between.elapsed().as_secs_f64());
        let (total, reg_total) = match network {
            Network::G => (&mut self.times.g, &mut self.times.g_reg),
            Network::D => (&mut self.times.d, &mut self.times.d_reg),
        };
        *total += seconds;
        *reg_total += reg_seconds;
        Ok(())
    }

    /// One step down the sum of `terms`, times `factor`. The graph of a term ends before that of the next begins.
    fn descend(
        &mut self,
        network: Network,
        adam: &AdamConfig,
        terms: &[Term],
        factor: f32,
        turn: &Turn,
    ) -> Result<(), TrainError> {
        let weights = match network {
            Network::G => self.g.weights(true),
            Network::D => self.d.weights(true),
        };
        let mut gradients = BTreeMap::new();
        for term in terms {
            let phase = self.phase(*term, &weights, turn)?;
            add_gradients(&mut gradients, weight_gradients(&phase.loss.scale(factor), &weights));
            self.finish(&phase);
        }
        // The weights change in place once no graph holds them.
        drop(weights);
        match network {
            Network::G => {
                self.adam_g.step(adam, &mut self.g, &gradients);
                if let Some(floor) = self.config.noise_floor {
                    noise_floor::hold(&mut self.g, &self.fine_strengths, floor);
                }
            }
            Network::D => self.adam_d.step(adam, &mut self.d, &gradients),
        }
        Ok(())
    }

    /// Lets the moving average of the generator follow.
    fn average(&mut self, turn: &Turn) {
        let start = Instant::now();
        let batch = turn.batch as f64;
        let mut half_life = self.config.ema_kimg * 1000.0;
        if let Some(rampup) = self.config.ema_rampup {
            half_life = half_life.min((turn.progress.nimg as f64 + batch) * rampup);
        }
        let beta = 0.5f64.powf(batch / half_life.max(1e-8));
        move_average(&mut self.ema, &self.g, beta);
        self.times.ema += start.elapsed().as_secs_f64();
    }

    /// Lets the strength of the augmentation follow the discriminator. The signs are read from the device when they are needed.
    fn adapt(&mut self, turn: &Turn) -> Result<(), TrainError> {
        let Ada::Adaptive { interval, .. } = self.config.ada else { return Ok(()) };
        let iteration = turn.progress.iteration + 1;
        if iteration.is_multiple_of(u64::from(interval.max(1))) {
            for signs in std::mem::take(&mut self.signs) {
                self.ada.observe(&host("the signs of the discriminator", signs)?);
            }
            self.ada.after_iteration(&self.config.ada, iteration, turn.batch);
        }
        Ok(())
    }

    fn networks(&self) -> Networks<'_> {
        Networks { generator: &self.generator, discriminator: &self.discriminator, lod: self.lod }
    }

    /// Keeps the reports for the next tick, and lets the average of `w` follow.
    fn finish(&mut self, phase: &Phase) {
        for (name, values) in &phase.reports {
            let mean = values.value().clone().mean().reshape([1, 1, 1, 1]);
            match self.sums.remove(name) {
                Some((sum, count)) => self.sums.insert(name, (sum.add(mean), count + 1)),
                None => self.sums.insert(name, (mean, 1)),
            };
            if *name == "sign_real" && matches!(self.config.ada, Ada::Adaptive { .. }) {
                self.signs.push(values.value().clone());
            }
        }
        let beta = self.config.generator.mapping().w_avg_beta;
        if let Some(w) = &phase.w
            && let Some(param) = self.g.0.get_mut(self.generator.w_avg_name())
        {
            param.value = follow(&param.value, w.value(), beta);
        }
    }

    /// The means of all reports since the last call: `loss_g`, `loss_d`, `r1`, `pl_penalty`, `path_length`, `score_*`, `sign_*`; and
    /// `ada_p`, the strength of the augmentation, where there is one. The one place where losses are read from the device.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn tick(&mut self) -> Result<BTreeMap<&'static str, f64>, TrainError> {
        let mut means = BTreeMap::new();
        for (name, (sum, count)) in std::mem::take(&mut self.sums) {
            let sum = host(name, sum)?.first().copied().unwrap_or_default();
            means.insert(name, f64::from(sum) / count as f64);
        }
        if self.config.ada != Ada::Off {
            means.insert("ada_p", self.ada.p);
        }
        Ok(means)
    }

    /// Seconds by phase since the last call of [`Self::phase_times`].
    pub fn times(&self) -> PhaseTimes {
        self.times
    }

    /// Seconds by phase since the last call. On a GPU they are those of submitting.
    pub fn phase_times(&mut self) -> PhaseTimes {
        std::mem::take(&mut self.times)
    }

    /// The moving average of the generator, as the explorer opens it.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn ema(&self) -> Result<(GeneratorConfig, StateDict), TrainError> {
        Ok(self.generator.snapshot(&self.ema, self.lod)?)
    }

    /// The discriminator as it is.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn discriminator(&self) -> Result<(DiscriminatorConfig, StateDict), TrainError> {
        Ok((self.discriminator.config().clone(), self.d.state_dict()?))
    }

    /// Numbers of values that learn: generator and discriminator.
    pub fn num_parameters(&self) -> [usize; 2] {
        [self.g.num_values(), self.d.num_values()]
    }
}

/// The average of `w` after a batch: `mean + beta * (average - mean)`. `w` is [N, w_dim, 1, 1], the average [1, w_dim, 1, 1].
pub fn follow(average: &Tensor<4>, w: &Tensor<4>, beta: f64) -> Tensor<4> {
    let mean = w.clone().mean_dim(0);
    mean.clone().add(average.clone().sub(mean).mul_scalar(beta))
}

fn add_gradients(sum: &mut BTreeMap<String, Var>, more: BTreeMap<String, Var>) {
    for (name, gradient) in more {
        let total = match sum.remove(&name) {
            Some(old) => no_graph(|| old.add(&gradient)),
            None => gradient,
        };
        sum.insert(name, total);
    }
}

#[cfg(test)]
mod tests;
