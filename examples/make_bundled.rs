//! Writes `assets/bundled.safetensors`, the network that the program brings along until there is a trained one.
//!
//!     cargo run --example make_bundled
//!
//! It is untrained, with two changes to the official initialisation, so that every control of the window acts on it and its
//! pictures are not saturated: noise strengths, which start at zero, are set, and the weights of the RGB layers are scaled.

use std::path::Path;

use stylescope::{
    checkpoint::{Precision, save_safetensors_as},
    model::{
        Generator, Placement,
        config::{Architecture, ChannelTable, GeneratorConfig, LabelNormalization, MappingConfig, StyleGan2Config},
    },
};

const SEED: u64 = 64;
const RESOLUTION: usize = 64;
const NOISE_STRENGTH: f32 = 0.06;
const RGB_SCALE: f32 = 0.35;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = GeneratorConfig::StyleGan2(StyleGan2Config {
        z_dim: 128,
        label_dim: 0,
        w_dim: 128,
        resolution: RESOLUTION,
        img_channels: 3,
        mapping: MappingConfig {
            num_layers: 8,
            hidden_dim: 128,
            lr_multiplier: 0.01,
            w_avg_beta: 0.998,
            label_normalization: LabelNormalization::Separate,
        },
        channels: ChannelTable::from_base(2048, 128, RESOLUTION),
        architecture: Architecture::Skip,
        conv_clamp: None,
        use_noise: true,
        resample_filter: vec![1.0, 3.0, 3.0, 1.0],
    });
    let generator = Generator::init(config, SEED, &Placement::cpu())?;
    let mut weights = generator.state_dict()?;
    for (name, tensor) in &mut weights.0 {
        if name.ends_with(".noise_strength") {
            tensor.data.fill(NOISE_STRENGTH);
        }
        if name.ends_with(".torgb.weight") {
            tensor.data.iter_mut().for_each(|value| *value *= RGB_SCALE);
        }
    }
    let notes = [
        ("name", "untrained-64".to_owned()),
        ("training", format!("none: random weights from seed {SEED}")),
        ("noise_strength", format!("{NOISE_STRENGTH} in every layer, where a fresh network has 0")),
        ("rgb", format!("weights of the RGB layers times {RGB_SCALE}")),
    ];
    let notes = notes.map(|(key, value)| (key.to_owned(), value));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/bundled.safetensors");
    // Half precision: nobody trained the digits that are lost.
    save_safetensors_as(&path, generator.config(), &weights, &notes, Precision::F16)?;
    println!("{}: {} values", path.display(), weights.num_values());
    Ok(())
}
