//! The configurations of the two papers' tables by name.
//!
//! StyleGAN (arXiv 1812.04948), table 1: A is the progressive GAN, and each row adds something until F is StyleGAN. StyleGAN2
//! (arXiv 1912.04958), table 1: A is that StyleGAN, and F is StyleGAN2. Figure 7 of it compares with MSG-GAN.

use super::{
    config::{Ada, DatasetSource, DatasetSpec, Intervals, Loss, TrainConfig},
    growing::for_budget,
};
use crate::model::{
    config::{
        Architecture, ChannelTable, ConfigError, GeneratorConfig, LabelNormalization, MappingConfig, StyleGan1Config,
        StyleGan1Features, StyleGan1Variant, StyleGan2Config, SynthesisInput,
    },
    discriminator_config::{
        DiscriminatorArchitecture, DiscriminatorConfig, LabelProjection, StyleGan1DiscriminatorConfig,
        StyleGan2DiscriminatorConfig,
    },
};

/// A row of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "`Preset::sentence` says what each one is")]
pub enum Preset {
    ProGan,
    StyleGanB,
    StyleGanC,
    StyleGanD,
    StyleGanE,
    StyleGanF,
    StyleGan2A,
    StyleGan2B,
    StyleGan2C,
    StyleGan2D,
    StyleGan2E,
    StyleGan2F,
    Msg,
}

/// How wide the networks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Width {
    /// For a processor and an hour: 32 feature maps at full resolution, at most 64.
    Tiny,
    /// For a processor and days, or a small graphics card: 64 at full resolution, at most 256.
    Small,
    /// As in the papers: at most 512.
    #[default]
    Paper,
}

/// What is free in a preset.
#[derive(Debug, Clone, PartialEq)]
pub struct PresetOptions {
    /// Side of the images in pixels.
    pub resolution: usize,
    /// Channels of the images.
    pub img_channels: usize,
    /// Number of classes; 0: unconditional.
    pub label_dim: usize,
    /// Width of the networks.
    pub width: Width,
    /// Feature maps at resolution `r` are `channel_base / r`, instead of what the width says.
    pub channel_base: Option<usize>,
    /// Largest number of feature maps, instead of what the width says.
    pub channel_max: Option<usize>,
    /// Images of a step.
    pub batch: usize,
    /// Length of the training in thousands of images.
    pub kimg: f64,
    /// Seed of the training.
    pub seed: u64,
    /// Weight of R1, instead of the preset's heuristic.
    pub gamma: Option<f64>,
    /// The images.
    pub dataset: DatasetSpec,
}

impl Default for PresetOptions {
    fn default() -> Self {
        Self {
            resolution: 64,
            img_channels: 3,
            label_dim: 0,
            width: Width::Tiny,
            channel_base: None,
            channel_max: None,
            batch: 16,
            kimg: 1000.0,
            seed: 0,
            gamma: None,
            dataset: DatasetSpec { source: DatasetSource::Portraits { seed: 0 }, mirror: false },
        }
    }
}

