//! Feature maps to colours: a 1x1 convolution to a few channels, added to the doubled image of the block below.
//!
//! With three outputs there is little to compute and much to read, so that units share pixels: each adds up a slice of
//! the channels, and the slices meet in shared memory.

use burn::cubecl;
use burn::cubecl::prelude::*;

use super::finish::{Finish, activate};

/// Pixels of a cube.
pub(super) const PIXELS: usize = 32;
/// Slices of the channels.
pub(super) const SLICES: usize = 8;
/// Most colours that a unit holds.
pub(super) const MAX_COLOURS: usize = 4;

/// What is known when the kernel is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Variant {
    pub colours: usize,
    pub clamped: bool,
    /// Taps an axis of the filter that doubles the image below.
    pub taps: usize,
}

/// `x` [N, I, H, W], `weight` [O, I, 1, 1], `style` [N, I], `bias` [O], `below` [N, O, H / 2, W / 2], `taps` [K] of one
/// axis of the filter, with `pad` zeros left of and above the zero-inserted image, `output` [N, O, H, W].
/// Cubes: pixels, then samples. `x` is stored as `E`, the image is f32.
#[cube(launch_unchecked)]
pub(super) fn to_rgb<E: Float>(
    x: &Tensor<E>,
    weight: &Tensor<f32>,
    style: &Tensor<f32>,
    bias: &Tensor<f32>,
    below: ComptimeOption<&Tensor<f32>>,
    taps: ComptimeOption<&Tensor<f32>>,
    output: &mut Tensor<f32>,
    pad: usize,
    finish: Finish,
    #[comptime] variant: Variant,
    #[define(E)] _storage: ElemType,
) {
    let colours = comptime!(variant.colours);
    let pixels = comptime!(PIXELS);
    let slices = comptime!(SLICES);
    let inputs = x.shape(1);
    let height = x.shape(2);
    let width = x.shape(3);
    let sample = CUBE_POS_Y as usize;
    let first = CUBE_POS_X as usize * pixels;
    let unit = UNIT_POS as usize;
    let mut partial = Shared::<[f32]>::new_slice(comptime!(SLICES * MAX_COLOURS * PIXELS));

    let pixel = first + unit % pixels;
    let slice = unit / pixels;
    let mut sums = Array::<f32>::new(colours);
    #[unroll]
    for colour in 0..colours {
        sums[colour] = 0.0;
    }
    if pixel < height * width {
        let at = sample * x.stride(0) + (pixel / width) * x.stride(2) + (pixel % width) * x.stride(3);
        let mut input = slice;
        while input < inputs {
            let value =
                f32::cast_from(x[at + input * x.stride(1)]) * style[sample * style.stride(0) + input * style.stride(1)];
            #[unroll]
            for colour in 0..colours {
                sums[colour] += value * weight[colour * weight.stride(0) + input * weight.stride(1)];
            }
            input += slices;
        }
    }
    #[unroll]
    for colour in 0..colours {
        partial[(slice * colours + colour) * pixels + unit % pixels] = sums[colour];
    }
    sync_cube();

    // One unit a colour and pixel from here on.
    let colour = unit / pixels;
    if colour < colours && pixel < height * width {
        let mut value = bias[colour * bias.stride(0)];
        for slice in 0..slices {
            value += partial[(slice * colours + colour) * pixels + unit % pixels];
        }
        value = activate(value, &finish, variant.clamped);
        let row = pixel / width;
        let column = pixel % width;
        #[comptime]
        match below {
            ComptimeOption::Some(below) =>
            {
                #[comptime]
                match taps {
                    ComptimeOption::Some(taps) => {
                        value += doubled(below, taps, sample, colour, row, column, pad, variant.taps);
                    }
                    ComptimeOption::None => {}
                }
            }
            ComptimeOption::None => {}
        }
        let at =
            sample * output.stride(0) + colour * output.stride(1) + row * output.stride(2) + column * output.stride(3);
        output[at] = value;
    }
}

/// A pixel of the image below at twice its size: zeros between its pixels, then the filter with gain 4.
#[cube]
fn doubled(
    below: &Tensor<f32>,
    taps: &Tensor<f32>,
    sample: usize,
    colour: usize,
    row: usize,
    column: usize,
    pad: usize,
    #[comptime] count: usize,
) -> f32 {
    let plane = sample * below.stride(0) + colour * below.stride(1);
    let mut sum = 0.0f32.runtime();
    for tap_y in 0..count {
        let y = row + tap_y;
        // Between the pixels lie zeros.
        if y >= pad && (y - pad) % 2 == 0 && (y - pad) / 2 < below.shape(2) {
            let line = plane + (y - pad) / 2 * below.stride(2);
            let mut across = 0.0f32.runtime();
            for tap_x in 0..count {
                let x = column + tap_x;
                if x >= pad && (x - pad) % 2 == 0 && (x - pad) / 2 < below.shape(3) {
                    across +=
                        below[line + (x - pad) / 2 * below.stride(3)] * taps[(count - 1 - tap_x) * taps.stride(0)];
                }
            }
            sum += across * taps[(count - 1 - tap_y) * taps.stride(0)];
        }
    }
    sum * 4.0
}
