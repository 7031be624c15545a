//! The synthesis network of StyleGAN (arXiv 1812.04948, figure 1), in the official order of operations and in the
//! community port's.

use std::f64::consts::SQRT_2;

use burn::tensor::{
    Device, Tensor,
    module::{conv_transpose2d, conv2d},
    ops::{ConvOptions, ConvTransposeOptions, PadMode},
};

use super::{
    config::{StyleGan1Config, StyleGan1Variant, resolutions},
    error::ModelError,
    generator::{BlockState, Built},
    layer::{LayerInfo, LayerKind},
    linear::{Linear, LinearConfig},
    noise::NoiseBuffers,
    state_dict::{HostTensor, StateDict},
    weights::{Init, Weight, WeightSource},
};
use crate::ops::{Activation, Filter, adain, bias_act, filter2d, upsample_nearest};

/// Where the two variants differ.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Arithmetic {
    /// Over sqrt(w_dim), on the weight of the style.
    style_gain: f64,
    /// Added to the first half of a style, which scales.
    scale_offset: f64,
    /// Over sqrt(channels), on the weight to RGB.
    rgb_gain: f64,
    /// Over sqrt(channels), on the noise weights; `None` leaves them as they are.
    noise_gain: Option<f64>,
    /// The bias comes with the convolution, so before blur and noise; else after both.
    early_bias: bool,
    /// On the sum of the four shifted kernels of a fused upsampling.
    fused_scale: f64,
    epsilon: f64,
}

const OFFICIAL: Arithmetic = Arithmetic {
    style_gain: 1.0,
    scale_offset: 1.0,
    rgb_gain: 1.0,
    noise_gain: None,
    early_bias: false,
    fused_scale: 1.0,
    epsilon: 1e-8,
};

const COMMUNITY: Arithmetic = Arithmetic {
    style_gain: SQRT_2,
    scale_offset: 0.0,
    rgb_gain: SQRT_2,
    noise_gain: Some(SQRT_2),
    early_bias: true,
    fused_scale: 0.25,
    epsilon: 1e-5,
};

/// Constant input and blocks of 4, 8, ... pixels with two layers each.
#[derive(Debug, Clone)]
pub(crate) struct StyleGan1 {
    arithmetic: Arithmetic,
    variant: StyleGan1Variant,
    resolution: usize,
    lod: f32,
    input: Weight<4>,
    blocks: Vec<Block>,
    blur: Filter,
}

#[derive(Debug, Clone)]
struct Block {
    resolution: usize,
    layers: [Layer; 2],
    rgb: Conv,
}

#[derive(Debug, Clone)]
struct Layer {
    /// Position among the styles.
    layer: usize,
    /// Missing in the first layer, which takes the constant.
    conv: Option<Conv>,
    /// Missing in the community port's first layer.
    bias: Option<Weight<1>>,
    noise_index: usize,
    noise_weight: Weight<1>,
}

#[derive(Debug, Clone)]
struct Conv {
    kind: ConvKind,
    weight: Weight<4>,
    gain: f64,
    /// Of a convolution to RGB; a layer's bias is the layer's.
    bias: Option<Weight<1>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ConvKind {
    Plain,
    /// Nearest upsampling, then the convolution.
    Up,
    /// Both in one transposed convolution.
    FusedUp {
        /// The weight is [I, O, k, k] in files already.
        transposed: bool,
    },
}

/// The names in files, which differ by variant.
struct Names(StyleGan1Variant);

impl Names {
    fn layer(&self, block: usize, half: usize, official: &str, community: &str) -> String {
        match self.0 {
            StyleGan1Variant::Official => format!("synthesis.layer{}.{official}", 2 * block + half),
            StyleGan1Variant::Community => format!("generator.progression.{block}.{community}"),
        }
    }

