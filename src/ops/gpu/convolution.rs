//! The modulated convolution (StyleGAN2, arXiv 1912.04958, section 2.2) as a tiled implicit product of matrices.
//!
//! A cube walks through the input channels, a few at a time: a patch of pixels goes to shared memory, multiplied by the
//! style on its way, and so do the weights of the cube's output channels. Units then add products in registers. The
//! power of the modulated weights, which demodulation divides by, is summed from the same shared weights.

use burn::cubecl;
use burn::cubecl::prelude::*;

use super::{
    finish::{Finish, activate, noise_at, strengthened},
    tile::Tile,
};
use crate::ops::modulated_conv::DEMODULATION_EPSILON;

/// What of a convolution is known when its kernel is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Variant {
    /// 1 or 3 taps an axis.
    pub kernel: usize,
    /// Transposed with stride 2, [H, W] to [2H + 1, 2W + 1]; nothing is added, no activation follows.
    pub transposed: bool,
    pub demodulate: bool,
    pub clamped: bool,
}

/// `x` [N, I, H, W], `weight` [O, I, k, k], `style` [N, I], `noise` [1 or N, 1, H, W], `strength` [1 or O], `bias` [O],
/// `output` [N, O, H, W]. Cubes: pixels, output channels, samples. Feature maps and weights are stored as `E`; what is computed
/// and what lies in shared memory is f32.
#[cube(launch_unchecked)]
pub(super) fn convolve<E: Float>(
    x: &Tensor<E>,
    weight: &Tensor<E>,
    style: &Tensor<f32>,
    noise: ComptimeOption<&Tensor<f32>>,
    strength: ComptimeOption<&Tensor<f32>>,
    bias: ComptimeOption<&Tensor<f32>>,
    output: &mut Tensor<E>,
    finish: Finish,
    #[comptime] variant: Variant,
    #[comptime] tile: Tile,
    #[define(E)] _storage: ElemType,
) {
    let kernel = comptime!(variant.kernel);
    let taps = comptime!(kernel * kernel);
    // Pixels that a patch holds in front of the tile and behind it.
    let before = comptime!(kernel / 2);
    let after = comptime!(if variant.transposed { 0 } else { kernel / 2 });
    let patch_width = comptime!(tile.width + before + after);
    let patch_height = comptime!(tile.height + before + after);
    let depth = comptime!(tile.depth);
    let units = comptime!(tile.units());
    // One more than needed, so that neighbouring units write to different banks.
    let pitch = comptime!(tile.channels + 1);
    let unit_channels = comptime!(tile.unit_channels);
    let unit_rows = comptime!(tile.unit_rows);
    // Outputs of a unit for one of its channels and rows.
    let phases = comptime!(if variant.transposed { 4 } else { 1 });

    let inputs = x.shape(1);
    let height = x.shape(2);
    let width = x.shape(3);
    let outputs = weight.shape(0);
    let cells_across = if comptime!(variant.transposed) { width + 1 } else { width };
    let tiles_across = cells_across.div_ceil(comptime!(tile.width));

    let sample = CUBE_POS_Z as usize;
    let first_output = CUBE_POS_Y as usize * comptime!(tile.channels);
    let tile_row = (CUBE_POS_X as usize / tiles_across) * comptime!(tile.height);
    let tile_column = (CUBE_POS_X as usize % tiles_across) * comptime!(tile.width);

    let unit = UNIT_POS as usize;
    let places = comptime!(tile.width * (tile.height / tile.unit_rows));
    let group = (unit / places) * unit_channels;
    let column = (unit % places) % comptime!(tile.width);
    let row = ((unit % places) / comptime!(tile.width)) * unit_rows;

    let mut patch = Shared::<[f32]>::new_slice(comptime!(depth * patch_height * patch_width));
    let mut weights = Shared::<[f32]>::new_slice(comptime!(depth * taps * pitch));
    let mut styles = Shared::<[f32]>::new_slice(depth);
    let mut factors = Shared::<[f32]>::new_slice(comptime!(tile.channels));

    let mut sums = Array::<f32>::new(comptime!(unit_channels * unit_rows * phases));
    #[unroll]
    for i in 0..comptime!(unit_channels * unit_rows * phases) {
        sums[i] = 0.0;
    }
    let mut power = 0.0f32.runtime();

    for first in range_stepped(0, inputs, depth) {
        sync_cube();
        let mut e = unit;
        while e < comptime!(depth * patch_height * patch_width) {
            let input = first + e / comptime!(patch_height * patch_width);
            // Shifted by `before`, so that nothing is negative.
            let y = tile_row + (e / patch_width) % patch_height;
            let x_pos = tile_column + e % patch_width;
            let mut value = 0.0f32.runtime();
            if input < inputs && y >= before && y < height + before && x_pos >= before && x_pos < width + before {
                let at = sample * x.stride(0)
                    + input * x.stride(1)
                    + (y - before) * x.stride(2)
                    + (x_pos - before) * x.stride(3);
                value = f32::cast_from(x[at]) * style[sample * style.stride(0) + input * style.stride(1)];
            }
            patch[e] = value;
            e += units;
        }
        let mut e = unit;
        while e < comptime!(depth * taps * tile.channels) {
            let place = e % comptime!(depth * taps);
            let channel = e / comptime!(depth * taps);
            let input = first + place / taps;
            let tap = place % taps;
            let mut value = 0.0f32.runtime();
            if input < inputs && first_output + channel < outputs {
                let at = (first_output + channel) * weight.stride(0)
                    + input * weight.stride(1)
                    + (tap / kernel) * weight.stride(2)
                    + (tap % kernel) * weight.stride(3);
                value = f32::cast_from(weight[at]);
            }
            weights[place * pitch + channel] = value;
            e += units;
        }
        if comptime!(variant.demodulate) {
            if unit < depth {
                let mut value = 0.0f32.runtime();
                if first + unit < inputs {
                    value = style[sample * style.stride(0) + (first + unit) * style.stride(1)];
                }
                styles[unit] = value;
            }
        }
        sync_cube();

        for input in 0..depth {
            #[unroll]
            for tap_x in 0..kernel {
                // The pixels of this unit under a column of the kernel.
                let mut pixels = Array::<f32>::new(comptime!(unit_rows + before + after));
                let shift = if comptime!(variant.transposed) { before - tap_x / 2 } else { tap_x };
                #[unroll]
                for i in 0..comptime!(unit_rows + before + after) {
                    pixels[i] = patch[(input * patch_height + row + i) * patch_width + column + shift];
                }
                #[unroll]
                for tap_y in 0..kernel {
                    #[unroll]
                    for channel in 0..unit_channels {
                        let factor = weights[((input * kernel + tap_y) * kernel + tap_x) * pitch + group + channel];
                        #[unroll]
                        for i in 0..unit_rows {
                            if comptime!(variant.transposed) {
                                // Output 2i + tap gets pixel i times the tap.
                                let phase = (tap_y % 2) * 2 + tap_x % 2;
                                sums[(channel * unit_rows + i) * phases + phase] +=
                                    factor * pixels[i + before - tap_y / 2];
                            } else {
                                sums[channel * unit_rows + i] += factor * pixels[i + tap_y];
                            }
                        }
                    }
                }
            }
            if comptime!(variant.demodulate) {
                if unit < comptime!(tile.channels) {
                    let style = styles[input];
                    #[unroll]
                    for tap in 0..taps {
                        let modulated = weights[(input * taps + tap) * pitch + unit] * style;
                        power += modulated * modulated;
                    }
                }
            }
        }
    }

    if comptime!(variant.demodulate) {
        if unit < comptime!(tile.channels) {
            factors[unit] = (power + comptime!(DEMODULATION_EPSILON as f32)).inverse_sqrt();
        }
        sync_cube();
    }

    #[unroll]
    for i in 0..unit_rows {
        let y = tile_row + row + i;
        let x_pos = tile_column + column;
        if comptime!(variant.transposed) {
            #[unroll]
            for channel in 0..unit_channels {
                let channel_of_output = first_output + group + channel;
                let factor = if comptime!(variant.demodulate) { factors[group + channel] } else { 1.0f32.runtime() };
                #[unroll]
                for phase in 0..4usize {
                    let out_y = 2 * y + phase / 2;
                    let out_x = 2 * x_pos + phase % 2;
                    if channel_of_output < outputs && out_y < output.shape(2) && out_x < output.shape(3) {
                        let at = sample * output.stride(0)
                            + channel_of_output * output.stride(1)
                            + out_y * output.stride(2)
                            + out_x * output.stride(3);
                        output[at] = E::cast_from(sums[(channel * unit_rows + i) * 4 + phase] * factor);
                    }
                }
            }
        } else if y < height && x_pos < width {
            let noise = noise_at(&noise, sample, y, x_pos);
            #[unroll]
            for channel in 0..unit_channels {
                let channel_of_output = first_output + group + channel;
                if channel_of_output < outputs {
                    let mut value = sums[channel * unit_rows + i];
                    if comptime!(variant.demodulate) {
                        value *= factors[group + channel];
                    }
                    value += strengthened(noise, &strength, channel_of_output, &finish);
                    #[comptime]
                    match &bias {
                        ComptimeOption::Some(bias) => value += bias[channel_of_output * bias.stride(0)],
                        ComptimeOption::None => {}
                    }
                    let at = sample * output.stride(0)
                        + channel_of_output * output.stride(1)
                        + y * output.stride(2)
                        + x_pos * output.stride(3);
                    output[at] = E::cast_from(activate(value, &finish, variant.clamped));
                }
            }
        }
    }
}
