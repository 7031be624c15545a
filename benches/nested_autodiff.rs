//! R1 by the program's own graph, and by burn's differentiation nested in itself: the same convolutions, on the CPU.
//!
//! `cargo bench --profile dev --bench nested_autodiff`

use std::time::Instant;

use burn::{
    backend::{
        Autodiff, AutodiffBackend, Flex,
        ops::{ActivationOps, FloatTensorOps, ModuleOps},
        tensor::FloatTensor,
    },
    tensor::{Device, TensorData, ops::ConvOptions},
};
use stylescope::{
    grad::{Act, Var, gradients},
    training::random::{Draws, Stream},
};

type Once = Autodiff<Flex>;
type Twice = Autodiff<Once>;

const BATCH: usize = 8;
const SIDE: usize = 64;
const SLOPE: f32 = 0.2;
const REPEATS: usize = 5;
/// Outputs, inputs and stride of 3x3 convolutions: those of a discriminator at 64x64 (`channel_base` 4096), without its filters.
const LAYERS: [(usize, usize, usize); 9] = [
    (64, 3, 1),
    (64, 64, 1),
    (128, 64, 2),
    (128, 128, 1),
    (256, 128, 2),
    (256, 256, 1),
    (512, 256, 2),
    (512, 512, 1),
    (512, 512, 2),
];

struct Data {
    images: Vec<f32>,
    weights: Vec<Vec<f32>>,
}

impl Data {
    fn new() -> Self {
        let images = Draws::new(1, Stream::Measurement, 0).normals(BATCH * 3 * SIDE * SIDE);
        let layer = |(i, &(outputs, inputs, _)): (usize, &(usize, usize, usize))| {
            let weights = Draws::new(2, Stream::Measurement, i as u64).normals(outputs * inputs * 9);
            let gain = (2.0 / (9 * inputs) as f32).sqrt();
            weights.into_iter().map(|w| w * gain).collect()
        };
        Self { images, weights: LAYERS.iter().enumerate().map(layer).collect() }
    }
}

/// The gradients of `sum |d sum(scores) / d images|^2` by all weights.
fn ours(data: &Data) -> Vec<Vec<f32>> {
    let device = Device::flex();
    let image = Var::from_values(data.images.clone(), [BATCH, 3, SIDE, SIDE], &device);
    let image = Var::parameter(image.value().clone());
    let mut x = image.clone();
    let mut weights = Vec::new();
    for (values, &(outputs, inputs, stride)) in data.weights.iter().zip(&LAYERS) {
        let weight = Var::from_values(values.clone(), [outputs, inputs, 3, 3], &device);
        let weight = Var::parameter(weight.value().clone());
        x = x.conv2d(&weight, stride, 1).bias_act(None, Act { slope: SLOPE, ..Act::PLAIN_LEAKY_RELU });
        weights.push(weight);
    }
    let one = Var::scalar(1.0, &device);
    let slope = gradients(&x.sum(), &one, &[&image], true).remove(0).expect("it depends on the images");
    let wrt: Vec<&Var> = weights.iter().collect();
    let found = gradients(&slope.square().sum(), &one, &wrt, false);
    let values = |gradient: Option<Var>| {
        let tensor = gradient.expect("it depends on the weights").value().clone();
        tensor.try_into_vec_as::<f32>().expect("values")
    };
    found.into_iter().map(values).collect()
}

fn nested(data: &Data) -> Vec<Vec<f32>> {
    let device = Default::default();
    let tensor = |values: &[f32], dims: [usize; 4]| -> FloatTensor<Once> {
        Once::float_from_data(TensorData::new(values.to_vec(), dims), &device)
    };
    let images = tensor(&data.images, [BATCH, 3, SIDE, SIDE]);
    let image = Twice::float_set_require_grad(Twice::from_inner(images), true);
    let mut x = image.clone();
    let mut weights = Vec::new();
    for (values, &(outputs, inputs, stride)) in data.weights.iter().zip(&LAYERS) {
        let weight = Once::float_set_require_grad(tensor(values, [outputs, inputs, 3, 3]), true);
        let options = ConvOptions::new([stride; 2], [1; 2], [1; 2], 1);
        x = Twice::conv2d(x, Twice::from_inner(weight.clone()), None, options);
        x = Twice::leaky_relu(x, SLOPE.into());
        weights.push(weight);
    }
    let first = Twice::backward(Twice::float_sum(x));
    let slope = Twice::grad(&image, &first).expect("it depends on the images");
    let second = Once::backward(Once::float_sum(Once::float_mul(slope.clone(), slope)));
    let values = |weight: &FloatTensor<Once>| {
        let gradient = Once::grad(weight, &second).expect("it depends on the weights");
        let data = pollster::block_on(Flex::float_into_data(gradient)).expect("values");
        data.try_to_vec::<f32>().expect("values")
    };
    weights.iter().map(values).collect()
}

/// Milliseconds: median, least, most.
fn time(run: impl Fn(&Data) -> Vec<Vec<f32>>, data: &Data) -> [f64; 3] {
    run(data);
    let mut times: Vec<f64> = (0..REPEATS)
        .map(|_| {
            let start = Instant::now();
            run(data);
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    [times[REPEATS / 2], times[0], times[REPEATS - 1]]
}

fn main() {
    let data = Data::new();
    let mut farthest = 0.0f32;
    for (a, b) in ours(&data).iter().zip(nested(&data)) {
        let scale = a.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        farthest = a.iter().zip(&b).fold(farthest, |most, (a, b)| most.max((a - b).abs() / scale));
    }
    println!("largest difference of a gradient: {farthest:.1e} of its largest value");
    for (name, times) in [("our graph", time(ours, &data)), ("burn's, nested", time(nested, &data))] {
        println!("{name:<16} {:>8.1} ms ({:.1} to {:.1})", times[0], times[1], times[2]);
    }
}
