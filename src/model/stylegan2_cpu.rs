//! StyleGAN2's synthesis by the CPU kernels, for inference: the same network as the tensors of [`super::stylegan2`],
//! which remain for gradients, for other devices and to compare with.

use std::{
    f64::consts::SQRT_2,
    fmt,
    sync::{Arc, OnceLock},
};

use burn::tensor::Tensor;

use super::{
    block_state::{BlockState, Sample},
    error::ModelError,
    weights::read,
};
use crate::ops::{
    Filter,
    cpu::{Epilogue, LayerKernel, NhwcBuffer, RgbKernel, RowImage, Runtime},
};

/// The kernels of a network, made block by block when they first run. Clones share them.
#[derive(Clone)]
pub(super) struct CpuSynthesis {
    runtime: Arc<Runtime>,
    blocks: Arc<[OnceLock<CpuBlock>]>,
    filter: [f32; 4],
    clamp: Option<f32>,
}

/// The kernels of one block.
pub(super) struct CpuBlock {
    pub conv0: Option<CpuConv>,
    pub conv1: CpuConv,
    pub to_rgb: Option<CpuRgb>,
}

pub(super) struct CpuConv {
    pub kernel: LayerKernel,
    /// Position among the styles.
    pub layer: usize,
    pub bias: Vec<f32>,
    /// Noise index and learned strength.
    pub noise: Option<(usize, f32)>,
}

pub(super) struct CpuRgb {
    pub kernel: RgbKernel,
    /// Position among the styles.
    pub layer: usize,
    /// On the style.
    pub gain: f32,
}

/// Noise maps of a layer, one or one a sample, and the factor on the layer's strength.
struct HostNoise {
    maps: Vec<f32>,
    strength: f32,
    /// Values from one sample's map to the next; 0 if they share it.
    step: usize,
    len: usize,
}

/// What all layers of a block run with.
struct Run<'a> {
    synthesis: &'a CpuSynthesis,
    styles: &'a [Tensor<2>],
    noise: &'a dyn Fn(usize) -> Result<Option<(Tensor<4>, f32)>, ModelError>,
}

impl CpuSynthesis {
    /// `None` for a filter that the kernels do not have: they want four taps an axis.
    pub fn new(runtime: Arc<Runtime>, num_blocks: usize, filter: &Filter, clamp: Option<f64>) -> Option<Self> {
        let filter = if filter.is_separable() { filter.taps().try_into().ok()? } else { return None };
        let blocks = (0..num_blocks).map(|_| OnceLock::new()).collect();
        Some(Self { runtime, blocks, filter, clamp: clamp.map(|clamp| clamp as f32) })
    }

    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub fn filter(&self) -> [f32; 4] {
        self.filter
    }

    /// Runs block `index`, whose RGB is added to the running image unless it is `separate_rgb`, and whose kernels `make` makes the first time. `styles` are on the CPU.
    pub fn block(
        &self,
        index: usize,
        state: BlockState,
        separate_rgb: bool,
        styles: &[Tensor<2>],
        noise: &dyn Fn(usize) -> Result<Option<(Tensor<4>, f32)>, ModelError>,
        make: impl FnOnce() -> Result<CpuBlock, ModelError>,
    ) -> Result<BlockState, ModelError> {
        let slot = self.blocks.get(index).ok_or(ModelError::Block { index, count: self.blocks.len() })?;
        let block = match slot.get() {
            Some(block) => block,
            None => {
                let made = make()?;
                slot.get_or_init(|| made)
            }
        };
        let run = Run { synthesis: self, styles, noise };
        let samples = state.into_samples()?;
        let (mut maps, mut images): (Vec<_>, Vec<_>) =
            samples.into_iter().map(|Sample { x, image }| (x, image)).unzip();
        if let Some(conv) = &block.conv0 {
            maps = run.conv(conv, maps)?;
        }
        maps = run.conv(&block.conv1, maps)?;
        if let Some(to_rgb) = &block.to_rgb {
            if separate_rgb {
                images.iter_mut().for_each(|image| *image = None);
            }
            images = run.to_rgb(to_rgb, &maps, &images)?;
        }
        Ok(BlockState::from_samples(maps.into_iter().zip(images).map(|(x, image)| Sample { x, image }).collect()))
    }
}

impl Run<'_> {
    /// By sample, the values of a layer's style.
    fn style(&self, layer: usize) -> Result<(Vec<f32>, usize), ModelError> {
        let style = self.styles.get(layer).ok_or_else(|| ModelError::Input {
            what: "the list of styles",
            found: vec![self.styles.len()],
            expected: format!("a style for layer {layer}"),
        })?;
        Ok((read("a style", style.clone())?, style.dims()[1]))
    }

    fn host_noise(&self, conv: &CpuConv) -> Result<Option<HostNoise>, ModelError> {
        let Some((index, strength)) = conv.noise else { return Ok(None) };
        let Some((map, multiplier)) = (self.noise)(index)? else { return Ok(None) };
        let [maps, _, height, width] = map.dims();
        let len = height * width;
        let step = if maps == 1 { 0 } else { len };
        Ok(Some(HostNoise { maps: read("a noise map", map)?, strength: strength * multiplier, step, len }))
    }

    fn conv(&self, conv: &CpuConv, maps: Vec<Arc<NhwcBuffer>>) -> Result<Vec<Arc<NhwcBuffer>>, ModelError> {
        let (styles, style_dim) = self.style(conv.layer)?;
        let noise = self.host_noise(conv)?;
        let runtime = self.synthesis.runtime();
        let mut workspace = runtime.workspace();
        let samples = maps.into_iter().zip(styles.chunks_exact(style_dim)).enumerate();
        Ok(samples
            .map(|(sample, (x, style))| {
                let noise = noise.as_ref();
                let epilogue = Epilogue {
                    demodulate: true,
                    noise: noise.map(|noise| (&noise.maps[sample * noise.step..][..noise.len], noise.strength)),
                    bias: &conv.bias,
                    slope: 0.2,
                    gain: SQRT_2 as f32,
                    clamp: self.synthesis.clamp,
                };
                Arc::new(conv.kernel.run(&x, style, &epilogue, &mut workspace, runtime.threads()))
            })
            .collect())
    }

    fn to_rgb(
        &self,
        to_rgb: &CpuRgb,
        maps: &[Arc<NhwcBuffer>],
        below: &[Option<Arc<RowImage>>],
    ) -> Result<Vec<Option<Arc<RowImage>>>, ModelError> {
        let (mut styles, style_dim) = self.style(to_rgb.layer)?;
        styles.iter_mut().for_each(|style| *style *= to_rgb.gain);
        let CpuSynthesis { runtime, filter, clamp, .. } = self.synthesis;
        let samples = maps.iter().zip(below).zip(styles.chunks_exact(style_dim));
        Ok(samples
            .map(|((x, below), style)| {
                let below = below.as_deref().map(|image| (image, *filter));
                Some(Arc::new(to_rgb.kernel.run(x, style, *clamp, below, runtime.threads())))
            })
            .collect())
    }
}

impl fmt::Debug for CpuSynthesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CpuSynthesis").field("runtime", &self.runtime).field("blocks", &self.blocks.len()).finish()
    }
}