    fn rgb(&self, block: usize, official: &str, community: &str) -> String {
        match self.0 {
            StyleGan1Variant::Official => format!("synthesis.output{block}.{official}"),
            StyleGan1Variant::Community => format!("generator.to_rgb.{block}.conv.{community}"),
        }
    }
}

impl StyleGan1 {
    pub fn new(
        config: &StyleGan1Config,
        source: &mut WeightSource,
        latent: &Device,
        synthesis: &Device,
    ) -> Result<Built<Self>, ModelError> {
        let names = Names(config.variant);
        let (arithmetic, input_init) = match config.variant {
            StyleGan1Variant::Official => (OFFICIAL, Init::Constant(1.0)),
            StyleGan1Variant::Community => (COMMUNITY, Init::Normal(1.0)),
        };
        let shape = [1, config.channels.at(4), 4, 4];
        let input = source.weight(names.layer(0, 0, "const", "conv1.input"), &shape, shape, input_init, synthesis)?;
        let mut builder = Builder {
            config,
            names,
            arithmetic,
            source,
            latent,
            synthesis,
            affines: Vec::new(),
            layers: Vec::new(),
            noise: NoiseBuffers::default(),
        };
        let blocks = resolutions(config.resolution)
            .enumerate()
            .map(|(index, resolution)| builder.block(index, resolution))
            .collect::<Result<_, _>>()?;
        let Builder { affines, layers, noise, .. } = builder;
        let network = Self {
            arithmetic,
            variant: config.variant,
            resolution: config.resolution,
            lod: config.lod.min((config.resolution.ilog2() - 2) as f32),
            input,
            blocks,
            blur: Filter::separable(&[1.0, 2.0, 1.0], synthesis),
        };
        Ok(Built { network, affines, layers, noise })
    }

    pub fn num_blocks(&self) -> usize {
        self.blocks.len()
    }

    pub fn start(&self, batch: usize) -> BlockState {
        let input = self.input.value();
        let [_, channels, height, width] = input.dims();
        BlockState { x: input.expand([batch, channels, height, width]), image: None }
    }

    /// How much of the image at `resolution` comes from the next smaller one: 0 none, 1 all.
    fn blend(&self, resolution: usize) -> f32 {
        let level = (self.resolution / resolution).max(1).ilog2();
        (self.lod - level as f32).clamp(0.0, 1.0)
    }

    /// Whether block `index` computes anything at the current level of detail.
    pub fn is_active(&self, index: usize) -> bool {
        self.blocks.get(index).is_some_and(|block| self.blend(block.resolution) < 1.0)
    }

    /// `styles` are on the synthesis device.
    pub fn block(
        &self,
        index: usize,
        state: BlockState,
        styles: &[Tensor<2>],
        noise: &dyn Fn(usize) -> Result<Option<(Tensor<4>, f32)>, ModelError>,
    ) -> Result<BlockState, ModelError> {
        let block = self.blocks.get(index).ok_or(ModelError::Block { index, count: self.blocks.len() })?;
        let BlockState { mut x, image } = state;
        let blend = self.blend(block.resolution);
        let smaller = image.map(|image| upsample_nearest(image, 2));
        // Blocks above the current level of detail have no say in the image.
        if blend >= 1.0 {
            return Ok(BlockState { x, image: smaller });
        }
        for layer in &block.layers {
            x = self.layer(layer, x, styles, noise)?;
        }
        // The image is needed where it is the result, or where the next resolution blends it in.
        let last = block.resolution == self.resolution;
        let image = if last || self.blend(block.resolution * 2) > 0.0 {
            let rgb = convolve(&block.rgb, x.clone(), 1.0);
            let rgb = bias_act(rgb, block.rgb.bias.as_ref().map(Weight::value), Activation::Linear, 1.0, None);
            Some(match smaller {
                Some(smaller) if blend > 0.0 => rgb.mul_scalar(1.0 - blend).add(smaller.mul_scalar(blend)),
                _ => rgb,
            })
        } else {
            None
        };
        Ok(BlockState { x, image })
    }

    fn layer(
        &self,
        layer: &Layer,
        x: Tensor<4>,
        styles: &[Tensor<2>],
        noise: &dyn Fn(usize) -> Result<Option<(Tensor<4>, f32)>, ModelError>,
    ) -> Result<Tensor<4>, ModelError> {
        let Arithmetic { scale_offset, noise_gain, early_bias, fused_scale, epsilon, .. } = self.arithmetic;
        let mut bias = layer.bias.as_ref().map(Weight::value);
        let mut x = match &layer.conv {
            Some(conv) => convolve(conv, x, fused_scale),
            None => x,
        };
        if early_bias {
            x = bias_act(x, bias.take(), Activation::Linear, 1.0, None);
        }
        if layer.conv.as_ref().is_some_and(|conv| conv.kind != ConvKind::Plain) {
            x = filter2d(x, &self.blur);
        }
        let [batch, channels, _, _] = x.dims();
        if let Some((map, multiplier)) = noise(layer.noise_index)? {
            let gain = noise_gain.map_or(1.0, |gain| gain / (channels as f64).sqrt()) * f64::from(multiplier);
            let weight = layer.noise_weight.value().mul_scalar(gain).reshape([1, channels, 1, 1]);
            x = x.add(map.mul(weight));
        }
        let x = bias_act(x, bias, Activation::LeakyRelu, 1.0, None);
        let style = styles.get(layer.layer).filter(|style| style.dims() == [batch, 2 * channels]);
        let Some(style) = style else {
            return Err(ModelError::Input {
                what: "the style of a layer",
                found: styles.get(layer.layer).map(|style| style.dims().to_vec()).unwrap_or_default(),
                expected: format!("[{batch}, {}]", 2 * channels),
            });
        };
        let scale = style.clone().narrow(1, 0, channels);
        let scale = if scale_offset == 0.0 { scale } else { scale.add_scalar(scale_offset) };
        Ok(adain(x, scale, style.clone().narrow(1, channels, channels), epsilon))
    }

