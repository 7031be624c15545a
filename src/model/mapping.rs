//! The mapping network `z -> w` (StyleGAN, arXiv 1812.04948, section 2; labels as in StyleGAN2 with ADA, 2006.06676).

use std::f64::consts::SQRT_2;

use burn::tensor::{Device, Tensor};

use super::{
    config::{GeneratorConfig, LabelNormalization, StyleGan1Variant},
    error::ModelError,
    linear::{Linear, LinearConfig},
    state_dict::StateDict,
    weights::{Init, Weight, WeightSource},
};
use crate::ops::{Activation, bias_act, normalize_second_moment};

/// Fully connected layers after a normalisation of the input.
#[derive(Debug, Clone)]
pub(crate) struct Mapping {
    label: Option<LabelInput>,
    layers: Vec<Linear>,
    /// Factor after each activation.
    activation_gain: f64,
}

/// How a label joins `z`.
#[derive(Debug, Clone)]
enum LabelInput {
    /// Embedded and normalised by itself, then joined (StyleGAN2, PyTorch lineage).
    Separate(Linear),
    /// Embedded and joined, then normalised as a whole (StyleGAN2, TensorFlow lineage).
    Joint(Linear),
    /// The label itself joined, then normalised as a whole (progressive GAN).
    Plain,
    /// `label @ weight` joined, then normalised as a whole (StyleGAN). The weight is [label_dim, z_dim].
    Product(Weight<2>),
}

impl Mapping {
    pub fn new(config: &GeneratorConfig, source: &mut WeightSource, device: &Device) -> Result<Self, ModelError> {
        match config {
            GeneratorConfig::StyleGan2(_) => Self::stylegan2(config, source, device),
            // Without styles there is no mapping: `w` is the normalised latent.
            GeneratorConfig::StyleGan1(c) if !c.features.styles => {
                let label = (c.label_dim > 0).then_some(LabelInput::Plain);
                Ok(Self { label, layers: Vec::new(), activation_gain: 1.0 })
            }
            GeneratorConfig::StyleGan1(c) => Self::stylegan1(config, c.variant, source, device),
        }
    }

    fn stylegan2(config: &GeneratorConfig, source: &mut WeightSource, device: &Device) -> Result<Self, ModelError> {
        let normalization = config.mapping().label_normalization;
        let embedding = match normalization {
            LabelNormalization::Separate => config.w_dim(),
            LabelNormalization::Joint => config.z_dim(),
        };
        let mut inputs = config.z_dim();
        let mut label = None;
        if config.label_dim() > 0 {
            inputs += embedding;
            let embed = Linear::new(
                LinearConfig {
                    weight_name: "mapping.embed.weight".into(),
                    bias_name: "mapping.embed.bias".into(),
                    inputs: config.label_dim(),
                    outputs: embedding,
                    weight_gain: 1.0 / (config.label_dim() as f64).sqrt(),
                    bias_gain: 1.0,
                    weight_init: Init::Normal(1.0),
                    bias_init: Init::Constant(0.0),
                },
                source,
                device,
            )?;
            label = Some(match normalization {
                LabelNormalization::Separate => LabelInput::Separate(embed),
                LabelNormalization::Joint => LabelInput::Joint(embed),
            });
        }
        let rate = config.mapping().lr_multiplier;
        let layers = stack(config, inputs, source, device, |i, inputs, outputs| LinearConfig {
            weight_name: format!("mapping.fc{i}.weight"),
            bias_name: format!("mapping.fc{i}.bias"),
            inputs,
            outputs,
            weight_gain: rate / (inputs as f64).sqrt(),
            bias_gain: rate,
            weight_init: Init::Normal(1.0 / rate as f32),
            bias_init: Init::Constant(0.0),
        })?;
        Ok(Self { label, layers, activation_gain: SQRT_2 })
    }

