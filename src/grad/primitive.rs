//! The values of the operations: the CPU's kernels where the tensors live there, burn's tensor operations elsewhere.
//!
//! The tensor operations are also the plain twins of the kernels; `tests` holds the two together.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use burn_flex::{Flex, FlexTensor};

use super::{
    op::{Act, Fir},
    var::Dims,
};
use crate::ops::cpu::{Runtime, batch};

pub mod reference;
mod take;
mod warp;

pub use reference::{embed, power, sigmoid, softplus};
pub use take::{put_back, take};
pub use warp::{warp, warp_transpose};

/// The kernels' runtime and the values of operands that all live on the CPU; `None` leaves the operation to the tensors.
fn host<const N: usize>(tensors: [&Tensor<4>; N]) -> Option<(Arc<Runtime>, [FlexTensor; N])> {
    let runtime = Runtime::shared()?;
    let mut found = Vec::with_capacity(N);
    for tensor in tensors {
        let primitive = tensor.clone().try_into_primitive::<Flex>().ok()?;
        found.push(if primitive.as_slice::<f32>().is_some() { primitive } else { primitive.to_contiguous() });
    }
    found.try_into().ok().map(|found| (runtime, found))
}

/// The values of an operand that [`host`] gave.
fn slice(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice::<f32>().unwrap_or_default()
}

fn tensor(values: Vec<f32>, dims: Dims, like: &Tensor<4>) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values, dims), &like.device())
}

/// Gives the memory of a tensor back to the kernels, if it lives on the CPU and nobody else holds it.
pub fn recycle(tensor: Tensor<4>) {
    let Ok(primitive) = tensor.try_into_primitive::<Flex>() else { return };
    let bytes = primitive.data_arc();
    drop(primitive);
    if let Some(values) = Arc::into_inner(bytes).and_then(|bytes| bytes.try_into_vec::<f32>().ok()) {
        batch::recycle(values);
    }
}

/// Changes the values of tensors in place, if they all live on the CPU, and says whether they do.
pub fn in_place<const N: usize>(mut tensors: [&mut Tensor<4>; N], f: impl FnOnce(&Runtime, [&mut [f32]; N])) -> bool {
    let Some((runtime, mut found)) = host(tensors.each_ref().map(|tensor| &**tensor)) else { return false };
    // Whoever shares its values has to copy them first.
    tensors.iter_mut().for_each(|tensor| drop(tensor.extract()));
    f(&runtime, found.each_mut().map(slice_mut));
    for (tensor, found) in tensors.into_iter().zip(found) {
        *tensor = Tensor::from_primitive::<Flex>(found);
    }
    true
}

/// The values of an operand that [`host`] gave, copied first if another tensor shares them.
fn slice_mut(tensor: &mut FlexTensor) -> &mut [f32] {
    let range = tensor.layout().contiguous_offsets();
    let values = tensor.storage_mut::<f32>();
    match range {
        Some((start, end)) => &mut values[start..end],
        None => values,
    }
}

/// One step of Adam on the CPU, which changes weights and moments in place; `false` where a tensor lives elsewhere.
pub fn adam(options: &batch::AdamStep, gradient: &Tensor<4>, w: &mut Tensor<4>, moments: &mut [Tensor<4>; 2]) -> bool {
    let Some((_, [gradient])) = host([gradient]) else { return false };
    let [m, v] = moments;
    in_place([w, m, v], |runtime, [w, m, v]| {
        batch::adam(runtime, options, slice(&gradient), w, batch::Moments { m, v })
    })
}

/// Moves an average on the CPU: `average = x + beta * (average - x)`; `false` where a tensor lives elsewhere.
pub fn move_average(average: &mut Tensor<4>, x: &Tensor<4>, beta: f64) -> bool {
    let Some((_, [x])) = host([x]) else { return false };
    in_place([average], |runtime, [average]| batch::move_average(runtime, beta, slice(&x), average))
}

