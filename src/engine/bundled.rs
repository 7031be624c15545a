//! The network that the program brings along, so that there is something to explore before any file is opened.

use crate::model::{
    Generator, ModelError, Placement,
    config::{Architecture, ChannelTable, GeneratorConfig, LabelNormalization, MappingConfig, StyleGan2Config},
};

/// Its name in the window.
pub const NAME: &str = "untrained-64";
/// What the window says about it.
pub const NOTICE: &str = "The bundled network is untrained: random weights from a fixed seed. Its pictures show what the \
                          controls do, not what a trained model can draw. Open a model file to explore one.";
/// The seed of its weights.
const SEED: u64 = 64;

/// A small StyleGAN2 of 64x64 pixels.
pub fn config() -> GeneratorConfig {
    let resolution = 64;
    GeneratorConfig::StyleGan2(StyleGan2Config {
        z_dim: 128,
        label_dim: 0,
        w_dim: 128,
        resolution,
        img_channels: 3,
        mapping: MappingConfig {
            num_layers: 8,
            hidden_dim: 128,
            lr_multiplier: 0.01,
            w_avg_beta: 0.998,
            label_normalization: LabelNormalization::Separate,
        },
        channels: ChannelTable::from_base(2048, 128, resolution),
        architecture: Architecture::Skip,
        conv_clamp: None,
        use_noise: true,
        resample_filter: vec![1.0, 3.0, 3.0, 1.0],
    })
}

/// The network.
///
/// # Errors
/// [`ModelError`] if the device refuses.
pub fn generator(placement: &Placement) -> Result<Generator, ModelError> {
    Generator::init(config(), SEED, placement)
}
