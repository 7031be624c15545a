//! The filter after an up-convolution's transposed one, and the end of the layer, in one pass over the image.

use burn::cubecl;
use burn::cubecl::prelude::*;

use super::finish::{Finish, activate, noise_at};

/// Rows of a unit. Each row under the filter is summed once for all of them.
pub(super) const ROWS: usize = 4;

/// What of the filter is known when its kernel is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Variant {
    /// Taps an axis.
    pub taps: usize,
    pub clamped: bool,
}

/// `x` [N, C, 2H + 1, 2W + 1], `taps` [K] of one axis of the filter, `noise` [1 or N, 1, 2H, 2W], `strength` [1],
/// `bias` [C], `output` [N, C, 2H, 2W]. `pad` zeros lie left of and above `x`; `gain` is that of both axes together.
/// Units: columns, then bands of [`ROWS`] rows, channels and samples.
#[cube(launch_unchecked)]
pub(super) fn smooth(
    x: &Tensor<f32>,
    taps: &Tensor<f32>,
    noise: ComptimeOption<&Tensor<f32>>,
    strength: ComptimeOption<&Tensor<f32>>,
    bias: ComptimeOption<&Tensor<f32>>,
    output: &mut Tensor<f32>,
    pad: usize,
    gain: f32,
    finish: Finish,
    #[comptime] variant: Variant,
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
                        // A true convolution: the filter is flipped.
                        sum += x[line + (x_pos - pad) * x.stride(3)] * taps[(count - 1 - tap) * taps.stride(0)];
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
                    value += lines[i + tap] * taps[(count - 1 - tap) * taps.stride(0)];
                }
                value = value * gain + noise_at(&noise, &strength, sample, y, column, &finish);
                #[comptime]
                match &bias {
                    ComptimeOption::Some(bias) => value += bias[channel * bias.stride(0)],
                    ComptimeOption::None => {}
                }
                let at = sample * output.stride(0)
                    + channel * output.stride(1)
                    + y * output.stride(2)
                    + column * output.stride(3);
                output[at] = activate(value, &finish, variant.clamped);
            }
        }
    }
}
