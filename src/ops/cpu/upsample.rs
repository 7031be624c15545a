//! The up-convolution of StyleGAN2: a 3x3 transposed convolution of stride 2, then a low-pass filter.
//!
//! The transposed convolution of one axis has two phases: even outputs `w[0] x[m] + w[2] x[m - 1]`, a filter of two taps
//! that F(4, 2) (points 0, 1, -1, 2) does with 5 multiplications for 4 outputs, and odd outputs `w[1] x[m]`. In two
//! dimensions that is 81 multiplications for a tile of 8x8 outputs, where the direct form needs 144.
//!
//! The last row and column of outputs, one more than tiles fill, are plain products with the last input row and column ([`Edges`]).

use std::ops::Range;

use super::buffer::NhwcBuffer;
use super::product::{Grouped, Packed, PlaneProduct};
use super::simd::{AlignedBuffer, InstructionSet, Simd, Task, load_strided, store_strided};
use super::threads::Spread;

/// Input pixels on a tile's side.
pub(super) const TILE: usize = 4;
const FREQUENCIES: usize = 5;
const SIDE: usize = FREQUENCIES + TILE;
const PLANES: usize = SIDE * SIDE;
/// Planes that differ only in the position of an odd output share their weights.
const MATRICES: usize = 36;

// Planes: both axes even, then vertical even and horizontal odd, then the reverse, then both odd.
const EVEN_ODD: usize = FREQUENCIES * FREQUENCIES;
const ODD_EVEN: usize = EVEN_ODD + FREQUENCIES * TILE;
const ODD_ODD: usize = ODD_EVEN + FREQUENCIES * TILE;

/// Weights of the transposed convolution in the transformed domain.
pub(super) struct UpWinograd {
    set: InstructionSet,
    weights: Packed<MATRICES>,
    edges: EdgeWeights,
    in_channels: usize,
    out_channels: usize,
}

/// Pixels of a row of the transposed convolution with a zero on either side, as the filter wants it.
pub(super) fn row_pixels(width: usize) -> usize {
    2 * width + 3
}

impl UpWinograd {
    /// `weight(out, in)`, the taps, is zero for padding channels; both channel counts are padded ones.
    pub fn new(
        set: InstructionSet,
        in_channels: usize,
        out_channels: usize,
        weight: impl Fn(usize, usize) -> [f32; 9] + Sync + Copy,
    ) -> Self {
        // Coefficients of taps 0, 1 and 2: each frequency of the even phase, then the odd phase.
        const G: [[f64; 3]; FREQUENCIES + 1] = [
            [0.0, 0.0, 1.0 / 2.0],
            [-1.0 / 2.0, 0.0, -1.0 / 2.0],
            [1.0 / 6.0, 0.0, -1.0 / 6.0],
            [1.0 / 3.0, 0.0, 1.0 / 6.0],
            [1.0, 0.0, 0.0],
            [0.0, 1.0, 0.0],
        ];
        let weights = Packed::new(set, in_channels, out_channels, |c, k| {
            let taps = weight(k, c);
            let mut matrices = [0.0; MATRICES];
            for (a, vertical) in G.iter().enumerate() {
                let mut row = [0.0; 3];
                for (x, sum) in row.iter_mut().enumerate() {
                    *sum = (0..3).map(|y| vertical[y] * f64::from(taps[3 * y + x])).sum();
                }
                for (b, horizontal) in G.iter().enumerate() {
                    let matrix = match (a, b) {
                        (FREQUENCIES, FREQUENCIES) => 35,
                        (FREQUENCIES, _) => 30 + b,
                        (_, FREQUENCIES) => 25 + a,
                        _ => FREQUENCIES * a + b,
                    };
                    matrices[matrix] = (0..3).map(|x| horizontal[x] * row[x]).sum::<f64>() as f32;
                }
            }
            matrices
        });
        let edges = EdgeWeights::new(set, in_channels, out_channels, weight);
        Self { set, weights, edges, in_channels, out_channels }
    }

