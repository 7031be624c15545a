//! Adaptive instance normalisation (StyleGAN, arXiv 1812.04948, equation 1) in place.

use super::buffer::{CHANNEL_ALIGNMENT, NhwcBuffer, padded};
use super::simd::{InstructionSet, Simd, Task};
use super::threads::{Spread, Threads};
use super::workspace::Workspace;

/// Normalises every channel of `x` over its pixels (biased variance), then scales and shifts it.
///
/// # Panics
/// If there is not one scale and one shift a channel.
pub fn normalize(
    set: InstructionSet,
    x: &mut NhwcBuffer,
    scale: &[f32],
    shift: &[f32],
    epsilon: f32,
    workspace: &mut Workspace,
    threads: &Threads,
) {
    let [channels, height, width] = x.shape();
    assert_eq!([scale.len(), shift.len()], [channels; 2], "one scale and one shift a channel");
    let (columns, row_len) = (padded(channels), x.row_len());
    let inside = |row: &[f32]| columns..row.len() - columns;
    let Workspace { statistics, normalization, .. } = workspace;
    threads.current().install(|| {
        statistics.set_len(height * 2 * columns);
        let data = &x.data;
        Spread::Pool.chunks(statistics, 2 * columns, |y, out| {
            let row = &data[(y + 1) * row_len..][..row_len];
            set.run(RowStatistics { row: &row[inside(row)], out });
        });
        normalization.set_len(3 * columns);
        normalization.fill(0.0);
        for c in 0..channels {
            let rows = statistics.chunks_exact(2 * columns).map(|row| [row[c], row[columns + c]]);
            let (mean, variance) = join(rows, width);
            normalization[c] = mean as f32;
            normalization[columns + c] = (f64::from(scale[c]) / (variance + f64::from(epsilon)).sqrt()) as f32;
            normalization[2 * columns + c] = shift[c];
        }
        let normalization = &**normalization;
        Spread::Pool.chunks(x.rows_mut(), row_len, |_, row| {
            let pixels = inside(row);
            set.run(ApplyRow { row: &mut row[pixels], normalization });
        });
    });
}

/// Mean and variance of all rows' pixels from each row's mean and sum of squared distances from it (Chan et al. 1983). Always
/// in the order of the rows, so that the result does not depend on the threads.
fn join(rows: impl Iterator<Item = [f32; 2]>, width: usize) -> (f64, f64) {
    let len = width as f64;
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for [row_mean, row_squares] in rows {
        let distance = f64::from(row_mean) - mean;
        let total = count + len;
        mean += distance * len / total;
        squares += f64::from(row_squares) + distance * distance * count * len / total;
        count = total;
    }
    (mean, squares / count)
}

/// Vectors that a step takes: as many channels as any instruction set's vector has.
const VECTORS: usize = 4;

/// Each channel's mean over a row and the sum of its squared distances from it, `out[2][channels]`.
struct RowStatistics<'a> {
    row: &'a [f32],
    out: &'a mut [f32],
}

impl Task for RowStatistics<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let columns = self.out.len() / 2;
        let width = self.row.len() / columns;
        let per_pixel = simd.splat(1.0 / width as f32);
        for k in (0..columns).step_by(CHANNEL_ALIGNMENT) {
            // Sums of distances from the first pixel: those of the values themselves would cancel out where the spread is small.
            let mut first = [simd.splat(0.0); VECTORS];
            let mut sums = [simd.splat(0.0); VECTORS];
            let mut squares = [simd.splat(0.0); VECTORS];
            for v in 0..CHANNEL_ALIGNMENT / S::LANES {
                first[v] = simd.load(self.row, k + v * S::LANES);
            }
            for pixel in self.row[k..].chunks(columns) {
                let pixel = &pixel[..CHANNEL_ALIGNMENT];
                for v in 0..CHANNEL_ALIGNMENT / S::LANES {
                    let distance = simd.sub(simd.load(pixel, v * S::LANES), first[v]);
                    sums[v] = simd.add(sums[v], distance);
                    squares[v] = simd.mul_add(distance, distance, squares[v]);
                }
            }
            for v in 0..CHANNEL_ALIGNMENT / S::LANES {
                let at = k + v * S::LANES;
                let mean = simd.mul(sums[v], per_pixel);
                simd.store(simd.add(first[v], mean), self.out, at);
                let around_mean = simd.sub(squares[v], simd.mul(mean, sums[v]));
                simd.store(simd.max(around_mean, simd.splat(0.0)), self.out, columns + at);
            }
        }
    }
}

/// `(x - mean) * scale + shift` of a row's pixels; `normalization` is `[mean, scale, shift][channels]`.
struct ApplyRow<'a> {
    row: &'a mut [f32],
    normalization: &'a [f32],
}

impl Task for ApplyRow<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let columns = self.normalization.len() / 3;
        for k in (0..columns).step_by(CHANNEL_ALIGNMENT) {
            let mut mean = [simd.splat(0.0); VECTORS];
            let (mut scale, mut shift) = (mean, mean);
            for v in 0..CHANNEL_ALIGNMENT / S::LANES {
                let at = k + v * S::LANES;
                mean[v] = simd.load(self.normalization, at);
                scale[v] = simd.load(self.normalization, columns + at);
                shift[v] = simd.load(self.normalization, 2 * columns + at);
            }
            for pixel in self.row[k..].chunks_mut(columns) {
                let pixel = &mut pixel[..CHANNEL_ALIGNMENT];
                for v in 0..CHANNEL_ALIGNMENT / S::LANES {
                    let x = simd.sub(simd.load(pixel, v * S::LANES), mean[v]);
                    simd.store(simd.mul_add(x, scale[v], shift[v]), pixel, v * S::LANES);
                }
            }
        }
    }
}
