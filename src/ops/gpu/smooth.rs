//! The filter after an up-convolution's transposed one, and the end of the layer, in one pass over the image.

use burn::cubecl;
use burn::cubecl::prelude::*;

use super::finish::{Finish, activate, noise_at, strengthened};

/// Rows of a unit. Each row under the filter is summed once for all of them.
pub(super) const ROWS: usize = 4;

/// What of the filter is known when its kernel is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Variant {
    /// Taps an axis.
    pub taps: usize,
    pub clamped: bool,
    /// Four taps of which the middle ones lose at the image's border what lies beyond it.
    pub cut: bool,
    /// The bias loses a part there too.
    pub early_bias: bool,
}

/// Tap `tap`, in the order in which they meet the pixels, of output `at` of `len`. The filter is a true convolution: it is flipped.
#[cube]
fn tap_at(taps: &Tensor<f32>, tap: usize, at: usize, len: usize, #[comptime] variant: Variant) -> f32 {
    let count = comptime!(variant.taps);
    let mut value = taps[(count - 1 - tap) * taps.stride(0)];
    if comptime!(variant.cut) {
        if tap == 1 && at == 0 {
            value -= taps[(count - 1) * taps.stride(0)];
        }
        if tap == 2 && at + 1 == len {
            value -= taps[0];
        }
    }
    value
}

/// The part of the bias that output `at` of `len` gets; `gain` is that of the taps.
#[cube]
fn part_at(taps: &Tensor<f32>, at: usize, len: usize, gain: f32, #[comptime] variant: Variant) -> f32 {
    let mut part = 1.0f32.runtime();
    if at == 0 {
        part -= taps[comptime!(variant.taps - 1) * taps.stride(0)] * gain;
    }
    if at + 1 == len {
        part -= taps[0] * gain;
    }
    part
}

/// `x` [N, C, 2H + 1, 2W + 1], `taps` [K] of one axis of the filter, `noise` [1 or N, 1, 2H, 2W], `strength` [1 or C],
/// `bias` [C], `output` [N, C, 2H, 2W]. `pad` zeros lie left of and above `x`; `gain` is that of both axes together.
/// `x` and `output` are stored as `E`. Units: columns, then bands of [`ROWS`] rows, channels and samples.
#[cube(launch_unchecked)]
pub(super) fn smooth<E: Float>(
    x: &Tensor<E>,
    taps: &Tensor<f32>,
    noise: ComptimeOption<&Tensor<f32>>,
    strength: ComptimeOption<&Tensor<f32>>,
    bias: ComptimeOption<&Tensor<f32>>,
    output: &mut Tensor<E>,
    pad: usize,
    gain: f32,
    finish: Finish,
    #[comptime] variant: Variant,
    #[define(E)] _storage: ElemType,
) {
    let count = comptime!(variant.taps);
    let rows = comptime!(ROWS);
    let channels = output.shape(1);
    let height = output.shape(2);
    let width = output.shape(3);
    let bands = height.div_ceil(rows);

    let column = ABSOLUTE_POS % width;
    let band = (ABSOLUTE_POS / width) % bands;
    let channel = (ABSOLUTE_POS / (width * bands)) % channels;
    let sample = ABSOLUTE_POS / (width * bands * channels);
    if sample < output.shape(0) {
        let plane = sample * x.stride(0) + channel * x.stride(1);
        // Every row under the band, filtered along itself.
        let mut lines = Array::<f32>::new(comptime!(rows + count - 1));
        #[unroll]
        for i in 0..comptime!(rows + count - 1) {
            // Shifted by `pad`, so that nothing is negative.
            let y = band * rows + i;
            let mut sum = 0.0f32.runtime();
            if y >= pad && y < x.shape(2) + pad {
                let line = plane + (y - pad) * x.stride(2);
                #[unroll]
                for tap in 0..count {
                    let x_pos = column + tap;
                    if x_pos >= pad && x_pos < x.shape(3) + pad {
                        let value = f32::cast_from(x[line + (x_pos - pad) * x.stride(3)]);
                        sum += value * tap_at(taps, tap, column, width, variant);
                    }
                }
            }
            lines[i] = sum;
        }
        #[unroll]
        for i in 0..rows {
            let y = band * rows + i;
            if y < height {
                let mut value = 0.0f32.runtime();
                #[unroll]
                for tap in 0..count {
                    value += lines[i + tap] * tap_at(taps, tap, y, height, variant);
                }
                let noise = noise_at(&noise, sample, y, column);
                value = value * gain + strengthened(noise, &strength, channel, &finish);
                #[comptime]
                match &bias {
                    ComptimeOption::Some(bias) => {
                        let mut part = bias[channel * bias.stride(0)];
                        if comptime!(variant.early_bias) {
                            // An axis has the root of the gain.
                            let gain = gain.sqrt();
                            part *=
                                part_at(taps, y, height, gain, variant) * part_at(taps, column, width, gain, variant);
                        }
                        value += part;
                    }
                    ComptimeOption::None => {}
                }
                let at = sample * output.stride(0)
                    + channel * output.stride(1)
                    + y * output.stride(2)
                    + column * output.stride(3);
                output[at] = E::cast_from(activate(value, &finish, variant.clamped));
            }
        }
    }
}
