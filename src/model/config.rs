//! What a generator is, in numbers: everything that is needed to build it before its weights are known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Largest side of an image that a network may have, in pixels.
pub const MAX_RESOLUTION: usize = 1024;
/// Largest number of channels, latent or label dimensions that a network may ask for.
pub const MAX_WIDTH: usize = 4096;

/// Configuration of any generator that the program can run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "snake_case")]
pub enum GeneratorConfig {
    /// StyleGAN2 (arXiv 1912.04958) and its ADA lineage.
    #[serde(rename = "stylegan2")]
    StyleGan2(StyleGan2Config),
    /// StyleGAN (arXiv 1812.04948), official order of operations or the community port.
    #[serde(rename = "stylegan1")]
    StyleGan1(StyleGan1Config),
}

/// How the images of a StyleGAN2 generator's blocks come together (StyleGAN2, figure 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// Every block adds its RGB to the upsampled running image.
    Skip,
    /// Residual blocks, RGB at the end alone.
    Resnet,
    /// Plain stack, RGB at the end alone.
    Orig,
    /// Plain stack with RGB of its own at every resolution (MSG-GAN, arXiv 1903.06048); the image is the last one.
    Msg,
}

/// Where the mapping network normalises `z` and the embedded label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelNormalization {
    /// `z` and the embedded label each by itself, then concatenated (PyTorch lineage).
    #[default]
    Separate,
    /// Concatenated first, normalised as a whole (TensorFlow lineage).
    Joint,
}

/// The mapping network `z -> w`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MappingConfig {
    /// Number of fully connected layers.
    pub num_layers: usize,
    /// Width of the hidden layers.
    pub hidden_dim: usize,
    /// Learning-rate multiplier of the equalised layers (0.01 in the papers).
    pub lr_multiplier: f64,
    /// Decay of the moving average of `w` during training.
    pub w_avg_beta: f64,
    /// How a label joins `z`.
    #[serde(default)]
    pub label_normalization: LabelNormalization,
}

/// Channels of the feature maps by resolution: `4 -> 512, 8 -> 512, ...`, one entry a power of two.
///
/// Written with text keys: inside of a tagged enum serde cannot turn JSON's keys back into numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, usize>", into = "BTreeMap<String, usize>")]
pub struct ChannelTable(pub BTreeMap<usize, usize>);

impl From<ChannelTable> for BTreeMap<String, usize> {
    fn from(table: ChannelTable) -> Self {
        table.0.into_iter().map(|(resolution, channels)| (resolution.to_string(), channels)).collect()
    }
}

impl TryFrom<BTreeMap<String, usize>> for ChannelTable {
    type Error = ConfigError;

    fn try_from(table: BTreeMap<String, usize>) -> Result<Self, ConfigError> {
        let entry = |(resolution, channels): (String, usize)| match resolution.parse() {
            Ok(resolution) => Ok((resolution, channels)),
            Err(_) => Err(ConfigError {
                field: "channels",
                value: resolution,
                rule: "its keys must be resolutions in pixels",
            }),
        };
        table.into_iter().map(entry).collect::<Result<_, _>>().map(Self)
    }
}

impl ChannelTable {
    /// `min(channel_base / r, channel_max)` for every resolution from 4 to `resolution`.
    pub fn from_base(channel_base: usize, channel_max: usize, resolution: usize) -> Self {
        Self(resolutions(resolution).map(|r| (r, (channel_base / r).clamp(1, channel_max))).collect())
    }

    /// Channels at resolution `r`; 0 where the table has no such entry ([`GeneratorConfig::validate`] refuses that).
    pub fn at(&self, r: usize) -> usize {
        self.0.get(&r).copied().unwrap_or(0)
    }
}

/// The block resolutions `4, 8, ..., resolution`.
pub fn resolutions(resolution: usize) -> impl DoubleEndedIterator<Item = usize> + Clone {
    (2..=resolution.max(4).ilog2()).map(|log2| 1usize << log2)
}

