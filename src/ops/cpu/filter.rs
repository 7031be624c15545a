//! The low-pass filter after an up-convolution, and the layer's epilogue in the same pass.

use super::epilogue::{ChannelEpilogue, PreparedEpilogue};
use super::simd::{Simd, Task, load_strided, store_strided};

/// The filter of an up-convolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpFilter {
    /// The taps along one axis, of sum 1.
    pub taps: [f32; 4],
    /// What they meet around the image.
    pub border: Border,
}

/// What an up-convolution's filter meets around the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Border {
    /// The transposed convolution, which is a pixel larger than the image, and zeros around it (StyleGAN2).
    Whole,
    /// Zeros, in the place of the blur's own pixels there (StyleGAN, [`UpFilter::after_blur`]).
    Cut {
        /// Whether the bias is added before the blur, which then loses a part of it at the border too.
        early_bias: bool,
    },
}

impl UpFilter {
    /// StyleGAN's upsampling by nearest neighbours, 3x3 convolution and blur, as an up-convolution: `blur` has three taps of sum 1.
    ///
    /// Repeating pixels is zero insertion and a filter of `[1, 1]`. Filters change places, so the upsampled convolution is the sum
    /// `y[n] + y[n + 1]` of two neighbours of the transposed convolution `y` by the weight flipped, and the blur makes four taps of
    /// that. The upsampling that is fused into a convolution sums shifted copies of its weight, which is the same `[1, 1]`; only
    /// its weight is not flipped. At the border the blur meets zeros in the place of sums, so that the two middle taps lose there
    /// what such a sum would have given.
    pub fn after_blur([a, b, c]: [f32; 3], early_bias: bool) -> Self {
        Self { taps: [0.5 * a, 0.5 * (a + b), 0.5 * (b + c), 0.5 * c], border: Border::Cut { early_bias } }
    }
}

/// The filter's taps along one axis, in the order in which they meet the pixels, with the gain of 2 that zero insertion
/// asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taps {
    taps: [f32; 4],
    border: Border,
}

impl Taps {
    pub fn new(filter: UpFilter) -> Self {
        // The filter is a true convolution, so its taps meet the pixels in reverse.
        let [a, b, c, d] = filter.taps;
        Self { taps: [2.0 * d, 2.0 * c, 2.0 * b, 2.0 * a], border: filter.border }
    }

    /// Those of output `i` of `len` along an axis, and the part of the bias that it gets.
    fn at(self, i: usize, len: usize) -> ([f32; 4], f32) {
        let (mut taps, mut part) = (self.taps, 1.0);
        if let Border::Cut { early_bias } = self.border {
            let before = if i == 0 { taps[0] } else { 0.0 };
            let after = if i + 1 == len { taps[3] } else { 0.0 };
            taps[1] -= before;
            taps[2] -= after;
            if early_bias {
                part -= before + after;
            }
        }
        (taps, part)
    }
}

/// One output row: `sum over i, j of taps(y)[i] taps(x)[j] rows[i][x + j]`, then the epilogue.
pub(super) struct FilterRow<'a> {
    /// Rows `y - 1 ..= y + 2` of the transposed convolution, each beginning with the pixel `-1`.
    pub rows: [&'a [f32]; 4],
    pub taps: Taps,
    pub epilogue: &'a PreparedEpilogue<'a>,
    pub y: usize,
    /// Of the output.
    pub height: usize,
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
        let (down, part) = self.taps.at(self.y, self.height);
        let (down, taps) = (splat(simd, down), splat(simd, self.taps.taps));
        let rows = self.rows.map(|row| &row[..(width + 3) * channels]);
        for first in (0..width).step_by(BLOCK) {
            let end = (first + BLOCK).min(width);
            let mut noise = [0.0; BLOCK];
            if let Some(map) = self.epilogue.noise {
                noise[..end - first].copy_from_slice(&map[self.y * width..][first..end]);
            }
            for k in (0..channels).step_by(S::LANES) {
                let epilogue = ChannelEpilogue::new(simd, self.epilogue, k).with_part_of_bias(simd, part);
                let [mut v0] = vertical(simd, rows, down, first * channels + k, channels);
                let [mut v1] = vertical(simd, rows, down, (first + 1) * channels + k, channels);
                let [mut v2] = vertical(simd, rows, down, (first + 2) * channels + k, channels);
                let mut x = first;
                while x + STEP <= end {
                    let next: [S::Vector; STEP] = vertical(simd, rows, down, (x + 3) * channels + k, channels);
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
                    let [v3] = vertical(simd, rows, down, (x + 3) * channels + k, channels);
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
        if let Border::Cut { .. } = self.taps.border {
            for x in [0, width - 1] {
                let (taps, part_across) = self.taps.at(x, width);
                let taps = splat(simd, taps);
                let noise = simd.splat(self.epilogue.noise.map_or(0.0, |map| map[self.y * width + x]));
                for k in (0..channels).step_by(S::LANES) {
                    let epilogue =
                        ChannelEpilogue::new(simd, self.epilogue, k).with_part_of_bias(simd, part * part_across);
                    let sums: [S::Vector; 4] = vertical(simd, rows, down, x * channels + k, channels);
                    let pixel = weigh(simd, sums, taps);
                    simd.store(epilogue.apply(simd, pixel, noise), self.out, (x + 1) * channels + k);
                }
            }
        }
    }
}

#[inline(always)]
fn splat<S: Simd>(simd: S, [a, b, c, d]: [f32; 4]) -> [S::Vector; 4] {
    [simd.splat(a), simd.splat(b), simd.splat(c), simd.splat(d)]
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
