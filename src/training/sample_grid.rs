//! The picture of a training: images of the seeds 0 to 63, side by side. They are seeds as in the explorer, so that each cell is
//! a pose, and two runs can be compared cell by cell.

use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use super::error::TrainError;
use crate::{
    base::{atomic_file::write_atomic, numpy_rng::z_from_seed},
    gpu::quantize::rgba8,
    model::{Generator, ModelError, Noise, Placement, config::GeneratorConfig, state_dict::StateDict},
};

/// Images a side.
pub const COLUMNS: usize = 8;

/// What a cell shows: the seed of its `z`, and its class where the network has `label_dim` classes. The image is that of
/// psi 1 and the stored noise.
pub fn cell(index: usize, label_dim: usize) -> (u32, usize) {
    (index as u32, index % COLUMNS % label_dim.max(1))
}

/// Draws the images of one state of a generator, on the CPU and one by one, so that they never need more memory than an image.
#[derive(Debug)]
pub struct Sampler {
    config: GeneratorConfig,
    generator: Generator,
    placement: Placement,
    noise_strengths: Vec<f32>,
}

impl Sampler {
    /// Draws images of this network.
    ///
    /// # Errors
    /// If the network cannot be built.
    pub fn new(config: GeneratorConfig, weights: StateDict) -> Result<Self, TrainError> {
        let placement = Placement::cpu();
        let generator = Generator::from_state_dict(config.clone(), weights, &placement)?;
        let noise_strengths = vec![1.0; generator.noise_shapes().len()];
        Ok(Self { config, generator, placement, noise_strengths })
    }

    /// Channels and side of its images.
    pub fn shape(&self) -> [usize; 2] {
        [self.config.img_channels(), self.config.resolution()]
    }

    /// The image of a [`cell`]: [C, side, side], nominal range -1..1.
    ///
    /// # Errors
    /// If the network cannot run.
    pub fn image(&self, index: usize) -> Result<Vec<f32>, TrainError> {
        let (z_dim, label_dim) = (self.config.z_dim(), self.config.label_dim());
        let (seed, class) = cell(index, label_dim);
        let z = Tensor::from_data(TensorData::new(z_from_seed(seed, z_dim), [1, z_dim]), &self.placement.latent);
        let label = (label_dim > 0).then(|| {
            let mut one_hot = vec![0.0f32; label_dim];
            one_hot[class] = 1.0;
            Tensor::from_data(TensorData::new(one_hot, [1, label_dim]), &self.placement.latent)
        });
        let w = self.generator.map(z, label)?;
        let styles = self.generator.affine(self.generator.truncate(w, 1.0, None))?;
        let image = self.generator.synthesize(&styles, &Noise::Const { strength: &self.noise_strengths })?;
        image.try_into_vec_as::<f32>().map_err(|cause| {
            TrainError::Model(ModelError::Device { what: "a sample".into(), cause: cause.to_string() })
        })
    }

    /// Writes a PNG of 8x8 images.
    ///
    /// # Errors
    /// If the network cannot run or the file not be written.
    pub fn write(&self, path: &Path) -> Result<(), TrainError> {
        let [channels, side] = self.shape();
        let width = COLUMNS * side;
        let mut picture = vec![0u8; width * width * 4];
        for index in 0..COLUMNS * COLUMNS {
            let pixels = rgba8(&self.image(index)?, channels, side, side)
                .map_err(|error| TrainError::State(format!("a sample is no image: {error}")))?;
            let (left, top) = (index % COLUMNS * side, index / COLUMNS * side);
            for (row, line) in pixels.chunks_exact(side * 4).enumerate() {
                let start = ((top + row) * width + left) * 4;
                picture[start..start + side * 4].copy_from_slice(line);
            }
        }
        write_atomic(path, |out| {
            let encoder = PngEncoder::new(out);
            encoder
                .write_image(&picture, width as u32, width as u32, ExtendedColorType::Rgba8)
                .map_err(std::io::Error::other)
        })?;
        Ok(())
    }
}