    pub fn store(&self, weights: &mut StateDict) -> Result<(), ModelError> {
        self.input.store(weights)?;
        for block in &self.blocks {
            for layer in &block.layers {
                if let Some(conv) = &layer.conv {
                    conv.weight.store(weights)?;
                }
                if let Some(bias) = &layer.bias {
                    bias.store(weights)?;
                }
                layer.noise_weight.store(weights)?;
            }
            block.rgb.weight.store(weights)?;
            if let Some(bias) = &block.rgb.bias {
                bias.store(weights)?;
            }
        }
        if self.variant == StyleGan1Variant::Official {
            weights.0.insert("synthesis.lod".into(), HostTensor { shape: Vec::new(), data: vec![self.lod] });
        }
        Ok(())
    }
}

/// Runs a convolution: [N, I, H, W] to [N, O, H, W] or, upsampling, [N, O, 2H, 2W].
fn convolve(conv: &Conv, x: Tensor<4>, fused_scale: f64) -> Tensor<4> {
    let weight = conv.weight.value().mul_scalar(conv.gain);
    let kernel = weight.dims()[2];
    match conv.kind {
        ConvKind::Plain | ConvKind::Up => {
            let x = if conv.kind == ConvKind::Up { upsample_nearest(x, 2) } else { x };
            conv2d(x, weight, None, ConvOptions::new([1, 1], [kernel / 2, kernel / 2], [1, 1], 1))
        }
        ConvKind::FusedUp { transposed } => {
            let weight = if transposed { weight } else { weight.swap_dims(0, 1) };
            let weight = weight.pad((1, 1, 1, 1), PadMode::Constant(0.0));
            let part = |y, x| weight.clone().narrow(2, y, kernel + 1).narrow(3, x, kernel + 1);
            let weight = part(0, 0).add(part(0, 1)).add(part(1, 0)).add(part(1, 1)).mul_scalar(fused_scale);
            conv_transpose2d(x, weight, None, ConvTransposeOptions::new([2, 2], [1, 1], [0, 0], [1, 1], 1))
        }
    }
}

/// Collects layers while the blocks are built.
struct Builder<'a> {
    config: &'a StyleGan1Config,
    names: Names,
    arithmetic: Arithmetic,
    source: &'a mut WeightSource,
    latent: &'a Device,
    synthesis: &'a Device,
    affines: Vec<Linear>,
    layers: Vec<LayerInfo>,
    noise: NoiseBuffers,
}