    fn stylegan1(
        config: &GeneratorConfig,
        variant: StyleGan1Variant,
        source: &mut WeightSource,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let (label_dim, z_dim) = (config.label_dim(), config.z_dim());
        let mut inputs = z_dim;
        let mut label = None;
        if label_dim > 0 {
            inputs += z_dim;
            let shape = [label_dim, z_dim];
            let name = "mapping.label_weight".to_owned();
            label = Some(LabelInput::Product(source.weight(name, &shape, shape, Init::Normal(1.0), device)?));
        }
        // The community port has no learning-rate multiplier.
        let rate = match variant {
            StyleGan1Variant::Official => config.mapping().lr_multiplier,
            StyleGan1Variant::Community => 1.0,
        };
        let layers = stack(config, inputs, source, device, |i, inputs, outputs| {
            let (weight_name, bias_name) = match variant {
                StyleGan1Variant::Official => (format!("mapping.dense{i}.weight"), format!("mapping.dense{i}.bias")),
                // Between its layers stand the activations; the first element is the normalisation.
                StyleGan1Variant::Community => {
                    let position = 1 + 2 * i;
                    (format!("style.{position}.linear.weight_orig"), format!("style.{position}.linear.bias"))
                }
            };
            LinearConfig {
                weight_name,
                bias_name,
                inputs,
                outputs,
                weight_gain: SQRT_2 * rate / (inputs as f64).sqrt(),
                bias_gain: rate,
                weight_init: Init::Normal(1.0 / rate as f32),
                bias_init: Init::Constant(0.0),
            }
        })?;
        Ok(Self { label, layers, activation_gain: 1.0 })
    }

    /// # Shapes
    /// - z: [N, z_dim]
    /// - label: [N, label_dim], for a conditional network
    /// - output: [N, w_dim]
    pub fn forward(&self, z: Tensor<2>, label: Option<Tensor<2>>) -> Result<Tensor<2>, ModelError> {
        let x = match (&self.label, label) {
            (None, None) => normalize_second_moment(z),
            (Some(LabelInput::Separate(embed)), Some(label)) => {
                Tensor::cat(vec![normalize_second_moment(z), normalize_second_moment(embed.forward(label))], 1)
            }
            (Some(LabelInput::Joint(embed)), Some(label)) => {
                normalize_second_moment(Tensor::cat(vec![z, embed.forward(label)], 1))
            }
            (Some(LabelInput::Product(weight)), Some(label)) => {
                normalize_second_moment(Tensor::cat(vec![z, label.matmul(weight.value())], 1))
            }
            (Some(LabelInput::Plain), Some(label)) => normalize_second_moment(Tensor::cat(vec![z, label], 1)),
            (Some(_), None) => return Err(ModelError::Label("the network is conditional: it needs a label")),
            (None, Some(_)) => return Err(ModelError::Label("the network is unconditional: it takes no label")),
        };
        let act = |x| bias_act(x, None, Activation::LeakyRelu, self.activation_gain, None);
        Ok(self.layers.iter().fold(x, |x, layer| act(layer.forward(x))))
    }

    pub fn store(&self, weights: &mut StateDict) -> Result<(), ModelError> {
        match &self.label {
            Some(LabelInput::Separate(embed) | LabelInput::Joint(embed)) => embed.store(weights)?,
            Some(LabelInput::Product(weight)) => weight.store(weights)?,
            Some(LabelInput::Plain) | None => {}
        }
        self.layers.iter().try_for_each(|layer| layer.store(weights))
    }
}

/// `num_layers` layers from `inputs` over `hidden_dim` to `w_dim`.
fn stack(
    config: &GeneratorConfig,
    inputs: usize,
    source: &mut WeightSource,
    device: &Device,
    layer: impl Fn(usize, usize, usize) -> LinearConfig,
) -> Result<Vec<Linear>, ModelError> {
    let mapping = config.mapping();
    (0..mapping.num_layers)
        .map(|i| {
            let inputs = if i == 0 { inputs } else { mapping.hidden_dim };
            let outputs = if i + 1 == mapping.num_layers { config.w_dim() } else { mapping.hidden_dim };
            Linear::new(layer(i, inputs, outputs), source, device)
        })
        .collect()
}
