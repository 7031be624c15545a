//! Minibatch standard deviation (Progressive GAN, arXiv 1710.10196, section 3, in StyleGAN's grouped form).

use burn::tensor::Tensor;

/// Appends `features` channels that hold the standard deviation over groups of samples.
///
/// A group is strided: samples `j, j + N/G, j + 2N/G, ...` with `G = min(group_size, N)`. The deviation is averaged
/// over pixels and over each `features`-th part of the channels.
///
/// # Shapes
/// - x: [N, C, H, W]
/// - output: [N, C + features, H, W]
///
/// # Panics
/// If N is no multiple of G or C no multiple of `features`.
pub fn minibatch_stddev(x: Tensor<4>, group_size: Option<usize>, features: usize) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let group = group_size.map_or(batch, |size| size.min(batch));
    assert!(group > 0 && batch.is_multiple_of(group), "a batch of {batch} in groups of {group}");
    assert!(features > 0 && channels.is_multiple_of(features), "{channels} channels in {features} parts");
    let y = x.clone().reshape([group, batch / group, features, channels / features * height * width]);
    let y = y.clone().sub(y.mean_dim(0));
    let deviation = y.square().mean_dim(0).add_scalar(1e-8).sqrt(); // [1, N/G, F, c*H*W]
    let deviation = deviation.mean_dim(3).reshape([1, batch / group, features, 1, 1]);
    let deviation = deviation.expand([group, batch / group, features, height, width]);
    Tensor::cat(vec![x, deviation.reshape([batch, features, height, width])], 1)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::ops::testing::{assert_gradient, assert_same, noise};

    #[test]
    fn equal_samples_have_almost_no_deviation() {
        let device = Device::flex();
        let x = noise([1, 3, 2, 2], 1, &device).repeat_dim(0, 4);
        let y = minibatch_stddev(x, Some(4), 1);
        assert_same(y.narrow(1, 3, 1), Tensor::full([4, 1, 2, 2], 1e-4, &device), 1e-6);
    }

    #[test]
    fn gradient_matches_finite_differences() {
        let device = Device::flex().autodiff();
        let goal = noise([4, 3, 2, 2], 2, &device);
        assert_gradient(noise([4, 2, 2, 2], 1, &device), 2e-3, |x| {
            minibatch_stddev(x, Some(2), 1).mul(goal.clone()).sum()
        });
    }
}
