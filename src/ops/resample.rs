//! Changes of resolution that networks use: filtered, joined with a convolution, and nearest.

use burn::tensor::{Tensor, module::conv2d, ops::ConvOptions};

use super::{
    modulated_conv::convolve,
    upfirdn2d::{Filter, UpFirDn, upfirdn2d},
};

/// Doubles the size of `x`: zero insertion, then the filter with gain 4.
///
/// # Shapes
/// - x: [N, C, H, W]
/// - output: [N, C, 2H, 2W]
pub fn upsample2d(x: Tensor<4>, filter: &Filter) -> Tensor<4> {
    upfirdn2d(x, filter, upsampling(filter))
}

/// What [`upsample2d`] does.
pub(crate) fn upsampling(filter: &Filter) -> UpFirDn {
    let pad = pads(filter, |taps| [(taps + 1).div_euclid(2), (taps - 2).div_euclid(2)]);
    UpFirDn { up: 2, pad, gain: 4.0, ..Default::default() }
}

/// Halves the size of `x`: the filter, then every second pixel.
///
/// # Shapes
/// - x: [N, C, H, W], H and W even
/// - output: [N, C, H / 2, W / 2]
pub fn downsample2d(x: Tensor<4>, filter: &Filter) -> Tensor<4> {
    upfirdn2d(x, filter, downsampling(filter))
}

/// What [`downsample2d`] does.
pub(crate) fn downsampling(filter: &Filter) -> UpFirDn {
    let pad = pads(filter, |taps| [(taps - 1).div_euclid(2), (taps - 2).div_euclid(2)]);
    UpFirDn { down: 2, pad, ..Default::default() }
}

/// Filters `x` without a change of size.
///
/// # Shapes
/// - x, output: [N, C, H, W]
pub fn filter2d(x: Tensor<4>, filter: &Filter) -> Tensor<4> {
    upfirdn2d(x, filter, filtering(filter))
}

/// What [`filter2d`] does.
pub(crate) fn filtering(filter: &Filter) -> UpFirDn {
    let pad = pads(filter, |taps| [taps.div_euclid(2), (taps - 1).div_euclid(2)]);
    UpFirDn { pad, ..Default::default() }
}

/// Every pixel becomes a square of `factor x factor` equal ones.
///
/// # Shapes
/// - x: [N, C, H, W]
/// - output: [N, C, H * factor, W * factor]
pub fn upsample_nearest(x: Tensor<4>, factor: usize) -> Tensor<4> {
    if factor == 1 {
        return x;
    }
    let [batch, channels, height, width] = x.dims();
    x.reshape([batch * channels, height, 1, width, 1])
        .expand([batch * channels, height, factor, width, factor])
        .reshape([batch, channels, height * factor, width * factor])
}

/// A change of size that goes with a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// Twice the size.
    Up,
    /// The same size.
    Keep,
    /// Half the size.
    Down,
}

/// A convolution that also changes the size, with `filter` against aliasing. For [`Resize::Up`] the weight is used as
/// a transposed convolution uses it.
///
/// # Shapes
/// - x: [N, I, H, W]
/// - weight: [O, I, k, k], k odd
/// - output: [N, O, H', W']
pub fn conv2d_resample(x: Tensor<4>, weight: Tensor<4>, filter: &Filter, resize: Resize) -> Tensor<4> {
    let kernel = weight.dims()[2];
    match (resize, kernel) {
        (Resize::Keep, _) => convolve(x, weight, None, 1),
        // A 1x1 convolution commutes with the resampling: do it where there are fewer pixels.
        (Resize::Up, 1) => upsample2d(convolve(x, weight, None, 1), filter),
        (Resize::Down, 1) => convolve(downsample2d(x, filter), weight, None, 1),
        (Resize::Up, _) => convolve(x, weight, Some(filter), 1),
        (Resize::Down, _) => {
            let x = upfirdn2d(x, filter, before_stride(filter, kernel));
            conv2d(x, weight, None, ConvOptions::new([2, 2], [0, 0], [1, 1], 1))
        }
    }
}

/// The filter before a convolution of stride 2 without padding.
pub(crate) fn before_stride(filter: &Filter, kernel: usize) -> UpFirDn {
    let half = (kernel / 2) as isize;
    let pad = pads(filter, |taps| [half + (taps - 1).div_euclid(2), half + (taps - 2).div_euclid(2)]);
    UpFirDn { pad, ..Default::default() }
}

/// Left, right, top and bottom padding from the padding before and after that a number of taps needs.
fn pads(filter: &Filter, axis: impl Fn(isize) -> [isize; 2]) -> [isize; 4] {
    let [height, width] = filter.size().map(|taps| taps as isize);
    let ([left, right], [top, bottom]) = (axis(width), axis(height));
    [left, right, top, bottom]
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::ops::testing::{assert_gradient, assert_same, noise};

    #[test]
    fn sizes() {
        let device = Device::flex();
        for taps in [&[1.0, 3.0, 3.0, 1.0][..], &[1.0, 2.0, 1.0], &[1.0, 1.0], &[1.0]] {
            let filter = Filter::separable(taps, &device);
            let x = noise([1, 2, 8, 6], 1, &device);
            assert_eq!(upsample2d(x.clone(), &filter).dims(), [1, 2, 16, 12]);
            assert_eq!(filter2d(x.clone(), &filter).dims(), [1, 2, 8, 6]);
            assert_eq!(downsample2d(x.clone(), &filter).dims(), [1, 2, 4, 3]);
            for kernel in [1, 3] {
                let weight = noise([5, 2, kernel, kernel], 2, &device);
                for (resize, dims) in
                    [(Resize::Up, [1, 5, 16, 12]), (Resize::Keep, [1, 5, 8, 6]), (Resize::Down, [1, 5, 4, 3])]
                {
                    assert_eq!(conv2d_resample(x.clone(), weight.clone(), &filter, resize).dims(), dims);
                }
            }
        }
    }

    #[test]
    fn nearest_repeats_pixels() {
        let device = Device::flex();
        let x = Tensor::<4>::from_data([[[[1.0, 2.0], [3.0, 4.0]]]], &device);
        let expected = Tensor::<4>::from_data(
            [[[[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0], [3.0, 3.0, 4.0, 4.0], [3.0, 3.0, 4.0, 4.0]]]],
            &device,
        );
        assert_same(upsample_nearest(x, 2), expected, 0.0);
    }

    #[test]
    fn gradients_match_finite_differences() {
        let device = Device::flex().autodiff();
        let filter = Filter::separable(&[1.0, 3.0, 3.0, 1.0], &device);
        let weight = noise([2, 2, 3, 3], 2, &device);
        for resize in [Resize::Up, Resize::Keep, Resize::Down] {
            let run = |x| conv2d_resample(x, weight.clone(), &filter, resize);
            let x = noise([1, 2, 4, 4], 3, &device);
            let goal = noise(run(x.clone()).dims(), 4, &device);
            assert_gradient(x, 2e-3, |x| run(x).mul(goal.clone()).sum());
        }
        let goal = noise([1, 2, 8, 8], 5, &device);
        assert_gradient(noise([1, 2, 4, 4], 6, &device), 2e-3, |x| upsample_nearest(x, 2).mul(goal.clone()).sum());
    }
}
