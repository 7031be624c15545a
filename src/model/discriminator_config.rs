//! What a discriminator is, in numbers: everything that is needed to build it before its weights are known.

use serde::{Deserialize, Serialize};

use super::config::{
    ChannelTable, ConfigError, MAX_WIDTH, MappingConfig, StyleGan1Variant, check, check_filter, check_images,
};

/// A group of the minibatch standard deviation that no batch exceeds.
pub const WHOLE_BATCH: usize = u32::MAX as usize;

/// Configuration of any discriminator that the program can train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "snake_case")]
pub enum DiscriminatorConfig {
    /// StyleGAN2's (arXiv 1912.04958, figure 7).
    #[serde(rename = "stylegan2")]
    StyleGan2(StyleGan2DiscriminatorConfig),
    /// StyleGAN's and the progressive GAN's, which grow (arXiv 1812.04948 and 1710.10196).
    #[serde(rename = "stylegan1")]
    StyleGan1(StyleGan1DiscriminatorConfig),
}

/// How the image enters the blocks of a StyleGAN2 discriminator (figure 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiscriminatorArchitecture {
    /// At the highest resolution; plain stack.
    Orig,
    /// At every resolution, filtered down.
    Skip,
    /// At the highest resolution; residual blocks.
    Resnet,
    /// At every resolution: the generator's own RGB of that resolution, beside the features (MSG-GAN, arXiv 1903.06048).
    Msg,
}

/// How a label meets what a StyleGAN2 discriminator says of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelProjection {
    /// Mapped to a vector, whose product with the network's output is the logit (PyTorch lineage).
    #[default]
    Mapped,
    /// The network has an output for each class, and the label picks one (TensorFlow lineage).
    Direct,
}

/// A StyleGAN2 discriminator. Weights go by the official names: `b32.fromrgb.weight`, `b32.conv0.weight`, `b4.fc.weight`,
/// `mapping.fc0.weight`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StyleGan2DiscriminatorConfig {
    /// Side of the image in pixels, a power of two.
    pub resolution: usize,
    /// 1 (grey), 3 (RGB) or 4 (RGBA).
    pub img_channels: usize,
    /// Number of classes; 0 for an unconditional network.
    pub label_dim: usize,
    /// Feature maps by resolution, those that a block of that resolution takes in.
    pub channels: ChannelTable,
    /// Orig, skip, resnet or MSG.
    pub architecture: DiscriminatorArchitecture,
    /// Clamp of every layer's output to `+-conv_clamp * gain`.
    #[serde(default)]
    pub conv_clamp: Option<f64>,
    /// Samples that share a standard deviation, at most; `None` for the whole batch.
    pub mbstd_group_size: Option<usize>,
    /// Channels that the minibatch standard deviation adds; 0 turns it off.
    pub mbstd_num_channels: usize,
    /// What becomes of the label.
    #[serde(default)]
    pub label_projection: LabelProjection,
    /// Of the label: [`label_dim`](Self::label_dim) to [`cmap_dim`](Self::cmap_dim); used where labels are mapped.
    pub mapping: MappingConfig,
    /// Length of the vector that a label becomes, where it is mapped; the official default is the number of channels at 4 pixels.
    pub cmap_dim: usize,
    /// The one-dimensional resampling filter, `[1, 3, 3, 1]` in the paper; normalised before use.
    pub resample_filter: Vec<f32>,
    /// `from_rgb` at every resolution, which a network that grows needs (StyleGAN2, table 1, rows B to D).
    #[serde(default)]
    pub grows: bool,
}

/// A StyleGAN or progressive GAN discriminator. Weights go by the names of the official PyTorch form: `input0.weight` (level of
/// detail 0, the highest resolution), `layer0.weight`, ...
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StyleGan1DiscriminatorConfig {
    /// Side of the image in pixels, a power of two.
    pub resolution: usize,
    /// 1 (grey), 3 (RGB) or 4 (RGBA).
    pub img_channels: usize,
    /// Number of classes; 0 for an unconditional network. A label picks its output.
    pub label_dim: usize,
    /// Feature maps by resolution, those that a block of that resolution takes in.
    pub channels: ChannelTable,
    /// Official, or the community port: its blocks change the number of channels in their first convolution.
    #[serde(default)]
    pub variant: StyleGan1Variant,
    /// Whether an activation follows `from_rgb`; old files of the community port have none.
    #[serde(default = "yes")]
    pub from_rgb_activation: bool,
    /// Smallest input resolution whose downsampling is fused into the convolution (128 in the paper).
    pub fused_from: usize,
    /// Samples that share a standard deviation, at most (4 in the papers, [`WHOLE_BATCH`] in the community port).
    pub mbstd_group_size: usize,
    /// The one-dimensional filter before downsampling, `[1, 2, 1]` in StyleGAN, `[1]` (none) in the progressive GAN.
    pub resample_filter: Vec<f32>,
}

impl StyleGan2DiscriminatorConfig {
    /// Length of the vector that a label is mapped to; `None` where no label is mapped.
    pub fn label_vector_dim(&self) -> Option<usize> {
        (self.label_dim > 0 && self.label_projection == LabelProjection::Mapped).then_some(self.cmap_dim)
    }

    /// Number of outputs of the last layer.
    pub fn outputs(&self) -> usize {
        self.label_vector_dim().unwrap_or(self.label_dim.max(1))
    }
}

fn yes() -> bool {
    true
}

impl DiscriminatorConfig {
    /// Side of the image in pixels.
    pub fn resolution(&self) -> usize {
        match self {
            Self::StyleGan2(c) => c.resolution,
            Self::StyleGan1(c) => c.resolution,
        }
    }

    /// Channels of the image.
    pub fn img_channels(&self) -> usize {
        match self {
            Self::StyleGan2(c) => c.img_channels,
            Self::StyleGan1(c) => c.img_channels,
        }
    }

    /// Number of classes, 0 for an unconditional network.
    pub fn label_dim(&self) -> usize {
        match self {
            Self::StyleGan2(c) => c.label_dim,
            Self::StyleGan1(c) => c.label_dim,
        }
    }

    /// Feature maps by resolution.
    pub fn channels(&self) -> &ChannelTable {
        match self {
            Self::StyleGan2(c) => &c.channels,
            Self::StyleGan1(c) => &c.channels,
        }
    }

    /// Checks every number before anything is allocated from it.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_images(self.resolution(), self.img_channels(), self.label_dim(), self.channels())?;
        let (taps, group, features) = match self {
            Self::StyleGan2(c) => (&c.resample_filter, c.mbstd_group_size.unwrap_or(1), c.mbstd_num_channels),
            Self::StyleGan1(c) => (&c.resample_filter, c.mbstd_group_size, 1),
        };
        check_filter(taps)?;
        check(group > 0, "mbstd_group_size", group, "it must be positive")?;
        let ok = features == 0 || self.channels().at(4).is_multiple_of(features);
        check(ok, "mbstd_num_channels", features, "it must divide the channels at 4 pixels")?;
        if let Self::StyleGan2(c) = self {
            let ok = c.label_vector_dim().is_none_or(|dim| (1..=MAX_WIDTH).contains(&dim));
            check(ok, "cmap_dim", c.cmap_dim, "it must be between 1 and 4096")?;
            let ok = !c.grows || c.architecture == DiscriminatorArchitecture::Orig;
            check(ok, "grows", c.grows, "only the orig architecture grows")?;
        }
        Ok(())
    }
}
