//! The operations that training stands on, at its typical sizes (batch 8), in operations a second; convolutions beside the
//! tensor backend's own.
//!
//! `cargo bench --profile dev --bench training_ops`

use std::fmt;

use burn::tensor::{Device, Tensor, TensorData, module::conv2d as stock_conv2d, ops::ConvOptions};
use divan::{
    Bencher,
    counter::{BytesCount, ItemsCount},
};
use stylescope::ops::cpu::{InstructionSet, Runtime, batch::*};

fn main() {
    divan::main();
}

const BATCH: usize = 8;

/// Input channels, output channels, input size, kernel, stride, padding.
#[derive(Clone, Copy)]
struct Layer(usize, usize, usize, usize, usize, usize);

/// The image network at 64x64 (`channel_base` 4096, at most 512 channels), a tiny one at 32x32, dense layers.
const LAYERS: [Layer; 17] = [
    Layer(64, 64, 64, 3, 1, 1),
    Layer(128, 128, 32, 3, 1, 1),
    Layer(256, 256, 16, 3, 1, 1),
    Layer(512, 512, 8, 3, 1, 1),
    Layer(512, 512, 4, 3, 1, 1),
    Layer(64, 128, 65, 3, 2, 0),
    Layer(128, 256, 33, 3, 2, 0),
    Layer(256, 512, 17, 3, 2, 0),
    Layer(512, 512, 9, 3, 2, 0),
    Layer(32, 32, 32, 3, 1, 1),
    Layer(64, 64, 16, 3, 1, 1),
    Layer(64, 64, 8, 3, 1, 1),
    Layer(64, 64, 4, 3, 1, 1),
    Layer(64, 128, 32, 1, 1, 0),
    Layer(3, 64, 64, 1, 1, 0),
    Layer(512, 512, 1, 1, 1, 0),
    Layer(8192, 512, 1, 1, 1, 0),
];

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(inputs, outputs, side, kernel, stride, _) = self;
        write!(f, "{inputs} to {outputs} at {side}, k {kernel}, stride {stride}")
    }
}

impl Layer {
    fn shape(self) -> ConvShape {
        let Self(inputs, outputs, side, kernel, stride, padding) = self;
        ConvShape { batch: BATCH, inputs, outputs, height: side, width: side, kernel, stride, padding }
    }
}

fn runtime() -> Runtime {
    Runtime::new(InstructionSet::best()).expect("threads")
}

fn values(len: usize) -> Vec<f32> {
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

#[divan::bench(args = LAYERS, sample_count = 20, max_time = 2)]
fn forward(bencher: Bencher, layer: Layer) {
    let (rt, s) = (runtime(), layer.shape());
    let (x, weight) = (values(s.x_len()), values(s.weight_len()));
    bencher.counter(ItemsCount::new(s.operations())).bench_local(|| conv2d(&rt, &s, &x, &weight));
}

#[divan::bench(args = LAYERS, sample_count = 20, max_time = 2)]
fn input_gradient(bencher: Bencher, layer: Layer) {
    let (rt, s) = (runtime(), layer.shape());
    let (g, weight) = (values(s.y_len()), values(s.weight_len()));
    bencher.counter(ItemsCount::new(s.operations())).bench_local(|| conv2d_input_gradient(&rt, &s, &g, &weight));
}

#[divan::bench(args = LAYERS, sample_count = 20, max_time = 2)]
fn weight_gradient(bencher: Bencher, layer: Layer) {
    let (rt, s) = (runtime(), layer.shape());
    let (x, g) = (values(s.x_len()), values(s.y_len()));
    bencher.counter(ItemsCount::new(s.operations())).bench_local(|| conv2d_weight_gradient(&rt, &s, &x, &g));
}

fn tensor(shape: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values(shape.iter().product()), shape), device)
}

/// The tensor backend's convolution.
#[divan::bench(args = LAYERS, sample_count = 10, max_time = 2)]
fn stock_forward(bencher: Bencher, layer: Layer) {
    let s = layer.shape();
    let device = Device::flex();
    let x = tensor([s.batch, s.inputs, s.height, s.width], &device);
    let weight = tensor([s.outputs, s.inputs, s.kernel, s.kernel], &device);
    let options = ConvOptions::new([s.stride; 2], [s.padding; 2], [1, 1], 1);
    bencher
        .counter(ItemsCount::new(s.operations()))
        .bench_local(|| stock_conv2d(x.clone(), weight.clone(), None, options.clone()));
}