/// A StyleGAN2 generator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StyleGan2Config {
    /// Dimension of `z`.
    pub z_dim: usize,
    /// Number of classes; 0 for an unconditional network.
    pub label_dim: usize,
    /// Dimension of `w`.
    pub w_dim: usize,
    /// Side of the image in pixels, a power of two.
    pub resolution: usize,
    /// 1 (grey), 3 (RGB) or 4 (RGBA).
    pub img_channels: usize,
    /// The mapping network.
    pub mapping: MappingConfig,
    /// Feature maps by resolution.
    pub channels: ChannelTable,
    /// Skip, resnet or orig.
    pub architecture: Architecture,
    /// Clamp of every layer's output to `+-conv_clamp * gain`.
    #[serde(default)]
    pub conv_clamp: Option<f64>,
    /// Whether layers have noise inputs.
    pub use_noise: bool,
    /// The one-dimensional resampling filter, `[1, 3, 3, 1]` in the paper; normalised before use.
    pub resample_filter: Vec<f32>,
}

/// Which arithmetic a StyleGAN network follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StyleGan1Variant {
    /// The order of operations of the paper's own implementation.
    #[default]
    Official,
    /// The community port with `step` and `alpha` (`networks.md`: gain sqrt(2) everywhere, one noise image a block, ...).
    Community,
}

/// A StyleGAN generator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StyleGan1Config {
    /// Official or community arithmetic.
    pub variant: StyleGan1Variant,
    /// Dimension of `z`.
    pub z_dim: usize,
    /// Number of classes; 0 for an unconditional network.
    pub label_dim: usize,
    /// Dimension of `w`.
    pub w_dim: usize,
    /// Side of the image in pixels, a power of two.
    pub resolution: usize,
    /// 1 (grey), 3 (RGB) or 4 (RGBA).
    pub img_channels: usize,
    /// The mapping network.
    pub mapping: MappingConfig,
    /// Feature maps by resolution.
    pub channels: ChannelTable,
    /// Smallest output resolution whose upsampling is fused into the convolution (128 in the paper).
    pub fused_from: usize,
    /// Level of detail at which the weights were saved: 0 is full resolution, 1 half, fractions blend.
    #[serde(default)]
    pub lod: f32,
    /// What the paper's table of configurations switches.
    #[serde(flatten)]
    pub features: StyleGan1Features,
}

/// What the rows of the paper's table of configurations add to the progressive GAN (StyleGAN, table 1); the default is the
/// finished StyleGAN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StyleGan1Features {
    /// What the first layer starts from: a constant, or in earlier configurations the latent.
    pub input: SynthesisInput,
    /// Whether styles drive the layers (AdaIN). Without, the network is the progressive GAN's: pixel norm, and `w` is the
    /// normalised `z`.
    pub styles: bool,
    /// Whether layers have noise inputs.
    pub use_noise: bool,
    /// The one-dimensional filter after upsampling, `[1, 2, 1]` in the paper, `[1]` for none; normalised before use.
    pub resample_filter: Vec<f32>,
}

impl Default for StyleGan1Features {
    fn default() -> Self {
        Self { input: SynthesisInput::Constant, styles: true, use_noise: true, resample_filter: vec![1.0, 2.0, 1.0] }
    }
}

/// What a StyleGAN synthesis network starts from (StyleGAN, table 1, rows C and D).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SynthesisInput {
    /// A learned constant.
    #[default]
    Constant,
    /// A fully connected layer on `w` (on the normalised `z` in the progressive GAN).
    Latent,
}

/// Why a configuration cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}: {rule}")]
pub struct ConfigError {
    /// The field, by its name in the configuration.
    pub field: &'static str,
    /// Its value, as text.
    pub value: String,
    /// What it must be.
    pub rule: &'static str,
}

impl GeneratorConfig {
    /// Dimension of `z`.
    pub fn z_dim(&self) -> usize {
        match self {
            Self::StyleGan2(c) => c.z_dim,
            Self::StyleGan1(c) => c.z_dim,
        }
    }

