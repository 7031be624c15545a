//! The weights of a network in training.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};

use crate::{
    grad::{Dims, Var},
    model::{
        error::ModelError,
        state_dict::{HostTensor, StateDict, StateDictError},
        weights::read,
    },
};

/// A weight or a buffer.
#[derive(Debug, Clone)]
pub struct Param {
    /// Shape in files.
    pub shape: Vec<usize>,
    /// The values, under [`dims_of`] its shape.
    pub value: Tensor<4>,
    /// Whether it learns; noise maps and averages do not.
    pub learns: bool,
}

/// All weights and buffers of a network, by official name.
#[derive(Debug, Clone, Default)]
pub struct Params(pub BTreeMap<String, Param>);

/// The resolution of the block of StyleGAN2's synthesis that a weight of this official name belongs to, and its name in there.
pub fn in_block(name: &str) -> Option<(usize, &str)> {
    let (side, weight) = name.strip_prefix("synthesis.b")?.split_once('.')?;
    Some((side.parse().ok()?, weight))
}

/// The leaves of one graph, by official name.
#[derive(Debug, Clone, Default)]
pub struct Weights(BTreeMap<String, Var>);

/// Suffixes of what is saved with a network but not learned.
const BUFFERS: [&str; 5] = ["noise_const", "apply_noise.noise", "w_avg", "resample_filter", "synthesis.lod"];

/// The four axes of a weight: vectors and biases [1, C, 1, 1], matrices [O, I, 1, 1], constants [1, C, H, W].
fn dims_of(shape: &[usize]) -> Option<Dims> {
    match *shape {
        [] => Some([1; 4]),
        [channels] => Some([1, channels, 1, 1]),
        [outputs, inputs] => Some([outputs, inputs, 1, 1]),
        [channels, height, width] => Some([1, channels, height, width]),
        [a, b, c, d] => Some([a, b, c, d]),
        _ => None,
    }
}

impl Params {
    /// Every array of `weights` on `device`.
    ///
    /// # Errors
    /// If an array has more than four axes or not as many values as its shape says.
    pub fn from_state_dict(weights: &StateDict, device: &Device) -> Result<Self, ModelError> {
        let param = |(name, tensor): (&String, &HostTensor)| {
            let HostTensor { shape, data } = tensor;
            let dims = dims_of(shape).filter(|dims| dims.iter().product::<usize>() == data.len());
            let dims = dims.ok_or_else(|| StateDictError::Length {
                name: name.clone(),
                found: data.len(),
                expected: shape.clone(),
            })?;
            let value = Tensor::from_data(TensorData::new(data.clone(), dims), device);
            let learns = !BUFFERS.iter().any(|suffix| name.ends_with(suffix));
            Ok((name.clone(), Param { shape: shape.clone(), value, learns }))
        };
        weights.0.iter().map(param).collect::<Result<_, _>>().map(Self)
    }

    /// The exact values on the host.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn state_dict(&self) -> Result<StateDict, ModelError> {
        let array = |(name, param): (&String, &Param)| {
            let data = read(name, param.value.clone())?;
            Ok((name.clone(), HostTensor { shape: param.shape.clone(), data }))
        };
        self.0.iter().map(array).collect::<Result<_, ModelError>>().map(StateDict)
    }

    /// Takes the values of all arrays of `weights` that are of the same name and shape, and says how many those were.
    ///
    /// # Errors
    /// If an array has not as many values as its shape says.
    pub fn copy_from(&mut self, weights: &StateDict, device: &Device) -> Result<usize, ModelError> {
        let mut copied = 0;
        for (name, new) in Self::from_state_dict(weights, device)?.0 {
            if let Some(param) = self.0.get_mut(&name)
                && param.shape == new.shape
            {
                param.value = new.value;
                copied += 1;
            }
        }
        Ok(copied)
    }

    /// Sets the array of that name to zeros, if there is one.
    pub fn clear(&mut self, name: &str) {
        if let Some(param) = self.0.get_mut(name) {
            param.value = param.value.zeros_like();
        }
    }

    /// The names of all arrays.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Leaves for a graph: with `tracked` those that learn get gradients.
    pub fn weights(&self, tracked: bool) -> Weights {
        let leaf = |(name, param): (&String, &Param)| {
            let value = param.value.clone();
            let var = if tracked && param.learns { Var::parameter(value) } else { Var::constant(value) };
            (name.clone(), var)
        };
        Weights(self.0.iter().map(leaf).collect())
    }

    /// Number of values that learn.
    pub fn num_values(&self) -> usize {
        self.0.values().filter(|param| param.learns).map(|param| param.shape.iter().product::<usize>()).sum()
    }
}

impl Weights {
    /// The leaf of that name.
    ///
    /// # Errors
    /// If there is none.
    pub fn get(&self, name: &str) -> Result<&Var, ModelError> {
        self.0.get(name).ok_or_else(|| StateDictError::Missing { name: name.to_owned() }.into())
    }

    /// The leaf of that name, if there is one.
    pub fn find(&self, name: &str) -> Option<&Var> {
        self.0.get(name)
    }

    /// Those that learn, in the order of their names.
    pub fn tracked(&self) -> impl Iterator<Item = (&String, &Var)> {
        self.0.iter().filter(|(_, var)| var.is_tracked())
    }
}
