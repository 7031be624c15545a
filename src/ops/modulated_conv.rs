//! Weight (de)modulation (StyleGAN2, arXiv 1912.04958, section 2.2 and appendix B).

use burn::tensor::{
    Tensor,
    module::{conv_transpose2d, conv2d},
    ops::{ConvOptions, ConvTransposeOptions},
};

use super::upfirdn2d::{Filter, UpFirDn, upfirdn2d};

/// Under the root of the demodulation.
pub const DEMODULATION_EPSILON: f64 = 1e-8;

/// A convolution whose weight is scaled by `style` per input channel and, demodulated, normalised per output channel.
///
/// Scaling the input and the output instead of the weight gives the same result with one dense convolution for the
/// whole batch, where the paper's form needs a convolution a sample.
///
/// # Shapes
/// - x: [N, I, H, W]
/// - weight: [O, I, k, k], k odd
/// - style: [N, I]
/// - output: [N, O, H, W], twice the size with `up`: the filter that smooths the upsampling
///
/// # Panics
/// If the shapes do not agree.
pub fn modulated_conv(
    x: Tensor<4>,
    weight: Tensor<4>,
    style: Tensor<2>,
    demodulate: bool,
    up: Option<&Filter>,
) -> Tensor<4> {
    check(&x, &weight, &style);
    let [batch, inputs, _, _] = x.dims();
    let outputs = weight.dims()[0];
    let demodulation = demodulate.then(|| demodulation(&weight, style.clone()));
    let x = x.mul(style.reshape([batch, inputs, 1, 1]));
    let y = convolve(x, weight, up, 1);
    match demodulation {
        Some(factor) => y.mul(factor.reshape([batch, outputs, 1, 1])),
        None => y,
    }
}

/// The paper's form: a weight for every sample, and a convolution in `N` groups. Twin of [`modulated_conv`].
///
/// # Shapes
/// As [`modulated_conv`].
pub fn modulated_conv_reference(
    x: Tensor<4>,
    weight: Tensor<4>,
    style: Tensor<2>,
    demodulate: bool,
    up: Option<&Filter>,
) -> Tensor<4> {
    check(&x, &weight, &style);
    let [batch, inputs, height, width] = x.dims();
    let [outputs, _, kernel, _] = weight.dims();
    // [N, O, I, k, k]
    let weight = weight.unsqueeze::<5>().mul(style.reshape([batch, 1, inputs, 1, 1]));
    let weight = if demodulate {
        let power = weight.clone().square().sum_dim(2).sum_dim(3).sum_dim(4); // [N, O, 1, 1, 1]
        weight.mul(power.add_scalar(DEMODULATION_EPSILON).sqrt().recip())
    } else {
        weight
    };
    let weight = weight.reshape([batch * outputs, inputs, kernel, kernel]);
    let y = convolve(x.reshape([1, batch * inputs, height, width]), weight, up, batch);
    let [_, _, height, width] = y.dims();
    y.reshape([batch, outputs, height, width])
}

/// `1 / sqrt(sum (weight * style)^2 + epsilon)` of every sample and output channel: [N, O].
pub fn demodulation(weight: &Tensor<4>, style: Tensor<2>) -> Tensor<2> {
    let [outputs, inputs, kernel, _] = weight.dims();
    let power = weight.clone().square().reshape([outputs, inputs, kernel * kernel]).sum_dim(2); // [O, I, 1]
    let power = style.square().matmul(power.reshape([outputs, inputs]).transpose());
    power.add_scalar(DEMODULATION_EPSILON).sqrt().recip()
}

/// A same-size convolution, or with `up` a transposed one of stride 2 that is smoothed and cropped to twice the size.
pub(crate) fn convolve(x: Tensor<4>, weight: Tensor<4>, up: Option<&Filter>, groups: usize) -> Tensor<4> {
    let kernel = weight.dims()[2];
    match up {
        None => conv2d(x, weight, None, ConvOptions::new([1, 1], [kernel / 2, kernel / 2], [1, 1], groups)),
        Some(filter) => {
            let [outputs, inputs, _, _] = weight.dims();
            // Every group's [O, I] becomes [I, O], as transposed convolutions want it.
            let weight = weight.reshape([groups, outputs / groups, inputs, kernel, kernel]).swap_dims(1, 2).reshape([
                groups * inputs,
                outputs / groups,
                kernel,
                kernel,
            ]);
            let y =
                conv_transpose2d(x, weight, None, ConvTransposeOptions::new([2, 2], [0, 0], [0, 0], [1, 1], groups)); // 2H - 2 + k
            upfirdn2d(y, filter, smoothing(filter, kernel))
        }
    }
}

