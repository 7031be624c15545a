//! The low-pass filter after an up-convolution, and the layer's epilogue in the same pass.

use super::epilogue::{ChannelEpilogue, PreparedEpilogue};
use super::simd::{Simd, Task, load_strided, store_strided};

/// The filter's taps along one axis, in the order in which they meet the pixels, with the gain of 2 that zero insertion
/// asks for.
pub(super) type Taps = [f32; 4];

/// One output row: `sum over i, j of taps[i] taps[j] rows[i][x + j]`, then the epilogue.
pub(super) struct FilterRow<'a> {
    /// Rows `y - 1 ..= y + 2` of the transposed convolution, each beginning with the pixel `-1`.
    pub rows: [&'a [f32]; 4],
    pub taps: Taps,
    pub epilogue: &'a PreparedEpilogue<'a>,
    pub y: usize,
    pub channels: usize,
    /// Output row with its border pixels.
    pub out: &'a mut [f32],
}

// Pixels that are filtered for all channels before the next ones, so that their rows stay in the first-level cache.
const BLOCK: usize = 32;
// Neighbours whose sums are made together.
const STEP: usize = 4;

impl Task for FilterRow<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let channels = self.channels;
        let width = self.out.len() / channels - 2;
        let end = self.out.len() - channels;
        self.out[..channels].fill(0.0);
        self.out[end..].fill(0.0);
        let [t0, t1, t2, t3] = self.taps;
        let taps = [simd.splat(t0), simd.splat(t1), simd.splat(t2), simd.splat(t3)];
        let rows = self.rows.map(|row| &row[..(width + 3) * channels]);
        for first in (0..width).step_by(BLOCK) {
            let end = (first + BLOCK).min(width);
            let mut noise = [0.0; BLOCK];
            if let Some(map) = self.epilogue.noise {
                for (noise, value) in noise.iter_mut().zip(&map[self.y * width..][first..end]) {
                    *noise = value * self.epilogue.strength;
                }
            }
            for k in (0..channels).step_by(S::LANES) {
                let epilogue = ChannelEpilogue::new(simd, self.epilogue, k);
                let [mut v0] = vertical(simd, rows, taps, first * channels + k, channels);
                let [mut v1] = vertical(simd, rows, taps, (first + 1) * channels + k, channels);
                let [mut v2] = vertical(simd, rows, taps, (first + 2) * channels + k, channels);
                let mut x = first;
                while x + STEP <= end {
                    let next: [S::Vector; STEP] = vertical(simd, rows, taps, (x + 3) * channels + k, channels);
                    let mut pixels = next;
                    for (i, pixel) in pixels.iter_mut().enumerate() {
                        let sum = weigh(simd, [v0, v1, v2, next[i]], taps);
                        *pixel = epilogue.apply(simd, sum, simd.splat(noise[x + i - first]));
                        (v0, v1, v2) = (v1, v2, next[i]);
                    }
                    store_strided(simd, pixels, self.out, (x + 1) * channels + k, channels);
                    x += STEP;
                }
                for x in x..end {
                    let [v3] = vertical(simd, rows, taps, (x + 3) * channels + k, channels);
                    let pixel = weigh(simd, [v0, v1, v2, v3], taps);
                    simd.store(
                        epilogue.apply(simd, pixel, simd.splat(noise[x - first])),
                        self.out,
                        (x + 1) * channels + k,
                    );
                    (v0, v1, v2) = (v1, v2, v3);
                }
            }
        }
    }
}

/// The vertical sums of `N` neighbouring pixels, the first at `at`.
#[inline(always)]
fn vertical<S: Simd, const N: usize>(
    simd: S,
    rows: [&[f32]; 4],
    taps: [S::Vector; 4],
    at: usize,
    channels: usize,
) -> [S::Vector; N] {
    let mut sums = load_strided(simd, rows[0], at, channels);
    let second: [S::Vector; N] = load_strided(simd, rows[1], at, channels);
    let third: [S::Vector; N] = load_strided(simd, rows[2], at, channels);
    let fourth: [S::Vector; N] = load_strided(simd, rows[3], at, channels);
    for i in 0..N {
        sums[i] = weigh(simd, [sums[i], second[i], third[i], fourth[i]], taps);
    }
    sums
}

#[inline(always)]
fn weigh<S: Simd>(simd: S, values: [S::Vector; 4], taps: [S::Vector; 4]) -> S::Vector {
    let sum = simd.mul_add(values[1], taps[1], simd.mul(values[0], taps[0]));
    simd.mul_add(values[3], taps[3], simd.mul_add(values[2], taps[2], sum))
}
