//! Writing synthesis networks as ONNX (opset 17, IR version 8), for programs that run such files.
//!
//! Inputs: `ws` `[N, num_ws, w_dim]`, and for every layer with noise `noise.<layer>` `[1 or N, 1, H, W]`, which may be
//! left out: the model's own map is its default. Output: `image` `[N, C, H, W]`, nominal range -1..1. The mapping
//! network is not part of the file: it turns seeds into `ws`, and truncation and mixing happen between the two.
//!
//! Networks without styles (the progressive GAN; StyleGAN, table 1, rows A and B) have no mapping and no `ws`. Their input
//! is `z` `[N, z_dim]`, which the file normalises, and for conditional ones `label` `[N, label_dim]`, a 1 at the class.

mod graph;
mod layers;
mod proto;
mod stylegan1;
mod stylegan2;

use std::io;

use crate::model::{
    config::{ConfigError, GeneratorConfig},
    state_dict::{StateDict, StateDictError},
};
use graph::Graph;
use proto::Length;

/// The operator set that the file asks for.
pub const OPSET: u64 = 17;

/// Why a network could not be written as ONNX.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// The configuration is out of range.
    #[error("the network cannot be built")]
    Config(#[from] ConfigError),
    /// The weights do not fit the configuration.
    #[error("the network is not complete")]
    Weights(#[from] StateDictError),
}

/// An ONNX file to be. It borrows the weights, which become bytes while it is written.
pub struct OnnxFile<'a>(proto::ModelProto<'a>);

impl<'a> OnnxFile<'a> {
    /// The file of this generator's synthesis network.
    ///
    /// # Errors
    /// [`OnnxError`] if the weights do not fit the configuration.
    pub fn new(config: &GeneratorConfig, weights: &'a StateDict, name: &str) -> Result<Self, OnnxError> {
        Ok(Self(proto::ModelProto {
            ir_version: 8,
            producer_name: env!("CARGO_PKG_NAME").to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            doc_string: format!("{} synthesis network, {1}x{1}", config.family_name(), config.resolution()),
            graph: graph(config, weights, name)?,
            opset: OPSET,
        }))
    }

    /// Length in bytes.
    pub fn num_bytes(&self) -> usize {
        proto::len(&self.0)
    }

    /// Hands all bytes to `part`, some at a time.
    ///
    /// # Errors
    /// The first that `part` returns.
    pub fn write(&self, part: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        proto::write(&self.0, part)
    }
}

fn graph<'a>(config: &GeneratorConfig, weights: &'a StateDict, name: &str) -> Result<proto::GraphProto<'a>, OnnxError> {
    config.validate()?;
    let mut g = Graph::new(name);
    let latent = latent(&mut g, config);
    let image = match config {
        GeneratorConfig::StyleGan2(c) => stylegan2::synthesis(&mut g, c, weights, &latent)?,
        GeneratorConfig::StyleGan1(c) => stylegan1::synthesis(&mut g, c, weights, &latent)?,
    };
    let (channels, side) = (config.img_channels(), config.resolution());
    g.output(
        &image,
        "image",
        &[Length::Named("batch"), Length::Fixed(channels), Length::Fixed(side), Length::Fixed(side)],
        "the image, nominal range -1..1",
    );
    Ok(g.finish())
}

