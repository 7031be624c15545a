//! Both networks with everything that changes while they learn, and one iteration.

use std::{collections::BTreeMap, time::Instant};

use burn::tensor::{Device, Tensor};

use super::{
    config::{Ada, Loss, TrainConfig},
    error::TrainError,
    growing::{self, Stage},
    losses::{Latents, Networks},
    optimizer::{Adam, AdamConfig, host, move_average, weight_gradients},
    phases::{Augments, Phase, Reals, discriminator_main, discriminator_penalty, generator_main, generator_path},
    random::{Draws, Stream},
};
use crate::{
    grad::{Var, no_graph},
    model::{
        config::GeneratorConfig,
        discriminator_config::DiscriminatorConfig,
        state_dict::{HostTensor, StateDict},
        trainable::{Images, Params, TrainNoise, TrainableDiscriminator, TrainableGenerator, Weights},
    },
};

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

/// Seconds by phase.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PhaseTimes {
    /// Generator.
    pub g: f64,
    /// Path length.
    pub g_reg: f64,
    /// Discriminator.
    pub d: f64,
    /// R1 and R2.
    pub d_reg: f64,
    /// Moving average.
    pub ema: f64,
}

impl PhaseTimes {
    /// What `steps` iterations from number `first` on would have taken with regularisers by their usual share, relative to what they took.
    pub fn usual_share(&self, config: &TrainConfig, first: u64, steps: u64) -> f64 {
        let usual = |seconds: f64, interval: Option<u32>| {
            let interval = u64::from(interval.unwrap_or(1).max(1));
            let due = (first..first + steps).filter(|step| step.is_multiple_of(interval)).count();
            seconds * (steps as f64 / interval as f64) / due.max(1) as f64
        };
        let Self { g, g_reg, d, d_reg, ema } = *self;
        let taken = g + g_reg + d + d_reg + ema;
        let main = g + d + ema;
        let usual =
            main + usual(g_reg, config.generator_reg_interval) + usual(d_reg, config.discriminator_reg_interval);
        if taken > 0.0 { usual / taken } else { 1.0 }
    }
}

/// Everything that a continued training needs, exactly.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrainerState {
    /// `G.*`, `D.*`, `G_ema.*`, `adam_g.m.*`, ...
    pub arrays: StateDict,
    /// `pl_mean`, `adam_g.steps`, ...
    pub scalars: BTreeMap<String, f64>,
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
    pl_mean: f32,
    /// Resolution of the last iteration; the optimizers begin anew when it changes.
    resolution: Option<usize>,
    /// Level of detail of the last iteration, which snapshots are taken at.
    lod: Option<f32>,
    /// Sums of the reports since the last tick, on the device, with their number.
    sums: BTreeMap<&'static str, (Tensor<4>, u64)>,
    times: PhaseTimes,
}

