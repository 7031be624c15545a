//! The synthesis network of StyleGAN2 (arXiv 1912.04958, figures 2 and 7).

use std::{
    f64::consts::{FRAC_1_SQRT_2, SQRT_2},
    sync::Arc,
};

use burn::tensor::{Device, FloatDType, Tensor};

use super::{
    block_state::BlockState,
    config::{Architecture, StyleGan2Config, resolutions},
    cpu_blocks::{NoiseSource, may_run_on, wants_gradients},
    error::ModelError,
    generator::{Built, Placement},
    layer::{LayerInfo, LayerKind},
    linear::{Affine, Linear, LinearConfig},
    noise::NoiseBuffers,
    state_dict::StateDict,
    stylegan2_cpu::{CpuBlock, CpuConv, CpuRgb, CpuSynthesis},
    weights::{Init, Weight, WeightSource, read},
};
use crate::{
    gpu::device::has_half,
    ops::{
        Activation, Filter, LayerNoise, Resize, SynthesisLayer, conv2d_resample,
        cpu::{LayerKernel, RgbKernel, Runtime, SkipKernel, UpFilter},
        gpu::LayerShape,
        rgb_layer, synthesis_layer, upsample2d,
    },
};

/// Constant input and blocks of 4, 8, ... pixels.
#[derive(Debug, Clone)]
pub(crate) struct StyleGan2 {
    input: Weight<4>,
    blocks: Vec<Block>,
    filter: Filter,
    clamp: Option<f64>,
    /// Whether every block's RGB is an image of its own (MSG) instead of a part of the running one.
    separate_rgb: bool,
    /// Whether feature maps and the weights of convolutions are stored in f16.
    half: bool,
    /// Runs the layers instead of the tensors, where it may.
    kernels: Option<CpuSynthesis>,
}

#[derive(Debug, Clone)]
struct Block {
    /// Doubles the size; missing in the first block.
    conv0: Option<ConvLayer>,
    conv1: ConvLayer,
    /// The 1x1 convolution past both layers, in residual blocks.
    skip: Option<Weight<4>>,
    to_rgb: Option<ToRgb>,
}

#[derive(Debug, Clone)]
struct ConvLayer {
    /// Position among the styles.
    layer: usize,
    weight: Weight<4>,
    /// The weight in f16 on the device of the synthesis, where that is how it computes; [`Self::weight`] is then on the other one.
    half: Option<Tensor<4>>,
    bias: Weight<1>,
    noise: Option<NoiseStrength>,
}

#[derive(Debug, Clone)]
struct NoiseStrength {
    index: usize,
    strength: Weight<1>,
}

#[derive(Debug, Clone)]
struct ToRgb {
    layer: usize,
    weight: Weight<4>,
    bias: Weight<1>,
    /// 1 / sqrt(input channels), on the style.
    gain: f64,
}

/// Collects layers while the blocks are built.
struct Builder<'a> {
    config: &'a StyleGan2Config,
    source: &'a mut WeightSource,
    latent: &'a Device,
    synthesis: &'a Device,
    half: bool,
    affines: Vec<Affine>,
    layers: Vec<LayerInfo>,
    noise: NoiseBuffers,
}

impl StyleGan2 {
    pub fn new(
        config: &StyleGan2Config,
        source: &mut WeightSource,
        placement: &Placement,
    ) -> Result<Built<Self>, ModelError> {
        let Placement { latent, synthesis, half } = placement;
        let half = *half && has_half(synthesis);
        let channels = config.channels.at(4);
        let input = source.weight(
            "synthesis.b4.const".into(),
            &[channels, 4, 4],
            [1, channels, 4, 4],
            Init::Normal(1.0),
            synthesis,
        )?;
        let mut builder = Builder {
            config,
            source,
            latent,
            synthesis,
            half,
            affines: Vec::new(),
            layers: Vec::new(),
            noise: NoiseBuffers::default(),
        };
        let blocks =
            resolutions(config.resolution).map(|resolution| builder.block(resolution)).collect::<Result<_, _>>()?;
        let Builder { affines, layers, noise, .. } = builder;
        let filter = Filter::separable(&config.resample_filter, synthesis);
        let separate_rgb = config.architecture == Architecture::Msg;
        let mut network = Self { input, blocks, filter, clamp: config.conv_clamp, separate_rgb, half, kernels: None };
        network.set_cpu_runtime(Runtime::shared(), synthesis);
        Ok(Built { network, affines, layers, noise })
    }

