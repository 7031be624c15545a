//! Tiles of images in and out of the transformed domain. Images come with pixels side by side and are transformed with channels
//! side by side, so a strip of lines at a time is turned over.

use super::super::super::scratch::Scratch;
use super::super::ConvShape;
use super::super::layout::channels_first;
use super::TILE;
use crate::ops::cpu::Runtime;
use crate::ops::cpu::simd::{Simd, Task, load_strided, store_strided, transpose};
use crate::ops::cpu::winograd::{input_1d, output_1d};

/// A batch `[N, C, H, W]`.
pub(super) struct Images<'a> {
    pub values: &'a [f32],
    pub batch: usize,
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

/// What is read of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// The pixels under the filter, six by six, as `B^T x B`.
    Patches,
    /// The tile itself, as `A y A^T`.
    Gradients,
}

impl<'a> Images<'a> {
    /// Of the size that `s` has.
    pub fn new(s: &ConvShape, channels: usize, values: &'a [f32]) -> Self {
        Self { values, batch: s.batch, channels, height: s.height, width: s.width }
    }

    /// Rows of tiles of all images.
    pub fn tile_rows(&self) -> usize {
        self.batch * self.height / TILE
    }

    /// Transforms a row of tiles into `out`, `[plane][tile][channel]` with the planes `plane_len` apart.
    pub fn read(&self, rt: &Runtime, read: Read, row: usize, out: &mut [f32], plane_len: usize) {
        let border = if read == Read::Patches { 1 } else { 0 };
        let stride = self.width + 2 * border;
        let mut strip = Scratch::new((TILE + 2 * border) * stride * self.channels);
        rt.instruction_set().run(Strip { images: self, row, border, strip: &mut strip });
        let (channels, tiles) = (self.channels, self.width / TILE);
        rt.instruction_set().run(Forward { strip: &strip, stride, read, channels, tiles, out, plane_len });
    }
}

/// The lines of a row of tiles with `border` pixels around, channels innermost; zeros outside of the image.
struct Strip<'a> {
    images: &'a Images<'a>,
    row: usize,
    border: usize,
    strip: &'a mut [f32],
}

impl Task for Strip<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let Self { images: &Images { values, channels, height, width, .. }, row, border, strip } = self;
        let per_image = height / TILE;
        let (image, top) = (row / per_image, (row % per_image * TILE) as isize - border as isize);
        let stride = (width + 2 * border) * channels;
        for (line, y) in strip.chunks_exact_mut(stride).zip(top..) {
            if y < 0 || y >= height as isize {
                line.fill(0.0);
                continue;
            }
            line[..border * channels].fill(0.0);
            line[stride - border * channels..].fill(0.0);
            let pixels = &mut line[border * channels..stride - border * channels];
            let first = image * channels * height * width + y as usize * width;
            for c in (0..channels).step_by(S::LANES) {
                let from = first + c * height * width;
                let mut x = 0;
                while x + S::LANES <= width {
                    transpose(simd, values, from + x, height * width, pixels, x * channels + c, channels);
                    x += S::LANES;
                }
                // Lines of eight pixels, where a vector has sixteen.
                for x in x..width {
                    for lane in 0..S::LANES {
                        pixels[x * channels + c + lane] = values[from + lane * height * width + x];
                    }
                }
            }
        }
    }
}

struct Forward<'a> {
    strip: &'a [f32],
    /// Pixels from one line of the strip to the next.
    stride: usize,
    read: Read,
    channels: usize,
    tiles: usize,
    out: &'a mut [f32],
    plane_len: usize,
}

impl Task for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        match self.read {
            Read::Patches => self.patches(simd),
            Read::Gradients => self.gradients(simd),
        }
    }
}

