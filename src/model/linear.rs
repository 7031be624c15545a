//! Fully connected layers with an equalised learning rate (Progressive GAN, arXiv 1710.10196, section 4.1).

use burn::tensor::{Device, Tensor};

use super::{
    error::ModelError,
    state_dict::StateDict,
    weights::{Init, Weight, WeightSource},
};

/// What is needed to build a [`Linear`].
pub(crate) struct LinearConfig {
    /// Name of the weight in files.
    pub weight_name: String,
    /// Name of the bias in files.
    pub bias_name: String,
    pub inputs: usize,
    pub outputs: usize,
    /// Factor on the weight at run time.
    pub weight_gain: f64,
    /// Factor on the bias at run time.
    pub bias_gain: f64,
    pub weight_init: Init,
    pub bias_init: Init,
}

/// `x @ (weight * weight_gain)^T + bias * bias_gain`.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    weight: Weight<2>,
    bias: Weight<1>,
    weight_gain: f64,
    bias_gain: f64,
}

/// What makes a layer's style of its `w`.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "almost all are the large one")]
pub(crate) enum Affine {
    /// A learned map.
    Dense(Linear),
    /// Nothing: the layer takes `w` itself.
    Same,
}

impl Affine {
    /// # Shapes
    /// - w: [N, w_dim]
    /// - output: [N, style_dim]
    pub fn forward(&self, w: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Dense(linear) => linear.forward(w),
            Self::Same => w,
        }
    }

    pub fn store(&self, weights: &mut StateDict) -> Result<(), ModelError> {
        match self {
            Self::Dense(linear) => linear.store(weights),
            Self::Same => Ok(()),
        }
    }
}

impl Linear {
    pub fn new(config: LinearConfig, source: &mut WeightSource, device: &Device) -> Result<Self, ModelError> {
        let LinearConfig { weight_name, bias_name, inputs, outputs, weight_gain, bias_gain, weight_init, bias_init } =
            config;
        Ok(Self {
            weight: source.weight(weight_name, &[outputs, inputs], [outputs, inputs], weight_init, device)?,
            bias: source.weight(bias_name, &[outputs], [outputs], bias_init, device)?,
            weight_gain,
            bias_gain,
        })
    }

    /// # Shapes
    /// - x: [N, inputs]
    /// - output: [N, outputs]
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        // `matmul`, because burn's own `linear` has no second derivative. The gain goes on the few outputs, not on
        // the weight.
        let y = x.matmul(self.weight.value().transpose()).mul_scalar(self.weight_gain);
        let bias = self.bias.value();
        let bias = if self.bias_gain == 1.0 { bias } else { bias.mul_scalar(self.bias_gain) };
        y.add(bias.unsqueeze())
    }

    pub fn store(&self, weights: &mut StateDict) -> Result<(), ModelError> {
        self.weight.store(weights)?;
        self.bias.store(weights)
    }
}
