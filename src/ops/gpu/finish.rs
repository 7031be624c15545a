//! What every layer ends with: noise, bias, activation, gain, clamp, in registers.

use burn::cubecl;
use burn::cubecl::prelude::*;

/// Factors of the end of a layer that are known on the host.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(super) struct Finish {
    /// On the layer's noise strength.
    pub multiplier: f32,
    /// Factor of the activation below zero; 1 for none.
    pub slope: f32,
    /// Factor after the activation.
    pub gain: f32,
    /// Limit of the absolute value, where there is one.
    pub limit: f32,
}

/// `clamp(act(value) * gain)`.
#[cube]
pub(super) fn activate(value: f32, finish: &Finish, #[comptime] clamped: bool) -> f32 {
    let value = select(value < 0.0, value * finish.slope, value) * finish.gain;
    if comptime!(clamped) { min(max(value, -finish.limit), finish.limit) } else { value }
}

/// The value of a noise map at a pixel of a sample, 0 without a map.
#[cube]
pub(super) fn noise_at(map: &ComptimeOption<&Tensor<f32>>, sample: usize, row: usize, column: usize) -> f32 {
    #[comptime]
    match map {
        ComptimeOption::Some(map) => {
            // One map may serve all samples.
            let sample = select(map.shape(0) == 1, 0, sample);
            map[sample * map.stride(0) + row * map.stride(2) + column * map.stride(3)]
        }
        ComptimeOption::None => 0.0f32.runtime(),
    }
}

/// `noise` as it enters a channel: times its strength, of which there is one or one a channel.
#[cube]
pub(super) fn strengthened(
    noise: f32,
    strength: &ComptimeOption<&Tensor<f32>>,
    channel: usize,
    finish: &Finish,
) -> f32 {
    #[comptime]
    match strength {
        ComptimeOption::Some(strength) => {
            let channel = select(strength.shape(0) == 1, 0, channel);
            noise * strength[channel * strength.stride(0)] * finish.multiplier
        }
        ComptimeOption::None => noise * finish.multiplier,
    }
}
