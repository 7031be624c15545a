//! What one synthesis block hands to the next: tensors, or the buffers of the CPU kernels.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

use super::{error::ModelError, weights::read};
use crate::ops::cpu::{NhwcBuffer, RowImage};

/// A synthesis between two blocks. Clones share their memory.
#[derive(Debug, Clone)]
pub struct BlockState(Activations);

#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "one lives between two blocks; a box would cost an allocation a block")]
enum Activations {
    Tensors { x: Tensor<4>, image: Option<Tensor<4>> },
    Buffers(Vec<Sample>),
}

/// One sample in the layout of the CPU kernels.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub x: Arc<NhwcBuffer>,
    pub image: Option<Arc<RowImage>>,
}

impl BlockState {
    /// From feature maps [N, C, H, W] and the image so far, [N, img_channels, H, W], once there is one.
    pub fn new(x: Tensor<4>, image: Option<Tensor<4>>) -> Self {
        Self(Activations::Tensors { x, image })
    }

    /// A learned constant [1, C, H, W], once for each of `batch` samples: where a synthesis starts.
    pub(crate) fn constant(input: Tensor<4>, batch: usize) -> Self {
        let [_, channels, height, width] = input.dims();
        Self::new(input.expand([batch, channels, height, width]), None)
    }

    /// At least one sample, all of one shape.
    pub(crate) fn from_samples(samples: Vec<Sample>) -> Self {
        Self(Activations::Buffers(samples))
    }

    /// From the feature maps of each sample, and its image so far once there is one.
    pub(crate) fn from_buffers(maps: Vec<Arc<NhwcBuffer>>, images: Vec<Option<Arc<RowImage>>>) -> Self {
        Self::from_samples(maps.into_iter().zip(images).map(|(x, image)| Sample { x, image }).collect())
    }

    /// [N, C, H, W] of the feature maps.
    pub fn shape(&self) -> [usize; 4] {
        match &self.0 {
            Activations::Tensors { x, .. } => x.dims(),
            Activations::Buffers(samples) => batch_shape(samples.iter().map(|sample| sample.x.shape())),
        }
    }

    /// Feature maps, [N, C, H, W].
    pub fn x(&self) -> Tensor<4> {
        match &self.0 {
            Activations::Tensors { x, .. } => x.clone(),
            Activations::Buffers(samples) => {
                tensor(self.shape(), samples.iter().flat_map(|sample| sample.x.to_nchw()).collect())
            }
        }
    }

    /// The image so far, [N, img_channels, H, W], once there is one.
    pub fn image(&self) -> Option<Tensor<4>> {
        match &self.0 {
            Activations::Tensors { image, .. } => image.clone(),
            Activations::Buffers(samples) => {
                let images: Vec<_> = samples.iter().filter_map(|sample| sample.image.as_deref()).collect();
                if images.is_empty() {
                    return None;
                }
                let shape = batch_shape(images.iter().map(|image| image.shape()));
                let mut values = Vec::with_capacity(shape.iter().product());
                images.iter().for_each(|image| image.append_nchw(&mut values));
                Some(tensor(shape, values))
            }
        }
    }

    /// Feature maps and image as tensors.
    pub(crate) fn into_tensors(self) -> (Tensor<4>, Option<Tensor<4>>) {
        match self.0 {
            Activations::Tensors { x, image } => (x, image),
            Activations::Buffers(_) => (self.x(), self.image()),
        }
    }

    /// Feature maps and image in the layout of the CPU kernels.
    pub(crate) fn into_samples(self) -> Result<Vec<Sample>, ModelError> {
        let (x, image) = match self.0 {
            Activations::Buffers(samples) => return Ok(samples),
            Activations::Tensors { x, image } => (x, image),
        };
        let [_, channels, height, width] = x.dims();
        let values = read("feature maps", x)?;
        let maps = values.chunks_exact(channels * height * width);
        let mut samples: Vec<Sample> = maps
            .map(|maps| Sample { x: Arc::new(NhwcBuffer::from_nchw(maps, channels, height, width)), image: None })
            .collect();
        if let Some(image) = image {
            set_image(&mut samples, image)?;
        }
        Ok(samples)
    }

    /// The same features with another image, [N, img_channels, H, W].
    pub(crate) fn with_image(self, image: Tensor<4>) -> Result<Self, ModelError> {
        Ok(match self.0 {
            Activations::Tensors { x, .. } => Self::new(x, Some(image)),
            Activations::Buffers(mut samples) => {
                set_image(&mut samples, image)?;
                Self::from_samples(samples)
            }
        })
    }
}

fn set_image(samples: &mut [Sample], image: Tensor<4>) -> Result<(), ModelError> {
    let [_, channels, height, width] = image.dims();
    let values = read("the image", image)?;
    for (sample, image) in samples.iter_mut().zip(values.chunks_exact(channels * height * width)) {
        sample.image = Some(Arc::new(RowImage::from_nchw(image, channels, height, width)));
    }
    Ok(())
}

fn batch_shape(shapes: impl ExactSizeIterator<Item = [usize; 3]>) -> [usize; 4] {
    let batch = shapes.len();
    let [channels, height, width] = shapes.last().unwrap_or_default();
    [batch, channels, height, width]
}

fn tensor(shape: [usize; 4], values: Vec<f32>) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_come_back_from_buffers_exactly() {
        let values = |len: usize, scale: f32| (0..len).map(|i| i as f32 * scale - 3.0).collect::<Vec<_>>();
        let (x, image) = (values(2 * 5 * 4 * 6, 0.25), values(2 * 3 * 4 * 6, 0.5));
        let state = BlockState::new(tensor([2, 5, 4, 6], x.clone()), Some(tensor([2, 3, 4, 6], image.clone())));
        let state = BlockState::from_samples(state.into_samples().unwrap());
        assert_eq!(state.shape(), [2, 5, 4, 6]);
        assert_eq!(state.x().dims(), [2, 5, 4, 6]);
        assert_eq!(state.image().unwrap().dims(), [2, 3, 4, 6]);
        let (back, back_image) = state.into_tensors();
        assert_eq!(read("x", back).unwrap(), x);
        assert_eq!(read("the image", back_image.unwrap()).unwrap(), image);
    }
}
