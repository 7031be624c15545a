//! The operations as burn's tensors compute them: on every device, and the twins of the CPU's kernels.

use burn::tensor::{
    Tensor, activation,
    module::{conv_transpose2d, conv2d as burn_conv2d, conv2d_weight_backward},
    ops::{ConvOptions, ConvTransposeOptions, PadMode},
};

use crate::{
    grad::{
        op::{Act, Fir},
        var::Dims,
    },
    ops,
};

/// `a + b`, broadcast.
pub fn add(a: &Tensor<4>, b: &Tensor<4>) -> Tensor<4> {
    a.clone().add(b.clone())
}

/// `a - b`, broadcast.
pub fn sub(a: &Tensor<4>, b: &Tensor<4>) -> Tensor<4> {
    a.clone().sub(b.clone())
}

/// `a * b`, broadcast, then as [`fit`].
pub fn mul_fit(a: &Tensor<4>, b: &Tensor<4>, to: Dims) -> Tensor<4> {
    fit(&a.clone().mul(b.clone()), to)
}

/// Sums over the axes where `to` is 1, repeats along those where `x` is 1.
pub fn fit(x: &Tensor<4>, to: Dims) -> Tensor<4> {
    let mut y = x.clone();
    for (axis, &len) in to.iter().enumerate() {
        let found = y.dims()[axis];
        if len == 1 && found > 1 {
            y = y.sum_dim(axis);
        } else {
            assert!(found == len || found == 1, "{:?} does not fit {to:?}", x.dims());
        }
    }
    if y.dims() == to { y } else { y.expand(to) }
}

/// `x * factor + offset`.
pub fn affine(x: &Tensor<4>, factor: f32, offset: f32) -> Tensor<4> {
    let y = if factor == 1.0 { x.clone() } else { x.clone().mul_scalar(factor) };
    if offset == 0.0 { y } else { y.add_scalar(offset) }
}

/// An axis of `len` zeros but for `x` from `start` on.
pub fn embed(x: &Tensor<4>, axis: usize, start: usize, len: usize) -> Tensor<4> {
    let after = len - start - x.dims()[axis];
    let mut pad = [(0, 0); 4];
    pad[axis] = (start, after);
    x.clone().pad(pad, PadMode::Constant(0.0))
}

/// Cross-correlation: x [N, I, H, W], weight [O, I, k, k].
pub fn conv2d(x: &Tensor<4>, weight: &Tensor<4>, stride: usize, padding: usize) -> Tensor<4> {
    burn_conv2d(x.clone(), weight.clone(), None, options(stride, padding))
}

fn options(stride: usize, padding: usize) -> ConvOptions<2> {
    ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1)
}

/// The gradient of [`conv2d`] by an x of `size`.
pub fn conv2d_input_gradient(
    y: &Tensor<4>,
    weight: &Tensor<4>,
    stride: usize,
    padding: usize,
    size: [usize; 2],
) -> Tensor<4> {
    let kernel = weight.dims()[2];
    let [_, _, height, width] = y.dims();
    let missing = |len: usize, out: usize| len + 2 * padding - ((out - 1) * stride + kernel);
    let out = [missing(size[0], height), missing(size[1], width)];
    conv_transpose2d(
        y.clone(),
        weight.clone(),
        None,
        ConvTransposeOptions::new([stride; 2], [padding; 2], out, [1, 1], 1),
    )
}

/// The gradient of [`conv2d`] by a weight of `kernel x kernel`.
pub fn conv2d_weight_gradient(x: &Tensor<4>, y: &Tensor<4>, stride: usize, padding: usize, kernel: usize) -> Tensor<4> {
    let ([_, inputs, ..], [_, outputs, ..]) = (x.dims(), y.dims());
    // Only its shape is looked at.
    let weight = Tensor::zeros([outputs, inputs, kernel, kernel], &x.device());
    conv2d_weight_backward(x.clone(), weight, y.clone(), options(stride, padding))
}

/// See [`crate::ops::upfirdn2d`].
pub fn upfirdn2d(x: &Tensor<4>, fir: &Fir) -> Tensor<4> {
    ops::upfirdn2d(x.clone(), &fir.filter, fir.options)
}

/// `clamp(leaky_relu(x + bias) * gain)`, the bias [1, C, 1, 1].
pub fn bias_act(x: &Tensor<4>, bias: Option<&Tensor<4>>, act: Act) -> Tensor<4> {
    let Act { slope, gain, clamp } = act;
    let y = match bias {
        Some(bias) => x.clone().add(bias.clone()),
        None => x.clone(),
    };
    let y = if slope == 1.0 { y } else { activation::leaky_relu(y, f64::from(slope)) };
    let y = if gain == 1.0 { y } else { y.mul_scalar(gain) };
    match clamp {
        Some(clamp) => y.clamp(-clamp, clamp),
        None => y,
    }
}

/// `x` times the derivative of the activation whose result was `y`.
pub fn act_gradient(x: &Tensor<4>, y: &Tensor<4>, act: Act) -> Tensor<4> {
    let Act { slope, gain, clamp } = act;
    let mut result = if gain == 1.0 { x.clone() } else { x.clone().mul_scalar(gain) };
    if slope != 1.0 {
        let below = result.clone().mul_scalar(slope);
        result = result.mask_where(y.clone().lower_elem(0.0), below);
    }
    if let Some(clamp) = clamp {
        result = result.mask_fill(y.clone().abs().greater_equal_elem(clamp), 0.0);
    }
    result
}

/// `x^exponent` of positive values.
pub fn power(x: &Tensor<4>, exponent: f32) -> Tensor<4> {
    let x = x.clone();
    match exponent {
        0.5 => x.sqrt(),
        -0.5 => x.sqrt().recip(),
        1.0 => x,
        -1.0 => x.recip(),
        2.0 => x.clone().mul(x),
        // (1 / sqrt(x))^3: exact roots instead of logarithms.
        -1.5 => {
            let root = x.sqrt().recip();
            root.clone().mul(root.clone()).mul(root)
        }
        _ => x.powf_scalar(exponent),
    }
}

/// `ln(1 + e^x)`.
pub fn softplus(x: &Tensor<4>) -> Tensor<4> {
    activation::softplus(x.clone(), 1.0)
}

/// `1 / (1 + e^-x)`.
pub fn sigmoid(x: &Tensor<4>) -> Tensor<4> {
    activation::sigmoid(x.clone())
}
