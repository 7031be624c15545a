//! What the CPU kernels of both families need: blocks made when they first run, styles and noise as plain values.

use std::sync::{Arc, OnceLock};

use burn::tensor::{Device, Tensor};

use super::{error::ModelError, weights::read};

/// Gives the map of a noise index and the factor on the layer's strength; `None` for no noise.
pub(super) type NoiseSource<'a> = &'a dyn Fn(usize) -> Result<Option<(Tensor<4>, f32)>, ModelError>;

/// The kernels of each block, made when it first runs. Clones share them.
pub(super) struct LazyBlocks<B>(Arc<[OnceLock<B>]>);

impl<B> LazyBlocks<B> {
    pub fn new(count: usize) -> Self {
        Self((0..count).map(|_| OnceLock::new()).collect())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Block `index`, which `make` makes the first time.
    pub fn get(&self, index: usize, make: impl FnOnce() -> Result<B, ModelError>) -> Result<&B, ModelError> {
        let slot = self.0.get(index).ok_or(ModelError::Block { index, count: self.0.len() })?;
        match slot.get() {
            Some(block) => Ok(block),
            None => {
                let made = make()?;
                Ok(slot.get_or_init(|| made))
            }
        }
    }
}

impl<B> Clone for LazyBlocks<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Whether the kernels may run what lives on `device`: they are for inference on the CPU.
pub(super) fn may_run_on(device: &Device) -> bool {
    !device.is_autodiff() && *device == Device::flex()
}

/// Whether somebody wants gradients by the styles, which kernels do not have.
pub(super) fn wants_gradients(styles: &[Tensor<2>]) -> bool {
    styles.iter().any(|style| style.device().is_autodiff())
}

/// A layer's style: the values of all samples, and how many one has.
pub(super) fn host_style(styles: &[Tensor<2>], layer: usize) -> Result<(Vec<f32>, usize), ModelError> {
    let style = styles.get(layer).ok_or_else(|| ModelError::Input {
        what: "the list of styles",
        found: vec![styles.len()],
        expected: format!("a style for layer {layer}"),
    })?;
    Ok((read("a style", style.clone())?, style.dims()[1]))
}

/// Noise maps of a layer, one or one a sample.
pub(super) struct HostNoise {
    maps: Vec<f32>,
    /// On the layer's strength.
    pub factor: f32,
    /// Values from one sample's map to the next; 0 if they share it.
    step: usize,
    len: usize,
}

impl HostNoise {
    pub fn read(noise: NoiseSource<'_>, index: usize) -> Result<Option<Self>, ModelError> {
        let Some((map, factor)) = noise(index)? else { return Ok(None) };
        let [maps, _, height, width] = map.dims();
        let len = height * width;
        let step = if maps == 1 { 0 } else { len };
        Ok(Some(Self { maps: read("a noise map", map)?, factor, step, len }))
    }

    /// The map of a sample, `[height, width]`.
    pub fn of(&self, sample: usize) -> &[f32] {
        &self.maps[sample * self.step..][..self.len]
    }
}
