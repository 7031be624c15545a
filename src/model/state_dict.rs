//! Weights by name, on the host, in f32: the one form in which checkpoints hand networks to the model.

use std::collections::BTreeMap;

/// One array in row-major order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HostTensor {
    /// Lengths of the axes; empty for a scalar.
    pub shape: Vec<usize>,
    /// `shape.iter().product()` values.
    pub data: Vec<f32>,
}

/// Names to arrays, under the official names of the family (`mapping.fc0.weight`, `synthesis.b8.conv0.weight`, ...).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StateDict(pub BTreeMap<String, HostTensor>);

/// Why a network's weights do not fit its configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateDictError {
    /// A weight that the configuration needs is not there.
    #[error("the weight {name} is missing")]
    Missing {
        /// Official name.
        name: String,
    },
    /// A weight has another shape than the configuration says.
    #[error("the weight {name} has shape {found:?} where the configuration needs {expected:?}")]
    Shape {
        /// Official name.
        name: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// Shape by the configuration.
        expected: Vec<usize>,
    },
    /// A weight has more or fewer values than its shape says.
    #[error("the weight {name} has {found} values for the shape {expected:?}")]
    Length {
        /// Official name.
        name: String,
        /// Number of values.
        found: usize,
        /// Shape by the configuration.
        expected: Vec<usize>,
    },
}

impl HostTensor {
    /// An array of `shape` over `data`; `None` if the lengths do not agree.
    pub fn new(shape: impl Into<Vec<usize>>, data: Vec<f32>) -> Option<Self> {
        let shape = shape.into();
        let len = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))?;
        (len == data.len()).then_some(Self { shape, data })
    }
}

impl StateDict {
    /// The array under `name`, if its shape is `expected`.
    ///
    /// # Errors
    /// [`StateDictError`] if it is missing or has another shape.
    pub fn get(&self, name: &str, expected: &[usize]) -> Result<&HostTensor, StateDictError> {
        let tensor = self.0.get(name).ok_or_else(|| StateDictError::Missing { name: name.to_owned() })?;
        if tensor.shape != expected {
            return Err(StateDictError::Shape {
                name: name.to_owned(),
                found: tensor.shape.clone(),
                expected: expected.to_vec(),
            });
        }
        Ok(tensor)
    }

    /// Takes the values under `name` out, if their shape is `expected`.
    ///
    /// # Errors
    /// As [`StateDict::get`]; a wrong array stays where it is.
    pub fn take(&mut self, name: &str, expected: &[usize]) -> Result<Vec<f32>, StateDictError> {
        let found = self.get(name, expected)?.data.len();
        if found != expected.iter().product::<usize>() {
            return Err(StateDictError::Length { name: name.to_owned(), found, expected: expected.to_vec() });
        }
        Ok(self.0.remove(name).map(|tensor| tensor.data).unwrap_or_default())
    }

    /// Total number of values.
    pub fn num_values(&self) -> usize {
        self.0.values().map(|t| t.data.len()).sum()
    }
}
