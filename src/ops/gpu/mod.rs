//! Kernels for the layers of StyleGAN2 and the convolutions of StyleGAN on a GPU, for inference in f32, or with feature maps and
//! weights in f16 and sums in f32.
//!
//! A convolution takes the style on its way into shared memory and leaves with demodulation, noise, bias, activation and
//! clamp: one kernel a layer, where tensor operations need six or more passes over the feature maps. An up-convolution is
//! two: the transposed convolution, and its filter with the end of the layer. What the kernels do not take -- gradients,
//! other filters, kernels and activations -- stays with the tensor operations, which are also what tests compare with.

use burn::{
    backend::Dispatch,
    tensor::{DType, Tensor},
};

use super::{
    Activation, Filter, LayerNoise, SynthesisLayer, bias_act::LEAKY_SLOPE, cpu::Border, modulated_conv::smoothing,
    resample::upsampling, upfirdn2d::UpFirDn,
};
use crate::gpu::device::is_gpu;

pub mod choice;
#[allow(clippy::collapsible_if, reason = "what is known when a kernel is compiled is asked first")]
mod convolution;
mod extension;
mod finish;
mod measure;
#[allow(clippy::manual_is_multiple_of, reason = "kernels have no such method")]
mod rgb;
mod smooth;
pub mod tile;

pub use choice::{Choice, LayerShape};
use extension::{BelowInput, LayerOptions, NoiseInput, SynthesisKernels};
pub use measure::{MeasureError, measure};
pub use tile::{Tile, TileSize};

/// Largest finite value of an f16.
const MAX_HALF: f32 = 65_504.0;
/// Most taps an axis of a filter that the kernels unroll.
const MAX_TAPS: usize = 8;

/// Whether a kernel computes `layer`.
pub fn takes_layer(layer: &SynthesisLayer) -> bool {
    let [_, _, kernel, _] = layer.weight.dims();
    let plain = layer.up.is_none() && matches!(kernel, 1 | 3);
    let up = kernel == 3 && layer.up.is_some_and(|filter| pad_of(filter, smoothing(filter, 3)).is_some());
    takes_parts(layer) && layer.weight.dtype() == layer.x.dtype() && (plain || up)
}

/// Whether a kernel computes `layer` as colours on top of an image that `filter` doubles.
pub fn takes_rgb(layer: &SynthesisLayer, filter: Option<&Filter>) -> bool {
    let [colours, _, kernel, _] = layer.weight.dims();
    let filter = filter.is_none_or(|filter| pad_of(filter, upsampling(filter)).is_some());
    let plain = kernel == 1 && layer.up.is_none() && !layer.demodulate && layer.noise.is_none();
    takes_parts(layer) && layer.weight.dtype() == DType::F32 && plain && filter && colours <= rgb::MAX_COLOURS
}

fn takes_parts(layer: &SynthesisLayer) -> bool {
    let stored = matches!(layer.x.dtype(), DType::F32 | DType::F16);
    let floats = stored && layer.style.dtype() == DType::F32;
    is_gpu(&layer.x.device()) && floats && layer.bias.is_some() && slope(layer.activation).is_some()
}

/// Runs a layer that [`takes_layer`] said yes to, cut into tiles of `size`.
///
/// # Shapes
/// As [`synthesis_layer`](super::synthesis_layer).
pub fn layer(layer: SynthesisLayer, size: TileSize) -> Tensor<4> {
    layer_with_border(layer, Border::Whole, size)
}

/// [`layer`] with what the filter of an up-convolution meets around the image; where that is [`Border::Cut`], the filter has four
/// taps.
pub fn layer_with_border(layer: SynthesisLayer, border: Border, size: TileSize) -> Tensor<4> {
    let options = LayerOptions { border, ..options(&layer, size.tile(layer.up.is_some())) };
    let SynthesisLayer { x, weight, style, up, noise, bias, .. } = layer;
    let bias = bias.unwrap_or_else(|| Tensor::zeros([weight.dims()[0]], &x.device())).into_dispatch();
    let noise = match noise {
        Some(LayerNoise { map, strength, .. }) => {
            NoiseInput::Map { map: map.into_dispatch(), strength: strength.into_dispatch() }
        }
        None => NoiseInput::Without,
    };
    let (x, weight, style) = (x.into_dispatch(), weight.into_dispatch(), style.into_dispatch());
    Tensor::from_dispatch(match up {
        None => Dispatch::gpu_layer(x, weight, style, bias, noise, options),
        Some(filter) => {
            let taps = filter.kernel().into_dispatch();
            let pad = pad_of(filter, smoothing(filter, 3)).unwrap_or_default();
            Dispatch::gpu_up_layer(x, weight, style, bias, taps, noise, LayerOptions { pad, ..options })
        }
    })
}

/// Runs a layer that [`takes_rgb`] said yes to, on top of the image `below` and the filter that doubles it.
///
/// # Shapes
/// - below: [N, O, H / 2, W / 2]
/// - output: [N, O, H, W] in f32, however the feature maps are stored
pub fn rgb(layer: SynthesisLayer, below: Option<(Tensor<4>, &Filter)>) -> Tensor<4> {
    let options = options(&layer, TileSize::Small.tile(false));
    let SynthesisLayer { x, weight, style, bias, .. } = layer;
    let bias = bias.unwrap_or_else(|| Tensor::zeros([weight.dims()[0]], &x.device())).into_dispatch();
    let pad = below.as_ref().and_then(|(_, filter)| pad_of(filter, upsampling(filter))).unwrap_or_default();
    let below = match below {
        Some((image, filter)) => {
            BelowInput::Image { image: image.into_dispatch(), taps: filter.kernel().into_dispatch() }
        }
        None => BelowInput::Without,
    };
    let (x, weight, style) = (x.into_dispatch(), weight.into_dispatch(), style.into_dispatch());
    Tensor::from_dispatch(Dispatch::gpu_rgb(x, weight, style, bias, below, LayerOptions { pad, ..options }))
}

fn options(layer: &SynthesisLayer, tile: Tile) -> LayerOptions {
    // What is out of range would be infinite, and nothing after it finite.
    let half = layer.x.dtype() == DType::F16;
    LayerOptions {
        demodulate: layer.demodulate,
        multiplier: layer.noise.as_ref().map_or(1.0, |noise| noise.multiplier),
        slope: slope(layer.activation).unwrap_or(1.0),
        gain: layer.gain as f32,
        limit: layer.clamp.map(|limit| limit as f32).or(half.then_some(MAX_HALF)),
        pad: 0,
        border: Border::Whole,
        tile,
    }
}

/// The factor below zero of an activation that is a straight line on both sides of it.
fn slope(activation: Activation) -> Option<f32> {
    match activation {
        Activation::Linear => Some(1.0),
        Activation::Relu => Some(0.0),
        Activation::LeakyRelu => Some(LEAKY_SLOPE as f32),
        _ => None,
    }
}

/// Zeros at the left and top, for filters that the kernels take: separable, short, and the same on both axes.
fn pad_of(filter: &Filter, options: UpFirDn) -> Option<usize> {
    let [left, _, top, _] = options.pad;
    let short = filter.is_separable() && filter.taps().len() <= MAX_TAPS && left == top;
    usize::try_from(left).ok().filter(|_| short)
}

#[cfg(test)]
mod tests;