/// The dims of a pointwise operation on `a` and `b`.
///
/// # Panics
/// If an axis differs and is 1 in neither.
pub fn broadcast_dims(a: Dims, b: Dims) -> Dims {
    std::array::from_fn(|axis| {
        let (a_len, b_len) = (a[axis], b[axis]);
        assert!(a_len == b_len || a_len == 1 || b_len == 1, "{a:?} and {b:?} do not go together");
        if a_len == 1 { b_len } else { a_len }
    })
}

/// `a + b`, broadcast.
pub fn add(a: &Tensor<4>, b: &Tensor<4>) -> Tensor<4> {
    binary(batch::Binary::Add, a, b).unwrap_or_else(|| reference::add(a, b))
}

/// `a - b`, broadcast.
pub fn sub(a: &Tensor<4>, b: &Tensor<4>) -> Tensor<4> {
    binary(batch::Binary::Sub, a, b).unwrap_or_else(|| reference::sub(a, b))
}

fn binary(op: batch::Binary, a: &Tensor<4>, b: &Tensor<4>) -> Option<Tensor<4>> {
    let dims = broadcast_dims(a.dims(), b.dims());
    let (runtime, [x, y]) = host([a, b])?;
    Some(tensor(batch::binary(&runtime, op, slice(&x), a.dims(), slice(&y), b.dims()), dims, a))
}

/// `a * b`, broadcast, then as [`fit`].
pub fn mul_fit(a: &Tensor<4>, b: &Tensor<4>, to: Dims) -> Tensor<4> {
    let product = broadcast_dims(a.dims(), b.dims());
    if product == to {
        return binary(batch::Binary::Mul, a, b).unwrap_or_else(|| reference::mul_fit(a, b, to));
    }
    let Some((runtime, [x, y])) = host([a, b]) else { return reference::mul_fit(a, b, to) };
    // The kernel sums; what has to be repeated is repeated afterwards.
    let summed: Dims = std::array::from_fn(|axis| if to[axis] == 1 { 1 } else { product[axis] });
    let values = batch::mul_sum_to(&runtime, slice(&x), a.dims(), slice(&y), b.dims(), summed);
    repeat(tensor(values, summed, a), to)
}

/// Sums over the axes where `to` is 1, repeats along those where `x` is 1.
pub fn fit(x: &Tensor<4>, to: Dims) -> Tensor<4> {
    let dims = x.dims();
    let summed: Dims = std::array::from_fn(|axis| if to[axis] == 1 { 1 } else { dims[axis] });
    if summed == dims {
        return repeat(x.clone(), to);
    }
    let Some((runtime, [values])) = host([x]) else { return reference::fit(x, to) };
    repeat(tensor(batch::sum_to(&runtime, slice(&values), dims, summed), summed, x), to)
}

fn repeat(x: Tensor<4>, to: Dims) -> Tensor<4> {
    if x.dims() == to { x } else { reference::fit(&x, to) }
}

/// `x * factor + offset`.
pub fn affine(x: &Tensor<4>, factor: f32, offset: f32) -> Tensor<4> {
    match host([x]) {
        Some((runtime, [values])) => tensor(batch::affine(&runtime, slice(&values), factor, offset), x.dims(), x),
        None => reference::affine(x, factor, offset),
    }
}

fn shape(x: Dims, weight: Dims, stride: usize, padding: usize) -> batch::ConvShape {
    let ([batch, _, height, width], [outputs, inputs, kernel, _]) = (x, weight);
    batch::ConvShape { batch, inputs, outputs, height, width, kernel, stride, padding }
}

