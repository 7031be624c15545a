//! Bias, activation, gain and clamp in one step (StyleGAN2's pointwise tail of every layer).

use burn::tensor::{Tensor, activation};

/// A pointwise nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Identity.
    Linear,
    /// `max(x, 0)`.
    Relu,
    /// Leaky ReLU with slope 0.2.
    LeakyRelu,
    /// Hyperbolic tangent.
    Tanh,
    /// Logistic function.
    Sigmoid,
    /// Exponential linear unit, alpha 1.
    Elu,
    /// Scaled exponential linear unit.
    Selu,
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `x * sigmoid(x)`.
    Swish,
}

/// Slope of [`Activation::LeakyRelu`] below zero.
pub const LEAKY_SLOPE: f64 = 0.2;

// Klambauer et al., arXiv 1706.02515.
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

impl Activation {
    /// The gain that keeps the variance roughly where it was: sqrt(2) of the rectifying ones, else 1.
    pub fn default_gain(self) -> f64 {
        match self {
            Self::Relu | Self::LeakyRelu | Self::Swish => std::f64::consts::SQRT_2,
            Self::Linear | Self::Tanh | Self::Sigmoid | Self::Elu | Self::Selu | Self::Softplus => 1.0,
        }
    }

    fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Linear => x,
            Self::Relu => activation::relu(x),
            Self::LeakyRelu => activation::leaky_relu(x, LEAKY_SLOPE),
            Self::Tanh => activation::tanh(x),
            Self::Sigmoid => activation::sigmoid(x),
            Self::Elu => activation::elu(x, 1.0),
            Self::Selu => activation::selu(x),
            Self::Softplus => activation::softplus(x, 1.0),
            Self::Swish => activation::silu(x),
        }
    }
}

/// `clamp(act(x + bias) * gain, -clamp, clamp)`; the bias is one value a channel (axis 1).
///
/// # Shapes
/// - x: [N, C, ...]
/// - bias: [C]
/// - output: as x
///
/// # Panics
/// If the bias has not one value a channel.
pub fn bias_act<const D: usize>(
    x: Tensor<D>,
    bias: Option<Tensor<1>>,
    act: Activation,
    gain: f64,
    clamp: Option<f64>,
) -> Tensor<D> {
    let x = match bias {
        Some(bias) => x.clone().add(by_channel(bias, &x)),
        None => x,
    };
    let x = act.apply(x);
    let x = if gain == 1.0 { x } else { x.mul_scalar(gain) };
    match clamp {
        Some(limit) => x.clamp(-limit, limit),
        None => x,
    }
}

/// The same from elementary operations alone. Twin of [`bias_act`].
///
/// # Shapes
/// As [`bias_act`].
pub fn bias_act_reference<const D: usize>(
    x: Tensor<D>,
    bias: Option<Tensor<1>>,
    act: Activation,
    gain: f64,
    clamp: Option<f64>,
) -> Tensor<D> {
    let x = match bias {
        Some(bias) => x.clone().add(by_channel(bias, &x)),
        None => x,
    };
    let above = x.clone().clamp_min(0.0);
    let below = x.clone().clamp_max(0.0);
    let x = match act {
        Activation::Linear => x,
        Activation::Relu => above,
        Activation::LeakyRelu => above.add(below.mul_scalar(LEAKY_SLOPE)),
        Activation::Tanh => {
            // 2 / (1 + exp(-2x)) - 1
            x.mul_scalar(-2.0).exp().add_scalar(1.0).recip().mul_scalar(2.0).sub_scalar(1.0)
        }
        Activation::Sigmoid => x.neg().exp().add_scalar(1.0).recip(),
        Activation::Elu => above.add(below.exp().sub_scalar(1.0)),
        Activation::Selu => {
            above.mul_scalar(SELU_SCALE).add(below.exp().sub_scalar(1.0).mul_scalar(SELU_SCALE * SELU_ALPHA))
        }
        // max(x, 0) + ln(1 + exp(-|x|)) does not overflow.
        Activation::Softplus => above.add(x.abs().neg().exp().add_scalar(1.0).log()),
        Activation::Swish => x.clone().mul(x.neg().exp().add_scalar(1.0).recip()),
    };
    let x = x.mul_scalar(gain);
    match clamp {
        Some(limit) => x.clamp_min(-limit).clamp_max(limit),
        None => x,
    }
}

/// [C] -> [1, C, 1, ...] of the rank of `x`.
pub(crate) fn by_channel<const D: usize>(values: Tensor<1>, x: &Tensor<D>) -> Tensor<D> {
    let channels = x.dims()[1];
    assert_eq!(values.dims(), [channels], "one value a channel");
    let mut shape = [1; D];
    shape[1] = channels;
    values.reshape(shape)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::ops::testing::{assert_gradient, assert_same, noise};

    const ALL: [Activation; 9] = [
        Activation::Linear,
        Activation::Relu,
        Activation::LeakyRelu,
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::Elu,
        Activation::Selu,
        Activation::Softplus,
        Activation::Swish,
    ];

    #[test]
    fn activations_agree_with_their_definitions() {
        let device = Device::flex();
        for act in ALL {
            for (gain, clamp) in [(act.default_gain(), None), (0.7, Some(0.9))] {
                let x = noise([2, 4, 5, 6], 1, &device);
                let bias = noise([4], 2, &device);
                assert_same(
                    bias_act(x.clone(), Some(bias.clone()), act, gain, clamp),
                    bias_act_reference(x, Some(bias), act, gain, clamp),
                    1e-6,
                );
            }
        }
    }

    #[test]
    fn gradients_match_finite_differences_away_from_kinks() {
        let device = Device::flex().autodiff();
        // |x + bias| is at least 0.2 from 0 and the clamp is out of reach: no kink within the difference step.
        let x: Tensor<2> = noise([3, 4], 1, &device);
        let x = x.clone().sign().mul(x.abs().add_scalar(0.3));
        let bias = noise([4], 2, &device).clamp(-0.1, 0.1);
        let weights = noise([3, 4], 3, &device);
        for act in ALL {
            assert_gradient(x.clone(), 1e-3, |x| {
                bias_act(x, Some(bias.clone()), act, 1.3, Some(100.0)).mul(weights.clone()).sum()
            });
            assert_gradient(bias.clone(), 1e-3, |bias| {
                bias_act(x.clone(), Some(bias), act, 1.3, Some(100.0)).mul(weights.clone()).sum()
            });
        }
    }
}