impl Preset {
    /// All of them, in the order of the papers.
    pub const ALL: [Self; 13] = [
        Self::ProGan,
        Self::StyleGanB,
        Self::StyleGanC,
        Self::StyleGanD,
        Self::StyleGanE,
        Self::StyleGanF,
        Self::StyleGan2A,
        Self::StyleGan2B,
        Self::StyleGan2C,
        Self::StyleGan2D,
        Self::StyleGan2E,
        Self::StyleGan2F,
        Self::Msg,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ProGan => "progan",
            Self::StyleGanB => "stylegan-b",
            Self::StyleGanC => "stylegan-c",
            Self::StyleGanD => "stylegan-d",
            Self::StyleGanE => "stylegan-e",
            Self::StyleGanF => "stylegan-f",
            Self::StyleGan2A => "stylegan2-a",
            Self::StyleGan2B => "stylegan2-b",
            Self::StyleGan2C => "stylegan2-c",
            Self::StyleGan2D => "stylegan2-d",
            Self::StyleGan2E => "stylegan2-e",
            Self::StyleGan2F => "stylegan2-f",
            Self::Msg => "msg",
        }
    }

    /// What it changes, in a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::ProGan => "The progressive GAN (StyleGAN A): the latent is the input, networks grow, WGAN-GP.",
            Self::StyleGanB => "Progressive GAN with bilinear up- and downsampling, and the logistic loss with R1.",
            Self::StyleGanC => "Adds the mapping network, and styles that drive every layer (AdaIN).",
            Self::StyleGanD => "Starts from a learned constant instead of the latent.",
            Self::StyleGanE => "Adds noise inputs.",
            Self::StyleGanF => "Adds mixing regularisation: the finished StyleGAN.",
            Self::StyleGan2A => "StyleGAN F again, the baseline of StyleGAN2's table.",
            Self::StyleGan2B => "Modulated and demodulated weights instead of AdaIN: no more droplets.",
            Self::StyleGan2C => "Regularises lazily, every 16th iteration: faster, and as good.",
            Self::StyleGan2D => "Adds path length regularisation: smoother latents.",
            Self::StyleGan2E => "No growing: a generator with skips, a residual discriminator.",
            Self::StyleGan2F => "Twice the feature maps at high resolutions: the finished StyleGAN2.",
            Self::Msg => "MSG-GAN: images of every resolution go from the generator into the discriminator.",
        }
    }

    /// The preset of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// The training that it stands for.
    ///
    /// # Errors
    /// Options that no network can have.
    pub fn build(self, options: &PresetOptions) -> Result<TrainConfig, ConfigError> {
        let o = options;
        let stylegan1 = self.is_stylegan1();
        let rate = match o.resolution {
            _ if self.grows() => 0.001,
            ..1024 => 0.0025,
            _ => 0.002,
        };
        let path_length = matches!(self, Self::StyleGan2D | Self::StyleGan2E | Self::StyleGan2F | Self::Msg);
        let lazy = path_length || self == Self::StyleGan2C;
        let wgan = self == Self::ProGan;
        let mixing =
            !matches!(self, Self::ProGan | Self::StyleGanB | Self::StyleGanC | Self::StyleGanD | Self::StyleGanE);
        let initial_resolution = if wgan { 4 } else { 8 };
        let config = TrainConfig {
            preset: self.name().to_owned(),
            dataset: o.dataset.clone(),
            generator: self.generator(o),
            discriminator: self.discriminator(o),
            batch: o.batch,
            kimg: o.kimg,
            seed: o.seed,
            generator_lr: rate,
            discriminator_lr: rate,
            adam_beta1: 0.0,
            adam_beta2: 0.99,
            adam_epsilon: 1e-8,
            generator_reg_interval: path_length.then_some(4),
            discriminator_reg_interval: lazy.then_some(16),
            r1_gamma: if wgan { 0.0 } else { o.gamma.unwrap_or_else(|| self.gamma(o)) },
            r2_gamma: 0.0,
            pl_weight: if path_length { 2.0 } else { 0.0 },
            pl_decay: 0.01,
            pl_batch_shrink: 2,
            style_mixing_prob: if mixing { 0.9 } else { 0.0 },
            loss: self.loss(),
            ema_kimg: 10.0,
            ema_rampup: (!stylegan1).then_some(0.05),
            ada: Ada::Off,
            discriminator_first_kimg: None,
            noise_floor: None,
            growing: self
                .grows()
                .then(|| for_budget(initial_resolution, o.resolution, o.kimg, o.batch))
                // Nothing grows where the first resolution is the last.
                .filter(|growing| growing.initial_resolution < o.resolution),
            intervals: intervals(o.kimg),
        };
        config.validate()?;
        Ok(config)
    }

    /// What its networks play for.
    pub fn loss(self) -> Loss {
        if self == Self::ProGan { Loss::WGAN_GP } else { Loss::Logistic }
    }

    fn is_stylegan1(self) -> bool {
        !matches!(
            self,
            Self::StyleGan2B | Self::StyleGan2C | Self::StyleGan2D | Self::StyleGan2E | Self::StyleGan2F | Self::Msg
        )
    }

    fn grows(self) -> bool {
        !matches!(self, Self::StyleGan2E | Self::StyleGan2F | Self::Msg)
    }

    /// Weight of R1. StyleGAN's rows have its constant 10. StyleGAN2's have the heuristic of the ADA tools (arXiv 2006.06676,
    /// appendix C), `0.0002 * resolution^2 / batch`, rows B to D included: at 1024 pixels and the papers' batch of 32 it gives 6.6,
    /// near the 10 that those rows had there, and unlike a constant it also suits smaller images.
    fn gamma(self, options: &PresetOptions) -> f64 {
        if self.is_stylegan1() {
            return 10.0;
        }
        0.0002 * (options.resolution * options.resolution) as f64 / options.batch.max(1) as f64
    }

    fn channels(self, options: &PresetOptions) -> ChannelTable {
        let (base, max) = match options.width {
            Width::Tiny => (32 * options.resolution, 64),
            Width::Small => (64 * options.resolution, 256),
            Width::Paper => (16384, 512),
        };
        let base = if self == Self::StyleGan2F { 2 * base } else { base };
        let base = options.channel_base.unwrap_or(base);
        ChannelTable::from_base(base, options.channel_max.unwrap_or(max).max(1), options.resolution)
    }

    fn generator(self, o: &PresetOptions) -> GeneratorConfig {
        let (z_dim, num_layers) = match o.width {
            Width::Tiny => (128, 4),
            Width::Small => (256, 8),
            Width::Paper => (512, 8),
        };
        let mapping = mapping(z_dim, num_layers, if self.is_stylegan1() { 0.995 } else { 0.998 });
        let channels = self.channels(o);
        if !self.is_stylegan1() {
            return GeneratorConfig::StyleGan2(StyleGan2Config {
                z_dim,
                label_dim: o.label_dim,
                w_dim: z_dim,
                resolution: o.resolution,
                img_channels: o.img_channels,
                mapping,
                channels,
                architecture: match self {
                    Self::StyleGan2E | Self::StyleGan2F => Architecture::Skip,
                    Self::Msg => Architecture::Msg,
                    _ => Architecture::Orig,
                },
                conv_clamp: None,
                use_noise: true,
                resample_filter: vec![1.0, 3.0, 3.0, 1.0],
            });
        }
        let features = self.features();
        GeneratorConfig::StyleGan1(StyleGan1Config {
            variant: StyleGan1Variant::Official,
            z_dim,
            label_dim: o.label_dim,
            // Without a mapping network the normalised latent and label are all there is.
            w_dim: if features.styles { z_dim } else { z_dim + o.label_dim },
            resolution: o.resolution,
            img_channels: o.img_channels,
            mapping: if features.styles { mapping } else { MappingConfig { num_layers: 0, ..mapping } },
            channels,
            fused_from: 128,
            lod: 0.0,
            features,
        })
    }

    /// What the rows of StyleGAN's table add.
    fn features(self) -> StyleGan1Features {
        let finished = StyleGan1Features::default();
        match self {
            Self::ProGan | Self::StyleGanB => StyleGan1Features {
                input: SynthesisInput::Latent,
                styles: false,
                use_noise: false,
                resample_filter: self.stylegan1_filter(),
            },
            Self::StyleGanC => StyleGan1Features { input: SynthesisInput::Latent, use_noise: false, ..finished },
            Self::StyleGanD => StyleGan1Features { use_noise: false, ..finished },
            _ => finished,
        }
    }

    fn stylegan1_filter(self) -> Vec<f32> {
        if self == Self::ProGan { vec![1.0] } else { vec![1.0, 2.0, 1.0] }
    }

    fn discriminator(self, o: &PresetOptions) -> DiscriminatorConfig {
        let channels = self.channels(o);
        if self.is_stylegan1() {
            return DiscriminatorConfig::StyleGan1(StyleGan1DiscriminatorConfig {
                resolution: o.resolution,
                img_channels: o.img_channels,
                label_dim: o.label_dim,
                channels,
                variant: StyleGan1Variant::Official,
                from_rgb_activation: true,
                fused_from: 128,
                mbstd_group_size: 4,
                resample_filter: self.stylegan1_filter(),
            });
        }
        let cmap_dim = channels.at(4);
        DiscriminatorConfig::StyleGan2(StyleGan2DiscriminatorConfig {
            resolution: o.resolution,
            img_channels: o.img_channels,
            label_dim: o.label_dim,
            channels,
            architecture: match self {
                Self::StyleGan2E | Self::StyleGan2F => DiscriminatorArchitecture::Resnet,
                Self::Msg => DiscriminatorArchitecture::Msg,
                _ => DiscriminatorArchitecture::Orig,
            },
            conv_clamp: None,
            mbstd_group_size: Some(4),
            mbstd_num_channels: 1,
            label_projection: LabelProjection::Mapped,
            mapping: mapping(cmap_dim, 8, 0.998),
            cmap_dim,
            resample_filter: vec![1.0, 3.0, 3.0, 1.0],
            grows: self.grows(),
        })
    }
}

