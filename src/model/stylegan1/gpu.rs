//! StyleGAN's convolutions by the kernels of a GPU, for inference: with noise, bias and activation one kernel, two where the size
//! doubles. Normalisation and styles are tensor operations as everywhere.

use std::fmt;

use burn::tensor::{Device, Tensor};

use super::{ConvKind, Layer, LayerNoise, StyleGan1, weight_as_stored};
use crate::{
    model::{
        cpu_blocks::{LazyBlocks, NoiseSource},
        error::ModelError,
    },
    ops::{
        self, Activation, Filter, SynthesisLayer,
        cpu::{Border, UpFilter},
        gpu::{self, Choice, LayerShape, choice},
    },
};

/// What the kernels of a network share.
#[derive(Clone)]
pub(super) struct GpuSynthesis {
    /// Upsampling and blur of an up-convolution ([`UpFilter::after_blur`]).
    filter: Filter,
    border: Border,
    blocks: LazyBlocks<[Option<GpuLayer>; 2]>,
}

/// A layer with a convolution.
struct GpuLayer {
    /// [O, I, 3, 3], its gain included.
    weight: Tensor<4>,
    bias: Tensor<1>,
    /// Noise index and the learned strengths, [O].
    noise: Option<(usize, Tensor<1>)>,
    up: bool,
}

impl StyleGan1 {
    /// `None` where there is no GPU, or the blur is none that the kernels know.
    pub(super) fn gpu_synthesis(&self, device: &Device) -> Option<GpuSynthesis> {
        let taps = self.blur_taps().filter(|_| gpu::has_kernels(device))?;
        let UpFilter { taps, border } = UpFilter::after_blur(taps, self.arithmetic.early_bias);
        Some(GpuSynthesis {
            filter: Filter::separable(&taps, device),
            border,
            blocks: LazyBlocks::new(self.blocks.len()),
        })
    }

    /// The layers that kernels may compute, in order of computation.
    pub fn layer_shapes(&self, batch: usize) -> Vec<LayerShape> {
        if self.gpu.is_none() {
            return Vec::new();
        }
        let active = (0..).zip(&self.blocks).filter(|(index, _)| self.is_active(*index));
        let layers = active.flat_map(|(_, block)| block.layers.iter().map(move |layer| (block.resolution, layer)));
        let shape = |(resolution, layer): (usize, &Layer)| {
            let conv = layer.conv.as_ref()?;
            let [first, second, kernel, _] = conv.weight.value().dims();
            let transposed = conv.kind == ConvKind::FusedUp { transposed: true };
            let [outputs, inputs] = if transposed { [second, first] } else { [first, second] };
            let up = conv.kind != ConvKind::Plain;
            let side = if up { resolution / 2 } else { resolution };
            Some(LayerShape { batch, inputs, outputs, size: [side, side], kernel, up, half: false })
        };
        layers.filter_map(shape).collect()
    }

    /// A layer up to the end of its activation; `None` if the tensors have to.
    pub(super) fn activated_by_kernel(
        &self,
        [index, half]: [usize; 2],
        x: &Tensor<4>,
        noise: NoiseSource<'_>,
    ) -> Result<Option<Tensor<4>>, ModelError> {
        let (Some(gpu), Some(block)) = (&self.gpu, self.blocks.get(index)) else { return Ok(None) };
        let layers = gpu.blocks.get(index, || Ok([0, 1].map(|half| self.gpu_layer(&block.layers[half]))))?;
        let Some(GpuLayer { weight, bias, noise: strengths, up }) = layers.get(half).and_then(Option::as_ref) else {
            return Ok(None);
        };
        let noise = match strengths {
            Some((index, strength)) => {
                noise(*index)?.map(|(map, multiplier)| ops::LayerNoise { map, strength: strength.clone(), multiplier })
            }
            None => None,
        };
        let [batch, inputs, ..] = x.dims();
        let layer = SynthesisLayer {
            x: x.clone(),
            weight: weight.clone(),
            style: Tensor::ones([batch, inputs], &x.device()),
            up: up.then_some(&gpu.filter),
            demodulate: false,
            noise,
            bias: Some(bias.clone()),
            activation: Activation::LeakyRelu,
            gain: 1.0,
            clamp: None,
        };
        Ok(match choice::choice(&x.device(), &LayerShape::of(&layer)) {
            Choice::Tile(size) if gpu::takes_layer(&layer) => Some(gpu::layer_with_border(layer, gpu.border, size)),
            _ => None,
        })
    }

    fn gpu_layer(&self, layer: &Layer) -> Option<GpuLayer> {
        let conv = layer.conv.as_ref()?;
        let weight = weight_as_stored(conv, self.arithmetic.fused_scale);
        let outputs = weight.dims()[0];
        let bias = layer.bias.as_ref().map_or_else(|| Tensor::zeros([outputs], &weight.device()), |bias| bias.value());
        let noise = layer.noise.as_ref().map(|LayerNoise { index, weight }| {
            let gain = self.arithmetic.noise_gain.map_or(1.0, |gain| gain / (outputs as f64).sqrt());
            (*index, weight.value().mul_scalar(gain))
        });
        Some(GpuLayer { weight, bias, noise, up: conv.kind != ConvKind::Plain })
    }
}

impl fmt::Debug for GpuSynthesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GpuSynthesis").field("border", &self.border).field("blocks", &self.blocks.len()).finish()
    }
}