/// The filter after a transposed convolution of stride 2.
pub(crate) fn smoothing(filter: &Filter, kernel: usize) -> UpFirDn {
    UpFirDn { pad: smoothing_pad(kernel, filter.size()), gain: 4.0, ..Default::default() }
}

/// Padding that brings the `2H - 2 + kernel` pixels of the transposed convolution to `2H` after the filter, with the
/// filter's centre of mass on the kernel's.
fn smoothing_pad(kernel: usize, [height, width]: [usize; 2]) -> [isize; 4] {
    let axis = |taps: usize| {
        let total = taps as isize + 1 - kernel as isize; // 2H - 2 + kernel + total - (taps - 1) = 2H
        [total - total.div_euclid(2), total.div_euclid(2)]
    };
    let ([left, right], [top, bottom]) = (axis(width), axis(height));
    [left, right, top, bottom]
}

fn check(x: &Tensor<4>, weight: &Tensor<4>, style: &Tensor<2>) {
    let ([batch, inputs, _, _], [_, weight_inputs, height, width]) = (x.dims(), weight.dims());
    assert_eq!(inputs, weight_inputs, "input channels");
    assert_eq!(style.dims(), [batch, inputs], "one style value a sample and input channel");
    assert!(height == width && height % 2 == 1, "a {height}x{width} kernel");
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::ops::testing::{assert_gradient, assert_same, noise};

    #[test]
    fn dense_form_agrees_with_the_grouped_one() {
        let device = Device::flex();
        let filter = Filter::separable(&[1.0, 3.0, 3.0, 1.0], &device);
        for (kernel, demodulate, up) in
            [(3, true, None), (3, false, None), (1, false, None), (3, true, Some(&filter)), (1, true, Some(&filter))]
        {
            let x = noise([3, 5, 8, 6], 1, &device);
            let weight = noise([4, 5, kernel, kernel], 2, &device);
            let style = noise([3, 5], 3, &device);
            let y = modulated_conv(x.clone(), weight.clone(), style.clone(), demodulate, up);
            assert_eq!(y.dims(), if up.is_some() { [3, 4, 16, 12] } else { [3, 4, 8, 6] });
            assert_same(y, modulated_conv_reference(x, weight, style, demodulate, up), 1e-5);
        }
    }

    #[test]
    fn demodulated_outputs_do_not_depend_on_the_scale_of_the_style() {
        let device = Device::flex();
        let (x, weight) = (noise([2, 6, 8, 8], 1, &device), noise([3, 6, 3, 3], 2, &device));
        let style = noise([2, 6], 3, &device);
        let once = modulated_conv(x.clone(), weight.clone(), style.clone(), true, None);
        assert_same(modulated_conv(x, weight, style.mul_scalar(7.0), true, None), once, 1e-5);
    }

    #[test]
    fn gradients_match_finite_differences() {
        let device = Device::flex().autodiff();
        let filter = Filter::separable(&[1.0, 3.0, 3.0, 1.0], &device);
        for up in [None, Some(&filter)] {
            let x = noise([2, 2, 4, 4], 1, &device);
            let weight = noise([3, 2, 3, 3], 2, &device);
            let style = noise([2, 2], 3, &device).add_scalar(1.0);
            let dims = modulated_conv(x.clone(), weight.clone(), style.clone(), true, up).dims();
            let goal = noise(dims, 4, &device);
            let loss = |x, weight, style| modulated_conv(x, weight, style, true, up).mul(goal.clone()).sum();
            assert_gradient(x.clone(), 2e-3, |x| loss(x, weight.clone(), style.clone()));
            assert_gradient(weight.clone(), 2e-3, |weight| loss(x.clone(), weight, style.clone()));
            assert_gradient(style.clone(), 2e-3, |style| loss(x.clone(), weight.clone(), style));
        }
    }
}