    /// The kernels serve inference on the CPU.
    pub fn set_cpu_runtime(&mut self, runtime: Option<Arc<Runtime>>, device: &Device) {
        let runtime = runtime.filter(|_| may_run_on(device));
        let num_blocks = self.blocks.len();
        self.kernels = runtime.and_then(|runtime| CpuSynthesis::new(runtime, num_blocks, &self.filter, self.clamp));
    }

    pub fn num_blocks(&self) -> usize {
        self.blocks.len()
    }

    /// The convolutions of all blocks, but for those to colours.
    pub fn layer_shapes(&self, batch: usize) -> Vec<LayerShape> {
        let shape = |conv: &ConvLayer, side: usize, up: bool| {
            let [outputs, inputs, kernel, _] = conv.weight.value().dims();
            LayerShape { batch, inputs, outputs, size: [side, side], kernel, up, half: self.half }
        };
        let of_block = |(index, block): (usize, &Block)| {
            let side = 4usize << index;
            let up = block.conv0.as_ref().map(|conv| shape(conv, side / 2, true));
            up.into_iter().chain([shape(&block.conv1, side, false)]).collect::<Vec<_>>()
        };
        self.blocks.iter().enumerate().flat_map(of_block).collect()
    }

    pub fn start(&self, batch: usize) -> BlockState {
        let input = self.input.value();
        BlockState::constant(if self.half { input.cast(FloatDType::F16) } else { input }, batch)
    }

    /// `styles` are on the synthesis device.
    pub fn block(
        &self,
        index: usize,
        state: BlockState,
        styles: &[Tensor<2>],
        noise: NoiseSource<'_>,
    ) -> Result<BlockState, ModelError> {
        let block = self.blocks.get(index).ok_or(ModelError::Block { index, count: self.blocks.len() })?;
        if let Some(kernels) = &self.kernels
            && !wants_gradients(styles)
        {
            return kernels.block(index, state, self.separate_rgb, styles, noise, || block.kernels(index, kernels));
        }
        let (x, image) = state.into_tensors();
        let past = block.skip.as_ref().map(|skip| {
            let weight = skip.value();
            let gain = skip_gain(&weight);
            conv2d_resample(x.clone().cast(FloatDType::F32), weight, &self.filter, Resize::Up).mul_scalar(gain)
        });
        let gain = if past.is_some() { FRAC_1_SQRT_2 } else { 1.0 };
        let x = match &block.conv0 {
            Some(conv) => self.conv(conv, x, true, 1.0, styles, noise)?,
            None => x,
        };
        let x = self.conv(&block.conv1, x, false, gain, styles, noise)?;
        let x = match past {
            Some(past) => past.cast(x.dtype()).add(x),
            None => x,
        };
        // The RGB of an MSG network's resolutions do not add up.
        let below = image.filter(|_| !self.separate_rgb);
        let image = match &block.to_rgb {
            Some(to_rgb) => Some(self.to_rgb(to_rgb, x.clone(), below, styles)?),
            None => below.map(|image| upsample2d(image, &self.filter)),
        };
        Ok(BlockState::new(x, image))
    }

    fn conv(
        &self,
        conv: &ConvLayer,
        x: Tensor<4>,
        up: bool,
        gain: f64,
        styles: &[Tensor<2>],
        noise: NoiseSource<'_>,
    ) -> Result<Tensor<4>, ModelError> {
        let noise = match &conv.noise {
            Some(NoiseStrength { index, strength }) => {
                noise(*index)?.map(|(map, multiplier)| LayerNoise { map, strength: strength.value(), multiplier })
            }
            None => None,
        };
        Ok(synthesis_layer(SynthesisLayer {
            x,
            weight: conv.half.clone().unwrap_or_else(|| conv.weight.value()),
            style: style(styles, conv.layer)?,
            up: up.then_some(&self.filter),
            demodulate: true,
            noise,
            bias: Some(conv.bias.value()),
            activation: Activation::LeakyRelu,
            gain: SQRT_2 * gain,
            clamp: self.clamp.map(|limit| limit * gain),
        }))
    }

    fn to_rgb(
        &self,
        to_rgb: &ToRgb,
        x: Tensor<4>,
        below: Option<Tensor<4>>,
        styles: &[Tensor<2>],
    ) -> Result<Tensor<4>, ModelError> {
        let layer = SynthesisLayer {
            x,
            weight: to_rgb.weight.value(),
            style: style(styles, to_rgb.layer)?.mul_scalar(to_rgb.gain),
            up: None,
            demodulate: false,
            noise: None,
            bias: Some(to_rgb.bias.value()),
            activation: Activation::Linear,
            gain: 1.0,
            clamp: self.clamp,
        };
        Ok(rgb_layer(layer, below.map(|image| (image, &self.filter))))
    }