    /// The last row and the last column of the transposed convolution of `x * style`.
    pub fn edges<'a>(&self, x: &NhwcBuffer, style: &[f32], memory: &'a mut EdgeMemory) -> Edges<'a> {
        self.edges.run(self.set, x, style, memory)
    }

    /// Transposed convolution of the tiles `tiles` (raster order) into `rows`, which are `row_pixels` long and start with
    /// tile row `first_tile_row`. The zeros on both sides of each row are written too, and the pixel of the last column.
    #[allow(clippy::too_many_arguments)]
    pub fn run_block(
        &self,
        spread: Spread,
        x: &NhwcBuffer,
        style: &[f32],
        edges: &Edges<'_>,
        tiles: Range<usize>,
        activations: &mut AlignedBuffer,
        products: &mut AlignedBuffer,
        rows: &mut [f32],
        first_tile_row: usize,
    ) {
        let tiles_across = x.width / TILE;
        let layout = Grouped::new(self.set, PLANES, tiles.len(), self.in_channels);
        activations.set_len(layout.len());
        spread.chunks(activations, layout.group_len(), |group, out| {
            let first = tiles.start + group * layout.rows;
            let tiles = first..(first + layout.rows).min(tiles.end);
            self.set.run(InputTransform { x, style, tiles, tiles_across, layout, out });
        });

        let plane_len = layout.product_plane_len(self.out_channels);
        products.set_len(PLANES * plane_len);
        let activations = &**activations;
        spread.chunks(products, plane_len, |plane, out| {
            let weights = &self.weights;
            self.set.run(PlaneProduct { activations, layout, plane, weights, matrix: matrix_of(plane), out });
        });

        let row_len = row_pixels(x.width) * self.out_channels;
        let products = &**products;
        spread.chunks(rows, 2 * TILE * row_len, |index, rows| {
            let tile_row = first_tile_row + index;
            let first = tiles.start.max(tile_row * tiles_across);
            let end = tiles.end.min((tile_row + 1) * tiles_across);
            if first >= end {
                return;
            }
            self.set.run(OutputTransform {
                products,
                plane_len,
                first_product: first - tiles.start,
                columns: first - tile_row * tiles_across..end - tile_row * tiles_across,
                channels: self.out_channels,
                row_len,
                rows,
            });
            if end == (tile_row + 1) * tiles_across {
                edges.end_rows(2 * TILE * tile_row, rows, row_len);
            }
        });
    }

    /// Values of transformed input and product that a tile needs.
    pub fn values_per_tile(&self) -> usize {
        PLANES * (self.in_channels + self.out_channels)
    }
}

fn matrix_of(plane: usize) -> usize {
    match plane {
        0..EVEN_ODD => plane,
        EVEN_ODD..ODD_EVEN => 25 + (plane - EVEN_ODD) / TILE,
        ODD_EVEN..ODD_ODD => 30 + (plane - ODD_EVEN) / TILE,
        _ => 35,
    }
}

/// The 5x5 input pixels of each tile, transformed along the even phases and as they are along the odd ones, style included.
struct InputTransform<'a> {
    x: &'a NhwcBuffer,
    style: &'a [f32],
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
        let row_len = self.x.row_len();
        let plane_len = self.layout.plane_len();
        for (i, tile) in self.tiles.enumerate() {
            let (ty, tx) = (tile / self.tiles_across, tile % self.tiles_across);
            let corner = TILE * ty * row_len + TILE * tx * channels;
            let x = &self.x.data[corner..][..TILE * row_len + FREQUENCIES * channels];
            let out = &mut self.out[i * channels..][..(PLANES - 1) * plane_len + channels];
            for c in (0..channels).step_by(S::LANES) {
                let style = simd.load(self.style, c);
                // [column][vertical: five frequencies, four odd positions]
                let mut vertical = [[simd.splat(0.0); SIDE]; FREQUENCIES];
                for (column, transformed) in vertical.iter_mut().enumerate() {
                    let mut d: [S::Vector; FREQUENCIES] = load_strided(simd, x, column * channels + c, row_len);
                    for value in &mut d {
                        *value = simd.mul(*value, style);
                    }
                    transformed[..FREQUENCIES].copy_from_slice(&input_1d(simd, d));
                    transformed[FREQUENCIES..].copy_from_slice(&d[1..]);
                }
                for a in 0..SIDE {
                    let d = [vertical[0][a], vertical[1][a], vertical[2][a], vertical[3][a], vertical[4][a]];
                    let transformed = input_1d(simd, d);
                    // Where a plane of this row of planes, and the step to the next, lie.
                    let (even, even_step, odd) = if a < FREQUENCIES {
                        (FREQUENCIES * a, 1, EVEN_ODD + TILE * a)
                    } else {
                        (ODD_EVEN + a - FREQUENCIES, TILE, ODD_ODD + TILE * (a - FREQUENCIES))
                    };
                    store_strided(simd, transformed, out, even * plane_len + c, even_step * plane_len);
                    store_strided(simd, [d[1], d[2], d[3], d[4]], out, odd * plane_len + c, plane_len);
                }
            }
        }
    }
}

