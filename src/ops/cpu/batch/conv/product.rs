//! The matrix product of blocks in cache.

use crate::ops::cpu::product::{divide_rows, with_columns, with_rows};
use crate::ops::cpu::simd::tile::{outer_tile, tile_product};
use crate::ops::cpu::simd::{Simd, Task, load_strided, store_strided};

/// Depth of a block: a panel of it and the rows of a register tile together fill half of a first-level cache.
pub(super) const DEPTH: usize = 288;

/// The blocks that `depth` is divided into, all nearly equal. Every sum over it is taken in this order.
pub(super) fn depth_blocks(depth: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let blocks = depth.div_ceil(DEPTH);
    (0..blocks).map(move |i| i * depth / blocks..(i + 1) * depth / blocks)
}

/// `out[row][column] (+)= sum over d of a[row][d] * b[d][column]`.
pub(super) struct BlockProduct<'a> {
    /// Rows of `depth` values, `a_stride` apart.
    pub a: &'a [f32],
    pub a_stride: usize,
    pub rows: usize,
    pub depth: usize,
    /// `[panel][panel_depth][two vectors]`, the last panel perhaps one vector wide; the product begins at `panel_first`.
    pub panels: &'a [f32],
    pub panel_depth: usize,
    pub panel_first: usize,
    /// Columns of all panels, a multiple of a vector.
    pub columns: usize,
    /// Rows `out_stride` apart.
    pub out: &'a mut [f32],
    pub out_stride: usize,
    /// Whether to add to what `out` holds.
    pub add: bool,
}

impl Task for BlockProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(mut self, simd: S) {
        // Tiles of equal height: a last one of few rows would wait for its own sums.
        let (_, height) = divide_rows(self.rows, S::TILE_ROWS);
        let mut row = 0;
        while row < self.rows {
            let count = height.min(self.rows - row);
            with_rows!(count, S::TILE_ROWS, N => self.tiles::<S, N>(simd, row));
            row += count;
        }
    }
}

impl BlockProduct<'_> {
    #[inline(always)]
    fn tiles<S: Simd, const N: usize>(&mut self, simd: S, row: usize) {
        with_columns!(self.columns, S::LANES, V, column => self.tile::<S, N, V>(simd, row, column));
    }

    #[inline(always)]
    fn tile<S: Simd, const N: usize, const V: usize>(&mut self, simd: S, row: usize, column: usize) {
        let mut rows = [0; N];
        for i in 0..N {
            rows[i] = (row + i) * self.a_stride;
        }
        let panel = &self.panels[column * self.panel_depth + self.panel_first * V * S::LANES..];
        let tile: [[S::Vector; V]; N] = tile_product(simd, self.a, rows, panel, self.depth);
        store_tile(simd, tile, self.out, row * self.out_stride + column, self.out_stride, self.add);
    }
}

/// Writes a register tile to rows `stride` apart, or adds it to what they hold.
#[inline(always)]
fn store_tile<S: Simd, const N: usize, const V: usize>(
    simd: S,
    tile: [[S::Vector; V]; N],
    out: &mut [f32],
    first: usize,
    stride: usize,
    add: bool,
) {
    let mut rows = [0; N];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = first + i * stride;
    }
    store_rows(simd, tile, out, rows, add);
}

/// Writes a register tile to `rows`, or adds it to what they hold.
#[inline(always)]
pub(super) fn store_rows<S: Simd, const N: usize, const V: usize>(
    simd: S,
    tile: [[S::Vector; V]; N],
    out: &mut [f32],
    rows: [usize; N],
    add: bool,
) {
    for i in 0..N {
        let mut sums = tile[i];
        if add {
            let before: [S::Vector; V] = load_strided(simd, out, rows[i], S::LANES);
            for j in 0..V {
                sums[j] = simd.add(sums[j], before[j]);
            }
        }
        store_strided(simd, sums, out, rows[i], S::LANES);
    }
}

/// `out[row][column] (+)= sum of a[..][row] * b[..][column]` over rows of both operands in three nested loops.
pub(super) struct OuterProduct<'a> {
    /// Both operands, and where the first row lies in each.
    pub operands: [&'a [f32]; 2],
    pub first: [usize; 2],
    /// Rounds of the loops, and how far each goes in both operands.
    pub counts: [usize; 3],
    pub steps: [[usize; 2]; 3],
    pub rows: usize,
    /// A multiple of a vector.
    pub columns: usize,
    /// `[rows, columns]`.
    pub out: &'a mut [f32],
    /// Whether to add to what `out` holds.
    pub add: bool,
}

impl Task for OuterProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(mut self, simd: S) {
        let (_, height) = divide_rows(self.rows, S::TILE_ROWS);
        let mut column = 0;
        while column < self.columns {
            let vectors = if column + 2 * S::LANES <= self.columns { 2 } else { 1 };
            let mut row = 0;
            while row < self.rows {
                let count = height.min(self.rows - row);
                with_rows!(count, S::TILE_ROWS, N => {
                    if vectors == 2 { self.tile::<S, N, 2>(simd, row, column) } else { self.tile::<S, N, 1>(simd, row, column) }
                });
                row += count;
            }
            column += vectors * S::LANES;
        }
    }
}

impl OuterProduct<'_> {
    #[inline(always)]
    fn tile<S: Simd, const N: usize, const V: usize>(&mut self, simd: S, row: usize, column: usize) {
        let first = [self.first[0] + row, self.first[1] + column];
        let tile: [[S::Vector; V]; N] = outer_tile(simd, self.operands, first, self.counts, self.steps);
        store_tile(simd, tile, self.out, row * self.columns + column, self.columns, self.add);
    }
}