/// Declares what the network is driven by: `ws`, or `z` (and a label) where there are no styles.
fn latent(g: &mut Graph<'_>, config: &GeneratorConfig) -> String {
    let batch = Length::Named("batch");
    if config.has_styles() {
        let shape = [batch, Length::Fixed(config.num_ws()), Length::Fixed(config.w_dim())];
        return g.input("ws", &shape, "one w a layer, after truncation and mixing");
    }
    let mut z = g.input("z", &[batch, Length::Fixed(config.z_dim())], "the latent; its length does not matter");
    if config.label_dim() > 0 {
        let label = g.input("label", &[batch, Length::Fixed(config.label_dim())], "a 1 at the class, else 0");
        z = g.node("Concat", &[&z, &label], vec![graph::int("axis", 1)]);
    }
    layers::normalize(g, &z)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::model::{
        Generator, Placement,
        config::{
            Architecture, ChannelTable, MappingConfig, StyleGan1Config, StyleGan1Features, StyleGan1Variant,
            StyleGan2Config, SynthesisInput, resolutions,
        },
    };

    fn mapping() -> MappingConfig {
        MappingConfig {
            num_layers: 2,
            hidden_dim: 8,
            lr_multiplier: 0.01,
            w_avg_beta: 0.995,
            label_normalization: Default::default(),
        }
    }

    fn stylegan2(architecture: Architecture) -> GeneratorConfig {
        GeneratorConfig::StyleGan2(StyleGan2Config {
            z_dim: 8,
            label_dim: 0,
            w_dim: 8,
            resolution: 16,
            img_channels: 3,
            mapping: mapping(),
            channels: ChannelTable::from_base(64, 8, 16),
            architecture,
            conv_clamp: Some(2.0),
            use_noise: true,
            resample_filter: vec![1.0, 3.0, 3.0, 1.0],
        })
    }

    fn stylegan1(variant: StyleGan1Variant) -> GeneratorConfig {
        GeneratorConfig::StyleGan1(StyleGan1Config {
            variant,
            z_dim: 8,
            label_dim: 0,
            w_dim: 8,
            resolution: 16,
            img_channels: 3,
            mapping: mapping(),
            channels: ChannelTable(resolutions(16).map(|r| (r, 64 / r)).collect()),
            fused_from: 16,
            lod: 0.5,
            features: Default::default(),
        })
    }

    /// Row C of StyleGAN's table 1, and without styles row A.
    fn latent_input(styles: bool, label_dim: usize) -> GeneratorConfig {
        let GeneratorConfig::StyleGan1(config) = stylegan1(StyleGan1Variant::Official) else { unreachable!() };
        let features =
            StyleGan1Features { input: SynthesisInput::Latent, styles, use_noise: false, resample_filter: vec![1.0] };
        let w_dim = if styles { 8 } else { 8 + label_dim };
        GeneratorConfig::StyleGan1(StyleGan1Config { label_dim, w_dim, lod: 0.0, features, ..config })
    }

    fn bytes(message: &dyn proto::Message) -> Vec<u8> {
        let mut bytes = Vec::new();
        proto::write(message, &mut |part| {
            bytes.extend_from_slice(part);
            Ok(())
        })
        .unwrap();
        assert_eq!(bytes.len(), proto::len(message));
        bytes
    }

    #[test]
    fn every_value_is_defined_before_it_is_used_and_every_noise_map_is_an_input() {
        let configs = [
            stylegan2(Architecture::Skip),
            stylegan2(Architecture::Resnet),
            stylegan2(Architecture::Orig),
            stylegan1(StyleGan1Variant::Official),
            stylegan1(StyleGan1Variant::Community),
            latent_input(true, 0),
            latent_input(false, 0),
            latent_input(false, 3),
        ];
        for config in configs {
            let generator = Generator::init(config.clone(), 1, &Placement::cpu()).unwrap();
            let weights = generator.state_dict().unwrap();
            let graph = graph(&config, &weights, "test").unwrap();
            let mut defined: HashSet<&str> = HashSet::from([""]);
            for name in graph.input.iter().map(|i| i.name.as_str()) {
                assert!(defined.insert(name), "{name} is an input twice");
            }
            let mut constants = HashSet::new();
            for tensor in &graph.initializer {
                assert!(constants.insert(tensor.name.as_str()), "{} is an initialiser twice", tensor.name);
                let size = if matches!(tensor.values, proto::Values::Integers(_)) { 8 } else { 4 };
                assert_eq!(tensor.dims.iter().product::<usize>() * size, tensor.values.len(), "{}", tensor.name);
                defined.insert(&tensor.name);
            }
            for node in &graph.node {
                for input in &node.input {
                    assert!(defined.contains(input.as_str()), "{} uses {input} before it is there", node.name);
                }
                for output in &node.output {
                    assert!(defined.insert(output), "{output} is defined twice");
                }
            }
            let noises = graph.input.iter().filter(|i| i.name.starts_with("noise.")).count();
            assert_eq!(noises, generator.noise_shapes().len(), "{}", config.family_name());
            let latents: Vec<_> = graph.input.iter().map(|i| i.name.as_str()).filter(|n| !n.contains('.')).collect();
            let expected: &[_] = match (config.has_styles(), config.label_dim()) {
                (true, _) => &["ws"],
                (false, 0) => &["z"],
                (false, _) => &["z", "label"],
            };
            assert_eq!(latents, expected);
            bytes(&graph);
            assert_eq!(graph.output.iter().map(|o| o.name.as_str()).collect::<Vec<_>>(), ["image"]);
        }
    }

    #[test]
    fn the_wire_format_counts_what_it_writes() {
        let data: Vec<f32> = (0..300).map(|i| i as f32).collect();
        let values = proto::Values::Swapped { data: (&data).into(), outer: 3, inner: 50, taps: 2 };
        let bytes = bytes(&proto::TensorProto { dims: vec![1, 300], name: "w".to_owned(), values });
        // dims: field 1, varints 1 and 300; data_type: field 2; name: field 8; raw_data: field 9, length 1200
        assert_eq!(bytes[..13], [0x08, 0x01, 0x08, 0xac, 0x02, 0x10, 0x01, 0x42, 0x01, b'w', 0x4a, 0xb0, 0x09]);
        assert_eq!(bytes.len(), 13 + 1200);
        // [3, 50, 2] as [50, 3, 2]: behind the first pair comes the first pair of the second row.
        assert_eq!(bytes[13 + 8..13 + 12], 100.0f32.to_le_bytes());
    }

    #[test]
    fn an_error_ends_the_writing() {
        let values = proto::Values::Floats(vec![0.0; 3 << 20].into(), 2.0);
        let tensor = proto::TensorProto { dims: vec![3 << 20], name: "w".to_owned(), values };
        let mut parts = 0;
        let result = proto::write(&tensor, &mut |_| {
            parts += 1;
            if parts == 2 { Err(io::Error::other("full")) } else { Ok(()) }
        });
        assert_eq!((parts, result.unwrap_err().to_string()), (2, "full".to_owned()));
    }

    #[test]
    fn a_missing_weight_is_an_error_that_names_it() {
        let config = stylegan2(Architecture::Skip);
        let generator = Generator::init(config.clone(), 1, &Placement::cpu()).unwrap();
        let mut weights = generator.state_dict().unwrap();
        weights.0.remove("synthesis.b8.conv0.bias");
        let error = graph(&config, &weights, "test").err().unwrap();
        assert!(
            matches!(error, OnnxError::Weights(StateDictError::Missing { name }) if name == "synthesis.b8.conv0.bias")
        );
    }
}
