//! What a pose may hold. Every edit is clamped to these ranges, and so is a pose that comes from a file, so that
//! the rest of the program never meets a number it cannot render.

use std::ops::RangeInclusive;

use crate::model::config::{MAX_RESOLUTION, MAX_WIDTH};

/// Seed coordinates, in seeds (x) and hundreds of seeds (y): the 32-bit seeds and their negatives.
pub const SEED: RangeInclusive<f64> = -4_294_967_296.0..=4_294_967_296.0;
/// Truncation, of all layers and of one; 1 leaves `w` alone, 0 is `w_avg`.
pub const PSI: RangeInclusive<f32> = -1.0..=2.0;
/// How much of the second seed a layer takes.
pub const MIX_AMOUNT: RangeInclusive<f32> = 0.0..=1.0;
/// Factor on the noise of every layer.
pub const NOISE_STRENGTH: RangeInclusive<f32> = 0.0..=2.0;
/// Factor on the noise of one layer.
pub const LAYER_NOISE: RangeInclusive<f32> = -5.0..=5.0;
/// The noise scrub, in turns; numbers outside of it are wrapped, not clamped.
pub const NOISE_TURN: RangeInclusive<f32> = 0.0..=1.0;
/// Offset of one channel of `w` or of a style vector, in the vector's own units. Far past what any trained model
/// reacts to sensibly, and far from where `f32` loses its precision.
pub const OFFSET: RangeInclusive<f32> = -10_000.0..=10_000.0;

/// Vectors of `w` that the largest network has (`num_ws` at [`MAX_RESOLUTION`]); a `ws` index is below it.
pub const MAX_WS: usize = 2 * MAX_RESOLUTION.ilog2() as usize - 2;
/// Layers that the largest network has at the most (two convolutions and an RGB layer for each resolution); a layer
/// index is below it.
pub const MAX_LAYERS: usize = 3 * (MAX_RESOLUTION.ilog2() as usize - 1);
/// Channels that `w` has at the most.
pub const MAX_W_CHANNELS: usize = MAX_WIDTH;
/// Channels that a style vector has at the most (StyleGAN: a scale and a bias for each feature map).
pub const MAX_STYLE_CHANNELS: usize = 2 * MAX_WIDTH;

/// `value` within `range`, or nothing when it is NaN or infinite.
pub(crate) fn finite_in(value: f32, range: RangeInclusive<f32>) -> Option<f32> {
    // Adding 0 turns -0 into 0, so that equal poses are also written alike.
    value.is_finite().then(|| value.clamp(*range.start(), *range.end()) + 0.0)
}

/// A seed coordinate within [`SEED`], or nothing when it is NaN or infinite. It is kept in millionths of a seed: those
/// survive being written as a decimal number and read again without a change.
pub(crate) fn seed_coordinate(value: f64) -> Option<f64> {
    value.is_finite().then(|| (value.clamp(*SEED.start(), *SEED.end()) * 1e6).round() / 1e6 + 0.0)
}

/// A scrub position within [`NOISE_TURN`], or nothing when it is NaN or infinite. 1 stays 1, so that a slider can be
/// dragged to its end.
pub(crate) fn turn(value: f32) -> Option<f32> {
    let wrap = |value: f32| if NOISE_TURN.contains(&value) { value } else { value.rem_euclid(1.0) };
    value.is_finite().then(|| wrap(value) + 0.0)
}
