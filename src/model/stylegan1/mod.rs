//! The synthesis network of StyleGAN (arXiv 1812.04948, figure 1), in the official order of operations and in the
//! community port's.

mod build;
mod cpu;
mod gpu;

use std::f64::consts::SQRT_2;

use burn::tensor::{
    Tensor,
    module::{conv_transpose2d, conv2d},
    ops::{ConvOptions, ConvTransposeOptions, PadMode},
};

use super::{
    block_state::BlockState,
    config::StyleGan1Variant,
    cpu_blocks::{NoiseSource, wants_gradients},
    error::ModelError,
    state_dict::{HostTensor, StateDict},
    weights::Weight,
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

impl Arithmetic {
    /// On the noise weights of a layer of `channels`.
    fn noise_factor(&self, channels: usize) -> f64 {
        self.noise_gain.map_or(1.0, |gain| gain / (channels as f64).sqrt())
    }
}

/// Under the root of the progressive GAN's pixel norm (arXiv 1710.10196, section 4.2).
const PIXEL_NORM_EPSILON: f64 = 1e-8;

/// Input and blocks of 4, 8, ... pixels with two layers each.
#[derive(Debug, Clone)]
pub(crate) struct StyleGan1 {
    arithmetic: Arithmetic,
    variant: StyleGan1Variant,
    resolution: usize,
    lod: f32,
    input: Input,
    blocks: Vec<Block>,
    /// After upsampling; none in the progressive GAN.
    blur: Option<Filter>,
    /// Runs the layers instead of the tensors, where it may.
    kernels: Option<cpu::CpuSynthesis>,
    /// The same for the convolutions on a GPU.
    gpu: Option<gpu::GpuSynthesis>,
}

/// What the first layer starts from.
#[derive(Debug, Clone)]
enum Input {
    /// [1, C, 4, 4]
    Constant(Weight<4>),
    /// A fully connected layer on the `w` that comes as a style of its own.
    Latent {
        /// Position among the styles.
        layer: usize,
        /// [C * 16, w_dim]
        weight: Weight<2>,
        channels: usize,
    },
}

#[derive(Debug, Clone)]
struct Block {
    resolution: usize,
    layers: [Layer; 2],
    rgb: Conv,
}

#[derive(Debug, Clone)]
struct Layer {
    /// Position among the styles; none in the progressive GAN, which normalises every pixel instead.
    layer: Option<usize>,
    /// Missing in the first layer, which takes the constant.
    conv: Option<Conv>,
    /// Missing in the community port's first layer.
    bias: Option<Weight<1>>,
    noise: Option<LayerNoise>,
}

#[derive(Debug, Clone)]
struct LayerNoise {
    index: usize,
    weight: Weight<1>,
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

impl StyleGan1 {
    pub fn num_blocks(&self) -> usize {
        self.blocks.len()
    }

    pub fn start(&self, batch: usize) -> BlockState {
        match &self.input {
            Input::Constant(input) => BlockState::constant(input.value(), batch),
            // Only its shape counts: the first block makes its features of the latent.
            Input::Latent { weight, channels, .. } => {
                BlockState::new(Tensor::zeros([batch, *channels, 4, 4], &weight.value().device()), None)
            }
        }
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
        noise: NoiseSource<'_>,
    ) -> Result<BlockState, ModelError> {
        let block = self.blocks.get(index).ok_or(ModelError::Block { index, count: self.blocks.len() })?;
        // Blocks above the current level of detail have no say in the image.
        if self.blend(block.resolution) >= 1.0 {
            let (x, image) = state.into_tensors();
            return Ok(BlockState::new(x, image.map(|image| upsample_nearest(image, 2))));
        }
        if let Some(kernels) = &self.kernels
            && !wants_gradients(styles)
        {
            return self.block_by_kernels(kernels, index, state, styles, noise);
        }
        let (mut x, image) = state.into_tensors();
        if index == 0 {
            x = self.input_features(x, styles)?;
        }
        let by_kernels = !wants_gradients(styles);
        for (half, layer) in block.layers.iter().enumerate() {
            let activated = if by_kernels { self.activated_by_kernel([index, half], &x, noise)? } else { None };
            x = match activated {
                Some(activated) => self.styled(layer, activated, styles)?,
                None => self.layer(layer, x, styles, noise)?,
            };
        }
        let image = self.wants_image(block).then(|| self.blended(block, to_rgb(block, x.clone()), image));
        Ok(BlockState::new(x, image))
    }

    /// What the first layer works on, from the start's `x`, [N, C, 4, 4].
    fn input_features(&self, x: Tensor<4>, styles: &[Tensor<2>]) -> Result<Tensor<4>, ModelError> {
        let Input::Latent { layer, weight, channels } = &self.input else { return Ok(x) };
        let [batch, ..] = x.dims();
        let [_, w_dim] = weight.value().dims();
        let w = self.style(styles, *layer, [batch, w_dim])?;
        let gain = SQRT_2 / 4.0 / (w_dim as f64).sqrt();
        Ok(w.matmul(weight.value().transpose()).mul_scalar(gain).reshape([batch, *channels, 4, 4]))
    }

    /// Whether the block's image is the result, or something that the next resolution blends in.
    fn wants_image(&self, block: &Block) -> bool {
        block.resolution == self.resolution || self.blend(block.resolution * 2) > 0.0
    }

    /// A block's RGB with the image of the block before, while the network grows.
    fn blended(&self, block: &Block, rgb: Tensor<4>, smaller: Option<Tensor<4>>) -> Tensor<4> {
        let blend = self.blend(block.resolution);
        match smaller {
            Some(smaller) if blend > 0.0 => {
                rgb.mul_scalar(1.0 - blend).add(upsample_nearest(smaller, 2).mul_scalar(blend))
            }
            _ => rgb,
        }
    }

    /// What the block's own RGB layer makes of a state behind it; `None` while the network grows.
    pub fn preview(&self, index: usize, state: &BlockState) -> Result<Option<Tensor<4>>, ModelError> {
        let block = self.blocks.get(index).ok_or(ModelError::Block { index, count: self.blocks.len() })?;
        match &self.kernels {
            _ if self.lod != 0.0 => Ok(None),
            Some(kernels) => self.rgb_by_kernels(kernels, index, block, state),
            None => Ok(Some(to_rgb(block, state.x()))),
        }
    }

    fn layer(
        &self,
        layer: &Layer,
        x: Tensor<4>,
        styles: &[Tensor<2>],
        noise: NoiseSource<'_>,
    ) -> Result<Tensor<4>, ModelError> {
        let Arithmetic { early_bias, fused_scale, .. } = self.arithmetic;
        let mut bias = layer.bias.as_ref().map(Weight::value);
        let mut x = match &layer.conv {
            Some(conv) => convolve(conv, x, fused_scale),
            None => x,
        };
        if early_bias {
            x = bias_act(x, bias.take(), Activation::Linear, 1.0, None);
        }
        if layer.conv.as_ref().is_some_and(|conv| conv.kind != ConvKind::Plain) {
            x = match &self.blur {
                Some(blur) => filter2d(x, blur),
                None => x,
            };
        }
        let channels = x.dims()[1];
        if let Some(LayerNoise { index, weight }) = &layer.noise
            && let Some((map, multiplier)) = noise(*index)?
        {
            let gain = self.arithmetic.noise_factor(channels) * f64::from(multiplier);
            let weight = weight.value().mul_scalar(gain).reshape([1, channels, 1, 1]);
            x = x.add(map.mul(weight));
        }
        let x = bias_act(x, bias, Activation::LeakyRelu, 1.0, None);
        self.styled(layer, x, styles)
    }

    /// What follows a layer's activation: its style, or the normalisation of every pixel.
    fn styled(&self, layer: &Layer, x: Tensor<4>, styles: &[Tensor<2>]) -> Result<Tensor<4>, ModelError> {
        let Arithmetic { scale_offset, epsilon, .. } = self.arithmetic;
        let [batch, channels, _, _] = x.dims();
        let Some(position) = layer.layer else {
            let power = x.clone().square().mean_dim(1).add_scalar(PIXEL_NORM_EPSILON);
            return Ok(x.mul(power.sqrt().recip()));
        };
        let style = self.style(styles, position, [batch, 2 * channels])?;
        let scale = style.clone().narrow(1, 0, channels);
        let scale = if scale_offset == 0.0 { scale } else { scale.add_scalar(scale_offset) };
        Ok(adain(x, scale, style.clone().narrow(1, channels, channels), epsilon))
    }

    fn style(&self, styles: &[Tensor<2>], position: usize, shape: [usize; 2]) -> Result<Tensor<2>, ModelError> {
        match styles.get(position) {
            Some(style) if style.dims() == shape => Ok(style.clone()),
            other => Err(ModelError::Input {
                what: "the style of a layer",
                found: other.map(|style| style.dims().to_vec()).unwrap_or_default(),
                expected: format!("{shape:?}"),
            }),
        }
    }

    pub fn store(&self, weights: &mut StateDict) -> Result<(), ModelError> {
        match &self.input {
            Input::Constant(input) => input.store(weights)?,
            Input::Latent { weight, .. } => weight.store(weights)?,
        }
        for block in &self.blocks {
            for layer in &block.layers {
                if let Some(conv) = &layer.conv {
                    conv.weight.store(weights)?;
                }
                if let Some(bias) = &layer.bias {
                    bias.store(weights)?;
                }
                if let Some(noise) = &layer.noise {
                    noise.weight.store(weights)?;
                }
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

fn to_rgb(block: &Block, x: Tensor<4>) -> Tensor<4> {
    let rgb = convolve(&block.rgb, x, 1.0);
    bias_act(rgb, block.rgb.bias.as_ref().map(Weight::value), Activation::Linear, 1.0, None)
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

/// The weight as the kernels take it, [O, I, 3, 3], its gain included.
fn weight_as_stored(conv: &Conv, fused_scale: f64) -> Tensor<4> {
    let weight = conv.weight.value();
    let (weight, gain) = match conv.kind {
        ConvKind::Plain => (weight, conv.gain),
        // As a transposed convolution takes it ([`UpFilter::after_blur`](crate::ops::cpu::UpFilter::after_blur)).
        ConvKind::Up => (weight.flip([2, 3]), conv.gain),
        ConvKind::FusedUp { transposed: true } => (weight.swap_dims(0, 1), conv.gain * fused_scale),
        ConvKind::FusedUp { transposed: false } => (weight, conv.gain * fused_scale),
    };
    weight.mul_scalar(gain)
}
