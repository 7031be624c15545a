//! The branch past the layers of a residual block (StyleGAN2, figure 7): a 1x1 convolution, doubled in size by the filter.

use super::buffer::{NhwcBuffer, padded};
use super::product::{Packed, divide_rows, with_columns, with_rows};
use super::simd::tile::tile_product;
use super::simd::{InstructionSet, Simd, Task, store_strided};
use super::threads::{Spread, Threads};
use super::workspace::Workspace;

/// The branch's weights.
pub struct SkipKernel {
    set: InstructionSet,
    weights: Packed<1>,
    in_channels: usize,
    out_channels: usize,
    /// By phase of the output: for the pixel before and the pixel itself, then for the pixel itself and the one after.
    taps: [[f32; 2]; 2],
}

// Rows of the 1x1 convolution that a thread takes together, so that it reads the weights once for all of them.
const ROWS: usize = 4;

impl SkipKernel {
    /// From `weight`, `[out, in]`, and the filter's taps along one axis, of sum 1.
    ///
    /// # Panics
    /// If the length of `weight` is not the product of its shape.
    pub fn new(
        set: InstructionSet,
        weight: &[f32],
        [out_channels, in_channels]: [usize; 2],
        [a, b, c, d]: [f32; 4],
    ) -> Self {
        assert_eq!(weight.len(), out_channels * in_channels, "weight is not [{out_channels}, {in_channels}]");
        let weights = Packed::new(set, padded(in_channels), padded(out_channels), |c, k| {
            [if c < in_channels && k < out_channels { weight[k * in_channels + c] } else { 0.0 }]
        });
        // A true convolution, after zero insertion, which wants a gain of 2 an axis.
        let taps = [[2.0 * d, 2.0 * b], [2.0 * c, 2.0 * a]];
        Self { set, weights, in_channels, out_channels, taps }
    }

    /// Adds the branch of `x` to `to`, which is twice as large.
    ///
    /// # Panics
    /// If `x` or `to` has another shape.
    pub fn add(&self, x: &NhwcBuffer, to: &mut NhwcBuffer, workspace: &mut Workspace, threads: &Threads) {
        let [channels, height, width] = x.shape();
        assert_eq!(channels, self.in_channels, "input of another shape");
        assert_eq!(to.shape(), [self.out_channels, 2 * height, 2 * width], "output of another shape");
        let products = &mut workspace.shared.products;
        let columns = padded(self.out_channels);
        threads.current().install(|| {
            products.set_len(height * width * columns);
            Spread::Pool.chunks(products, ROWS * width * columns, |index, out| {
                self.set.run(Pointwise { x, weights: &self.weights, first_row: ROWS * index, out });
            });
            let (products, row_len) = (&**products, to.row_len());
            let row = |y: usize| &products[y * width * columns..][..width * columns];
            Spread::Pool.chunks(to.rows_mut(), row_len, |y, out| {
                let (above, vertical) = if y % 2 == 0 { ((y / 2).checked_sub(1), 0) } else { (Some(y / 2), 1) };
                let below = above.map_or(0, |above| above + 1);
                // Past the border lie zeros.
                let [upper, lower] = self.taps[vertical];
                let (above, upper) = above.map_or((row(0), 0.0), |above| (row(above), upper));
                let (below, lower) = if below < height { (row(below), lower) } else { (above, 0.0) };
                let inside = columns..row_len - columns;
                let (rows, weights) = ([above, below], [upper, lower]);
                self.set.run(AddDoubled { rows, weights, taps: self.taps, columns, out: &mut out[inside] });
            });
        });
    }
}

/// Rows of the 1x1 convolution, `[row][pixel][channel]`.
struct Pointwise<'a> {
    x: &'a NhwcBuffer,
    weights: &'a Packed<1>,
    first_row: usize,
    out: &'a mut [f32],
}

impl Task for Pointwise<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(mut self, simd: S) {
        let (_, rows) = divide_rows(self.x.width, S::TILE_ROWS);
        with_rows!(rows, S::TILE_ROWS, N => self.rows::<S, N>(simd));
    }
}

impl Pointwise<'_> {
    #[inline(always)]
    fn rows<S: Simd, const N: usize>(&mut self, simd: S) {
        with_columns!(self.weights.columns(), S::LANES, V, column => self.columns::<S, N, V>(simd, column));
    }

    /// All pixels of the rows, for one block of output channels.
    #[inline(always)]
    fn columns<S: Simd, const N: usize, const V: usize>(&mut self, simd: S, column: usize) {
        let (width, depth, columns) = (self.x.width, padded(self.x.channels), self.weights.columns());
        let weights = self.weights.block(0, column);
        for y in 0..self.out.len() / (width * columns) {
            let line = (self.first_row + y + 1) * self.x.row_len() + depth;
            for first in (0..width).step_by(N) {
                // The last tile takes some pixels again, rather than fewer.
                let first = first.min(width - N);
                let mut rows = [line + first * depth; N];
                for (i, row) in rows.iter_mut().enumerate() {
                    *row += i * depth;
                }
                let tile: [[S::Vector; V]; N] = tile_product(simd, &self.x.data, rows, weights, depth);
                for (i, &vectors) in tile.iter().enumerate() {
                    store_strided(simd, vectors, self.out, (y * width + first + i) * columns + column, S::LANES);
                }
            }
        }
    }
}

/// Adds the doubled image's row between two rows: `sum of weights[i] * rows[i]`, then doubled along the row.
struct AddDoubled<'a> {
    rows: [&'a [f32]; 2],
    weights: [f32; 2],
    taps: [[f32; 2]; 2],
    columns: usize,
    /// Pixels inside of the border.
    out: &'a mut [f32],
}

impl Task for AddDoubled<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let columns = self.columns;
        let width = self.rows[0].len() / columns;
        let [upper, lower] = [simd.splat(self.weights[0]), simd.splat(self.weights[1])];
        let [[even_before, even_here], [odd_here, odd_after]] = self.taps;
        let (even_before, even_here) = (simd.splat(even_before), simd.splat(even_here));
        let (odd_here, odd_after) = (simd.splat(odd_here), simd.splat(odd_after));
        for k in (0..columns).step_by(S::LANES) {
            let mut before = simd.splat(0.0);
            let mut here = between(simd, self.rows, [upper, lower], k);
            for x in 0..width {
                let after = if x + 1 < width {
                    between(simd, self.rows, [upper, lower], (x + 1) * columns + k)
                } else {
                    simd.splat(0.0)
                };
                let at = 2 * x * columns + k;
                let even = simd.mul_add(even_here, here, simd.load(self.out, at));
                simd.store(simd.mul_add(even_before, before, even), self.out, at);
                let odd = simd.mul_add(odd_here, here, simd.load(self.out, at + columns));
                simd.store(simd.mul_add(odd_after, after, odd), self.out, at + columns);
                (before, here) = (here, after);
            }
        }
    }
}

#[inline(always)]
fn between<S: Simd>(simd: S, rows: [&[f32]; 2], weights: [S::Vector; 2], at: usize) -> S::Vector {
    simd.mul_add(weights[0], simd.load(rows[0], at), simd.mul(weights[1], simd.load(rows[1], at)))
}
