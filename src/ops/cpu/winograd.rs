//! 3x3 convolution by Winograd's minimal filtering F(4x4, 3x3), with points 0, 1, -1, 2, -2 (Lavin and Gray 2015,
//! arXiv 1509.09308): 36 multiplications instead of 144 for 16 outputs.

use std::ops::Range;

use super::buffer::NhwcBuffer;
use super::epilogue::{ChannelEpilogue, PreparedEpilogue};
use super::product::{Grouped, Packed, PlaneProduct};
use super::simd::{InstructionSet, Simd, Task, load_strided, store_strided};
use super::threads::Spread;
use super::workspace::Scratch;

const PLANES: usize = 36;
/// Output pixels on a tile's side.
pub(super) const TILE: usize = 4;

/// Weights in the transformed domain.
pub(super) struct Winograd {
    set: InstructionSet,
    weights: Packed<PLANES>,
    in_channels: usize,
    out_channels: usize,
}

/// What a run reads, besides the weights.
pub(super) struct Inputs<'a> {
    pub x: &'a NhwcBuffer,
    /// `[padded in channels]`.
    pub style: &'a [f32],
    pub epilogue: PreparedEpilogue<'a>,
}

impl Winograd {
    /// `weight(out, in)`, the taps, is zero for padding channels; both channel counts are padded ones.
    pub fn new(
        set: InstructionSet,
        in_channels: usize,
        out_channels: usize,
        weight: impl Fn(usize, usize) -> [f32; 9] + Sync,
    ) -> Self {
        const G: [[f64; 3]; 6] = [
            [1.0 / 4.0, 0.0, 0.0],
            [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
            [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
            [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
            [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
            [0.0, 0.0, 1.0],
        ];
        let weights = Packed::new(set, in_channels, out_channels, |c, k| {
            let taps = weight(k, c);
            let mut planes = [0.0; PLANES];
            for (a, vertical) in G.iter().enumerate() {
                // A row of `G w`, then of `G w G^T`.
                let mut row = [0.0; 3];
                for (x, sum) in row.iter_mut().enumerate() {
                    *sum = (0..3).map(|y| vertical[y] * f64::from(taps[3 * y + x])).sum();
                }
                for (b, horizontal) in G.iter().enumerate() {
                    planes[6 * a + b] = (0..3).map(|x| horizontal[x] * row[x]).sum::<f64>() as f32;
                }
            }
            planes
        });
        Self { set, weights, in_channels, out_channels }
    }

    /// Convolves the tiles `tiles` (raster order over the image) into `rows`: the output's rows from tile row
    /// `first_tile_row` on.
    pub fn run_block(
        &self,
        spread: Spread,
        inputs: &Inputs<'_>,
        tiles: Range<usize>,
        scratch: &mut Scratch,
        rows: &mut [f32],
        first_tile_row: usize,
    ) {
        let tiles_across = inputs.x.width / TILE;
        let layout = Grouped::new(self.set, PLANES, tiles.len(), self.in_channels);
        let Scratch { activations, products, .. } = scratch;

        activations.set_len(layout.len());
        spread.chunks(activations, layout.group_len(), |group, out| {
            let first = tiles.start + group * layout.rows;
            let tiles = first..(first + layout.rows).min(tiles.end);
            self.set.run(InputTransform { inputs, tiles, tiles_across, layout, out });
        });

        products.set_len(PLANES * layout.product_plane_len(self.out_channels));
        let activations = &**activations;
        spread.chunks(products, layout.product_plane_len(self.out_channels), |plane, out| {
            let weights = &self.weights;
            self.set.run(PlaneProduct { activations, layout, plane, weights, matrix: plane, out });
        });

        let row_len = (inputs.x.width + 2) * self.out_channels;
        let products = &**products;
        spread.chunks(rows, TILE * row_len, |index, rows| {
            let tile_row = first_tile_row + index;
            let first = tiles.start.max(tile_row * tiles_across);
            let end = tiles.end.min((tile_row + 1) * tiles_across);
            if first >= end {
                return;
            }
            self.set.run(OutputTransform {
                products,
                plane_len: layout.product_plane_len(self.out_channels),
                first_product: first - tiles.start,
                columns: first - tile_row * tiles_across..end - tile_row * tiles_across,
                tile_row,
                epilogue: &inputs.epilogue,
                channels: self.out_channels,
                width: inputs.x.width,
                rows,
            });
        });
    }

    /// Values of transformed input and product that a tile needs.
    pub fn values_per_tile(&self) -> usize {
        PLANES * (self.in_channels + self.out_channels)
    }
}

/// `B^T d B` of a group's tiles, the style multiplied in.
struct InputTransform<'a> {
    inputs: &'a Inputs<'a>,
    tiles: Range<usize>,
    tiles_across: usize,
    layout: Grouped,
    out: &'a mut [f32],
}

impl Task for InputTransform<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let channels = self.layout.channels;
        let row_len = self.inputs.x.row_len();
        let plane_len = self.layout.plane_len();
        for (i, tile) in self.tiles.enumerate() {
            let (ty, tx) = (tile / self.tiles_across, tile % self.tiles_across);
            let corner = TILE * ty * row_len + TILE * tx * channels;
            let x = &self.inputs.x.data[corner..][..5 * row_len + 6 * channels];
            let out = &mut self.out[i * channels..][..(PLANES - 1) * plane_len + channels];
            for c in (0..channels).step_by(S::LANES) {
                let style = simd.load(self.inputs.style, c);
                let mut vertical = [[simd.splat(0.0); 6]; 6];
                for (column, transformed) in vertical.iter_mut().enumerate() {
                    *transformed = input_1d(simd, load_strided(simd, x, column * channels + c, row_len));
                }
                for a in 0..6 {
                    let mut d = [style; 6];
                    for (value, column) in d.iter_mut().zip(&vertical) {
                        *value = simd.mul(column[a], style);
                    }
                    let transformed = input_1d(simd, d);
                    store_strided(simd, transformed, out, 6 * a * plane_len + c, plane_len);
                }
            }
        }
    }
}

/// `B^T d`.
#[inline(always)]
pub(super) fn input_1d<S: Simd>(s: S, d: [S::Vector; 6]) -> [S::Vector; 6] {
    let (m5, m4, four, two) = (s.splat(-5.0), s.splat(-4.0), s.splat(4.0), s.splat(2.0));
    let even = s.mul_add(d[2], m4, d[4]);
    let odd = s.mul_add(d[1], m4, d[3]);
    let even2 = s.sub(d[4], d[2]);
    let odd2 = s.mul(two, s.sub(d[3], d[1]));
    [
        s.mul_add(d[0], four, s.mul_add(d[2], m5, d[4])),
        s.add(even, odd),
        s.sub(even, odd),
        s.add(even2, odd2),
        s.sub(even2, odd2),
        s.mul_add(d[1], four, s.mul_add(d[3], m5, d[5])),
    ]
}

/// `A^T m`.
#[inline(always)]
pub(super) fn output_1d<S: Simd>(s: S, m: [S::Vector; 6]) -> [S::Vector; 4] {
    let (sum1, difference1) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
    let (sum2, difference2) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    [
        s.add(m[0], s.add(sum1, sum2)),
        s.mul_add(difference2, s.splat(2.0), difference1),
        s.mul_add(sum2, s.splat(4.0), sum1),
        s.add(m[5], s.mul_add(difference2, s.splat(8.0), difference1)),
    ]
}

/// `A^T m A` of some tiles of one tile row, then the layer's epilogue.
struct OutputTransform<'a> {
    products: &'a [f32],
    plane_len: usize,
    first_product: usize,
    columns: Range<usize>,
    tile_row: usize,
    epilogue: &'a PreparedEpilogue<'a>,
    channels: usize,
    width: usize,
    /// The four output rows.
    rows: &'a mut [f32],
}

