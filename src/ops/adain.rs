//! Adaptive instance normalisation (StyleGAN, arXiv 1812.04948, equation 1).

use burn::tensor::Tensor;

/// Normalises every channel of every sample over its pixels (biased variance), then scales and shifts it.
///
/// # Shapes
/// - x: [N, C, H, W]
/// - scale, bias: [N, C]
/// - output: as x
///
/// # Panics
/// If the shapes do not agree.
pub fn adain(x: Tensor<4>, scale: Tensor<2>, bias: Tensor<2>, epsilon: f64) -> Tensor<4> {
    let [batch, channels, _, _] = x.dims();
    assert_eq!(scale.dims(), [batch, channels], "one scale a sample and channel");
    assert_eq!(bias.dims(), [batch, channels], "one bias a sample and channel");
    // Row by row first: a running f32 sum over a million pixels would lose two digits.
    let mean = |x: Tensor<4>| x.mean_dim(3).mean_dim(2); // [N, C, 1, 1]
    let x = x.clone().sub(mean(x));
    let deviation = mean(x.clone().square()).add_scalar(epsilon).sqrt();
    // The scale joins the deviation while that is still one value a channel: one pass over the pixels less.
    let scale = scale.reshape([batch, channels, 1, 1]).div(deviation);
    x.mul(scale).add(bias.reshape([batch, channels, 1, 1]))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::ops::testing::{assert_gradient, assert_same, noise};

    #[test]
    fn statistics_are_the_style() {
        let device = Device::flex();
        let (scale, bias) = (noise([2, 3], 1, &device), noise([2, 3], 2, &device));
        let x = noise([2, 3, 8, 8], 3, &device).mul_scalar(5.0).add_scalar(2.0);
        let y = adain(x, scale.clone(), bias.clone(), 1e-8).reshape([2, 3, 64]);
        let mean = y.clone().mean_dim(2);
        let deviation = y.sub(mean.clone()).square().mean_dim(2).sqrt();
        assert_same(mean.reshape([2, 3]), bias, 1e-5);
        assert_same(deviation.reshape([2, 3]), scale.abs(), 1e-5);
    }

    #[test]
    fn gradients_match_finite_differences() {
        let device = Device::flex().autodiff();
        let x = noise([1, 2, 3, 4], 1, &device);
        let (scale, bias) = (noise([1, 2], 2, &device), noise([1, 2], 3, &device));
        let goal = noise([1, 2, 3, 4], 4, &device);
        let loss = |x, scale, bias| adain(x, scale, bias, 1e-5).mul(goal.clone()).sum();
        assert_gradient(x.clone(), 2e-3, |x| loss(x, scale.clone(), bias.clone()));
        assert_gradient(scale.clone(), 2e-3, |scale| loss(x.clone(), scale, bias.clone()));
        assert_gradient(bias.clone(), 2e-3, |bias| loss(x.clone(), scale.clone(), bias));
    }
}
