//! The kernels on a software Vulkan driver against the twins of the operations on the CPU.

use burn::tensor::{Device, FloatDType, Tensor};

use super::*;
use crate::{
    gpu::device::{DeviceChoice, has_half, select},
    ops::{
        rgb_layer_reference,
        synthesis_layer::synthesis_layer_tensors,
        synthesis_layer_reference,
        testing::{assert_same, noise, values},
    },
};

/// `None` where there is no such driver; the parity tests say so.
fn software() -> Option<Device> {
    match select(DeviceChoice::Software) {
        Ok(compute) => Some(compute.device),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// A layer, whatever device it is put on.
#[derive(Debug, Clone, Copy)]
struct Case {
    batch: usize,
    inputs: usize,
    outputs: usize,
    size: [usize; 2],
    kernel: usize,
    up: bool,
    demodulate: bool,
    /// Number of maps; 0 for none.
    maps: usize,
    clamp: Option<f64>,
}

const PLAIN: Case = Case {
    batch: 1,
    inputs: 8,
    outputs: 8,
    size: [8, 8],
    kernel: 3,
    up: false,
    demodulate: true,
    maps: 1,
    clamp: None,
};

impl Case {
    fn layer<'a>(&self, filter: &'a Filter, device: &Device) -> SynthesisLayer<'a> {
        let Case { batch, inputs, outputs, size: [height, width], kernel, up, demodulate, maps, clamp } = *self;
        let scale = if up { 2 } else { 1 };
        SynthesisLayer {
            x: noise([batch, inputs, height, width], 1, device),
            weight: noise([outputs, inputs, kernel, kernel], 2, device),
            style: noise([batch, inputs], 3, device).add_scalar(1.0),
            up: up.then_some(filter),
            demodulate,
            noise: (maps > 0).then(|| LayerNoise {
                map: noise([maps, 1, scale * height, scale * width], 4, device),
                strength: noise([1], 5, device),
                multiplier: 0.5,
            }),
            bias: Some(noise([outputs], 6, device)),
            activation: Activation::LeakyRelu,
            gain: std::f64::consts::SQRT_2,
            clamp,
        }
    }

    fn assert(&self, size: TileSize, taps: &[f32], gpu: &Device) {
        let cpu = Device::flex();
        let filter = Filter::separable(taps, gpu);
        let here = self.layer(&filter, gpu);
        assert!(takes_layer(&here), "{self:?}");
        let got = layer(here, size).to_device(&cpu);
        let filter = Filter::separable(taps, &cpu);
        assert_same(got, synthesis_layer_reference(self.layer(&filter, &cpu)), 1e-5);
    }

    /// Stored in f16: rounded on the way in and out (2^-11 each), summed up in f32.
    fn assert_half(&self, size: TileSize, gpu: &Device) {
        let cpu = Device::flex();
        let filter = Filter::separable(&TAPS, gpu);
        let here = in_half(self.layer(&filter, gpu));
        let same = SynthesisLayer {
            x: here.x.clone().cast(FloatDType::F32).to_device(&cpu),
            weight: here.weight.clone().cast(FloatDType::F32).to_device(&cpu),
            ..self.layer(&filter, &cpu)
        };
        assert!(takes_layer(&here), "{self:?}");
        let filter = Filter::separable(&TAPS, &cpu);
        let expected = synthesis_layer_reference(SynthesisLayer { up: self.up.then_some(&filter), ..same });
        for got in [layer(here.clone(), size), synthesis_layer_tensors(here)] {
            assert_eq!(got.dtype(), DType::F16);
            assert_same(got.cast(FloatDType::F32).to_device(&cpu), expected.clone(), 1e-3);
        }
    }
}

fn in_half(layer: SynthesisLayer) -> SynthesisLayer {
    SynthesisLayer { x: layer.x.cast(FloatDType::F16), weight: layer.weight.cast(FloatDType::F16), ..layer }
}

const TAPS: [f32; 4] = [1.0, 3.0, 3.0, 1.0];

#[test]
fn every_tile_computes_a_layer() {
    let Some(gpu) = software() else { return };
    for size in TileSize::ALL {
        // Neither the channels nor the pixels fill their last tile.
        let odd = Case { batch: 2, inputs: 11, outputs: 19, size: [9, 17], ..PLAIN };
        odd.assert(size, &TAPS, &gpu);
        Case { up: true, size: [5, 9], ..odd }.assert(size, &TAPS, &gpu);
    }
}

#[test]
fn every_part_of_a_layer_may_be_missing() {
    let Some(gpu) = software() else { return };
    for up in [false, true] {
        let layer = Case { up, inputs: 5, outputs: 3, size: [4, 4], ..PLAIN };
        for case in
            [Case { maps: 0, clamp: Some(0.7), ..layer }, Case { demodulate: false, batch: 2, maps: 2, ..layer }]
        {
            case.assert(TileSize::Small, &TAPS, &gpu);
        }
    }
    Case { kernel: 1, ..PLAIN }.assert(TileSize::Small, &TAPS, &gpu);
}

#[test]
fn filters_need_not_be_symmetric() {
    let Some(gpu) = software() else { return };
    let up = Case { up: true, inputs: 3, outputs: 2, size: [4, 5], ..PLAIN };
    for taps in [&[0.3, -0.2, 0.9, 0.4][..], &[1.0, 2.0, 0.5, 1.5, 3.0, 1.0]] {
        up.assert(TileSize::Small, taps, &gpu);
    }
}