/// The tensor backend's convolution with both gradients: three times the operations.
#[divan::bench(args = LAYERS, sample_count = 10, max_time = 2)]
fn stock_forward_and_gradients(bencher: Bencher, layer: Layer) {
    let s = layer.shape();
    let device = Device::flex().autodiff();
    let x = tensor([s.batch, s.inputs, s.height, s.width], &device).require_grad();
    let weight = tensor([s.outputs, s.inputs, s.kernel, s.kernel], &device).require_grad();
    let options = ConvOptions::new([s.stride; 2], [s.padding; 2], [1, 1], 1);
    bencher
        .counter(ItemsCount::new(3 * s.operations()))
        .bench_local(|| stock_conv2d(x.clone(), weight.clone(), None, options.clone()).sum().backward());
}

const DIMS: [usize; 4] = [BATCH, 64, 64, 64];
const LEN: usize = BATCH * 64 * 64 * 64;

/// Bytes of `arrays` arrays of [`DIMS`].
fn bytes(arrays: f64) -> BytesCount {
    BytesCount::new((arrays * 4.0 * LEN as f64) as usize)
}

#[divan::bench(args = [[8, 64, 64, 64], [8, 64, 1, 1], [8, 1, 64, 64]])]
fn multiply(bencher: Bencher, dims: [usize; 4]) {
    let (rt, a, b) = (runtime(), values(LEN), values(dims.iter().product()));
    let arrays = 2.0 + b.len() as f64 / LEN as f64;
    bencher.counter(bytes(arrays)).bench_local(|| binary(&rt, Binary::Mul, &a, DIMS, &b, dims));
}

#[divan::bench]
fn scale_and_shift(bencher: Bencher) {
    let (rt, x) = (runtime(), values(LEN));
    bencher.counter(bytes(2.0)).bench_local(|| affine(&rt, &x, 2.0, 1.0));
}

#[divan::bench]
fn bias_and_activation(bencher: Bencher) {
    let (rt, x) = (runtime(), values(LEN));
    bencher.counter(bytes(2.0)).bench_local(|| bias_act(&rt, DIMS, &x, Some(&x[..64]), 0.2, 1.4, Some(256.0)));
}

#[divan::bench]
fn bias_and_activation_gradient(bencher: Bencher) {
    let (rt, x) = (runtime(), values(LEN));
    bencher.counter(bytes(3.0)).bench_local(|| bias_act_gradient(&rt, &x, &x, 0.2, 1.4, Some(256.0)));
}

#[divan::bench(args = [[1, 64, 1, 1], [8, 64, 1, 1], [8, 1, 64, 64], [1, 1, 1, 1]])]
fn sum(bencher: Bencher, to: [usize; 4]) {
    let (rt, x) = (runtime(), values(LEN));
    bencher.counter(bytes(1.0)).bench_local(|| sum_to(&rt, &x, DIMS, to));
}

#[divan::bench(args = [[1, 64, 1, 1], [8, 64, 1, 1], [8, 1, 64, 64]])]
fn sum_of_products(bencher: Bencher, to: [usize; 4]) {
    let (rt, x) = (runtime(), values(LEN));
    bencher.counter(bytes(2.0)).bench_local(|| mul_sum_to(&rt, &x, DIMS, &x, DIMS, to));
}

/// Up, down and padding: the filter before a strided convolution, up- and downsampling of images.
#[divan::bench(args = [(1, 1, [2; 4]), (1, 2, [1; 4]), (2, 1, [2, 1, 2, 1])])]
fn resample(bencher: Bencher, (up, down, pad): (usize, usize, [isize; 4])) {
    let (rt, x) = (runtime(), values(LEN));
    let fir = Fir { taps: &[0.125, 0.375, 0.375, 0.125], up, down, pad, flip: false, gain: 1.0 };
    let arrays = 1.0 + (up * up) as f64 / (down * down) as f64;
    bencher.counter(bytes(arrays)).bench_local(|| upfirdn2d(&rt, BATCH * 64, [64, 64], &x, &fir));
}

#[divan::bench]
fn optimizer_step(bencher: Bencher) {
    let (rt, grad) = (runtime(), values(LEN));
    let (mut w, mut m, mut v) = (values(LEN), values(LEN), vec![0.1; LEN]);
    let options = AdamStep { lr: 0.0025, beta1: 0.0, beta2: 0.99, epsilon: 1e-8, step: 9 };
    bencher.counter(bytes(7.0)).bench_local(|| adam(&rt, &options, &grad, &mut w, Moments { m: &mut m, v: &mut v }));
}