    pub fn store(&self, weights: &mut StateDict) -> Result<(), ModelError> {
        self.input.store(weights)?;
        for block in &self.blocks {
            for conv in block.conv0.iter().chain([&block.conv1]) {
                conv.weight.store(weights)?;
                conv.bias.store(weights)?;
                if let Some(noise) = &conv.noise {
                    noise.strength.store(weights)?;
                }
            }
            if let Some(skip) = &block.skip {
                skip.store(weights)?;
            }
            if let Some(to_rgb) = &block.to_rgb {
                to_rgb.weight.store(weights)?;
                to_rgb.bias.store(weights)?;
            }
        }
        Ok(())
    }
}

impl Block {
    /// This block, number `index`, as kernels.
    fn kernels(&self, index: usize, synthesis: &CpuSynthesis) -> Result<CpuBlock, ModelError> {
        let side = 4usize << index;
        let conv0 = self.conv0.as_ref().map(|conv| conv.kernel(side / 2, Some(synthesis.up_filter()), synthesis));
        let to_rgb = self.to_rgb.as_ref().map(|to_rgb| to_rgb.kernel(synthesis));
        let conv1 = self.conv1.kernel(side, None, synthesis)?;
        let skip = match &self.skip {
            Some(skip) => {
                let weight = skip.value();
                let [outputs, inputs, ..] = weight.dims();
                let gain = skip_gain(&weight);
                let weight = read("a residual branch's weight", weight.mul_scalar(gain))?;
                let set = synthesis.runtime().instruction_set();
                Some(SkipKernel::new(set, &weight, [outputs, inputs], synthesis.filter()))
            }
            None => None,
        };
        Ok(CpuBlock { conv0: conv0.transpose()?, conv1, skip, to_rgb: to_rgb.transpose()? })
    }
}

/// On the weight [O, I, 1, 1] of a residual branch: 1 / sqrt(input channels), and its part of the sum.
fn skip_gain(weight: &Tensor<4>) -> f64 {
    FRAC_1_SQRT_2 / (weight.dims()[1] as f64).sqrt()
}

impl ConvLayer {
    fn kernel(&self, side: usize, up: Option<UpFilter>, synthesis: &CpuSynthesis) -> Result<CpuConv, ModelError> {
        let [outputs, inputs, ..] = self.weight.value().dims();
        let weight = read("a convolution's weight", self.weight.value())?;
        let set = synthesis.runtime().instruction_set();
        let kernel = LayerKernel::new(set, &weight, [outputs, inputs], [side, side], up);
        let noise = match &self.noise {
            Some(NoiseStrength { index, strength }) => {
                let strength = read("a noise strength", strength.value())?;
                Some((*index, strength.first().copied().unwrap_or_default()))
            }
            None => None,
        };
        Ok(CpuConv { kernel, layer: self.layer, bias: read("a bias", self.bias.value())?, noise })
    }
}

impl ToRgb {
    fn kernel(&self, synthesis: &CpuSynthesis) -> Result<CpuRgb, ModelError> {
        let [_, inputs, ..] = self.weight.value().dims();
        let (weight, bias) = (read("an RGB weight", self.weight.value())?, read("an RGB bias", self.bias.value())?);
        let kernel = RgbKernel::new(synthesis.runtime().instruction_set(), &weight, &bias, inputs);
        Ok(CpuRgb { kernel, layer: self.layer, gain: self.gain as f32 })
    }
}

fn style(styles: &[Tensor<2>], layer: usize) -> Result<Tensor<2>, ModelError> {
    styles.get(layer).cloned().ok_or_else(|| ModelError::Input {
        what: "the list of styles",
        found: vec![styles.len()],
        expected: format!("a style for layer {layer}"),
    })
}