#[test]
fn tensors_may_be_views() {
    let Some(gpu) = software() else { return };
    let cpu = Device::flex();
    let filter = Filter::separable(&TAPS, &gpu);
    let case = Case { inputs: 4, outputs: 3, size: [4, 6], ..PLAIN };
    let layer_on = |device: &Device| {
        let layer = case.layer(&filter, device);
        SynthesisLayer {
            x: noise([1, 4, 6, 4], 7, device).swap_dims(2, 3),
            weight: noise([4, 3, 3, 3], 8, device).swap_dims(0, 1),
            ..layer
        }
    };
    let got = layer(layer_on(&gpu), TileSize::Small).to_device(&cpu);
    assert_same(got, synthesis_layer_reference(layer_on(&cpu)), 1e-5);
}

#[test]
fn feature_maps_may_be_stored_in_half_the_bits() {
    let Some(gpu) = software().filter(has_half) else { return };
    for size in TileSize::ALL {
        let odd = Case { batch: 2, inputs: 11, outputs: 19, size: [9, 17], ..PLAIN };
        odd.assert_half(size, &gpu);
        Case { up: true, size: [5, 9], ..odd }.assert_half(size, &gpu);
    }
    // What no f16 can hold becomes the largest that it can, not infinite.
    let filter = Filter::separable(&TAPS, &gpu);
    for up in [false, true] {
        let loud = Case { up, demodulate: false, ..PLAIN }.layer(&filter, &gpu);
        let loud = in_half(SynthesisLayer { gain: 1e9, activation: Activation::Linear, ..loud });
        let values = values(layer(loud, TileSize::Small).cast(FloatDType::F32));
        assert!(values.iter().all(|value| value.abs() <= MAX_HALF), "up: {up}");
        assert!(values.iter().any(|value| value.abs() == MAX_HALF), "up: {up}");
    }
}

#[test]
fn colours_of_maps_in_half_the_bits_are_whole() {
    let Some(gpu) = software().filter(has_half) else { return };
    let cpu = Device::flex();
    let filter = Filter::separable(&TAPS, &gpu);
    let below = noise([2, 3, 3, 4], 5, &gpu);
    let case = rgb_case(3, &gpu);
    let half = SynthesisLayer { x: case.x.clone().cast(FloatDType::F16), ..case };
    assert!(takes_rgb(&half, Some(&filter)));
    let got = rgb(half.clone(), Some((below.clone(), &filter)));
    assert_eq!(got.dtype(), DType::F32);
    let whole = SynthesisLayer { x: half.x.cast(FloatDType::F32).to_device(&cpu), ..rgb_case(3, &cpu) };
    let filter = Filter::separable(&TAPS, &cpu);
    let expected = rgb_layer_reference(whole, Some((below.to_device(&cpu), &filter)));
    assert_same(got.to_device(&cpu), expected, 1e-5);
}

fn rgb_case(colours: usize, device: &Device) -> SynthesisLayer<'static> {
    SynthesisLayer {
        x: noise([2, 21, 6, 8], 1, device),
        weight: noise([colours, 21, 1, 1], 2, device),
        style: noise([2, 21], 3, device),
        up: None,
        demodulate: false,
        noise: None,
        bias: Some(noise([colours], 4, device)),
        activation: Activation::Linear,
        gain: 1.0,
        clamp: Some(4.0),
    }
}

type Colours<'a> = &'a dyn Fn(SynthesisLayer, Option<(Tensor<4>, &Filter)>) -> Tensor<4>;

#[test]
fn colours_lie_on_the_image_below() {
    let Some(gpu) = software() else { return };
    let cpu = Device::flex();
    for (colours, taps) in [(3, &TAPS[..]), (1, &[0.3, -0.2, 0.9, 0.4]), (4, &[1.0, 2.0, 1.0])] {
        for with_below in [false, true] {
            let run = |device: &Device, run: Colours| {
                let filter = Filter::separable(taps, device);
                let below = with_below.then(|| (noise([2, colours, 3, 4], 5, device), &filter));
                run(rgb_case(colours, device), below).to_device(&cpu)
            };
            let got = run(&gpu, &|layer, below| {
                assert!(takes_rgb(&layer, below.as_ref().map(|(_, filter)| *filter)));
                rgb(layer, below)
            });
            assert_same(got, run(&cpu, &rgb_layer_reference), 1e-5);
        }
    }
}

#[test]
fn what_the_kernels_do_not_have_is_left_to_the_tensors() {
    let cpu = Device::flex();
    let filter = Filter::separable(&TAPS, &cpu);
    assert!(!takes_layer(&PLAIN.layer(&filter, &cpu)), "the CPU has kernels of its own");
    let Some(gpu) = software() else { return };
    let filter = Filter::separable(&TAPS, &gpu);
    let layer = PLAIN.layer(&filter, &gpu);
    assert!(takes_layer(&layer));
    assert!(!takes_layer(&SynthesisLayer { activation: Activation::Tanh, ..layer.clone() }));
    assert!(!takes_layer(&SynthesisLayer { bias: None, ..layer.clone() }));
    assert!(!takes_layer(&Case { kernel: 1, up: true, ..PLAIN }.layer(&filter, &gpu)));
    let odd = Filter::full(&[1.0; 12], 3, &gpu);
    assert!(!takes_layer(&SynthesisLayer { up: Some(&odd), ..layer }));
    let gradients = gpu.autodiff();
    let filter = Filter::separable(&TAPS, &gradients);
    assert!(!takes_layer(&PLAIN.layer(&filter, &gradients)));
}
