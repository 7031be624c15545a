//! StyleGAN's synthesis by the CPU kernels, for inference: the same network as the tensors of [`super`], which remain for
//! gradients, for other devices and to compare with.

use std::{borrow::Borrow, fmt, sync::Arc};

use burn::tensor::{Device, Tensor};

use super::{Block, Conv, ConvKind, Layer, LayerNoise, StyleGan1, weight_as_stored};
use crate::{
    model::{
        block_state::BlockState,
        cpu_blocks::{HostNoise, LazyBlocks, NoiseSource, host_style, may_run_on},
        error::ModelError,
        weights::read,
    },
    ops::cpu::{Epilogue, LayerKernel, NhwcBuffer, NoiseStrength, RgbKernel, RowImage, Runtime, UpFilter, normalize},
};

/// The kernels of a network.
#[derive(Clone)]
pub(super) struct CpuSynthesis {
    runtime: Arc<Runtime>,
    blocks: LazyBlocks<CpuBlock>,
}

/// The kernels of one block; the first layer of the first one has none, because it has no convolution.
struct CpuBlock {
    layers: Vec<CpuLayer>,
    rgb: RgbKernel,
}

struct CpuLayer {
    kernel: LayerKernel,
    /// Position among the styles.
    layer: usize,
    bias: Vec<f32>,
    /// Noise index and the learned strengths.
    noise: Option<(usize, Vec<f32>)>,
}

impl StyleGan1 {
    /// The kernels serve inference on the CPU, of networks whose layers all have styles.
    pub fn set_cpu_runtime(&mut self, runtime: Option<Arc<Runtime>>, device: &Device) {
        let styled = self.blocks.iter().flat_map(|block| &block.layers).all(|layer| layer.layer.is_some());
        let runtime = runtime.filter(|_| may_run_on(device) && styled && self.blur_taps().is_some());
        let blocks = LazyBlocks::new(self.blocks.len());
        self.kernels = runtime.map(|runtime| CpuSynthesis { runtime, blocks });
    }

    /// The three taps of the blur, if that many say what it is.
    pub(super) fn blur_taps(&self) -> Option<[f32; 3]> {
        match &self.blur {
            None => Some([0.0, 1.0, 0.0]),
            Some(blur) if blur.is_separable() => blur.taps().try_into().ok(),
            Some(_) => None,
        }
    }

    /// An active block by the kernels. `styles` are on the CPU.
    pub(super) fn block_by_kernels(
        &self,
        kernels: &CpuSynthesis,
        index: usize,
        state: BlockState,
        styles: &[Tensor<2>],
        noise: NoiseSource<'_>,
    ) -> Result<BlockState, ModelError> {
        let block = self.blocks.get(index).ok_or(ModelError::Block { index, count: self.blocks.len() })?;
        let cpu = kernels.of(self, index, block)?;
        let image = state.image();
        let state = if index == 0 {
            let x = self.input_features(state.x(), styles)?;
            BlockState::new(self.layer(&block.layers[0], x, styles, noise)?, None)
        } else {
            state
        };
        let mut maps: Vec<_> = state.into_samples()?.into_iter().map(|sample| sample.x).collect();
        for layer in &cpu.layers {
            maps = self.layer_by_kernel(kernels, layer, &maps, styles, noise)?.into_iter().map(Arc::new).collect();
        }
        let images = if self.wants_image(block) { kernels.to_rgb(cpu, &maps) } else { vec![None; maps.len()] };
        let state = BlockState::from_buffers(maps, images);
        match state.image() {
            // Only a growing network still has an image of the block before.
            Some(rgb) if image.is_some() => state.with_image(self.blended(block, rgb, image)),
            _ => Ok(state),
        }
    }

    fn layer_by_kernel<B: Borrow<NhwcBuffer>>(
        &self,
        kernels: &CpuSynthesis,
        layer: &CpuLayer,
        maps: &[B],
        styles: &[Tensor<2>],
        noise: NoiseSource<'_>,
    ) -> Result<Vec<NhwcBuffer>, ModelError> {
        let (styles, style_dim) = host_style(styles, layer.layer)?;
        let channels = layer.kernel.out_channels();
        let expected = [maps.len(), 2 * channels];
        if [styles.len() / style_dim.max(1), style_dim] != expected {
            let found = vec![styles.len(), style_dim];
            return Err(ModelError::Input { what: "the style of a layer", found, expected: format!("{expected:?}") });
        }
        let noise = match &layer.noise {
            Some((index, strengths)) => HostNoise::read(noise, *index)?.map(|noise| (noise, strengths)),
            None => None,
        };
        let runtime = &kernels.runtime;
        let mut workspace = runtime.workspace();
        let samples = maps.iter().zip(styles.chunks_exact(style_dim)).enumerate();
        Ok(samples
            .map(|(sample, (x, style))| {
                let noise = noise.as_ref();
                let epilogue = Epilogue {
                    demodulate: false,
                    noise: noise.map(|(noise, strengths)| {
                        (noise.of(sample), NoiseStrength::ByChannel(strengths, noise.factor))
                    }),
                    bias: &layer.bias,
                    slope: 0.2,
                    gain: 1.0,
                    clamp: None,
                };
                let x: &NhwcBuffer = x.borrow();
                let ones = vec![1.0; x.shape()[0]];
                let mut y = layer.kernel.run(x, &ones, &epilogue, &mut workspace, runtime.threads());
                let (scale, shift) = style.split_at(channels);
                let offset = self.arithmetic.scale_offset as f32;
                let scale: Vec<f32> = scale.iter().map(|scale| scale + offset).collect();
                let epsilon = self.arithmetic.epsilon as f32;
                let set = runtime.instruction_set();
                normalize(set, &mut y, &scale, shift, epsilon, &mut workspace, runtime.threads());
                y
            })
            .collect())
    }