impl Forward<'_> {
    #[inline(always)]
    fn patches<S: Simd>(self, simd: S) {
        let row = self.stride * self.channels;
        for tile in 0..self.tiles {
            for c in (0..self.channels).step_by(S::LANES) {
                // The columns, transformed along y, then each line along x.
                let mut columns = [[simd.splat(0.0); 6]; 6];
                for (x, column) in columns.iter_mut().enumerate() {
                    let at = (TILE * tile + x) * self.channels + c;
                    *column = input_1d(simd, load_strided(simd, self.strip, at, row));
                }
                for a in 0..6 {
                    let mut line = [simd.splat(0.0); 6];
                    for (value, column) in line.iter_mut().zip(&columns) {
                        *value = column[a];
                    }
                    let to = tile * self.channels + c + 6 * a * self.plane_len;
                    store_strided(simd, input_1d(simd, line), self.out, to, self.plane_len);
                }
            }
        }
    }

    #[inline(always)]
    fn gradients<S: Simd>(self, simd: S) {
        let row = self.stride * self.channels;
        for tile in 0..self.tiles {
            for c in (0..self.channels).step_by(S::LANES) {
                let mut columns = [[simd.splat(0.0); 6]; TILE];
                for (x, column) in columns.iter_mut().enumerate() {
                    let at = (TILE * tile + x) * self.channels + c;
                    *column = gradient_1d(simd, load_strided(simd, self.strip, at, row));
                }
                for a in 0..6 {
                    let mut line = [simd.splat(0.0); TILE];
                    for (value, column) in line.iter_mut().zip(&columns) {
                        *value = column[a];
                    }
                    let to = tile * self.channels + c + 6 * a * self.plane_len;
                    store_strided(simd, gradient_1d(simd, line), self.out, to, self.plane_len);
                }
            }
        }
    }
}

/// `A y`.
#[inline(always)]
fn gradient_1d<S: Simd>(s: S, y: [S::Vector; TILE]) -> [S::Vector; 6] {
    let (even, odd) = (s.add(y[0], y[2]), s.add(y[1], y[3]));
    let four = s.splat(4.0);
    let even4 = s.mul_add(y[2], four, y[0]);
    let odd4 = s.mul(s.mul_add(y[3], four, y[1]), s.splat(2.0));
    [y[0], s.add(even, odd), s.sub(even, odd), s.add(even4, odd4), s.sub(even4, odd4), y[3]]
}

/// A row of tiles out of the transformed domain.
pub(super) struct Write<'a> {
    /// `[plane][tile][channel]`.
    pub products: &'a [f32],
    pub plane_len: usize,
    pub channels: usize,
}

impl Write<'_> {
    /// Into the four lines of each channel, side by side in `pieces`.
    pub fn run(&self, rt: &Runtime, width: usize, pieces: &mut [&mut [f32]]) {
        let mut strip = Scratch::new(TILE * width * self.channels);
        let tiles = width / TILE;
        rt.instruction_set().run(Backward { write: self, tiles, strip: &mut strip });
        channels_first(rt, &strip, TILE * width, pieces);
    }
}

struct Backward<'a> {
    write: &'a Write<'a>,
    tiles: usize,
    strip: &'a mut [f32],
}

impl Task for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let Self { write: &Write { products, plane_len, channels }, tiles, strip } = self;
        let row = TILE * tiles * channels;
        for tile in 0..tiles {
            for c in (0..channels).step_by(S::LANES) {
                let mut vertical = [[simd.splat(0.0); TILE]; 6];
                for (b, column) in vertical.iter_mut().enumerate() {
                    let at = tile * channels + c + b * plane_len;
                    *column = output_1d(simd, load_strided(simd, products, at, 6 * plane_len));
                }
                for y in 0..TILE {
                    let mut line = [simd.splat(0.0); 6];
                    for (value, column) in line.iter_mut().zip(&vertical) {
                        *value = column[y];
                    }
                    store_strided(simd, output_1d(simd, line), strip, y * row + TILE * tile * channels + c, channels);
                }
            }
        }
    }
}
