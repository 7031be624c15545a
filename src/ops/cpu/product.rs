//! Matrix products of the transformed domain, and how weights are packed for them.

use rayon::prelude::*;

use super::simd::tile::tile_product;
use super::simd::{AlignedBuffer, InstructionSet, Simd, Task, store_strided};

/// Calls `$body` with the const `N` set to `$n`, for the row counts that a register tile can have.
macro_rules! with_rows {
    ($n:expr, $limit:expr, $N:ident => $body:expr) => {{
        macro_rules! arm {
            ($value:literal) => {{
                const $N: usize = $value;
                // Keeps the tiles that would spill registers out of the narrower instruction sets' code.
                if $value <= $limit { $body } else { unreachable!("a register tile of {} rows", $value) }
            }};
        }
        match $n {
            1 => arm!(1),
            2 => arm!(2),
            3 => arm!(3),
            4 => arm!(4),
            5 => arm!(5),
            6 => arm!(6),
            7 => arm!(7),
            8 => arm!(8),
            9 => arm!(9),
            10 => arm!(10),
            11 => arm!(11),
            12 => arm!(12),
            n => unreachable!("a register tile of {n} rows"),
        }
    }};
}
pub(super) use with_rows;

/// Calls `$body` for blocks of columns, from `$column` on: two vectors wide (`V` is 2), the last one as wide as what is left.
macro_rules! with_columns {
    ($columns:expr, $lanes:expr, $V:ident, $column:ident => $body:expr) => {{
        let columns: usize = $columns;
        let mut $column = 0;
        while $column + 2 * $lanes <= columns {
            const $V: usize = 2;
            $body;
            $column += 2 * $lanes;
        }
        if $column < columns {
            const $V: usize = 1;
            $body;
        }
    }};
}
pub(super) use with_columns;

/// How many rows the register tiles get, so that `count` rows divide with little left over: `(tiles, rows a tile)`.
pub(super) fn divide_rows(count: usize, tile_rows: usize) -> (usize, usize) {
    let tiles = count.div_ceil(tile_rows).max(1);
    (tiles, count.div_ceil(tiles).max(1))
}

/// `M` packed matrices of `[depth, columns]`, `columns` a multiple of 16.
///
/// `[block of columns][matrix][depth][column of the block]`, a block being two vectors wide, the last one perhaps one.
pub(super) struct Packed<const M: usize> {
    values: AlignedBuffer,
    depth: usize,
    columns: usize,
    block: usize,
}

impl<const M: usize> Packed<M> {
    /// `values(depth, column)` gives an entry of each matrix.
    pub fn new(
        set: InstructionSet,
        depth: usize,
        columns: usize,
        values: impl Fn(usize, usize) -> [f32; M] + Sync,
    ) -> Self {
        let block = set.channel_block();
        let mut packed = AlignedBuffer::zeroed(M * depth * columns);
        packed.par_chunks_mut(M * depth * block).enumerate().for_each(|(index, chunk)| {
            let width = block.min(columns - index * block);
            for c in 0..depth {
                for k in 0..width {
                    for (m, value) in values(c, index * block + k).into_iter().enumerate() {
                        chunk[(m * depth + c) * width + k] = value;
                    }
                }
            }
        });
        Self { values: packed, depth, columns, block }
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    /// `[depth, width]` of the block that begins at `column`.
    #[inline]
    pub fn block(&self, matrix: usize, column: usize) -> &[f32] {
        let width = self.block.min(self.columns - column);
        &self.values[M * self.depth * column + matrix * self.depth * width..][..self.depth * width]
    }
}

/// Transformed activations: register tiles outermost, so that a tile's rows for one plane lie together.
///
/// `[group][plane][row of the group][channel]`; a plane is one frequency, a row is one Winograd tile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grouped {
    pub planes: usize,
    pub groups: usize,
    pub rows: usize,
    pub channels: usize,
}

// Planes a multiple of 4 KB apart would all compete for the same few cache sets.
const SKEW: usize = 16;

impl Grouped {
    pub fn new(set: InstructionSet, planes: usize, count: usize, channels: usize) -> Self {
        let (groups, rows) = divide_rows(count, set.tile_rows());
        Self { planes, groups, rows, channels }
    }

    pub fn plane_len(&self) -> usize {
        self.rows * self.channels + SKEW
    }

    pub fn group_len(&self) -> usize {
        self.planes * self.plane_len()
    }

    pub fn len(&self) -> usize {
        self.groups * self.group_len()
    }

    /// Rows of all groups, those that only fill up the last group included.
    pub fn padded_rows(&self) -> usize {
        self.groups * self.rows
    }

    /// Distance of the planes of the product with `columns` columns, laid out `[plane][row][column]`.
    pub fn product_plane_len(&self, columns: usize) -> usize {
        self.padded_rows() * columns + SKEW
    }
}

/// One plane's product: `out[row][column] = sum over c of activations[row][c] * weights[c][column]`.
pub(super) struct PlaneProduct<'a, const M: usize> {
    pub activations: &'a [f32],
    pub layout: Grouped,
    pub plane: usize,
    pub weights: &'a Packed<M>,
    pub matrix: usize,
    pub out: &'a mut [f32],
}

impl<const M: usize> Task for PlaneProduct<'_, M> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(mut self, simd: S) {
        with_rows!(self.layout.rows, S::TILE_ROWS, N => self.rows::<S, N>(simd))
    }
}

impl<const M: usize> PlaneProduct<'_, M> {
    #[inline(always)]
    fn rows<S: Simd, const N: usize>(&mut self, simd: S) {
        with_columns!(self.weights.columns(), S::LANES, V, column => self.columns::<S, N, V>(simd, column));
    }

    #[inline(always)]
    fn columns<S: Simd, const N: usize, const V: usize>(&mut self, simd: S, column: usize) {
        let depth = self.layout.channels;
        let weights = self.weights.block(self.matrix, column);
        for group in 0..self.layout.groups {
            let first = group * self.layout.group_len() + self.plane * self.layout.plane_len();
            let mut rows = [first; N];
            for (i, row) in rows.iter_mut().enumerate() {
                *row += i * depth;
            }
            let tile: [[S::Vector; V]; N] = tile_product(simd, self.activations, rows, weights, depth);
            for (i, &vectors) in tile.iter().enumerate() {
                store_strided(simd, vectors, self.out, (group * N + i) * self.weights.columns() + column, S::LANES);
            }
        }
    }
}