#[inline(always)]
fn input_1d<S: Simd>(s: S, d: [S::Vector; 5]) -> [S::Vector; 5] {
    let (two, m2, m3) = (s.splat(2.0), s.splat(-2.0), s.splat(-3.0));
    let difference = s.sub(d[3], d[2]);
    let first = s.mul_add(d[1], m2, difference);
    [
        s.mul_add(s.sub(d[0], d[2]), two, s.sub(d[3], d[1])),
        first,
        s.mul_add(d[1], two, s.mul_add(d[2], m3, d[3])),
        s.sub(d[3], d[1]),
        s.mul_add(s.sub(d[1], d[3]), two, s.sub(d[4], d[2])),
    ]
}

#[inline(always)]
fn output_1d<S: Simd>(s: S, m: [S::Vector; 5]) -> [S::Vector; 4] {
    let (sum, difference) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
    [
        s.add(m[0], s.add(sum, m[3])),
        s.mul_add(m[3], s.splat(2.0), difference),
        s.mul_add(m[3], s.splat(4.0), sum),
        s.add(m[4], s.mul_add(m[3], s.splat(8.0), difference)),
    ]
}

/// The products of some tiles of one tile row, back in the image: 8x8 pixels a tile.
struct OutputTransform<'a> {
    products: &'a [f32],
    plane_len: usize,
    first_product: usize,
    columns: Range<usize>,
    channels: usize,
    row_len: usize,
    /// Eight rows.
    rows: &'a mut [f32],
}

impl Task for OutputTransform<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let (channels, row_len, plane_len) = (self.channels, self.row_len, self.plane_len);
        for row in self.rows.chunks_exact_mut(row_len) {
            row[..channels].fill(0.0);
        }
        for (i, tile) in self.columns.enumerate() {
            let products = &self.products[(self.first_product + i) * channels..][..(PLANES - 1) * plane_len + channels];
            let out = &mut self.rows[(1 + 2 * TILE * tile) * channels..][..7 * row_len + 8 * channels];
            for k in (0..channels).step_by(S::LANES) {
                // Even rows, then odd ones; within a row even columns, then odd ones.
                let mut even = [[simd.splat(0.0); TILE]; FREQUENCIES];
                for (b, transformed) in even.iter_mut().enumerate() {
                    *transformed =
                        output_1d(simd, load_strided(simd, products, b * plane_len + k, FREQUENCIES * plane_len));
                }
                for y in 0..TILE {
                    let line = output_1d(simd, [even[0][y], even[1][y], even[2][y], even[3][y], even[4][y]]);
                    store_strided(simd, line, out, 2 * y * row_len + k, 2 * channels);
                }
                for x in 0..TILE {
                    let planes = load_strided(simd, products, (EVEN_ODD + x) * plane_len + k, TILE * plane_len);
                    store_strided(simd, output_1d(simd, planes), out, (2 * x + 1) * channels + k, 2 * row_len);
                }
                for y in 0..TILE {
                    let row = (2 * y + 1) * row_len + k;
                    let planes = load_strided(simd, products, (ODD_EVEN + y) * plane_len + k, TILE * plane_len);
                    store_strided(simd, output_1d(simd, planes), out, row, 2 * channels);
                    let odd = (ODD_ODD + TILE * y) * plane_len + k;
                    let line: [S::Vector; TILE] = load_strided(simd, products, odd, plane_len);
                    store_strided(simd, line, out, row + channels, 2 * channels);
                }
            }
        }
    }
}

/// The taps that reach the last row or column: 2, 5 and 8 the column, 6, 7 and 8 the row.
const EDGE_TAPS: [usize; 5] = [2, 5, 8, 6, 7];

/// Weights of the last row and column of outputs.
struct EdgeWeights {
    weights: Packed<{ EDGE_TAPS.len() }>,
    in_channels: usize,
    out_channels: usize,
}