impl Trainer {
    /// Fresh networks of a configuration.
    ///
    /// # Errors
    /// If the configuration is out of range or asks for what is not there yet.
    pub fn new(config: &TrainConfig, device: &Device) -> Result<Self, TrainError> {
        config.validate()?;
        if config.ada != Ada::Off {
            return Err(TrainError::State("augmentation (ADA) is not built in yet; train without it".into()));
        }
        let grows = config.growing.is_some();
        let generator = TrainableGenerator::new(config.generator.clone(), grows, device)?;
        let discriminator = TrainableDiscriminator::new(config.discriminator.clone(), device)?;
        let seed = |stream| (Draws::new(config.seed, stream, 0).below(1 << 53)) as u64;
        let g = generator.init(seed(Stream::GeneratorInit), device)?;
        let d = discriminator.init(seed(Stream::DiscriminatorInit), device)?;
        let lod = grows.then(|| growing::stage(config, 0).lod as f32);
        Ok(Self {
            config: config.clone(),
            device: device.clone(),
            generator,
            discriminator,
            ema: g.clone(),
            g,
            d,
            adam_g: Adam::default(),
            adam_d: Adam::default(),
            pl_mean: 0.0,
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
        let stage = growing::stage(&self.config, progress.nimg);
        let (images, label, batch) = self.real_batch(reals)?;
        self.enter(&stage);
        let images = no_graph(|| self.discriminator.real_images(images, self.lod));
        let reals = Reals { images: &images, label: label.as_ref() };
        let due =
            |interval: Option<u32>| interval.is_none_or(|i| progress.iteration.is_multiple_of(u64::from(i.max(1))));
        if phases.g {
            let reg = self.config.pl_weight > 0.0 && due(self.config.generator_reg_interval);
            self.train_generator(progress, reals, batch, reg, stage.lr_scale)?;
        }
        if phases.d {
            let reg = (self.config.r1_gamma > 0.0 || self.config.r2_gamma > 0.0)
                && due(self.config.discriminator_reg_interval);
            self.train_discriminator(progress, reals, batch, reg, stage.lr_scale)?;
        }
        if phases.g {
            let start = Instant::now();
            let mut half_life = self.config.ema_kimg * 1000.0;
            if let Some(rampup) = self.config.ema_rampup {
                half_life = half_life.min((progress.nimg as f64 + batch as f64) * rampup);
            }
            let beta = 0.5f64.powf(batch as f64 / half_life.max(1e-8));
            move_average(&mut self.ema, &self.g, beta);
            self.times.ema += start.elapsed().as_secs_f64();
        }
        Ok(())
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

    fn adam(&self, lr: f64, interval: Option<u32>, reg: bool) -> AdamConfig {
        let TrainConfig { adam_beta1: beta1, adam_beta2: beta2, adam_epsilon: epsilon, .. } = self.config;
        // The correction belongs to the optimizer, whether or not this iteration regularises.
        AdamConfig { lr, beta1, beta2, epsilon }.lazy(interval.filter(|_| reg))
    }

    fn train_generator(
        &mut self,
        progress: Progress,
        reals: Reals,
        batch: usize,
        reg: bool,
        lr_scale: f64,
    ) -> Result<(), TrainError> {
        let interval = self.config.generator_reg_interval;
        let adam = self.adam(self.config.generator_lr * lr_scale, interval, self.config.pl_weight > 0.0);
        let start = Instant::now();
        let weights = self.g.weights(true);
        let latents = self.latents(Stream::GeneratorLatents, progress, batch, reals.label);
        let main = {
            let mut draw = self.noise(Stream::GeneratorNoise, progress);
            let networks = self.networks();
            let noise = TrainNoise::Random(&mut draw);
            let discriminator = self.d.weights(false);
            let loss = self.config.loss;
            generator_main(&networks, [&weights, &discriminator], &latents, noise, loss, reals, Augments::default())?
        };
        let mut gradients = weight_gradients(&main.loss, &weights);
        self.finish(&main);
        if reg && interval.is_none() {
            let (path, _) = self.path(&weights, progress, batch, reals.label)?;
            add_gradients(&mut gradients, weight_gradients(&path.loss, &weights));
        }
        self.adam_g.step(&adam, &mut self.g, &gradients);
        self.times.g += start.elapsed().as_secs_f64();
        if let (true, Some(interval)) = (reg, interval) {
            let start = Instant::now();
            let weights = self.g.weights(true);
            let (path, _) = self.path(&weights, progress, batch, reals.label)?;
            let gradients = weight_gradients(&path.loss.scale(interval as f32), &weights);
            self.adam_g.step(&adam, &mut self.g, &gradients);
            self.times.g_reg += start.elapsed().as_secs_f64();
        }
        Ok(())
    }

    fn path(
        &mut self,
        weights: &Weights,
        progress: Progress,
        batch: usize,
        label: Option<&Var>,
    ) -> Result<(Phase, f32), TrainError> {
        let batch = (batch / self.config.pl_batch_shrink.max(1)).max(1);
        let label = label.map(|label| label.narrow(0, 0, batch));
        let latents = self.latents(Stream::PathLatents, progress, batch, label.as_ref());
        let side = Images::current_resolution(self.config.resolution(), self.lod.unwrap_or(0.0));
        let dims = [batch, self.config.generator.img_channels(), side, side];
        let y = Draws::new(self.config.seed, Stream::PathImage, progress.iteration).normals(dims.iter().product());
        let y = Var::from_values(y, dims, &self.device);
        let (phase, mean) = {
            let mut draw = self.noise(Stream::PathNoise, progress);
            let constants = [self.config.pl_weight, self.config.pl_decay];
            let noise = TrainNoise::Random(&mut draw);
            generator_path(&self.networks(), weights, &latents, noise, &y, self.pl_mean, constants)?
        };
        // A single number a regularisation: reading it here keeps the next penalty free of a growing graph.
        self.pl_mean = host("the mean path length", mean.value().clone())?.first().copied().unwrap_or_default();
        self.finish(&phase);
        Ok((phase, self.pl_mean))
    }

    fn train_discriminator(
        &mut self,
        progress: Progress,
        reals: Reals,
        batch: usize,
        reg: bool,
        lr_scale: f64,
    ) -> Result<(), TrainError> {
        let interval = self.config.discriminator_reg_interval;
        let regularized = self.config.r1_gamma > 0.0 || self.config.r2_gamma > 0.0;
        let adam = self.adam(self.config.discriminator_lr * lr_scale, interval, regularized);
        let start = Instant::now();
        let weights = self.d.weights(true);
        let latents = self.latents(Stream::DiscriminatorLatents, progress, batch, reals.label);
        let t = matches!(self.config.loss, Loss::WganGp { .. }).then(|| {
            let t = Draws::new(self.config.seed, Stream::Interpolation, progress.iteration).uniforms(batch);
            Var::from_values(t, [batch, 1, 1, 1], &self.device)
        });
        let main = {
            let mut draw = self.noise(Stream::DiscriminatorNoise, progress);
            let noise = TrainNoise::Random(&mut draw);
            let generator = self.g.weights(false);
            let (loss, augments) = (self.config.loss, Augments::default());
            let weights = [&generator, &weights];
            discriminator_main(&self.networks(), weights, &latents, noise, loss, reals, augments, t.as_ref())?
        };
        let mut gradients = weight_gradients(&main.loss, &weights);
        self.finish(&main);
        if reg && interval.is_none() {
            for phase in self.penalties(&weights, progress, reals, batch)? {
                add_gradients(&mut gradients, weight_gradients(&phase.loss, &weights));
                self.finish(&phase);
            }
        }
        self.adam_d.step(&adam, &mut self.d, &gradients);
        self.times.d += start.elapsed().as_secs_f64();
        if let (true, Some(interval)) = (reg, interval) {
            let start = Instant::now();
            let weights = self.d.weights(true);
            let mut gradients = BTreeMap::new();
            for phase in self.penalties(&weights, progress, reals, batch)? {
                add_gradients(&mut gradients, weight_gradients(&phase.loss.scale(interval as f32), &weights));
                self.finish(&phase);
            }
            self.adam_d.step(&adam, &mut self.d, &gradients);
            self.times.d_reg += start.elapsed().as_secs_f64();
        }
        Ok(())
    }

    /// R1 and R2, where their weights are not 0.
    fn penalties(
        &self,
        weights: &Weights,
        progress: Progress,
        reals: Reals,
        batch: usize,
    ) -> Result<Vec<Phase>, TrainError> {
        let TrainConfig { r1_gamma, r2_gamma, .. } = self.config;
        let networks = self.networks();
        let mut phases = Vec::new();
        if r1_gamma > 0.0 {
            phases.push(discriminator_penalty(&networks, weights, reals.images, reals.label, None, r1_gamma, "r1")?);
        }
        if r2_gamma > 0.0 {
            let latents = self.latents(Stream::RegularizerLatents, progress, batch, reals.label);
            let mut draw = self.noise(Stream::RegularizerNoise, progress);
            let generator = self.g.weights(false);
            let fakes = no_graph(|| networks.generate(&generator, &latents, TrainNoise::Random(&mut draw)))?;
            phases.push(discriminator_penalty(&networks, weights, &fakes.images, reals.label, None, r2_gamma, "r2")?);
        }
        Ok(phases)
    }

    fn networks(&self) -> Networks<'_> {
        Networks { generator: &self.generator, discriminator: &self.discriminator, lod: self.lod }
    }

    fn latents(&self, stream: Stream, progress: Progress, batch: usize, label: Option<&Var>) -> Latents {
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
    fn noise(&self, stream: Stream, progress: Progress) -> impl FnMut(usize) -> Vec<f32> + use<> {
        let (seed, mut layer) = (self.config.seed, 0);
        move |count| {
            let values = Draws::indexed(seed, stream, progress.iteration, layer).normals(count);
            layer += 1;
            values
        }
    }

    /// Keeps the reports for the next tick, and lets the average of `w` follow.
    fn finish(&mut self, phase: &Phase) {
        for (name, values) in &phase.reports {
            let mean = values.value().clone().mean().reshape([1, 1, 1, 1]);
            match self.sums.remove(name) {
                Some((sum, count)) => self.sums.insert(name, (sum.add(mean), count + 1)),
                None => self.sums.insert(name, (mean, 1)),
            };
        }
        let beta = self.config.generator.mapping().w_avg_beta;
        if let Some(w) = &phase.w
            && let Some(param) = self.g.0.get_mut(self.generator.w_avg_name())
        {
            param.value = follow(&param.value, w.value(), beta);
        }
    }

    /// The means of all reports since the last call: `loss_g`, `loss_d`, `r1`, `pl_penalty`, `path_length`, `score_*`, `sign_*`. The
    /// one place where losses are read from the device.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn tick(&mut self) -> Result<BTreeMap<&'static str, f64>, TrainError> {
        std::mem::take(&mut self.sums)
            .into_iter()
            .map(|(name, (sum, count))| {
                let sum = host(name, sum)?.first().copied().unwrap_or_default();
                Ok((name, f64::from(sum) / count as f64))
            })
            .collect()
    }

    /// Seconds by phase since the last call of [`Self::phase_times`].
    pub fn times(&self) -> PhaseTimes {
        self.times
    }

    /// Seconds by phase since the last call. On a GPU they are those of submitting.
    pub fn phase_times(&mut self) -> PhaseTimes {
        std::mem::take(&mut self.times)
    }

    /// Everything that changes, to continue from.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn state(&self) -> Result<TrainerState, TrainError> {
        let mut arrays = StateDict::default();
        for (prefix, params) in [("G", &self.g), ("D", &self.d), ("G_ema", &self.ema)] {
            arrays
                .0
                .extend(params.state_dict()?.0.into_iter().map(|(name, array)| (format!("{prefix}.{name}"), array)));
        }
        self.adam_g.save("adam_g", &mut arrays)?;
        self.adam_d.save("adam_d", &mut arrays)?;
        for (name, (sum, count)) in &self.sums {
            let data = host(name, sum.clone())?;
            arrays.0.insert(format!("sum.{name}"), HostTensor { shape: vec![1], data });
            arrays.0.insert(format!("count.{name}"), HostTensor { shape: vec![1], data: vec![*count as f32] });
        }
        let scalars = BTreeMap::from([
            ("pl_mean".to_owned(), f64::from(self.pl_mean)),
            ("adam_g.steps".to_owned(), self.adam_g.steps as f64),
            ("adam_d.steps".to_owned(), self.adam_d.steps as f64),
            ("resolution".to_owned(), self.resolution.unwrap_or(0) as f64),
            ("lod".to_owned(), f64::from(self.lod.unwrap_or(0.0))),
        ]);
        Ok(TrainerState { arrays, scalars })
    }

    /// Goes on from a state of the same configuration.
    ///
    /// # Errors
    /// If something is missing or of another shape; the trainer must not be used then.
    pub fn restore(&mut self, state: &TrainerState) -> Result<(), TrainError> {
        let part = |prefix: &str| {
            let prefix = format!("{prefix}.");
            let own = state
                .arrays
                .0
                .iter()
                .filter_map(|(name, array)| Some((name.strip_prefix(&prefix)?.to_owned(), array.clone())));
            StateDict(own.collect())
        };
        for (prefix, params) in [("G", &mut self.g), ("D", &mut self.d), ("G_ema", &mut self.ema)] {
            let copied = params.copy_from(&part(prefix), &self.device)?;
            if copied != params.0.len() {
                let what = format!("{prefix} has {copied} of {} arrays", params.0.len());
                return Err(TrainError::State(what));
            }
        }
        let scalar =
            |name: &str| state.scalars.get(name).copied().ok_or_else(|| TrainError::State(format!("it has no {name}")));
        self.adam_g.restore("adam_g", &state.arrays, &self.g, scalar("adam_g.steps")? as u64, &self.device)?;
        self.adam_d.restore("adam_d", &state.arrays, &self.d, scalar("adam_d.steps")? as u64, &self.device)?;
        self.pl_mean = scalar("pl_mean")? as f32;
        let resolution = scalar("resolution")? as usize;
        self.resolution = (resolution > 0).then_some(resolution);
        if self.config.growing.is_some() {
            self.lod = Some(scalar("lod")? as f32);
        }
        self.sums.clear();
        for name in REPORTS {
            let find = |prefix: &str| state.arrays.0.get(&format!("{prefix}.{name}")).and_then(|x| x.data.first());
            if let (Some(&sum), Some(&count)) = (find("sum"), find("count")) {
                let sum = Var::scalar(sum, &self.device).value().clone();
                self.sums.insert(name, (sum, count as u64));
            }
        }
        Ok(())
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

/// What phases report.
const REPORTS: [&str; 11] = [
    "loss_g",
    "loss_d",
    "pl_penalty",
    "path_length",
    "score_fake",
    "score_real",
    "sign_fake",
    "sign_real",
    "gradient_penalty",
    "r1",
    "r2",
];

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
mod tests {
    use super::*;
    use crate::training::preset::{Preset, PresetOptions};

    #[test]
    fn regularisers_count_by_how_often_they_come() {
        let config = Preset::StyleGan2E.build(&PresetOptions::default()).unwrap();
        // Four iterations from the first on: path length once as usual, R1 once instead of a quarter of a time.
        let times = PhaseTimes { g: 2.0, g_reg: 1.0, d: 3.0, d_reg: 4.0, ema: 0.0 };
        assert_eq!(times.usual_share(&config, 0, 4), 0.7);
        assert_eq!(PhaseTimes { d_reg: 0.0, ..times }.usual_share(&config, 1, 4), 1.0);
        assert_eq!(PhaseTimes::default().usual_share(&config, 0, 4), 1.0);
    }
}
