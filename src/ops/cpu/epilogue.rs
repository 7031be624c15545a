//! What follows a convolution in a layer: demodulation, noise, bias, activation, gain, clamp.

use super::buffer::padded;
use super::simd::{AlignedBuffer, InstructionSet, Simd, Task};

/// A layer's pointwise end: `clamp(gain * lrelu(x * demodulation + noise * strength + bias))`.
#[derive(Debug, Clone, Copy)]
pub struct Epilogue<'a> {
    /// Whether each output channel is scaled by `rsqrt(sum (weight * style)^2 + 1e-8)` (StyleGAN2, section 2.2).
    pub demodulate: bool,
    /// Map `[height, width]` and its strength.
    pub noise: Option<(&'a [f32], NoiseStrength<'a>)>,
    /// One value an output channel.
    pub bias: &'a [f32],
    /// Slope of the leaky ReLU for negative values, 0 to 1; 1 makes the layer linear.
    pub slope: f32,
    /// Factor after the activation, positive.
    pub gain: f32,
    /// Largest magnitude after the gain.
    pub clamp: Option<f32>,
}

/// How strongly a noise map enters the channels.
#[derive(Debug, Clone, Copy)]
pub enum NoiseStrength<'a> {
    /// All alike (StyleGAN2).
    Same(f32),
    /// One strength an output channel (StyleGAN), and a factor on all of them.
    ByChannel(&'a [f32], f32),
}

/// The epilogue with everything per channel folded into one scale, one bias and one strength of the noise: a positive gain
/// passes through the leaky ReLU, so it costs nothing.
pub(super) struct PreparedEpilogue<'a> {
    pub scale: &'a [f32],
    pub bias: &'a [f32],
    pub noise: Option<&'a [f32]>,
    pub strength: &'a [f32],
    pub slope: f32,
    pub clamp: f32,
}

impl<'a> PreparedEpilogue<'a> {
    pub fn new(
        epilogue: &Epilogue<'a>,
        out_channels: usize,
        demodulation: Option<&[f32]>,
        memory: &'a mut EpilogueMemory,
    ) -> Self {
        let columns = padded(out_channels);
        let EpilogueMemory { scale, bias, strength } = memory;
        for values in [&mut *scale, &mut *bias, &mut *strength] {
            values.set_len(columns);
        }
        for k in 0..columns {
            let inside = k < out_channels;
            scale[k] = match demodulation {
                _ if !inside => 0.0,
                Some(coefficients) => coefficients[k] * epilogue.gain,
                None => epilogue.gain,
            };
            bias[k] = if inside { epilogue.bias[k] * epilogue.gain } else { 0.0 };
            strength[k] = match epilogue.noise {
                Some((_, NoiseStrength::Same(strength))) if inside => strength * epilogue.gain,
                Some((_, NoiseStrength::ByChannel(strengths, factor))) if inside => {
                    strengths[k] * factor * epilogue.gain
                }
                _ => 0.0,
            };
        }
        let noise = epilogue.noise.map(|(map, _)| map);
        Self { scale, bias, noise, strength, slope: epilogue.slope, clamp: epilogue.clamp.unwrap_or(f32::INFINITY) }
    }
}

/// Where a [`PreparedEpilogue`] keeps its values.
#[derive(Default)]
pub(super) struct EpilogueMemory {
    scale: AlignedBuffer,
    bias: AlignedBuffer,
    strength: AlignedBuffer,
}

/// The epilogue for one vector of channels.
#[derive(Clone, Copy)]
pub(super) struct ChannelEpilogue<S: Simd> {
    scale: S::Vector,
    bias: S::Vector,
    strength: S::Vector,
    slope: S::Vector,
    clamp: S::Vector,
    low: S::Vector,
}

impl<S: Simd> ChannelEpilogue<S> {
    #[inline(always)]
    pub fn new(simd: S, epilogue: &PreparedEpilogue<'_>, channel: usize) -> Self {
        Self {
            scale: simd.load(epilogue.scale, channel),
            bias: simd.load(epilogue.bias, channel),
            strength: simd.load(epilogue.strength, channel),
            slope: simd.splat(epilogue.slope),
            clamp: simd.splat(epilogue.clamp),
            low: simd.splat(-epilogue.clamp),
        }
    }

    /// The same with only this part of the bias.
    #[inline(always)]
    pub fn with_part_of_bias(mut self, simd: S, part: f32) -> Self {
        self.bias = simd.mul(self.bias, simd.splat(part));
        self
    }

    /// `noise` is the map's value at the pixel.
    #[inline(always)]
    pub fn apply(&self, simd: S, x: S::Vector, noise: S::Vector) -> S::Vector {
        let x = simd.mul_add(x, self.scale, simd.mul_add(noise, self.strength, self.bias));
        let x = simd.max(x, simd.mul(x, self.slope));
        simd.max(simd.min(x, self.clamp), self.low)
    }
}

/// `sum over c of squares[c][k] * style[c]^2` as `rsqrt(that + 1e-8)`: the demodulation of StyleGAN2, equation 3.
pub(super) struct Demodulation<'a> {
    /// `[in, out]`: the squared weights summed over the taps.
    pub squares: &'a [f32],
    pub style: &'a [f32],
    pub out: &'a mut [f32],
}

impl Task for Demodulation<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let columns = self.out.len();
        for k in (0..columns).step_by(S::LANES) {
            let mut sum = simd.splat(0.0);
            for (c, &style) in self.style.iter().enumerate() {
                sum = simd.mul_add(simd.splat(style * style), simd.load(self.squares, c * columns + k), sum);
            }
            simd.store(sum, self.out, k);
        }
        for value in self.out {
            *value = 1.0 / (*value + 1e-8).sqrt();
        }
    }
}

/// The demodulation coefficients into `out`, `[padded out channels]`.
pub(super) fn demodulation(set: InstructionSet, squares: &[f32], style: &[f32], out: &mut [f32]) {
    set.run(Demodulation { squares, style, out });
}