    /// Dimension of `w`.
    pub fn w_dim(&self) -> usize {
        match self {
            Self::StyleGan2(c) => c.w_dim,
            Self::StyleGan1(c) => c.w_dim,
        }
    }

    /// Number of classes, 0 for an unconditional network.
    pub fn label_dim(&self) -> usize {
        match self {
            Self::StyleGan2(c) => c.label_dim,
            Self::StyleGan1(c) => c.label_dim,
        }
    }

    /// Side of the image in pixels.
    pub fn resolution(&self) -> usize {
        match self {
            Self::StyleGan2(c) => c.resolution,
            Self::StyleGan1(c) => c.resolution,
        }
    }

    /// Channels of the image: 1 grey, 3 RGB, 4 RGBA.
    pub fn img_channels(&self) -> usize {
        match self {
            Self::StyleGan2(c) => c.img_channels,
            Self::StyleGan1(c) => c.img_channels,
        }
    }

    /// Feature maps by resolution.
    pub fn channels(&self) -> &ChannelTable {
        match self {
            Self::StyleGan2(c) => &c.channels,
            Self::StyleGan1(c) => &c.channels,
        }
    }

    /// The mapping network.
    pub fn mapping(&self) -> &MappingConfig {
        match self {
            Self::StyleGan2(c) => &c.mapping,
            Self::StyleGan1(c) => &c.mapping,
        }
    }

    /// Number of `w` inputs of the synthesis network: `2 * log2(resolution) - 2`, and 1 where no styles drive the layers.
    pub fn num_ws(&self) -> usize {
        if self.has_styles() { (2 * self.resolution().max(4).ilog2() - 2) as usize } else { 1 }
    }

    /// Whether `w` drives every layer; else it is only what the first one starts from (the progressive GAN).
    pub fn has_styles(&self) -> bool {
        !matches!(self, Self::StyleGan1(c) if !c.features.styles)
    }

    /// A name for people, e.g. `StyleGAN2 (skip)`.
    pub fn family_name(&self) -> &'static str {
        match self {
            Self::StyleGan2(c) => match c.architecture {
                Architecture::Skip => "StyleGAN2 (skip)",
                Architecture::Resnet => "StyleGAN2 (resnet)",
                Architecture::Orig => "StyleGAN2 (orig)",
                Architecture::Msg => "StyleGAN2 (MSG)",
            },
            Self::StyleGan1(c) => match c.variant {
                StyleGan1Variant::Official if !c.features.styles => "Progressive GAN",
                StyleGan1Variant::Official => "StyleGAN",
                StyleGan1Variant::Community => "StyleGAN (community port)",
            },
        }
    }

    /// Checks every number before anything is allocated from it.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_images(self.resolution(), self.img_channels(), self.label_dim(), self.channels())?;
        let MappingConfig { num_layers, hidden_dim, lr_multiplier, .. } = *self.mapping();
        check_width("z_dim", self.z_dim())?;
        check_width("w_dim", self.w_dim())?;
        check_width("mapping.hidden_dim", hidden_dim)?;
        check(
            (1..=64).contains(&num_layers) || !self.has_styles(),
            "mapping.num_layers",
            num_layers,
            "it must be between 1 and 64",
        )?;
        check(
            lr_multiplier.is_finite() && lr_multiplier > 0.0,
            "mapping.lr_multiplier",
            lr_multiplier,
            "it must be positive",
        )?;
        match self {
            Self::StyleGan2(c) => c.validate(),
            Self::StyleGan1(c) => c.validate(),
        }
    }
}

impl StyleGan2Config {
    /// Checks what StyleGAN2 alone has.
    fn validate(&self) -> Result<(), ConfigError> {
        check_filter(&self.resample_filter)?;
        check(
            self.conv_clamp.is_none_or(|limit| limit.is_finite() && limit > 0.0),
            "conv_clamp",
            format!("{:?}", self.conv_clamp),
            "it must be positive",
        )
    }
}

