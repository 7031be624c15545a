//! The operand that convolutions gather from: with its zeros around it, so that gathering needs no edge cases, and with
//! the rows and columns of a strided convolution sorted into phases, so that neighbours lie side by side.

use std::ops::Range;

use super::super::scratch::Scratch;
use super::super::spread;
use super::ConvShape;
use crate::ops::cpu::Runtime;

/// `[sample][channel][phase row][phase column][row][column]`.
pub(super) struct Source<'a> {
    storage: Storage<'a>,
    channels: usize,
    phases: usize,
    size: [usize; 2],
    /// Taps reach back this far (only where the source is a gradient).
    reach: usize,
}

/// Zeros behind a padded source, for vectors that begin in its last rows.
const BEHIND: usize = 64;

enum Storage<'a> {
    /// Needs neither zeros nor sorting.
    Plain(&'a [f32]),
    Padded(Scratch),
}

impl<'a> Source<'a> {
    /// `x`, for the convolution itself and the gradient by the weight.
    pub fn of_input(rt: &Runtime, s: &ConvShape, x: &'a [f32]) -> Self {
        let padded = [s.height, s.width].map(|side| (side + 2 * s.padding).div_ceil(s.stride));
        Self::new(rt, x, s.inputs, [s.height, s.width], s.stride, s.padding, padded, 0)
    }

    /// The gradient by `y`, for that by `x`.
    pub fn of_output(rt: &Runtime, s: &ConvShape, grad_y: &'a [f32]) -> Self {
        let size = [s.out_height(), s.out_width()];
        let reach = (s.kernel - 1) / s.stride;
        let padded = [0, 1].map(|d| {
            let last = ([s.height, s.width][d] - 1 + s.padding) / s.stride;
            reach + size[d].max(last + 1)
        });
        Self::new(rt, grad_y, s.outputs, size, 1, reach, padded, reach)
    }

    #[allow(clippy::too_many_arguments, reason = "the two constructors above are its interface")]
    fn new(
        rt: &Runtime,
        values: &'a [f32],
        channels: usize,
        from: [usize; 2],
        phases: usize,
        before: usize,
        size: [usize; 2],
        reach: usize,
    ) -> Self {
        if phases == 1 && size == from {
            return Self { storage: Storage::Plain(values), channels, phases, size, reach };
        }
        let plane = from[0] * from[1];
        let padded = phases * phases * size[0] * size[1];
        let len = values.len() / plane * padded;
        let mut scratch = Scratch::new(len + BEHIND);
        // Several small planes a task.
        let planes = (1 << 14) / padded + 1;
        scratch[len..].fill(0.0);
        spread::chunks(rt, 2 * len, &mut scratch[..len], planes * padded, |index, out| {
            let first = index * planes;
            for (i, out) in out.chunks_exact_mut(padded).enumerate() {
                pad(&values[(first + i) * plane..][..plane], from, phases, before, size, out);
            }
        });
        Self { storage: Storage::Padded(scratch), channels, phases, size, reach }
    }

    pub fn values(&self) -> &[f32] {
        match &self.storage {
            Storage::Plain(values) => values,
            Storage::Padded(scratch) => scratch,
        }
    }

    fn channel_len(&self) -> usize {
        self.phases * self.phases * self.size[0] * self.size[1]
    }

    /// Values from one sample to the next.
    pub fn sample_len(&self) -> usize {
        self.channels * self.channel_len()
    }

    /// Values from one row to the next.
    pub fn row_len(&self) -> usize {
        self.size[1]
    }

    /// Offset of a pixel of the first phase.
    pub fn at(&self, [y, x]: [usize; 2]) -> usize {
        y * self.size[1] + x
    }

    /// Where each value of a row of the weight, `[I, k, k]`, finds its input, from the pixel of the first tap on.
    pub fn weight_offsets(&self, s: &ConvShape) -> Vec<usize> {
        self.offsets(0..s.inputs, s)
    }

    /// [`Source::weight_offsets`] of some of the inputs.
    pub fn offsets(&self, inputs: Range<usize>, s: &ConvShape) -> Vec<usize> {
        let plane = self.size[0] * self.size[1];
        let mut offsets = Vec::with_capacity(inputs.len() * s.kernel * s.kernel);
        for i in inputs {
            for ky in 0..s.kernel {
                for kx in 0..s.kernel {
                    let phase = ky % s.stride * s.stride + kx % s.stride;
                    offsets.push(i * self.channel_len() + phase * plane + self.at([ky / s.stride, kx / s.stride]));
                }
            }
        }
        offsets
    }

    /// Where each value of a row of the transposed weight, `[O, taps]`, finds its output's gradient.
    pub fn gradient_offsets(&self, s: &ConvShape, taps: &[[usize; 2]]) -> Vec<usize> {
        let of = |o: usize| {
            let tap = move |tap: &[usize; 2]| o * self.channel_len() + self.at(tap.map(|k| self.reach - k / s.stride));
            taps.iter().map(tap)
        };
        (0..s.outputs).flat_map(of).collect()
    }
}

/// One plane with `before` zeros above and at the left and as many at the other ends as `size` leaves, into its phases.
fn pad(from: &[f32], [height, width]: [usize; 2], phases: usize, before: usize, size: [usize; 2], out: &mut [f32]) {
    for (index, plane) in out.chunks_exact_mut(size[0] * size[1]).enumerate() {
        let [py, px] = [index / phases, index % phases];
        for (j, row) in plane.chunks_exact_mut(size[1]).enumerate() {
            let inside = (j * phases + py).checked_sub(before).filter(|&y| y < height);
            let Some(y) = inside else {
                row.fill(0.0);
                continue;
            };
            // Columns whose pixel lies inside: before <= column * phases + px < before + width.
            let first = before.saturating_sub(px).div_ceil(phases).min(size[1]);
            let end = (before + width).saturating_sub(px).div_ceil(phases).clamp(first, size[1]);
            row[..first].fill(0.0);
            row[end..].fill(0.0);
            if first == end {
                continue;
            }
            let line = &from[y * width + first * phases + px - before..(y + 1) * width];
            match phases {
                1 => row[first..end].copy_from_slice(&line[..end - first]),
                _ => row[first..end].iter_mut().zip(line.iter().step_by(phases)).for_each(|(out, &x)| *out = x),
            }
        }
    }
}
