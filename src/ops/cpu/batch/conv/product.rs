//! The matrix product of blocks in cache.

use crate::ops::cpu::product::with_rows;
use crate::ops::cpu::simd::tile::tile_product;
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
    /// `[panel][depth][two vectors]`, the last panel perhaps one vector wide.
    pub panels: &'a [f32],
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
        let mut row = 0;
        while row < self.rows {
            let count = S::TILE_ROWS.min(self.rows - row);
            with_rows!(count, S::TILE_ROWS, N => self.tiles::<S, N>(simd, row));
            row += count;
        }
    }
}

impl BlockProduct<'_> {
    #[inline(always)]
    fn tiles<S: Simd, const N: usize>(&mut self, simd: S, row: usize) {
        let mut column = 0;
        while column + 2 * S::LANES <= self.columns {
            self.tile::<S, N, 2>(simd, row, column);
            column += 2 * S::LANES;
        }
        if column < self.columns {
            self.tile::<S, N, 1>(simd, row, column);
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const N: usize, const V: usize>(&mut self, simd: S, row: usize, column: usize) {
        let mut rows = [0; N];
        for i in 0..N {
            rows[i] = (row + i) * self.a_stride;
        }
        let panel = &self.panels[column * self.depth..];
        let tile: [[S::Vector; V]; N] = tile_product(simd, self.a, rows, panel, self.depth);
        for i in 0..N {
            let at = (row + i) * self.out_stride + column;
            let mut sums = tile[i];
            if self.add {
                let before: [S::Vector; V] = load_strided(simd, self.out, at, S::LANES);
                for j in 0..V {
                    sums[j] = simd.add(sums[j], before[j]);
                }
            }
            store_strided(simd, sums, self.out, at, S::LANES);
        }
    }
}