impl StyleGan1Config {
    /// Checks what StyleGAN alone has.
    fn validate(&self) -> Result<(), ConfigError> {
        let StyleGan1Features { input, styles, use_noise, ref resample_filter } = self.features;
        check(
            matches!(resample_filter.len(), 1 | 3) && resample_filter.iter().sum::<f32>().is_normal(),
            "resample_filter",
            format!("{resample_filter:?}"),
            "it must have 1 or 3 taps whose sum is not zero",
        )?;
        let constant = input == SynthesisInput::Constant;
        check(
            self.variant == StyleGan1Variant::Official || (styles && use_noise && constant),
            "variant",
            "community",
            "the community port has styles, noise and a constant input",
        )?;
        check(
            styles || (!constant && self.w_dim == self.z_dim + self.label_dim),
            "styles",
            "false",
            "without styles the input must be the latent, and w_dim its length with the label's",
        )?;
        check((0.0..=8.0).contains(&self.lod), "lod", self.lod, "it must be between 0 (full resolution) and 8")
    }
}

/// An error that names the field, unless `ok`.
pub(crate) fn check(
    ok: bool,
    field: &'static str,
    value: impl ToString,
    rule: &'static str,
) -> Result<(), ConfigError> {
    if ok { Ok(()) } else { Err(ConfigError { field, value: value.to_string(), rule }) }
}

fn check_width(field: &'static str, value: usize) -> Result<(), ConfigError> {
    check((1..=MAX_WIDTH).contains(&value), field, value, "it must be between 1 and 4096")
}

pub(super) fn check_filter(taps: &[f32]) -> Result<(), ConfigError> {
    let ok = (1..=16).contains(&taps.len()) && taps.iter().sum::<f32>().is_normal();
    check(ok, "resample_filter", format!("{taps:?}"), "it must have 1 to 16 taps whose sum is not zero")
}

/// What a generator and a discriminator both have.
pub(super) fn check_images(
    resolution: usize,
    img_channels: usize,
    label_dim: usize,
    channels: &ChannelTable,
) -> Result<(), ConfigError> {
    check(
        resolution.is_power_of_two() && (4..=MAX_RESOLUTION).contains(&resolution),
        "resolution",
        resolution,
        "it must be a power of two between 4 and 1024",
    )?;
    check(matches!(img_channels, 1 | 3 | 4), "img_channels", img_channels, "it must be 1 (grey), 3 (RGB) or 4 (RGBA)")?;
    check(label_dim <= MAX_WIDTH, "label_dim", label_dim, "it must be at most 4096")?;
    resolutions(resolution).try_for_each(|r| check_width("channels", channels.at(r)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_survives_json() {
        let mapping = MappingConfig {
            num_layers: 8,
            hidden_dim: 512,
            lr_multiplier: 0.01,
            w_avg_beta: 0.998,
            label_normalization: LabelNormalization::Joint,
        };
        let channels = ChannelTable::from_base(16384, 512, 256);
        let stylegan2 = GeneratorConfig::StyleGan2(StyleGan2Config {
            z_dim: 512,
            label_dim: 3,
            w_dim: 512,
            resolution: 256,
            img_channels: 3,
            mapping: mapping.clone(),
            channels: channels.clone(),
            architecture: Architecture::Resnet,
            conv_clamp: Some(256.0),
            use_noise: true,
            resample_filter: vec![1.0, 3.0, 3.0, 1.0],
        });
        let stylegan1 = GeneratorConfig::StyleGan1(StyleGan1Config {
            variant: StyleGan1Variant::Community,
            z_dim: 512,
            label_dim: 0,
            w_dim: 512,
            resolution: 256,
            img_channels: 1,
            mapping,
            channels,
            fused_from: 128,
            lod: 0.5,
            features: StyleGan1Features { use_noise: false, ..Default::default() },
        });
        for config in [stylegan2, stylegan1] {
            let json = serde_json::to_string(&config).unwrap();
            assert_eq!(serde_json::from_str::<GeneratorConfig>(&json).unwrap(), config, "{json}");
        }
        assert!(serde_json::from_str::<ChannelTable>(r#"{"four": 512}"#).is_err());
    }
}
