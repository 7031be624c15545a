//! The gradient by the weight as dot products over pixels: nothing has to be gathered or sorted, because a row of shifted pixels
//! and a row of output gradients both lie side by side, once both images have rows of the same length.

use std::ops::Range;

use super::super::memory::fresh;
use super::super::scratch::Scratch;
use super::super::spread;
use super::ConvShape;
use super::source::Source;
use crate::ops::cpu::Runtime;
use crate::ops::cpu::simd::tile::dot_tile;
use crate::ops::cpu::simd::{Simd, Task};

/// Pixels whose products are summed before their vectors are: enough to make that cheap, few enough for the cache.
const PIXELS: usize = 2048;
/// Pixels of a batch from which on this way is the faster one.
const WORTHWHILE: usize = 1024;
/// The same where nothing has to be copied for it.
const WORTHWHILE_IN_PLACE: usize = 256;
/// A vector of the widest instruction set.
const LANES: usize = 16;
/// Rows of the source that a register tile takes.
const ROWS: usize = 4;

/// Whether this is the way for that shape.
pub(super) fn suits(s: &ConvShape) -> bool {
    let plane = s.out_height() * s.out_width();
    // A source that is read in place has nothing behind it that a last vector could read.
    let in_place = s.stride == 1 && s.padding == 0;
    if in_place {
        s.kernel == 1 && plane.is_multiple_of(LANES) && s.batch * plane >= WORTHWHILE_IN_PLACE
    } else {
        s.batch * plane >= WORTHWHILE
    }
}

/// `[O, I, k, k]`.
pub(super) fn run(rt: &Runtime, s: &ConvShape, x: &[f32], grad_y: &[f32]) -> Vec<f32> {
    let source = Source::of_input(rt, s, x);
    let offsets = source.weight_offsets(s);
    let gradients = Gradients::new(rt, s, grad_y, source.row_len());
    let mut out = fresh(s.weight_len());
    let outputs = if s.outputs < 48 { 6 } else { 12 };
    spread::chunks(rt, s.operations(), &mut out, outputs * offsets.len(), |index, out| {
        let first = index * outputs;
        let outputs = first..(first + outputs).min(s.outputs);
        let group = (PIXELS / gradients.plane).max(1);
        for first in (0..s.batch).step_by(group) {
            let samples = first..(first + group).min(s.batch);
            rt.instruction_set().run(Dots {
                source: source.values(),
                sample_len: source.sample_len(),
                offsets: &offsets,
                gradients: gradients.values(),
                channels: s.outputs,
                plane: gradients.plane,
                samples,
                outputs: outputs.clone(),
                out,
            });
        }
    });
    out
}

/// The output gradients with as many zeros behind each row as the source has values between two rows.
struct Gradients<'a> {
    given: &'a [f32],
    padded: Option<Scratch>,
    /// Values of an image, a multiple of [`LANES`].
    plane: usize,
}

impl<'a> Gradients<'a> {
    fn new(rt: &Runtime, s: &ConvShape, grad_y: &'a [f32], row_len: usize) -> Self {
        let [height, width] = [s.out_height(), s.out_width()];
        let plane = ((height - 1) * row_len + width).next_multiple_of(LANES);
        if row_len == width && plane == height * width {
            return Self { given: grad_y, padded: None, plane };
        }
        let mut padded = Scratch::new(s.batch * s.outputs * plane);
        let planes = (1 << 14) / plane + 1;
        let work = 2 * padded.len();
        spread::chunks(rt, work, &mut padded, planes * plane, |index, out| {
            let from = grad_y[index * planes * height * width..].chunks_exact(height * width);
            for (out, from) in out.chunks_exact_mut(plane).zip(from) {
                for (out, from) in out.chunks_mut(row_len).zip(from.chunks_exact(width)) {
                    out[..width].copy_from_slice(from);
                    out[width..].fill(0.0);
                }
                let end = (height * row_len).min(plane);
                out[end..].fill(0.0);
            }
        });
        Self { given: grad_y, padded: Some(padded), plane }
    }

    fn values(&self) -> &[f32] {
        self.padded.as_deref().unwrap_or(self.given)
    }
}

/// The products of some samples, for some outputs; those of the first sample begin the sums.
struct Dots<'a> {
    source: &'a [f32],
    sample_len: usize,
    offsets: &'a [usize],
    gradients: &'a [f32],
    channels: usize,
    plane: usize,
    samples: Range<usize>,
    outputs: Range<usize>,
    /// `[outputs][offsets]`.
    out: &'a mut [f32],
}

impl Task for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(mut self, simd: S) {
        // Two thirds of the registers hold sums, the rest operands.
        if S::TILE_ROWS == 12 {
            self.tiles::<S, 6>(simd);
        } else {
            self.tiles::<S, 3>(simd);
        }
    }
}

impl Dots<'_> {
    #[inline(always)]
    fn tiles<S: Simd, const C: usize>(&mut self, simd: S) {
        let depth = self.offsets.len();
        let add = self.samples.start > 0;
        let sample = [self.samples.start * self.sample_len, self.samples.start * self.channels * self.plane];
        for first in (0..depth).step_by(ROWS) {
            // A tile past the end computes the last row or column again.
            let mut rows = [0; ROWS];
            for (i, row) in rows.iter_mut().enumerate() {
                *row = sample[0] + self.offsets[(first + i).min(depth - 1)];
            }
            for output in self.outputs.clone().step_by(C) {
                let mut columns = [0; C];
                for (j, column) in columns.iter_mut().enumerate() {
                    *column = sample[1] + (output + j).min(self.outputs.end - 1) * self.plane;
                }
                let steps = [self.sample_len, self.channels * self.plane];
                let (a, b, count) = (self.source, self.gradients, self.samples.len());
                let tile: [[S::Vector; C]; ROWS] = dot_tile(simd, a, rows, b, columns, self.plane, count, steps);
                for i in 0..ROWS.min(depth - first) {
                    for j in 0..C.min(self.outputs.end - output) {
                        let out = &mut self.out[(output - self.outputs.start + j) * depth + first + i];
                        let sum = simd.sum(tile[i][j]);
                        *out = if add { *out + sum } else { sum };
                    }
                }
            }
        }
    }
}
