//! StyleGAN's convolutions by the kernels of a GPU, for inference: with noise, bias and activation one kernel, two where the size
//! doubles. Normalisation and styles are tensor operations as everywhere.

use std::fmt;

use burn::tensor::{Device, Tensor};

use super::{ConvKind, Layer, LayerNoise, StyleGan1, weight_as_stored};
use crate::{
    gpu::device::is_gpu,
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
    /// Ones, [1, I]: the convolution itself has no style.
    style: Tensor<2>,
    bias: Tensor<1>,
    /// Noise index and the learned strengths, [O].
    noise: Option<(usize, Tensor<1>)>,
    up: bool,
}

impl StyleGan1 {
    /// `None` where there is no GPU, or the blur is none that the kernels know.
    pub(super) fn gpu_synthesis(&self, device: &Device) -> Option<GpuSynthesis> {
        let taps = self.blur_taps().filter(|_| is_gpu(device))?;
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
        let layers = gpu.blocks.get(index, || Ok(block.layers.each_ref().map(|layer| self.gpu_layer(layer))))?;
        let Some(GpuLayer { weight, style, bias, noise: strengths, up }) = layers.get(half).and_then(Option::as_ref)
        else {
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
            style: style.clone().expand([batch, inputs]),
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
        let [outputs, inputs, ..] = weight.dims();
        let style = Tensor::ones([1, inputs], &weight.device());
        let bias = layer.bias.as_ref().map_or_else(|| Tensor::zeros([outputs], &weight.device()), |bias| bias.value());
        let noise = layer.noise.as_ref().map(|LayerNoise { index, weight }| {
            let gain = self.arithmetic.noise_factor(outputs);
            (*index, weight.value().mul_scalar(gain))
        });
        Some(GpuLayer { weight, style, bias, noise, up: conv.kind != ConvKind::Plain })
    }
}

impl fmt::Debug for GpuSynthesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GpuSynthesis").field("border", &self.border).field("blocks", &self.blocks.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gpu::device::{DeviceChoice, select},
        model::{
            config::{StyleGan1Config, StyleGan1Variant},
            tests::stylegan1,
            weights::WeightSource,
        },
        ops::testing::{assert_same, noise},
    };

    #[test]
    fn kernels_give_the_features_of_the_tensors() {
        let Ok(compute) = select(DeviceChoice::Software) else { return eprintln!("skipped: no software driver") };
        let (cpu, gpu) = (Device::flex(), compute.device);
        for (variant, fused_from) in
            [(StyleGan1Variant::Official, 128), (StyleGan1Variant::Official, 8), (StyleGan1Variant::Community, 8)]
        {
            let config = StyleGan1Config { variant, fused_from, ..stylegan1() };
            let on = |device: &Device| {
                let mut built = StyleGan1::new(&config, &mut WeightSource::fresh(1), &cpu, device).unwrap();
                for layer in built.network.blocks.iter_mut().flat_map(|block| &mut block.layers) {
                    // A fresh network has neither noise nor bias.
                    for weight in layer.bias.iter_mut().chain(layer.noise.iter_mut().map(|noise| &mut noise.weight)) {
                        weight.set(noise(weight.value().dims(), 5, device));
                    }
                }
                built
            };
            let (here, mut there) = (on(&gpu), on(&cpu));
            // Tensors alone.
            there.network.set_cpu_runtime(None, &cpu);
            assert_eq!(here.network.layer_shapes(1).len(), 5, "every layer but the first has a convolution");
            let styles = |device: &Device| -> Vec<Tensor<2>> {
                here.layers.iter().map(|layer| noise([2, layer.style_dim], 7, device).add_scalar(0.5)).collect()
            };
            let map = |index: usize, device: &Device| {
                let [height, width] = here.noise.shapes()[index];
                Ok(Some((noise([1, 1, height, width], 3, device), 0.5)))
            };
            let (map_here, map_there) = (|index: usize| map(index, &gpu), |index: usize| map(index, &cpu));
            let (mut x, mut expected) = (here.network.start(2), there.network.start(2));
            for (index, block) in here.network.blocks.iter().enumerate() {
                if let Some(conv) = &block.layers[0].conv {
                    let taken = here.network.activated_by_kernel([index, 0], &x.x(), &map_here).unwrap();
                    assert!(taken.is_some(), "{:?}", conv.kind);
                }
                x = here.network.block(index, x, &styles(&gpu), &map_here).unwrap();
                expected = there.network.block(index, expected, &styles(&cpu), &map_there).unwrap();
                assert_same(x.x().to_device(&cpu), expected.x(), 1e-4);
            }
        }
    }
}
