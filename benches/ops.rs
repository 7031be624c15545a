//! One 3x3 layer of StyleGAN2 at each size: the CPU kernels beside the tensor backend, in items (multiply-adds of the direct
//! convolution, counted as two operations) a second.
//!
//! `cargo bench --profile dev --bench ops`

use burn::tensor::{Device, Tensor, TensorData};
use divan::{Bencher, counter::ItemsCount};
use stylescope::ops::{
    Activation, Filter, SynthesisLayer,
    cpu::{Border, Epilogue, InstructionSet, LayerKernel, NhwcBuffer, Threads, UpFilter, Workspace},
    synthesis_layer,
};

/// Input channels, output channels, input size, whether the layer doubles the size: channel_base 16384.
const LAYERS: [(usize, usize, usize, bool); 9] = [
    (512, 512, 8, false),
    (512, 512, 16, true),
    (512, 512, 32, false),
    (512, 256, 32, true),
    (256, 256, 64, false),
    (256, 128, 64, true),
    (128, 128, 128, false),
    (128, 64, 128, true),
    (64, 64, 256, false),
];

fn main() {
    divan::main();
}

fn values(len: usize) -> Vec<f32> {
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn operations((inputs, outputs, side, _): (usize, usize, usize, bool)) -> ItemsCount {
    ItemsCount::new(2 * 9 * inputs * outputs * side * side)
}

#[divan::bench(args = LAYERS, sample_count = 15)]
fn kernels(bencher: Bencher, layer: (usize, usize, usize, bool)) {
    let (inputs, outputs, side, up) = layer;
    let filter = up.then_some(UpFilter { taps: [0.125, 0.375, 0.375, 0.125], border: Border::Whole });
    let weight = values(inputs * outputs * 9);
    let kernel = LayerKernel::new(InstructionSet::best(), &weight, [outputs, inputs], [side, side], filter);
    let x = NhwcBuffer::from_nchw(&values(inputs * side * side), inputs, side, side);
    let (style, bias) = (values(inputs), values(outputs));
    let epilogue = Epilogue {
        demodulate: true,
        noise: None,
        bias: &bias,
        slope: 0.2,
        gain: std::f32::consts::SQRT_2,
        clamp: None,
    };
    let threads = Threads::new().unwrap();
    let mut workspace = Workspace::default();
    bencher.counter(operations(layer)).bench_local(|| kernel.run(&x, &style, &epilogue, &mut workspace, &threads));
}

#[divan::bench(args = LAYERS, sample_count = 5)]
fn tensors(bencher: Bencher, layer: (usize, usize, usize, bool)) {
    let (inputs, outputs, side, up) = layer;
    let device = Device::flex();
    let tensor = |shape: [usize; 4]| -> Tensor<4> {
        Tensor::from_data(TensorData::new(values(shape.iter().product()), shape), &device)
    };
    let filter = Filter::separable(&[1.0, 3.0, 3.0, 1.0], &device);
    let (x, weight) = (tensor([1, inputs, side, side]), tensor([outputs, inputs, 3, 3]));
    let style: Tensor<2> = tensor([1, inputs, 1, 1]).reshape([1, inputs]);
    let bias: Tensor<1> = tensor([outputs, 1, 1, 1]).reshape([outputs]);
    bencher.counter(operations(layer)).bench_local(|| {
        synthesis_layer(SynthesisLayer {
            x: x.clone(),
            weight: weight.clone(),
            style: style.clone(),
            up: up.then_some(&filter),
            demodulate: true,
            noise: None,
            bias: Some(bias.clone()),
            activation: Activation::LeakyRelu,
            gain: std::f64::consts::SQRT_2,
            clamp: None,
        })
    });
}
