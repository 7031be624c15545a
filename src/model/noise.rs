//! The noise inputs of the layers: stored maps, given maps, none.

use burn::tensor::{Device, Tensor, TensorData};

use super::{
    error::ModelError,
    state_dict::{HostTensor, StateDict},
    weights::WeightSource,
};
use crate::base::numpy_rng::RandomState;

/// Noise maps of one's own.
#[derive(Debug, Clone)]
pub struct NoiseInput {
    /// By noise index: [1 or N, 1, H, W] on the synthesis device.
    pub maps: Vec<Tensor<4>>,
    /// By noise index: factor on the model's own strength.
    pub strength: Vec<f32>,
}

/// Which noise the layers get.
#[derive(Debug, Clone, Copy)]
pub enum Noise<'a> {
    /// None.
    None,
    /// The maps that are stored in the model, the same for every sample.
    Const {
        /// By noise index: factor on the model's own strength.
        strength: &'a [f32],
    },
    /// Maps of one's own.
    Maps(&'a NoiseInput),
}

/// The stored maps, on the host and on the synthesis device.
#[derive(Debug, Clone, Default)]
pub(crate) struct NoiseBuffers {
    shapes: Vec<[usize; 2]>,
    host: Vec<Vec<f32>>,
    maps: Vec<Tensor<4>>,
    /// Name and shape in files, for what is kept there.
    stored: Vec<Option<(String, Vec<usize>)>>,
}

/// Seeds the maps that a file does not bring along; any fixed value does.
const DRAWN_MAPS_SEED: u32 = 0x6e6f_6973;

impl NoiseBuffers {
    /// Adds the next square map. `file` is its name and shape there. Maps are inputs, not weights: what a file lacks
    /// (old community files, fresh networks) is drawn, always the same.
    pub fn push(
        &mut self,
        side: usize,
        file: Option<(String, Vec<usize>)>,
        source: &mut WeightSource,
        device: &Device,
    ) -> Result<(), ModelError> {
        let found = match &file {
            Some((name, shape)) => source.optional(name, shape)?,
            None => None,
        };
        let values = found.unwrap_or_else(|| {
            RandomState::from_words(&[DRAWN_MAPS_SEED, self.shapes.len() as u32]).randn_f32(side * side)
        });
        self.maps.push(Tensor::from_data(TensorData::new(values.clone(), [1, 1, side, side]), device));
        self.host.push(values);
        self.shapes.push([side, side]);
        self.stored.push(file);
        Ok(())
    }

    pub fn shapes(&self) -> &[[usize; 2]] {
        &self.shapes
    }

    pub fn host(&self, index: usize) -> Option<&[f32]> {
        self.host.get(index).map(Vec::as_slice)
    }

    /// The map of `index` and the factor on the model's strength, for a batch of `batch`; `None` for no noise.
    pub fn input(&self, noise: &Noise, index: usize, batch: usize) -> Result<Option<(Tensor<4>, f32)>, ModelError> {
        let (map, strength) = match noise {
            Noise::None => return Ok(None),
            Noise::Const { strength } => (self.maps.get(index), strength.get(index)),
            Noise::Maps(input) => (input.maps.get(index), input.strength.get(index)),
        };
        let (Some(map), Some(&strength), Some(&[height, width])) = (map, strength, self.shapes.get(index)) else {
            return Err(ModelError::Input {
                what: "the noise input",
                found: vec![index],
                expected: format!("a map and a strength for each of the {} noise inputs", self.shapes.len()),
            });
        };
        let dims = map.dims();
        if !(dims[0] == 1 || dims[0] == batch) || dims[1..] != [1, height, width] {
            return Err(ModelError::Input {
                what: "a noise map",
                found: dims.to_vec(),
                expected: format!("[1 or {batch}, 1, {height}, {width}]"),
            });
        }
        Ok((strength != 0.0).then(|| (map.clone(), strength)))
    }

    pub fn store(&self, weights: &mut StateDict) {
        for (values, file) in self.host.iter().zip(&self.stored) {
            if let Some((name, shape)) = file {
                weights.0.insert(name.clone(), HostTensor { shape: shape.clone(), data: values.clone() });
            }
        }
    }
}
