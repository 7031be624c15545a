//! From pixels side by side to channels side by side, and back.

use super::super::scratch::Scratch;
use super::super::spread;
use crate::ops::cpu::Runtime;
use crate::ops::cpu::simd::{Simd, Task, transpose};

/// A batch with its channels innermost and zeros around: `[sample][row][column][channel]`.
pub(super) struct ChannelsLast {
    pub values: Scratch,
    pub channels: usize,
    /// Rows and columns with the zeros.
    pub size: [usize; 2],
}

impl ChannelsLast {
    /// From `[N, channels, from]`, channels a multiple of 16, with `before` zeros above and at the left and as many at the other ends
    /// as `size` leaves.
    pub fn new(
        rt: &Runtime,
        values: &[f32],
        channels: usize,
        from: [usize; 2],
        before: usize,
        size: [usize; 2],
    ) -> Self {
        let image = channels * from[0] * from[1];
        let len = size[0] * size[1] * channels;
        let mut out = Scratch::new(values.len() / image * len);
        let work = 4 * out.len();
        spread::chunks(rt, work, &mut out, len, |index, out| {
            let values = &values[index * image..][..image];
            rt.instruction_set().run(TurnOver { values, channels, from, before, columns: size[1], out });
        });
        Self { values: out, channels, size }
    }

    /// Values from one row to the next.
    pub fn row_len(&self) -> usize {
        self.size[1] * self.channels
    }

    /// Values from one sample to the next.
    pub fn sample_len(&self) -> usize {
        self.size[0] * self.row_len()
    }
}

/// One image.
struct TurnOver<'a> {
    values: &'a [f32],
    channels: usize,
    from: [usize; 2],
    before: usize,
    columns: usize,
    out: &'a mut [f32],
}

impl Task for TurnOver<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let Self { values, channels, from: [height, width], before, columns, out } = self;
        let plane = height * width;
        let row = columns * channels;
        // The border.
        for (y, line) in out.chunks_exact_mut(row).enumerate() {
            if y < before || y >= before + height {
                line.fill(0.0);
            } else {
                line[..before * channels].fill(0.0);
                line[(before + width) * channels..].fill(0.0);
            }
        }
        let mut block = [0.0; 256];
        for c in (0..channels).step_by(S::LANES) {
            let mut pixel = 0;
            while pixel < plane {
                let (y, x) = (pixel / width, pixel % width);
                let to = (before + y) * row + (before + x) * channels + c;
                if plane < S::LANES {
                    for lane in 0..S::LANES {
                        out[to + lane] = values[(c + lane) * plane + pixel];
                    }
                    pixel += 1;
                } else if x + S::LANES <= width {
                    transpose(simd, values, c * plane + pixel, plane, out, to, channels);
                    pixel += S::LANES;
                } else {
                    // Across the end of a line, or the last pixels together with some that are done.
                    let first = pixel.min(plane - S::LANES);
                    transpose(simd, values, c * plane + first, plane, &mut block, 0, S::LANES);
                    for (j, at) in (first..first + S::LANES).enumerate() {
                        let to = (before + at / width) * row + (before + at % width) * channels + c;
                        simd.store(simd.load(&block, j * S::LANES), out, to);
                    }
                    pixel = first + S::LANES;
                }
            }
        }
    }
}

/// `[pixel][channel]`, with some room behind the last pixel, to one slice of `pixels` a channel.
pub(super) fn channels_first(rt: &Runtime, values: &[f32], pixels: usize, pieces: &mut [&mut [f32]]) {
    rt.instruction_set().run(TurnBack { values, pixels, pieces });
}

/// Pixels that [`channels_first`] may read behind the last one.
pub(super) const BEHIND: usize = 16;

struct TurnBack<'a, 'p> {
    values: &'a [f32],
    pixels: usize,
    pieces: &'a mut [&'p mut [f32]],
}

impl Task for TurnBack<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let channels = self.pieces.len();
        let mut block = [0.0; 256];
        for (c, pieces) in self.pieces.chunks_exact_mut(S::LANES).enumerate() {
            for p in (0..self.pixels).step_by(S::LANES) {
                transpose(simd, self.values, p * channels + c * S::LANES, channels, &mut block, 0, S::LANES);
                let count = S::LANES.min(self.pixels - p);
                for (lane, piece) in pieces.iter_mut().enumerate() {
                    if count == S::LANES {
                        simd.store(simd.load(&block, lane * S::LANES), piece, p);
                    } else {
                        piece[p..p + count].copy_from_slice(&block[lane * S::LANES..][..count]);
                    }
                }
            }
        }
    }
}
