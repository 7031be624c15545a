//! Writing synthesis networks as ONNX (opset 17, IR version 8), for programs that run such files.
//!
//! Inputs: `ws` `[N, num_ws, w_dim]`, and for every layer with noise `noise.<layer>` `[1 or N, 1, H, W]`, which may be
//! left out: the model's own map is its default. Output: `image` `[N, C, H, W]`, nominal range -1..1. The mapping
//! network is not part of the file: it turns seeds into `ws`, and truncation and mixing happen between the two.

mod graph;
mod layers;
mod proto;
mod stylegan1;
mod stylegan2;

use crate::model::{
    config::{ConfigError, GeneratorConfig, SynthesisInput},
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
    /// The network is one of the papers' earlier configurations.
    #[error(
        "networks whose first layer takes the latent (StyleGAN table 1, rows A to C) cannot be written as ONNX yet"
    )]
    LatentInput,
}

/// The bytes of an ONNX file of this generator's synthesis network.
///
/// # Errors
/// [`OnnxError`] if the weights do not fit the configuration.
pub fn encode(config: &GeneratorConfig, weights: &StateDict, name: &str) -> Result<Vec<u8>, OnnxError> {
    let model = proto::ModelProto {
        ir_version: 8,
        producer_name: env!("CARGO_PKG_NAME").to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: format!("{} synthesis network, {1}x{1}", config.family_name(), config.resolution()),
        graph: graph(config, weights, name)?,
        opset: OPSET,
    };
    Ok(proto::encode(&model))
}

fn graph(config: &GeneratorConfig, weights: &StateDict, name: &str) -> Result<proto::GraphProto, OnnxError> {
    config.validate()?;
    if let GeneratorConfig::StyleGan1(c) = config
        && c.features.input == SynthesisInput::Latent
    {
        return Err(OnnxError::LatentInput);
    }
    let mut g = Graph::new(name);
    let ws = g.input(
        "ws",
        &[Length::Named("batch"), Length::Fixed(config.num_ws()), Length::Fixed(config.w_dim())],
        "one w a layer, after truncation and mixing",
    );
    let image = match config {
        GeneratorConfig::StyleGan2(c) => stylegan2::synthesis(&mut g, c, weights, &ws)?,
        GeneratorConfig::StyleGan1(c) => stylegan1::synthesis(&mut g, c, weights, &ws)?,
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::model::{
        Generator, Placement,
        config::{
            Architecture, ChannelTable, MappingConfig, StyleGan1Config, StyleGan1Variant, StyleGan2Config, resolutions,
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

    #[test]
    fn every_value_is_defined_before_it_is_used_and_every_noise_map_is_an_input() {
        let configs = [
            stylegan2(Architecture::Skip),
            stylegan2(Architecture::Resnet),
            stylegan2(Architecture::Orig),
            stylegan1(StyleGan1Variant::Official),
            stylegan1(StyleGan1Variant::Community),
        ];
        for config in configs {
            let generator = Generator::init(config.clone(), 1, &Placement::cpu()).unwrap();
            let graph = graph(&config, &generator.state_dict().unwrap(), "test").unwrap();
            let mut defined: HashSet<&str> = HashSet::from([""]);
            for name in graph.input.iter().map(|i| i.name.as_str()) {
                assert!(defined.insert(name), "{name} is an input twice");
            }
            let mut constants = HashSet::new();
            for tensor in &graph.initializer {
                assert!(constants.insert(tensor.name.as_str()), "{} is an initialiser twice", tensor.name);
                let size = if tensor.data_type == proto::FLOAT { 4 } else { 8 };
                assert_eq!(tensor.dims.iter().product::<usize>() * size, tensor.raw_data.len(), "{}", tensor.name);
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
            assert_eq!(graph.output.iter().map(|o| o.name.as_str()).collect::<Vec<_>>(), ["image"]);
        }
    }

    #[test]
    fn the_wire_format_counts_what_it_writes() {
        let tensor = proto::TensorProto {
            dims: vec![1, 300],
            data_type: proto::FLOAT,
            name: "w".to_owned(),
            raw_data: vec![7; 300],
        };
        let bytes = proto::encode(&tensor);
        // dims: field 1, varints 1 and 300; data_type: field 2; name: field 8; raw_data: field 9, length 300
        assert_eq!(bytes[..13], [0x08, 0x01, 0x08, 0xac, 0x02, 0x10, 0x01, 0x42, 0x01, b'w', 0x4a, 0xac, 0x02]);
        assert_eq!(bytes.len(), 13 + 300);
        assert_eq!(bytes.capacity(), bytes.len());
    }

    #[test]
    fn a_missing_weight_is_an_error_that_names_it() {
        let config = stylegan2(Architecture::Skip);
        let generator = Generator::init(config.clone(), 1, &Placement::cpu()).unwrap();
        let mut weights = generator.state_dict().unwrap();
        weights.0.remove("synthesis.b8.conv0.bias");
        let error = encode(&config, &weights, "test").unwrap_err();
        assert!(
            matches!(error, OnnxError::Weights(StateDictError::Missing { name }) if name == "synthesis.b8.conv0.bias")
        );
    }
}
