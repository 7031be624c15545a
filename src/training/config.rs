//! What a training is, in numbers: everything that decides its result, so that it can be repeated and continued.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::{
    config::{Architecture, ConfigError, GeneratorConfig, check},
    discriminator_config::{DiscriminatorArchitecture, DiscriminatorConfig},
};

/// Largest batch that a training may ask for.
pub const MAX_BATCH: usize = 4096;

/// A training. `run.json` holds it; two runs with the same configuration, version and device give the same network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    /// The preset that it came from; a name for people, nothing is decided by it.
    pub preset: String,
    /// The images.
    pub dataset: DatasetSpec,
    /// The generator, as it is at full resolution.
    pub generator: GeneratorConfig,
    /// The discriminator.
    pub discriminator: DiscriminatorConfig,
    /// Images of one step; at full resolution where the networks grow ([`Growing::max_batch`]).
    pub batch: usize,
    /// Length of the training, in thousands of real images shown to the discriminator.
    pub kimg: f64,
    /// Of every draw of the training, the first weights included.
    pub seed: u64,
    /// The generator's learning rate, before corrections (lazy regularisation, growing).
    pub generator_lr: f64,
    /// The discriminator's learning rate, before corrections.
    pub discriminator_lr: f64,
    /// Decay of Adam's mean of gradients.
    pub adam_beta1: f64,
    /// Decay of Adam's mean of squared gradients.
    pub adam_beta2: f64,
    /// Adam's epsilon, added to the root.
    pub adam_epsilon: f64,
    /// Path length regularisation every so many iterations, as a step of its own (StyleGAN2, section 3.1);
    /// `None`: in every iteration, together with the loss, and without the correction of Adam.
    pub generator_reg_interval: Option<u32>,
    /// R1 and R2 every so many iterations; `None` as for the generator.
    pub discriminator_reg_interval: Option<u32>,
    /// Gradient penalty on reals: `r1_gamma / 2 * |grad|^2` (arXiv 1801.04406); 0 for none.
    pub r1_gamma: f64,
    /// The same penalty on fakes; 0 for none.
    pub r2_gamma: f64,
    /// Weight of the path length penalty (StyleGAN2, section 3.2); 0 for none.
    pub pl_weight: f64,
    /// How fast the mean path length follows, 0.01 in the paper.
    pub pl_decay: f64,
    /// The path length is measured on `batch / pl_batch_shrink` samples.
    pub pl_batch_shrink: usize,
    /// Probability that a batch takes its styles from two latents (StyleGAN, section 3.1), 0..=1.
    pub style_mixing_prob: f64,
    /// What the two networks play for.
    pub loss: Loss,
    /// Half-life of the moving average of the generator, in thousands of images.
    pub ema_kimg: f64,
    /// In the beginning the half-life is at most this share of the images shown so far; `None`: never shortened.
    pub ema_rampup: Option<f64>,
    /// Augmentation of what the discriminator sees (arXiv 2006.06676).
    pub ada: Ada,
    /// The discriminator alone is trained in the first so many thousand images: what a good generator brings along is not
    /// lost to a discriminator that knows nothing yet. `None`: decided when the training begins ([`super::transfer`]).
    #[serde(default)]
    pub discriminator_first_kimg: Option<f64>,
    /// The noise strengths of the finest two resolutions stay at least so far from 0 ([`super::noise_floor`]); `None`: they are
    /// learned alone, as in the papers.
    #[serde(default)]
    pub noise_floor: Option<f64>,
    /// Progressive growing (arXiv 1710.10196); `None`: full resolution from the start.
    pub growing: Option<Growing>,
    /// When something is measured and saved.
    pub intervals: Intervals,
}

/// Which images a training sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetSpec {
    /// Where they come from.
    pub source: DatasetSource,
    /// Whether each image also occurs mirrored.
    pub mirror: bool,
}

/// Where images come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetSource {
    /// The built-in procedural set, a function of the seed and the number of the image.
    Portraits {
        /// Its seed.
        seed: u64,
    },
    /// A folder or zip archive of images.
    Path(PathBuf),
}

/// What the two networks play for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Non-saturating logistic (arXiv 1406.2661); StyleGAN from row B on.
    Logistic,
    /// Wasserstein with gradient penalty (arXiv 1704.00028) and the progressive GAN's drift.
    WganGp {
        /// Weight of the penalty on gradients that are not 1.
        lambda: f64,
        /// Weight of the squared scores of reals.
        epsilon_drift: f64,
    },
    /// Relativistic pairing of reals and fakes (arXiv 1807.00734), which wants R1 and R2 (arXiv 2501.05441).
    Relativistic,
}

