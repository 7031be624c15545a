//! Named tensors of a network: taken one by one from a state dict or drawn fresh, and written back.

use burn::tensor::{Device, Tensor, TensorData};

use super::{
    error::ModelError,
    state_dict::{HostTensor, StateDict},
};
use crate::base::numpy_rng::RandomState;

/// How a weight of an untrained network is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Init {
    /// Normal, with this standard deviation.
    Normal(f32),
    /// All the same.
    Constant(f32),
    /// One value in the first half, another in the second.
    Halves(f32, f32),
}

/// Where a network's weights come from. Taking a weight from a state dict frees it there, so that the host never
/// holds a large network twice.
pub(crate) enum WeightSource {
    File(StateDict),
    Fresh(Box<RandomState>),
}

impl WeightSource {
    /// Fresh weights of a seed.
    pub fn fresh(seed: u64) -> Self {
        Self::Fresh(Box::new(RandomState::from_words(&[seed as u32, (seed >> 32) as u32])))
    }

    /// The values of `name`, which must have `shape`.
    pub fn host(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Vec<f32>, ModelError> {
        match self {
            Self::File(weights) => Ok(weights.take(name, shape)?),
            Self::Fresh(random) => {
                let len = shape.iter().product();
                Ok(match init {
                    Init::Constant(value) => vec![value; len],
                    Init::Halves(first, second) => (0..len).map(|i| if 2 * i < len { first } else { second }).collect(),
                    Init::Normal(deviation) => {
                        let mut values = random.randn_f32(len);
                        values.iter_mut().for_each(|value| *value *= deviation);
                        values
                    }
                })
            }
        }
    }

    /// As [`Self::host`]; `None` if a file has no such array. A fresh network has none either.
    pub fn optional(&mut self, name: &str, shape: &[usize]) -> Result<Option<Vec<f32>>, ModelError> {
        match self {
            Self::File(weights) if weights.0.contains_key(name) => Ok(Some(weights.take(name, shape)?)),
            Self::File(_) | Self::Fresh(_) => Ok(None),
        }
    }

    /// The weight `name` on `device`. `shape` is the one in files, `dims` the one that the arithmetic wants.
    pub fn weight<const D: usize>(
        &mut self,
        name: String,
        shape: &[usize],
        dims: [usize; D],
        init: Init,
        device: &Device,
    ) -> Result<Weight<D>, ModelError> {
        let values = self.host(&name, shape, init)?;
        Ok(Weight::new(name, shape, dims, values, device))
    }

    /// As [`Self::weight`], with a copy of the values, which are then known without reading them back from a GPU.
    pub fn weight_and_values<const D: usize>(
        &mut self,
        name: String,
        shape: &[usize],
        dims: [usize; D],
        init: Init,
        device: &Device,
    ) -> Result<(Weight<D>, Vec<f32>), ModelError> {
        let values = self.host(&name, shape, init)?;
        Ok((Weight::new(name, shape, dims, values.clone(), device), values))
    }
}

/// A weight with its name and shape in files.
#[derive(Debug, Clone)]
pub(crate) struct Weight<const D: usize> {
    name: String,
    shape: Vec<usize>,
    value: Tensor<D>,
}

impl<const D: usize> Weight<D> {
    fn new(name: String, shape: &[usize], dims: [usize; D], values: Vec<f32>, device: &Device) -> Self {
        Self { name, shape: shape.to_vec(), value: Tensor::from_data(TensorData::new(values, dims), device) }
    }

    pub fn value(&self) -> Tensor<D> {
        self.value.clone()
    }

    /// Another value of the same shape.
    #[cfg(test)]
    pub fn set(&mut self, value: Tensor<D>) {
        self.value = value;
    }

    pub fn store(&self, weights: &mut StateDict) -> Result<(), ModelError> {
        let data = read(&self.name, self.value())?;
        weights.0.insert(self.name.clone(), HostTensor { shape: self.shape.clone(), data });
        Ok(())
    }
}

/// The values of a tensor on the host.
pub(crate) fn read<const D: usize>(what: &str, tensor: Tensor<D>) -> Result<Vec<f32>, ModelError> {
    tensor
        .try_into_vec_as::<f32>()
        .map_err(|cause| ModelError::Device { what: what.to_owned(), cause: cause.to_string() })
}