impl Builder<'_> {
    fn block(&mut self, index: usize, resolution: usize) -> Result<Block, ModelError> {
        let layers = [self.layer(index, 0, resolution)?, self.layer(index, 1, resolution)?];
        let channels = self.config.channels.at(resolution);
        let outputs = self.config.img_channels;
        let shape = [outputs, channels, 1, 1];
        let rgb = Conv {
            kind: ConvKind::Plain,
            weight: self.source.weight(
                self.names.rgb(index, "weight", "weight_orig"),
                &shape,
                shape,
                Init::Normal(1.0),
                self.synthesis,
            )?,
            gain: self.arithmetic.rgb_gain / (channels as f64).sqrt(),
            bias: Some(self.source.weight(
                self.names.rgb(index, "bias", "bias"),
                &[outputs],
                [outputs],
                Init::Constant(0.0),
                self.synthesis,
            )?),
        };
        Ok(Block { resolution, layers, rgb })
    }

    fn layer(&mut self, block: usize, half: usize, resolution: usize) -> Result<Layer, ModelError> {
        let channels = self.config.channels.at(resolution);
        let official = self.config.variant == StyleGan1Variant::Official;
        let constant = block == 0 && half == 0;
        self.affine(block, half, channels)?;
        let (conv, module) = if constant {
            (None, String::new())
        } else {
            self.conv(block, half, resolution).map(|(c, m)| (Some(c), m))?
        };
        let bias = if constant && !official {
            None
        } else {
            let name = self.names.layer(block, half, "bias", &format!("{module}.bias"));
            Some(self.source.weight(name, &[channels], [channels], Init::Constant(0.0), self.synthesis)?)
        };
        let name = self.names.layer(block, half, "apply_noise.weight", &format!("noise{}.weight_orig", half + 1));
        let shape: &[usize] = if official { &[channels] } else { &[1, channels, 1, 1] };
        let (noise_weight, noise_weights) =
            self.source.weight_and_values(name, shape, [channels], Init::Constant(0.0), self.synthesis)?;
        let noise_index = self.noise_map(block, half, resolution)?;
        let gain = self.arithmetic.noise_gain.map_or(1.0, |gain| gain / (channels as f64).sqrt());
        let power: f64 = noise_weights.iter().map(|&w| f64::from(w).powi(2)).sum();
        let layer = self.layers.len();
        self.layers.push(LayerInfo {
            name: format!("layer{layer}"),
            kind: LayerKind::Conv,
            resolution,
            ws_index: layer,
            style_dim: 2 * channels,
            out_channels: channels,
            noise_index: Some(noise_index),
            noise_strength: (gain * (power / channels as f64).sqrt()) as f32,
        });
        Ok(Layer { layer, conv, bias, noise_index, noise_weight })
    }

    /// The convolution, and the community port's name of the module that holds its bias.
    fn conv(&mut self, block: usize, half: usize, resolution: usize) -> Result<(Conv, String), ModelError> {
        let outputs = self.config.channels.at(resolution);
        let inputs = if half == 0 { self.config.channels.at(resolution / 2) } else { outputs };
        let official = self.config.variant == StyleGan1Variant::Official;
        let kind = match half {
            0 if resolution >= self.config.fused_from => ConvKind::FusedUp { transposed: !official },
            0 => ConvKind::Up,
            _ => ConvKind::Plain,
        };
        let (module, weight) = match kind {
            ConvKind::FusedUp { .. } => ("conv1.0", "conv1.0.weight"),
            ConvKind::Up => ("conv1.1.conv", "conv1.1.conv.weight_orig"),
            ConvKind::Plain => ("conv2.conv", "conv2.conv.weight_orig"),
        };
        let shape = match kind {
            ConvKind::FusedUp { transposed: true } => [inputs, outputs, 3, 3],
            _ => [outputs, inputs, 3, 3],
        };
        let name = self.names.layer(block, half, "weight", weight);
        let weight = self.source.weight(name, &shape, shape, Init::Normal(1.0), self.synthesis)?;
        let gain = SQRT_2 / (9.0 * inputs as f64).sqrt();
        Ok((Conv { kind, weight, gain, bias: None }, module.to_owned()))
    }

    /// The index of the layer's noise map: one a layer, or one a block in the community port, which stores none.
    fn noise_map(&mut self, block: usize, half: usize, resolution: usize) -> Result<usize, ModelError> {
        let file = match self.config.variant {
            StyleGan1Variant::Official => {
                let name = self.names.layer(block, half, "apply_noise.noise", "");
                Some((name, vec![1, 1, resolution, resolution]))
            }
            StyleGan1Variant::Community if half == 1 => return Ok(block),
            StyleGan1Variant::Community => None,
        };
        self.noise.push(resolution, file, self.source, self.synthesis)?;
        Ok(self.noise.shapes().len() - 1)
    }

    /// `w -> style`: [w_dim] to the scales and biases of the channels.
    fn affine(&mut self, block: usize, half: usize, channels: usize) -> Result<(), ModelError> {
        let community = format!("adain{}.style.linear", half + 1);
        let name = |official: &str, suffix: &str| {
            self.names.layer(block, half, &format!("style.{official}"), &format!("{community}.{suffix}"))
        };
        let config = LinearConfig {
            weight_name: name("weight", "weight_orig"),
            bias_name: name("bias", "bias"),
            inputs: self.config.w_dim,
            outputs: 2 * channels,
            weight_gain: self.arithmetic.style_gain / (self.config.w_dim as f64).sqrt(),
            bias_gain: 1.0,
            weight_init: Init::Normal(1.0),
            // What scales starts at 1, as an offset or in the bias itself.
            bias_init: Init::Halves(1.0 - self.arithmetic.scale_offset as f32, 0.0),
        };
        self.affines.push(Linear::new(config, self.source, self.latent)?);
        Ok(())
    }
}