impl Task for OutputTransform<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let channels = self.channels;
        let row_len = (self.width + 2) * channels;
        for row in self.rows.chunks_exact_mut(row_len) {
            row[..channels].fill(0.0);
            row[row_len - channels..].fill(0.0);
        }
        for (i, tile) in self.columns.enumerate() {
            let products =
                &self.products[(self.first_product + i) * channels..][..(PLANES - 1) * self.plane_len + channels];
            let mut noise = [[0.0; TILE]; TILE];
            if let Some(map) = self.epilogue.noise {
                for (y, line) in noise.iter_mut().enumerate() {
                    let from = &map[(TILE * self.tile_row + y) * self.width + TILE * tile..][..TILE];
                    line.copy_from_slice(from);
                }
            }
            let out = &mut self.rows[(1 + TILE * tile) * channels..][..3 * row_len + TILE * channels];
            for k in (0..channels).step_by(S::LANES) {
                let epilogue = ChannelEpilogue::new(simd, self.epilogue, k);
                let mut vertical = [[simd.splat(0.0); TILE]; 6];
                for (b, transformed) in vertical.iter_mut().enumerate() {
                    let m = load_strided(simd, products, b * self.plane_len + k, 6 * self.plane_len);
                    *transformed = output_1d(simd, m);
                }
                for y in 0..TILE {
                    let mut m = [simd.splat(0.0); 6];
                    for (value, column) in m.iter_mut().zip(&vertical) {
                        *value = column[y];
                    }
                    let mut pixels = output_1d(simd, m);
                    for (pixel, &noise) in pixels.iter_mut().zip(&noise[y]) {
                        *pixel = epilogue.apply(simd, *pixel, simd.splat(noise));
                    }
                    store_strided(simd, pixels, out, y * row_len + k, channels);
                }
            }
        }
    }
}
