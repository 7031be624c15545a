//! Normalisation of latents (Progressive GAN's pixel norm, arXiv 1710.10196, section 4.2, on vectors).

use burn::tensor::Tensor;

/// Scales every row to a mean square of 1: `x / sqrt(mean(x^2) + 1e-8)`.
///
/// # Shapes
/// - x, output: [N, D]
pub fn normalize_second_moment(x: Tensor<2>) -> Tensor<2> {
    let scale = x.clone().square().mean_dim(1).add_scalar(1e-8).sqrt().recip();
    x.mul(scale)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::ops::testing::{assert_gradient, assert_same, noise};

    #[test]
    fn rows_have_a_mean_square_of_one() {
        let device = Device::flex();
        let y = normalize_second_moment(noise([3, 16], 1, &device).mul_scalar(4.0));
        assert_same(y.square().mean_dim(1), Tensor::ones([3, 1], &device), 1e-6);
    }

    #[test]
    fn gradient_matches_finite_differences() {
        let device = Device::flex().autodiff();
        let goal = noise([2, 5], 2, &device);
        assert_gradient(noise([2, 5], 1, &device), 2e-3, |x| normalize_second_moment(x).mul(goal.clone()).sum());
    }
}