impl Loss {
    /// With the progressive GAN's constants.
    pub const WGAN_GP: Self = Self::WganGp { lambda: 10.0, epsilon_drift: 0.001 };
}

/// How much is augmented.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ada {
    /// Not at all.
    Off,
    /// With a constant probability.
    Fixed {
        /// Of every transformation, 0..=1.
        p: f64,
    },
    /// By how sure the discriminator is of its reals.
    Adaptive {
        /// The mean sign of `D(real)` to keep; 0.6 in the paper.
        target: f64,
        /// `p` changes every so many iterations.
        interval: u32,
        /// Thousands of images in which `p` could go from 0 to 1.
        speed_kimg: f64,
    },
}

impl Ada {
    /// The paper's heuristic.
    pub const ADAPTIVE: Self = Self::adaptive(0.6);

    /// The paper's heuristic with another mean sign of `D(real)` to keep.
    pub const fn adaptive(target: f64) -> Self {
        Self::Adaptive { target, interval: 4, speed_kimg: 500.0 }
    }
}

/// How networks grow: each resolution is faded in, then trained alone ([`super::growing`]).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Growing {
    /// The first resolution: 4 in the progressive GAN, 8 in StyleGAN.
    pub initial_resolution: usize,
    /// Thousands of images in which a resolution is faded in.
    pub fade_kimg: f64,
    /// Thousands of images that a resolution is trained before the next one comes.
    pub stable_kimg: f64,
    /// The batch doubles with each halving of the resolution, up to this.
    pub max_batch: usize,
    /// Whether the learning rate follows the resolution: times 1.5 at 128 pixels, 2 at 256, 3 from 512.
    pub scale_lr: bool,
}

/// When something is measured and saved.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// Thousands of images between two lines of the history; the first of them have more ([`super::ticks`]).
    pub tick_kimg: f64,
    /// Ticks between two pictures of the grid.
    pub sample_ticks: u32,
    /// Ticks between two snapshots of the generator.
    pub snapshot_ticks: u32,
    /// Ticks between two checkpoints: what a killed training loses at most.
    pub checkpoint_ticks: u32,
}

/// What may change when a training goes on; `None` leaves it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Changes {
    /// Length of the whole training, in thousands of images.
    pub kimg: Option<f64>,
    /// Weight of R1, and of R2 where there is one.
    pub gamma: Option<f64>,
    /// Learning rate of both networks.
    pub learning_rate: Option<f64>,
    /// Augmentation.
    pub ada: Option<Ada>,
    /// Floor under the finest noise strengths.
    pub noise_floor: Option<f64>,
}

impl Changes {
    /// The configuration from now on.
    ///
    /// # Errors
    /// If a number is out of its range.
    pub fn apply(&self, config: &TrainConfig) -> Result<TrainConfig, ConfigError> {
        let mut changed = config.clone();
        changed.kimg = self.kimg.unwrap_or(config.kimg);
        if self.gamma.is_some() {
            changed = changed.with_loss(config.loss, self.gamma);
        }
        changed.generator_lr = self.learning_rate.unwrap_or(config.generator_lr);
        changed.discriminator_lr = self.learning_rate.unwrap_or(config.discriminator_lr);
        changed.ada = self.ada.unwrap_or(config.ada);
        changed.noise_floor = self.noise_floor.or(config.noise_floor);
        changed.validate()?;
        Ok(changed)
    }
}

impl TrainConfig {
    /// Side of the images in pixels.
    pub fn resolution(&self) -> usize {
        self.generator.resolution()
    }

    /// The same training with another loss and the gradient penalties that belong to it: R1 with the logistic loss, R1 and R2 with the
    /// relativistic one, none besides WGAN-GP's own. `gamma` is their weight, instead of that of the configuration or, where it has
    /// none, StyleGAN's 10.
    pub fn with_loss(self, loss: Loss, gamma: Option<f64>) -> Self {
        let own = if self.r1_gamma > 0.0 { self.r1_gamma } else { 10.0 };
        let gamma = gamma.unwrap_or(own);
        let (r1_gamma, r2_gamma) = match loss {
            Loss::Logistic => (gamma, 0.0),
            Loss::WganGp { .. } => (0.0, 0.0),
            Loss::Relativistic => (gamma, gamma),
        };
        Self { loss, r1_gamma, r2_gamma, ..self }
    }