fn mapping(hidden_dim: usize, num_layers: usize, w_avg_beta: f64) -> MappingConfig {
    MappingConfig {
        num_layers,
        hidden_dim,
        lr_multiplier: 0.01,
        w_avg_beta,
        label_normalization: LabelNormalization::Separate,
    }
}

/// A tick every 4 thousand images as the official tools have it, and at least 50 in a training.
fn intervals(kimg: f64) -> Intervals {
    let tick_kimg = (kimg / 50.0).clamp(0.001, 4.0);
    Intervals { tick_kimg, sample_ticks: 2, snapshot_ticks: 5, checkpoint_ticks: 2 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::resolutions;

    #[test]
    fn every_preset_is_sound_at_every_resolution_and_width() {
        let mut built = 0;
        for preset in Preset::ALL {
            for resolution in resolutions(1024) {
                for width in [Width::Tiny, Width::Small, Width::Paper] {
                    for label_dim in [0, 7] {
                        let options = PresetOptions { resolution, width, label_dim, ..PresetOptions::default() };
                        let config = preset.build(&options).unwrap_or_else(|e| panic!("{preset:?} {resolution}: {e}"));
                        let json = serde_json::to_string(&config).unwrap();
                        assert_eq!(serde_json::from_str::<TrainConfig>(&json).unwrap(), config, "{json}");
                        built += 1;
                    }
                }
            }
        }
        assert_eq!(built, 13 * 9 * 3 * 2);
    }

    #[test]
    fn names_are_the_papers() {
        for preset in Preset::ALL {
            assert_eq!(Preset::from_name(preset.name()), Some(preset));
            assert!(preset.sentence().ends_with('.'));
        }
        assert_eq!(Preset::from_name("stylegan-a"), None);
    }

    #[test]
    fn rows_differ_in_what_the_papers_say() {
        let build = |preset: Preset| {
            preset.build(&PresetOptions { resolution: 256, width: Width::Paper, ..PresetOptions::default() }).unwrap()
        };
        // StyleGAN2's A is StyleGAN's F.
        let (f, a) = (build(Preset::StyleGanF), build(Preset::StyleGan2A));
        assert_eq!(TrainConfig { preset: f.preset.clone(), ..a }, f);
        // C adds lazy regularisation, D the path length, nothing else.
        let (b, c, d) = (build(Preset::StyleGan2B), build(Preset::StyleGan2C), build(Preset::StyleGan2D));
        let lazy = TrainConfig { preset: c.preset.clone(), discriminator_reg_interval: Some(16), ..b };
        assert_eq!(lazy, c);
        let smooth = TrainConfig { preset: d.preset.clone(), generator_reg_interval: Some(4), pl_weight: 2.0, ..c };
        assert_eq!(smooth, d);
        // E does not grow, F is wider.
        let (e, f) = (build(Preset::StyleGan2E), build(Preset::StyleGan2F));
        assert!(d.growing.is_some() && e.growing.is_none());
        assert_eq!((e.generator.channels().at(256), f.generator.channels().at(256)), (64, 128));
        assert_eq!(
            TrainConfig {
                preset: e.preset.clone(),
                generator: e.generator.clone(),
                discriminator: e.discriminator.clone(),
                ..f
            },
            e
        );
        assert!(matches!(build(Preset::ProGan).loss, Loss::WganGp { lambda: 10.0, epsilon_drift: 0.001 }));
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        let refuse = |change: &dyn Fn(&mut TrainConfig), field: &str| {
            let mut config = Preset::StyleGan2E.build(&PresetOptions::default()).unwrap();
            change(&mut config);
            let error = config.validate().expect_err(field);
            assert_eq!(error.field, field, "{error}");
        };
        refuse(&|c| c.batch = 0, "batch");
        refuse(&|c| c.batch = 6, "batch");
        refuse(&|c| c.batch = 1, "batch");
        refuse(&|c| c.kimg = f64::NAN, "kimg");
        refuse(&|c| c.generator_lr = 0.0, "generator_lr");
        refuse(&|c| c.adam_beta2 = 1.0, "adam_beta2");
        refuse(&|c| c.r1_gamma = -1.0, "r1_gamma");
        refuse(&|c| c.generator_reg_interval = Some(0), "generator_reg_interval");
        refuse(&|c| c.ada = Ada::Fixed { p: 1.5 }, "ada.p");
        refuse(&|c| c.style_mixing_prob = 2.0, "style_mixing_prob");
        refuse(&|c| c.intervals.tick_kimg = 0.0, "intervals.tick_kimg");
        refuse(&|c| c.intervals.checkpoint_ticks = 0, "intervals.checkpoint_ticks");
        refuse(&|c| c.growing = Some(for_budget(8, 64, 1.0, 16)), "growing");
        refuse(&|c| c.pl_batch_shrink = 0, "pl_batch_shrink");
        let progan = Preset::ProGan.build(&PresetOptions::default()).unwrap();
        assert_eq!(TrainConfig { pl_weight: 1.0, ..progan }.validate().unwrap_err().field, "pl_weight");
        let options = PresetOptions { resolution: 48, ..PresetOptions::default() };
        assert_eq!(Preset::Msg.build(&options).unwrap_err().field, "resolution");
    }
}