    /// What the block's own RGB layer makes of a state behind it.
    pub(super) fn rgb_by_kernels(
        &self,
        kernels: &CpuSynthesis,
        index: usize,
        block: &Block,
        state: &BlockState,
    ) -> Result<Option<Tensor<4>>, ModelError> {
        let cpu = kernels.of(self, index, block)?;
        let maps: Vec<_> = state.clone().into_samples()?.into_iter().map(|sample| sample.x).collect();
        let images = kernels.to_rgb(cpu, &maps);
        Ok(BlockState::from_buffers(maps, images).image())
    }

    fn make_block(&self, runtime: &Runtime, block: &Block) -> Result<CpuBlock, ModelError> {
        let layers = block.layers.iter().filter_map(|layer| {
            let conv = layer.conv.as_ref()?;
            Some(self.make_layer(runtime, block.resolution, layer, conv))
        });
        let [colours, channels, ..] = block.rgb.weight.value().dims();
        let weight = read("an RGB weight", block.rgb.weight.value().mul_scalar(block.rgb.gain))?;
        let bias = match &block.rgb.bias {
            Some(bias) => read("an RGB bias", bias.value())?,
            None => vec![0.0; colours],
        };
        let rgb = RgbKernel::new(runtime.instruction_set(), &weight, &bias, channels);
        Ok(CpuBlock { layers: layers.collect::<Result<_, _>>()?, rgb })
    }

    fn make_layer(
        &self,
        runtime: &Runtime,
        resolution: usize,
        layer: &Layer,
        conv: &Conv,
    ) -> Result<CpuLayer, ModelError> {
        let arithmetic = self.arithmetic;
        let (weight, channels) = stored_weight(conv, arithmetic.fused_scale)?;
        let up = match conv.kind {
            ConvKind::Plain => None,
            _ => self.blur_taps().map(|taps| UpFilter::after_blur(taps, arithmetic.early_bias)),
        };
        let side = if up.is_some() { resolution / 2 } else { resolution };
        let kernel = LayerKernel::new(runtime.instruction_set(), &weight, channels, [side, side], up);
        let bias = match &layer.bias {
            Some(bias) => read("a bias", bias.value())?,
            None => vec![0.0; channels[0]],
        };
        let noise = match &layer.noise {
            Some(LayerNoise { index, weight }) => {
                let gain = arithmetic.noise_factor(channels[0]);
                Some((*index, read("noise strengths", weight.value().mul_scalar(gain))?))
            }
            None => None,
        };
        // Those without one do not get kernels.
        let layer = layer.layer.unwrap_or_default();
        Ok(CpuLayer { kernel, layer, bias, noise })
    }
}

/// The weight on the host, and `[out, in]`.
fn stored_weight(conv: &Conv, fused_scale: f64) -> Result<(Vec<f32>, [usize; 2]), ModelError> {
    let weight = weight_as_stored(conv, fused_scale);
    let [outputs, inputs, ..] = weight.dims();
    Ok((read("a convolution's weight", weight)?, [outputs, inputs]))
}

impl CpuSynthesis {
    fn of(&self, network: &StyleGan1, index: usize, block: &Block) -> Result<&CpuBlock, ModelError> {
        self.blocks.get(index, || network.make_block(&self.runtime, block))
    }

    fn to_rgb(&self, block: &CpuBlock, maps: &[Arc<NhwcBuffer>]) -> Vec<Option<Arc<RowImage>>> {
        let image = |x: &Arc<NhwcBuffer>| {
            let ones = vec![1.0; x.shape()[0]];
            Some(Arc::new(block.rgb.run(x, &ones, None, None, self.runtime.threads())))
        };
        maps.iter().map(image).collect()
    }
}

impl fmt::Debug for CpuSynthesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CpuSynthesis").field("runtime", &self.runtime).field("blocks", &self.blocks.len()).finish()
    }
}