    /// Length of the training in images.
    pub fn total_images(&self) -> u64 {
        images(self.kimg)
    }

    /// Checks every number before anything is built from it.
    ///
    /// # Errors
    /// The first field that is out of its range, or does not fit another one.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.generator.validate()?;
        self.discriminator.validate()?;
        self.validate_pair()?;
        self.validate_batch()?;
        self.validate_optimizer()?;
        self.validate_regularization()?;
        self.validate_noise_floor()?;
        self.validate_growing()?;
        let Intervals { tick_kimg, sample_ticks, snapshot_ticks, checkpoint_ticks } = self.intervals;
        check(
            tick_kimg.is_finite() && tick_kimg >= 0.001,
            "intervals.tick_kimg",
            tick_kimg,
            "it must be 0.001 (an image) or more",
        )?;
        for (field, ticks) in [
            ("intervals.sample_ticks", sample_ticks),
            ("intervals.snapshot_ticks", snapshot_ticks),
            ("intervals.checkpoint_ticks", checkpoint_ticks),
        ] {
            check(ticks > 0, field, ticks, "it must be 1 or more")?;
        }
        Ok(())
    }

    /// Whether the discriminator takes what the generator gives.
    fn validate_pair(&self) -> Result<(), ConfigError> {
        let (g, d) = (&self.generator, &self.discriminator);
        let same = "it must be that of the generator";
        check(d.resolution() == g.resolution(), "discriminator.resolution", d.resolution(), same)?;
        check(d.img_channels() == g.img_channels(), "discriminator.img_channels", d.img_channels(), same)?;
        check(d.label_dim() == g.label_dim(), "discriminator.label_dim", d.label_dim(), same)?;
        let msg = (
            self.generator_is_msg(),
            matches!(d, DiscriminatorConfig::StyleGan2(c) if c.architecture == DiscriminatorArchitecture::Msg),
        );
        check(
            msg.0 == msg.1,
            "discriminator.architecture",
            if msg.1 { "msg" } else { "not msg" },
            "MSG needs both networks: one gives an image of every resolution, the other takes them",
        )?;
        // Groups share a standard deviation, so they must divide every batch that the network sees.
        let group = match d {
            DiscriminatorConfig::StyleGan2(c) if c.mbstd_num_channels == 0 => 1,
            DiscriminatorConfig::StyleGan2(c) => c.mbstd_group_size.unwrap_or(self.batch).min(self.batch),
            DiscriminatorConfig::StyleGan1(c) => c.mbstd_group_size.min(self.batch),
        };
        check(
            group > 0 && self.batch.is_multiple_of(group),
            "batch",
            self.batch,
            "it must be a multiple of the discriminator's group of 4, or smaller",
        )
    }

    fn generator_is_msg(&self) -> bool {
        matches!(&self.generator, GeneratorConfig::StyleGan2(c) if c.architecture == Architecture::Msg)
    }

    fn validate_batch(&self) -> Result<(), ConfigError> {
        check((1..=MAX_BATCH).contains(&self.batch), "batch", self.batch, "it must be between 1 and 4096")?;
        let finite = self.kimg.is_finite() && (0.0..=1e9).contains(&self.kimg);
        check(finite, "kimg", self.kimg, "it must be between 0 and a milliard")?;
        check(self.pl_batch_shrink > 0, "pl_batch_shrink", self.pl_batch_shrink, "it must be 1 or more")?;
        check(
            self.pl_weight == 0.0 || self.batch >= self.pl_batch_shrink,
            "batch",
            self.batch,
            "the path length needs at least pl_batch_shrink samples",
        )
    }

    fn validate_noise_floor(&self) -> Result<(), ConfigError> {
        let Some(floor) = self.noise_floor else { return Ok(()) };
        let known = matches!(&self.generator, GeneratorConfig::StyleGan2(_));
        check(known, "noise_floor", floor, "only StyleGAN2's layers have a strength for all of their features")?;
        check((0.0..=1.0).contains(&floor), "noise_floor", floor, "it must be between 0 and 1")
    }

    /// Whether only the discriminator is trained after `nimg` images ([`Self::discriminator_first_kimg`]).
    pub fn is_discriminator_first(&self, nimg: u64) -> bool {
        (nimg as f64) < 1000.0 * self.discriminator_first_kimg.unwrap_or(0.0)
    }

    fn validate_optimizer(&self) -> Result<(), ConfigError> {
        for (field, rate) in [("generator_lr", self.generator_lr), ("discriminator_lr", self.discriminator_lr)] {
            check(rate > 0.0 && rate <= 1.0, field, rate, "it must be more than 0 and at most 1")?;
        }
        for (field, beta) in [("adam_beta1", self.adam_beta1), ("adam_beta2", self.adam_beta2)] {
            check((0.0..1.0).contains(&beta), field, beta, "it must be at least 0 and less than 1")?;
        }
        let epsilon = self.adam_epsilon;
        check(epsilon > 0.0 && epsilon <= 1.0, "adam_epsilon", epsilon, "it must be more than 0 and at most 1")?;
        let ema = self.ema_kimg;
        check(ema.is_finite() && ema >= 0.0, "ema_kimg", ema, "it must be 0 (no average) or more")?;
        let rampup = self.ema_rampup.unwrap_or(1.0);
        check(rampup.is_finite() && rampup > 0.0, "ema_rampup", rampup, "it must be positive")?;
        let first = self.discriminator_first_kimg.unwrap_or(0.0);
        check(first.is_finite() && first >= 0.0, "discriminator_first_kimg", first, "it must be 0 or more")
    }

    fn validate_regularization(&self) -> Result<(), ConfigError> {
        let intervals = [
            ("generator_reg_interval", self.generator_reg_interval),
            ("discriminator_reg_interval", self.discriminator_reg_interval),
        ];
        for (field, interval) in intervals {
            check(interval != Some(0), field, 0, "it must be 1 or more, or nothing for every iteration")?;
        }
        for (field, weight) in [("r1_gamma", self.r1_gamma), ("r2_gamma", self.r2_gamma), ("pl_weight", self.pl_weight)]
        {
            check(weight.is_finite() && weight >= 0.0, field, weight, "it must be 0 (off) or more")?;
        }
        let share = |field, value: f64| check((0.0..=1.0).contains(&value), field, value, "it must be between 0 and 1");
        share("pl_decay", self.pl_decay)?;
        share("style_mixing_prob", self.style_mixing_prob)?;
        check(
            self.pl_weight == 0.0 || self.generator.has_styles(),
            "pl_weight",
            self.pl_weight,
            "the path length is measured on styles, which the progressive GAN does not have",
        )?;
        if let Loss::WganGp { lambda, epsilon_drift } = self.loss {
            for (field, weight) in [("loss.lambda", lambda), ("loss.epsilon_drift", epsilon_drift)] {
                check(weight.is_finite() && weight >= 0.0, field, weight, "it must be 0 (off) or more")?;
            }
        }
        check(
            self.ada == Ada::Off || !self.generator_is_msg(),
            "ada",
            "on",
            "MSG shows the discriminator every image in all sizes, which cannot be augmented together",
        )?;
        match self.ada {
            Ada::Off => Ok(()),
            Ada::Fixed { p } => share("ada.p", p),
            Ada::Adaptive { target, interval, speed_kimg } => {
                check((-1.0..=1.0).contains(&target), "ada.target", target, "it must be between -1 and 1")?;
                check(interval > 0, "ada.interval", interval, "it must be 1 or more")?;
                let positive = speed_kimg.is_finite() && speed_kimg > 0.0;
                check(positive, "ada.speed_kimg", speed_kimg, "it must be positive")
            }
        }
    }

    fn validate_growing(&self) -> Result<(), ConfigError> {
        let Some(Growing { initial_resolution, fade_kimg, stable_kimg, max_batch, .. }) = self.growing else {
            return Ok(());
        };
        check(
            initial_resolution.is_power_of_two() && (4..=self.resolution()).contains(&initial_resolution),
            "growing.initial_resolution",
            initial_resolution,
            "it must be a power of two, from 4 to the full resolution",
        )?;
        for (field, kimg) in [("growing.fade_kimg", fade_kimg), ("growing.stable_kimg", stable_kimg)] {
            check(kimg.is_finite() && (0.0..=1e9).contains(&kimg), field, kimg, "it must be 0 or more")?;
        }
        check(
            (self.batch..=MAX_BATCH).contains(&max_batch),
            "growing.max_batch",
            max_batch,
            "it must be at least the batch of the full resolution, and at most 4096",
        )?;
        let grows = match &self.discriminator {
            DiscriminatorConfig::StyleGan2(c) => c.grows,
            DiscriminatorConfig::StyleGan1(_) => true,
        };
        check(grows, "growing", "on", "the discriminator must take in every resolution (grows)")
    }
}

/// Thousands of images as images.
pub fn images(kimg: f64) -> u64 {
    (kimg * 1000.0).round() as u64
}