impl Builder<'_> {
    fn block(&mut self, resolution: usize) -> Result<Block, ModelError> {
        let config = self.config;
        let outputs = config.channels.at(resolution);
        let name = format!("synthesis.b{resolution}");
        // The first block's conv1 takes ws[0]; every later block takes two of its own from an odd index on.
        let first_ws = (2 * resolution.ilog2() as usize).saturating_sub(5);
        let last = resolution == config.resolution;
        let (mut conv0, mut skip, mut ws) = (None, None, 0);
        if resolution > 4 {
            let inputs = config.channels.at(resolution / 2);
            if config.architecture == Architecture::Resnet {
                let shape = [outputs, inputs, 1, 1];
                let name = format!("{name}.skip.weight");
                skip = Some(self.source.weight(name, &shape, shape, Init::Normal(1.0), self.synthesis)?);
            }
            conv0 = Some(self.conv("conv0", resolution, inputs, first_ws)?);
            ws = first_ws + 1;
        }
        let conv1 = self.conv("conv1", resolution, outputs, ws)?;
        let to_rgb = if last || matches!(config.architecture, Architecture::Skip | Architecture::Msg) {
            Some(self.rgb_layer(resolution, outputs, ws + 1)?)
        } else {
            None
        };
        Ok(Block { conv0, conv1, skip, to_rgb })
    }

    fn conv(&mut self, part: &str, resolution: usize, inputs: usize, ws: usize) -> Result<ConvLayer, ModelError> {
        let outputs = self.config.channels.at(resolution);
        let short = format!("b{resolution}.{part}");
        let name = format!("synthesis.{short}");
        self.affine(&name, inputs)?;
        let shape = [outputs, inputs, 3, 3];
        // The exact values stay where they take no memory of the GPU.
        let home = if self.half { self.latent } else { self.synthesis };
        let weight = self.source.weight(format!("{name}.weight"), &shape, shape, Init::Normal(1.0), home)?;
        let half = self.half.then(|| weight.value().to_device(self.synthesis).cast(FloatDType::F16));
        let bias =
            self.source.weight(format!("{name}.bias"), &[outputs], [outputs], Init::Constant(0.0), self.synthesis)?;
        let mut noise = None;
        let mut noise_strength = 0.0;
        if self.config.use_noise {
            let name_of = |field| format!("{name}.{field}");
            let (strength, values) = self.source.weight_and_values(
                name_of("noise_strength"),
                &[],
                [1],
                Init::Constant(0.0),
                self.synthesis,
            )?;
            noise_strength = values.first().copied().unwrap_or_default();
            let index = self.noise.shapes().len();
            let file = Some((name_of("noise_const"), vec![resolution, resolution]));
            self.noise.push(resolution, file, self.source, self.synthesis)?;
            noise = Some(NoiseStrength { index, strength });
        }
        let layer = self.layers.len();
        self.layers.push(LayerInfo {
            name: short,
            kind: LayerKind::Conv,
            resolution,
            ws_index: ws,
            style_dim: inputs,
            out_channels: outputs,
            noise_index: noise.as_ref().map(|noise| noise.index),
            noise_strength,
        });
        Ok(ConvLayer { layer, weight, half, bias, noise })
    }

    fn rgb_layer(&mut self, resolution: usize, inputs: usize, ws: usize) -> Result<ToRgb, ModelError> {
        let outputs = self.config.img_channels;
        let short = format!("b{resolution}.torgb");
        let name = format!("synthesis.{short}");
        self.affine(&name, inputs)?;
        let shape = [outputs, inputs, 1, 1];
        let weight = self.source.weight(format!("{name}.weight"), &shape, shape, Init::Normal(1.0), self.synthesis)?;
        let bias =
            self.source.weight(format!("{name}.bias"), &[outputs], [outputs], Init::Constant(0.0), self.synthesis)?;
        let layer = self.layers.len();
        self.layers.push(LayerInfo {
            name: short,
            kind: LayerKind::ToRgb,
            resolution,
            ws_index: ws,
            style_dim: inputs,
            out_channels: outputs,
            noise_index: None,
            noise_strength: 0.0,
        });
        Ok(ToRgb { layer, weight, bias, gain: 1.0 / (inputs as f64).sqrt() })
    }

    /// `w -> style`, [w_dim] to [inputs of the layer].
    fn affine(&mut self, layer: &str, outputs: usize) -> Result<(), ModelError> {
        let config = LinearConfig {
            weight_name: format!("{layer}.affine.weight"),
            bias_name: format!("{layer}.affine.bias"),
            inputs: self.config.w_dim,
            outputs,
            weight_gain: 1.0 / (self.config.w_dim as f64).sqrt(),
            bias_gain: 1.0,
            weight_init: Init::Normal(1.0),
            bias_init: Init::Constant(1.0),
        };
        self.affines.push(Affine::Dense(Linear::new(config, self.source, self.latent)?));
        Ok(())
    }
}
