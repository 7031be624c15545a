//! Networks of the published sizes, untrained: weights do not change the time. And what draws without a window.

// Every bench compiles this module and uses its own part of it.
#![allow(dead_code)]

use stylescope::{
    engine::DisplayDevice,
    gpu::device::{DeviceChoice, select},
    model::config::{
        Architecture, ChannelTable, GeneratorConfig, LabelNormalization, MappingConfig, StyleGan1Config,
        StyleGan1Variant, StyleGan2Config,
    },
};

/// Resolutions with the `channel_base` of the published networks of that size.
pub const SIZES: [(usize, usize); 2] = [(256, 16384), (1024, 32768)];

/// The resolutions alone, as arguments of a bench.
pub fn sizes() -> impl Iterator<Item = usize> {
    SIZES.into_iter().map(|(resolution, _)| resolution)
}

/// The configuration of one of [`SIZES`], by its place there.
pub fn config(index: usize) -> GeneratorConfig {
    let (resolution, channel_base) = SIZES[index];
    GeneratorConfig::StyleGan2(StyleGan2Config {
        z_dim: 512,
        label_dim: 0,
        w_dim: 512,
        resolution,
        img_channels: 3,
        mapping: MappingConfig {
            num_layers: 8,
            hidden_dim: 512,
            lr_multiplier: 0.01,
            w_avg_beta: 0.998,
            label_normalization: LabelNormalization::Separate,
        },
        channels: ChannelTable::from_base(channel_base, 512, resolution),
        architecture: Architecture::Skip,
        conv_clamp: None,
        use_noise: true,
        resample_filter: vec![1.0, 3.0, 3.0, 1.0],
    })
}

/// A StyleGAN of 1024 pixels as published.
pub fn stylegan(variant: StyleGan1Variant) -> GeneratorConfig {
    GeneratorConfig::StyleGan1(StyleGan1Config {
        variant,
        z_dim: 512,
        label_dim: 0,
        w_dim: 512,
        resolution: 1024,
        img_channels: 3,
        mapping: MappingConfig {
            num_layers: 8,
            hidden_dim: 512,
            lr_multiplier: 0.01,
            w_avg_beta: 0.995,
            label_normalization: LabelNormalization::Joint,
        },
        channels: ChannelTable::from_base(16384, 512, 1024),
        fused_from: 128,
        lod: 0.0,
        features: Default::default(),
    })
}

/// The place of a resolution in [`SIZES`].
pub fn index_of(size: usize) -> usize {
    SIZES.iter().position(|(resolution, _)| *resolution == size).expect("one of SIZES")
}

/// Whatever graphics device the machine has, a software driver included.
pub fn display() -> Option<DisplayDevice> {
    let shared =
        [DeviceChoice::Gpu, DeviceChoice::Software].into_iter().find_map(|choice| select(choice).ok()?.shared)?;
    Some(DisplayDevice { device: shared.device, queue: shared.queue, info: shared.adapter.get_info() })
}
