//! Convolutions of batches, forward and by both gradients, as matrix products whose operands are gathered block by block.

mod dense;
#[allow(clippy::needless_range_loop, reason = "the index also addresses what is not iterated over")]
mod dots;
mod implicit;
mod layout;
mod parts;
#[allow(clippy::needless_range_loop, reason = "the index also addresses what is not iterated over")]
mod pixels;
#[allow(clippy::needless_range_loop, reason = "the index also addresses what is not iterated over")]
mod product;
mod shape;
mod source;
mod weight_gradient;
mod winograd;

use std::borrow::Cow;

pub use shape::ConvShape;

use super::memory::{fresh, recycle};
use super::spread;
use crate::ops::cpu::Runtime;
use implicit::{Phase, Plan};
use source::Source;

/// The convolution `y` `[N, O, H', W']` of `x` `[N, I, H, W]` with `weight` `[O, I, k, k]`, cross-correlating as in all
/// frameworks.
///
/// # Panics
/// If a slice does not fit the shape, or the shape is impossible.
pub fn conv2d(rt: &Runtime, s: &ConvShape, x: &[f32], weight: &[f32]) -> Vec<f32> {
    s.check("x", x.len(), s.x_len());
    s.check("weight", weight.len(), s.weight_len());
    if winograd::suits(s) {
        return winograd::forward(rt, s, x, weight);
    }
    if pixels::suits(s) {
        return pixels::forward(rt, s, x, weight);
    }
    let source = Source::of_input(rt, s, x);
    let offsets = source.weight_offsets(s);
    let phase = Phase { first: [0, 0], base: 0, offsets, weights: Cow::Borrowed(weight) };
    Plan {
        source: source.values(),
        sample_len: source.sample_len(),
        row_len: source.row_len(),
        phases: vec![phase],
        step: 1,
        batch: s.batch,
        rows: s.outputs,
        size: [s.out_height(), s.out_width()],
    }
    .run(rt)
}

/// The gradient of [`conv2d`] by `x`, `[N, I, H, W]`, from that by `y`. It is the transposed convolution as well.
///
/// # Panics
/// As [`conv2d`].
pub fn conv2d_input_gradient(rt: &Runtime, s: &ConvShape, grad_y: &[f32], weight: &[f32]) -> Vec<f32> {
    s.check("grad_y", grad_y.len(), s.y_len());
    s.check("weight", weight.len(), s.weight_len());
    if s.is_dense() {
        return dense::input_gradient(rt, s, grad_y, weight);
    }
    if winograd::suits(s) {
        return winograd::input_gradient(rt, s, grad_y, weight);
    }
    if pixels::suits_input_gradient(s) {
        return pixels::input_gradient(rt, s, grad_y, weight);
    }
    let source = Source::of_output(rt, s, grad_y);
    // Input row Y meets output row y under tap ky where Y + padding = stride * y + ky: rows that agree modulo the stride
    // meet the same taps, and each such phase is a convolution of stride 1.
    let phases = (0..s.stride * s.stride).map(|index| {
        let first = [index / s.stride, index % s.stride];
        let tap = first.map(|at| (at + s.padding) % s.stride);
        let base = source.at(first.map(|at| (at + s.padding) / s.stride));
        let taps = tap.map(|first| (first..s.kernel).step_by(s.stride));
        let pairs: Vec<[usize; 2]> = taps[0].clone().flat_map(|ky| taps[1].clone().map(move |kx| [ky, kx])).collect();
        let offsets = source.gradient_offsets(s, &pairs);
        Phase { first, base, offsets, weights: Cow::Owned(transposed(rt, s, weight, &pairs)) }
    });
    let plan = Plan {
        source: source.values(),
        sample_len: source.sample_len(),
        row_len: source.row_len(),
        phases: phases.collect(),
        step: s.stride,
        batch: s.batch,
        rows: s.inputs,
        size: [s.height, s.width],
    };
    let out = plan.run(rt);
    plan.phases.into_iter().map(|phase| phase.weights.into_owned()).for_each(recycle);
    out
}

/// The gradient of [`conv2d`] by `weight`, `[O, I, k, k]`.
///
/// # Panics
/// As [`conv2d`].
pub fn conv2d_weight_gradient(rt: &Runtime, s: &ConvShape, x: &[f32], grad_y: &[f32]) -> Vec<f32> {
    s.check("x", x.len(), s.x_len());
    s.check("grad_y", grad_y.len(), s.y_len());
    if s.is_dense() {
        return dense::weight_gradient(rt, s, x, grad_y);
    }
    if winograd::suits(s) {
        return winograd::weight_gradient(rt, s, x, grad_y);
    }
    if pixels::suits(s) {
        return pixels::weight_gradient(rt, s, x, grad_y);
    }
    if dots::suits(s) { dots::run(rt, s, x, grad_y) } else { weight_gradient::run(rt, s, x, grad_y) }
}

/// `[O, I, k, k]` as `[I, O, taps]` with the taps in `taps` alone.
fn transposed(rt: &Runtime, s: &ConvShape, weight: &[f32], taps: &[[usize; 2]]) -> Vec<f32> {
    // Neighbouring inputs lie in the same cache lines, so they are taken together.
    const TOGETHER: usize = 8;
    let mut out = fresh(s.inputs * s.outputs * taps.len());
    let row = s.outputs * taps.len();
    if row == 0 {
        return out;
    }
    let taps: Vec<usize> = taps.iter().map(|[ky, kx]| ky * s.kernel + kx).collect();
    let area = s.kernel * s.kernel;
    spread::chunks(rt, 4 * s.weight_len(), &mut out, TOGETHER * row, |index, out| {
        for o in 0..s.outputs {
            let from = &weight[(o * s.inputs + index * TOGETHER) * area..];
            for (out, from) in out.chunks_exact_mut(row).zip(from.chunks_exact(area)) {
                for (out, &tap) in out[o * taps.len()..].iter_mut().zip(&taps) {
                    *out = from[tap];
                }
            }
        }
    });
    out
}
