//! StyleGAN2's synthesis by the CPU kernels, for inference: the same network as the tensors of [`super::stylegan2`],
//! which remain for gradients, for other devices and to compare with.

use std::{
    borrow::Borrow,
    f64::consts::{FRAC_1_SQRT_2, SQRT_2},
    fmt,
    sync::Arc,
};

use burn::tensor::Tensor;

use super::{
    block_state::{BlockState, Sample},
    cpu_blocks::{HostNoise, LazyBlocks, NoiseSource, host_style},
    error::ModelError,
};
use crate::ops::{
    Filter,
    cpu::{
        Border, Epilogue, LayerKernel, NhwcBuffer, NoiseStrength, RgbKernel, RowImage, Runtime, SkipKernel, UpFilter,
        Workspace,
    },
};

/// The kernels of a network, made block by block when they first run. Clones share them.
#[derive(Clone)]
pub(super) struct CpuSynthesis {
    runtime: Arc<Runtime>,
    blocks: LazyBlocks<CpuBlock>,
    filter: [f32; 4],
    clamp: Option<f32>,
}

/// The kernels of one block.
pub(super) struct CpuBlock {
    pub conv0: Option<CpuConv>,
    pub conv1: CpuConv,
    /// In residual blocks.
    pub skip: Option<SkipKernel>,
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

/// What all layers of a block run with.
struct Run<'a> {
    synthesis: &'a CpuSynthesis,
    styles: &'a [Tensor<2>],
    noise: NoiseSource<'a>,
}

impl CpuSynthesis {
    /// `None` for a filter that the kernels do not have: they want four taps an axis.
    pub fn new(runtime: Arc<Runtime>, num_blocks: usize, filter: &Filter, clamp: Option<f64>) -> Option<Self> {
        let filter = if filter.is_separable() { filter.taps().try_into().ok()? } else { return None };
        Some(Self { runtime, blocks: LazyBlocks::new(num_blocks), filter, clamp: clamp.map(|clamp| clamp as f32) })
    }

    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The filter's taps along one axis.
    pub fn filter(&self) -> [f32; 4] {
        self.filter
    }

    /// The same, as the layers that double the size take it.
    pub fn up_filter(&self) -> UpFilter {
        UpFilter { taps: self.filter, border: Border::Whole }
    }

    /// Runs block `index`, whose RGB is added to the running image unless it is `separate_rgb`, and whose kernels `make` makes
    /// the first time. `styles` are on the CPU.
    pub fn block(
        &self,
        index: usize,
        state: BlockState,
        separate_rgb: bool,
        styles: &[Tensor<2>],
        noise: NoiseSource<'_>,
        make: impl FnOnce() -> Result<CpuBlock, ModelError>,
    ) -> Result<BlockState, ModelError> {
        let block = self.blocks.get(index, make)?;
        let run = Run { synthesis: self, styles, noise };
        let samples = state.into_samples()?;
        let (maps, mut images): (Vec<_>, Vec<_>) = samples.into_iter().map(|Sample { x, image }| (x, image)).unzip();
        let maps: Vec<_> = run.layers(block, maps)?.into_iter().map(Arc::new).collect();
        if let Some(to_rgb) = &block.to_rgb {
            if separate_rgb {
                images.iter_mut().for_each(|image| *image = None);
            }
            images = run.to_rgb(to_rgb, &maps, &images)?;
        }
        Ok(BlockState::from_buffers(maps, images))
    }
}

impl Run<'_> {
    /// The block's convolutions, and its residual branch where it has one.
    fn layers(&self, block: &CpuBlock, maps: Vec<Arc<NhwcBuffer>>) -> Result<Vec<NhwcBuffer>, ModelError> {
        let runtime = self.synthesis.runtime();
        let workspace = &mut runtime.workspace();
        let gain = if block.skip.is_some() { FRAC_1_SQRT_2 as f32 } else { 1.0 };
        let mut out = match &block.conv0 {
            Some(conv) => {
                let doubled = self.conv(conv, &maps, 1.0, workspace)?;
                self.conv(&block.conv1, &doubled, gain, workspace)?
            }
            None => self.conv(&block.conv1, &maps, gain, workspace)?,
        };
        if let Some(skip) = &block.skip {
            for (x, out) in maps.iter().zip(&mut out) {
                skip.add(x, out, workspace, runtime.threads());
            }
        }
        Ok(out)
    }

    fn conv<B: Borrow<NhwcBuffer>>(
        &self,
        conv: &CpuConv,
        maps: &[B],
        gain: f32,
        workspace: &mut Workspace,
    ) -> Result<Vec<NhwcBuffer>, ModelError> {
        let (styles, style_dim) = host_style(self.styles, conv.layer)?;
        let noise = match conv.noise {
            Some((index, strength)) => HostNoise::read(self.noise, index)?.map(|noise| (noise, strength)),
            None => None,
        };
        let threads = self.synthesis.runtime().threads();
        let samples = maps.iter().zip(styles.chunks_exact(style_dim)).enumerate();
        Ok(samples
            .map(|(sample, (x, style))| {
                let noise = noise.as_ref();
                let epilogue = Epilogue {
                    demodulate: true,
                    noise: noise
                        .map(|(noise, strength)| (noise.of(sample), NoiseStrength::Same(strength * noise.factor))),
                    bias: &conv.bias,
                    slope: 0.2,
                    gain: SQRT_2 as f32 * gain,
                    clamp: self.synthesis.clamp.map(|clamp| clamp * gain),
                };
                conv.kernel.run(x.borrow(), style, &epilogue, workspace, threads)
            })
            .collect())
    }

    fn to_rgb(
        &self,
        to_rgb: &CpuRgb,
        maps: &[Arc<NhwcBuffer>],
        below: &[Option<Arc<RowImage>>],
    ) -> Result<Vec<Option<Arc<RowImage>>>, ModelError> {
        let (mut styles, style_dim) = host_style(self.styles, to_rgb.layer)?;
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