/// Cross-correlation: x [N, I, H, W], weight [O, I, k, k].
pub fn conv2d(x: &Tensor<4>, weight: &Tensor<4>, stride: usize, padding: usize) -> Tensor<4> {
    let Some((runtime, [values, kernel])) = host([x, weight]) else {
        return reference::conv2d(x, weight, stride, padding);
    };
    let shape = shape(x.dims(), weight.dims(), stride, padding);
    assert_eq!(x.dims()[1], shape.inputs, "input channels");
    let dims = [shape.batch, shape.outputs, shape.out_height(), shape.out_width()];
    tensor(batch::conv2d(&runtime, &shape, slice(&values), slice(&kernel)), dims, x)
}

/// The gradient of [`conv2d`] by an x of `size`.
pub fn conv2d_input_gradient(
    y: &Tensor<4>,
    weight: &Tensor<4>,
    stride: usize,
    padding: usize,
    size: [usize; 2],
) -> Tensor<4> {
    let Some((runtime, [values, kernel])) = host([y, weight]) else {
        return reference::conv2d_input_gradient(y, weight, stride, padding, size);
    };
    let dims = [y.dims()[0], weight.dims()[1], size[0], size[1]];
    let shape = shape(dims, weight.dims(), stride, padding);
    tensor(batch::conv2d_input_gradient(&runtime, &shape, slice(&values), slice(&kernel)), dims, y)
}

/// The gradient of [`conv2d`] by a weight of `kernel x kernel`.
pub fn conv2d_weight_gradient(x: &Tensor<4>, y: &Tensor<4>, stride: usize, padding: usize, kernel: usize) -> Tensor<4> {
    let Some((runtime, [values, gradient])) = host([x, y]) else {
        return reference::conv2d_weight_gradient(x, y, stride, padding, kernel);
    };
    let dims = [y.dims()[1], x.dims()[1], kernel, kernel];
    let shape = shape(x.dims(), dims, stride, padding);
    tensor(batch::conv2d_weight_gradient(&runtime, &shape, slice(&values), slice(&gradient)), dims, x)
}

/// See [`crate::ops::upfirdn2d`].
pub fn upfirdn2d(x: &Tensor<4>, fir: &Fir) -> Tensor<4> {
    let options = fir.options;
    let Some((runtime, [values])) = host([x]).filter(|_| fir.filter.is_separable()) else {
        return reference::upfirdn2d(x, fir);
    };
    let [images, channels, height, width] = x.dims();
    let fir = batch::Fir {
        taps: fir.filter.taps(),
        up: options.up,
        down: options.down,
        pad: options.pad,
        flip: options.flip_filter,
        gain: options.gain as f32,
    };
    let [out_height, out_width] = fir.out_size([height, width]);
    let result = batch::upfirdn2d(&runtime, images * channels, [height, width], slice(&values), &fir);
    tensor(result, [images, channels, out_height, out_width], x)
}

/// `clamp(leaky_relu(x + bias) * gain)`, the bias [1, C, 1, 1].
pub fn bias_act(x: &Tensor<4>, bias: Option<&Tensor<4>>, act: Act) -> Tensor<4> {
    let Act { slope, gain, clamp } = act;
    let Some((runtime, [values])) = host([x]) else { return reference::bias_act(x, bias, act) };
    let bias = match bias.map(|bias| host([bias])) {
        Some(None) => return reference::bias_act(x, bias, act),
        Some(Some((_, [bias]))) => Some(bias),
        None => None,
    };
    let bias = bias.as_ref().map(slice);
    tensor(batch::bias_act(&runtime, x.dims(), slice(&values), bias, slope, gain, clamp), x.dims(), x)
}

/// `x` times the derivative of the activation whose result was `y`.
pub fn act_gradient(x: &Tensor<4>, y: &Tensor<4>, act: Act) -> Tensor<4> {
    let Act { slope, gain, clamp } = act;
    let Some((runtime, [gradient, result])) = host([x, y]) else { return reference::act_gradient(x, y, act) };
    let values = batch::bias_act_gradient(&runtime, slice(&gradient), slice(&result), slope, gain, clamp);
    tensor(values, x.dims(), x)
}
