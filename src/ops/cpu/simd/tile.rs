//! The register tile of the matrix product: a few rows of activations times two vectors of output channels.

use super::Simd;

/// `tile[i][j]` is the product of row `rows[i]` (`depth` values of `x` from that index on) with the `j`-th vector of the
/// `depth` weight rows, each `V` vectors wide, that `weights` begins with.
///
/// The tile is made here and returned by value: a tile that is passed in stays in memory through the loop.
#[inline(always)]
pub fn tile_product<S: Simd, const N: usize, const V: usize>(
    simd: S,
    x: &[f32],
    rows: [usize; N],
    weights: &[f32],
    depth: usize,
) -> [[S::Vector; V]; N] {
    assert!(weights.len() >= depth * V * S::LANES, "weights are shorter than the product needs");
    for row in rows {
        assert!(row <= x.len() && x.len() - row >= depth, "a row lies outside of the activations");
    }
    let mut pointers = [x.as_ptr(); N];
    for (pointer, row) in pointers.iter_mut().zip(rows) {
        *pointer = pointer.wrapping_add(row);
    }
    let mut weights = weights.as_ptr();
    let mut tile = [[simd.splat(0.0); V]; N];
    let mut c = 0;
    while c < depth {
        // `while` loops and `wrapping_add`, because what `for` and `add` check in builds with assertions keeps the compiler
        // from unrolling, and so from holding the tile in registers.
        let mut vectors = [simd.splat(0.0); V];
        let mut j = 0;
        while j < V {
            // SAFETY: the first assertion above bounds the weights by `depth * V` vectors.
            vectors[j] = unsafe { simd.load_pointer(weights.wrapping_add(j * S::LANES)) };
            j += 1;
        }
        let mut i = 0;
        while i < N {
            // SAFETY: the second assertion above bounds each row by `depth` values.
            let value = unsafe { simd.splat_pointer(pointers[i].wrapping_add(c)) };
            let mut j = 0;
            while j < V {
                tile[i][j] = simd.mul_add(value, vectors[j], tile[i][j]);
                j += 1;
            }
            i += 1;
        }
        weights = weights.wrapping_add(V * S::LANES);
        c += 1;
    }
    tile
}
