//! Bias, leaky ReLU, gain and clamp in one pass, and the gradient.

use super::elementwise::CHUNK;
use super::memory::fresh;
use super::spread;
use crate::ops::cpu::Runtime;
use crate::ops::cpu::simd::{Simd, Task};

/// `clamp(lrelu(x + bias[c]) * gain)` of `x` `[N, C, H, W]`, one bias a channel. `slope` is that of the leaky ReLU below
/// zero, 0 to 1 (1: linear; at 0 the gradient below zero is lost); `gain` is positive; `clamp` is the largest magnitude. NaN stays NaN.
///
/// # Panics
/// If `x` or `bias` does not fit `dims`.
pub fn bias_act(
    rt: &Runtime,
    dims: [usize; 4],
    x: &[f32],
    bias: Option<&[f32]>,
    slope: f32,
    gain: f32,
    clamp: Option<f32>,
) -> Vec<f32> {
    let [_, channels, height, width] = dims;
    assert_eq!(x.len(), dims.iter().product::<usize>(), "x is not {dims:?}");
    assert!(bias.is_none_or(|bias| bias.len() == channels), "one bias a channel of {dims:?}");
    let plane = height * width;
    let clamp = clamp.unwrap_or(f32::INFINITY);
    let mut out = fresh(x.len());
    // Of a dense layer, the channels are what lies side by side.
    let planes = if plane == 1 { channels } else { (CHUNK / plane.max(1)).max(1) };
    let chunk = if plane == 1 { channels } else { planes * plane };
    spread::chunks(rt, 4 * x.len(), &mut out, chunk, |index, out| {
        let x = &x[index * chunk..][..out.len()];
        let first = index * planes;
        rt.instruction_set().run(BiasAct { x, bias, first, plane, slope, gain, clamp, out });
    });
    out
}

/// Whole planes, the first of which is plane `first` of the batch.
struct BiasAct<'a> {
    x: &'a [f32],
    bias: Option<&'a [f32]>,
    first: usize,
    plane: usize,
    slope: f32,
    gain: f32,
    clamp: f32,
    out: &'a mut [f32],
}

impl Task for BiasAct<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, _: S) {
        let Self { x, bias, first, plane, slope, gain, clamp, out } = self;
        let Some(bias) = bias else {
            for (out, &x) in out.iter_mut().zip(x) {
                *out = activate(x, slope, gain, clamp);
            }
            return;
        };
        if plane == 1 {
            for ((out, &x), &bias) in out.iter_mut().zip(x).zip(bias) {
                *out = activate(x + bias, slope, gain, clamp);
            }
            return;
        }
        for (index, (out, x)) in out.chunks_mut(plane).zip(x.chunks(plane)).enumerate() {
            let bias = bias[(first + index) % bias.len()];
            for (out, &x) in out.iter_mut().zip(x) {
                *out = activate(x + bias, slope, gain, clamp);
            }
        }
    }
}

// Comparisons with NaN on the side that stays.
#[inline(always)]
fn activate(x: f32, slope: f32, gain: f32, clamp: f32) -> f32 {
    let y = x * if x < 0.0 { slope * gain } else { gain };
    let y = if y > clamp { clamp } else { y };
    if y < -clamp { -clamp } else { y }
}

/// The gradient of [`bias_act`] by `x`: `grad * gain`, times `slope` where `y < 0`, 0 where `|y| >= clamp`. `y` is what
/// [`bias_act`] returned. Linear in `grad`, so it is its own derivative by `grad`.
///
/// # Panics
/// If the lengths differ.
pub fn bias_act_gradient(rt: &Runtime, grad: &[f32], y: &[f32], slope: f32, gain: f32, clamp: Option<f32>) -> Vec<f32> {
    assert_eq!(grad.len(), y.len(), "grad and y differ in length");
    let clamp = clamp.unwrap_or(f32::INFINITY);
    let mut out = fresh(grad.len());
    spread::chunks(rt, 4 * grad.len(), &mut out, CHUNK, |index, out| {
        let range = index * CHUNK..index * CHUNK + out.len();
        rt.instruction_set().run(Gradient { grad: &grad[range.clone()], y: &y[range], slope, gain, clamp, out });
    });
    out
}

struct Gradient<'a> {
    grad: &'a [f32],
    y: &'a [f32],
    slope: f32,
    gain: f32,
    clamp: f32,
    out: &'a mut [f32],
}

impl Task for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, _: S) {
        let Self { grad, y, slope, gain, clamp, out } = self;
        let below = slope * gain;
        for ((out, &grad), &y) in out.iter_mut().zip(grad).zip(y) {
            let factor = if y < 0.0 { below } else { gain };
            *out = grad * if y.abs() >= clamp { 0.0 } else { factor };
        }
    }
}