/// Where [`Edges`] keep their values.
#[derive(Default)]
pub(super) struct EdgeMemory {
    inputs: AlignedBuffer,
    products: AlignedBuffer,
    row: AlignedBuffer,
    column: AlignedBuffer,
}

/// What no tile computes.
#[derive(Clone, Copy)]
pub(super) struct Edges<'a> {
    /// The last row with a zero pixel on either side.
    pub row: &'a [f32],
    /// The last pixel of every other row.
    column: &'a [f32],
    channels: usize,
}

impl EdgeWeights {
    fn new(
        set: InstructionSet,
        in_channels: usize,
        out_channels: usize,
        weight: impl Fn(usize, usize) -> [f32; 9] + Sync,
    ) -> Self {
        let weights = Packed::new(set, in_channels, out_channels, |c, k| {
            let taps = weight(k, c);
            EDGE_TAPS.map(|tap| taps[tap])
        });
        Self { weights, in_channels, out_channels }
    }

    /// Each is three products, of the last row or column of pixels with the taps that it meets.
    fn run<'a>(&self, set: InstructionSet, x: &NhwcBuffer, style: &[f32], memory: &'a mut EdgeMemory) -> Edges<'a> {
        let EdgeMemory { inputs, products, row, column } = memory;
        let (depth, channels) = (self.in_channels, self.out_channels);
        let longest = x.width.max(x.height);
        let layout = Grouped::new(set, 2, longest, depth);
        inputs.set_len(layout.len());
        let pixel = |y: usize, x_pos: usize| &x.data[(y + 1) * x.row_len() + (x_pos + 1) * depth..][..depth];
        for i in 0..longest {
            let place = i / layout.rows * layout.group_len() + i % layout.rows * depth;
            let line = (i < x.width).then(|| pixel(x.height - 1, i));
            let upright = (i < x.height).then(|| pixel(i, x.width - 1));
            for (plane, from) in [line, upright].into_iter().enumerate() {
                let to = &mut inputs[place + plane * layout.plane_len()..][..depth];
                match from {
                    Some(from) => {
                        to.iter_mut().zip(from.iter().zip(style)).for_each(|(to, (x, style))| *to = x * style)
                    }
                    None => to.fill(0.0),
                }
            }
        }
        let plane_len = layout.product_plane_len(channels);
        products.set_len(6 * plane_len);
        let inputs = &**inputs;
        Spread::Pool.chunks(products, plane_len, |index, out| {
            let (plane, matrix) = [(0, 3), (0, 4), (0, 2), (1, 0), (1, 1), (1, 2)][index];
            set.run(PlaneProduct { activations: inputs, layout, plane, weights: &self.weights, matrix, out });
        });
        let product = |index: usize, i: usize| &products[index * plane_len + i * channels..][..channels];
        // Even outputs meet the first tap at their own pixel and the last one at the pixel before, odd ones the tap between.
        let along = |out: &mut [f32], first: usize, len: usize| {
            for (i, out) in out.chunks_exact_mut(channels).enumerate() {
                let m = i / 2;
                if i % 2 == 1 {
                    out.copy_from_slice(product(first + 1, m));
                    continue;
                }
                out.fill(0.0);
                let own = (m < len).then(|| product(first, m));
                let before = m.checked_sub(1).map(|m| product(first + 2, m));
                for term in own.into_iter().chain(before) {
                    out.iter_mut().zip(term).for_each(|(out, term)| *out += term);
                }
            }
        };
        row.set_len((2 * x.width + 3) * channels);
        row[..channels].fill(0.0);
        let end = row.len() - channels;
        row[end..].fill(0.0);
        along(&mut row[channels..end], 0, x.width);
        column.set_len(2 * x.height * channels);
        along(column, 3, x.height);
        Edges { row, column, channels }
    }
}

impl Edges<'_> {
    /// Ends `rows`, of which the first is row `first` of the transposed convolution, with their last pixel and a zero.
    fn end_rows(&self, first: usize, rows: &mut [f32], row_len: usize) {
        let pixels = self.column[first * self.channels..].chunks_exact(self.channels);
        for (row, pixel) in rows.chunks_exact_mut(row_len).zip(pixels) {
            let (last, zero) = row[row_len - 2 * self.channels..].split_at_mut(self.channels);
            last.copy_from_slice(pixel);
            zero.fill(0.0);
        }
    }
}
