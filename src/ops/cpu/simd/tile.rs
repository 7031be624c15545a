//! Register tiles of matrix products: a few rows of activations times two vectors of output channels, and rows times rows.

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
    // SAFETY: the first assertion above bounds the weights by `depth * V` vectors, the second each row by `depth` values.
    unsafe { simd.product_pointer(pointers, weights.as_ptr(), depth) }
}

/// [`Simd::product_pointer`] with a value at a time, spread over a vector.
///
/// # Safety
/// As [`Simd::product_pointer`].
#[inline(always)]
pub unsafe fn splat_product<S: Simd, const N: usize, const V: usize>(
    simd: S,
    rows: [*const f32; N],
    mut weights: *const f32,
    depth: usize,
) -> [[S::Vector; V]; N] {
    let mut tile = [[simd.splat(0.0); V]; N];
    let mut c = 0;
    while c < depth {
        // `while` loops and `wrapping_add`, because what `for` and `add` check in builds with assertions keeps the compiler
        // from unrolling, and so from holding the tile in registers.
        let mut vectors = [simd.splat(0.0); V];
        let mut j = 0;
        while j < V {
            // SAFETY: the caller's promise.
            vectors[j] = unsafe { simd.load_pointer(weights.wrapping_add(j * S::LANES)) };
            j += 1;
        }
        let mut i = 0;
        while i < N {
            // SAFETY: the caller's promise.
            let value = unsafe { simd.splat_pointer(rows[i].wrapping_add(c)) };
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

/// `tile[i][j]` holds, over its lanes, the sum of the products of row `a_rows[i]` of `a` with row `b_rows[j]` of `b`, `len` values
/// each (a multiple of the lanes), and of `count - 1` more such pairs of rows, each `steps` after the one before.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "two operands, and where their rows lie")]
pub fn dot_tile<S: Simd, const N: usize, const M: usize>(
    simd: S,
    a: &[f32],
    a_rows: [usize; N],
    b: &[f32],
    b_rows: [usize; M],
    len: usize,
    count: usize,
    steps: [usize; 2],
) -> [[S::Vector; M]; N] {
    assert!(len.is_multiple_of(S::LANES) && count > 0, "rows of whole vectors");
    let reach = |step: usize| step.saturating_mul(count - 1).saturating_add(len);
    for (rows, reach, values) in [(&a_rows[..], reach(steps[0]), a), (&b_rows[..], reach(steps[1]), b)] {
        for &row in rows {
            assert!(row <= values.len() && values.len() - row >= reach, "a row lies outside of its operand");
        }
    }
    let mut tile = [[simd.splat(0.0); M]; N];
    let mut pair = 0;
    while pair < count {
        let (a, b) = (a.as_ptr().wrapping_add(pair * steps[0]), b.as_ptr().wrapping_add(pair * steps[1]));
        let mut at = 0;
        // `while` for the reason given above.
        while at < len {
            let mut vectors = [simd.splat(0.0); M];
            let mut j = 0;
            while j < M {
                // SAFETY: the assertion above bounds each row and all that follow it by `steps`.
                vectors[j] = unsafe { simd.load_pointer(b.wrapping_add(b_rows[j] + at)) };
                j += 1;
            }
            let mut i = 0;
            while i < N {
                // SAFETY: as above.
                let value = unsafe { simd.load_pointer(a.wrapping_add(a_rows[i] + at)) };
                let mut j = 0;
                while j < M {
                    tile[i][j] = simd.mul_add(value, vectors[j], tile[i][j]);
                    j += 1;
                }
                i += 1;
            }
            at += S::LANES;
        }
        pair += 1;
    }
    tile
}

/// `tile[i][j]` is the sum of value `i` of a row of `a` times the `j`-th vector of a row of `b`, over rows in three nested loops of
/// `counts` rounds, whose steps in `a` and `b` are `steps`. The first rows lie at `first`.
#[inline(always)]
pub fn outer_tile<S: Simd, const N: usize, const V: usize>(
    simd: S,
    [a, b]: [&[f32]; 2],
    first: [usize; 2],
    counts: [usize; 3],
    steps: [[usize; 2]; 3],
) -> [[S::Vector; V]; N] {
    for (k, (values, len)) in [(a, N), (b, V * S::LANES)].into_iter().enumerate() {
        let mut end = first[k].saturating_add(len);
        for (count, step) in counts.into_iter().zip(steps) {
            end = end.saturating_add(step[k].saturating_mul(count.saturating_sub(1)));
        }
        assert!(end <= values.len(), "a row lies outside of its operand");
    }
    let (a, b) = (a.as_ptr().wrapping_add(first[0]), b.as_ptr().wrapping_add(first[1]));
    let mut tile = [[simd.splat(0.0); V]; N];
    let mut outer = 0;
    // `while` for the reason given above.
    while outer < counts[0] * counts[1] {
        let (x, y) = (outer / counts[1], outer % counts[1]);
        let mut a = a.wrapping_add(x * steps[0][0] + y * steps[1][0]);
        let mut b = b.wrapping_add(x * steps[0][1] + y * steps[1][1]);
        let mut inner = 0;
        while inner < counts[2] {
            let mut vectors = [simd.splat(0.0); V];
            let mut j = 0;
            while j < V {
                // SAFETY: the assertion above bounds every row.
                vectors[j] = unsafe { simd.load_pointer(b.wrapping_add(j * S::LANES)) };
                j += 1;
            }
            let mut i = 0;
            while i < N {
                // SAFETY: as above.
                let value = unsafe { simd.splat_pointer(a.wrapping_add(i)) };
                let mut j = 0;
                while j < V {
                    tile[i][j] = simd.mul_add(value, vectors[j], tile[i][j]);
                    j += 1;
                }
                i += 1;
            }
            (a, b) = (a.wrapping_add(steps[2][0]), b.wrapping_add(steps[2][1]));
            inner += 1;
        }
        outer += 1;
    }
    tile
}

#[cfg(test)]
mod tests {
    use super::super::{InstructionSet, Task, store_strided};
    use super::*;

    const ROWS: usize = 5;

    struct Product<'a, const V: usize> {
        x: &'a [f32],
        rows: [usize; ROWS],
        weights: &'a [f32],
        depth: usize,
    }

    impl<const V: usize> Task for Product<'_, V> {
        type Output = Vec<f32>;

        #[inline(always)]
        fn call<S: Simd>(self, simd: S) -> Vec<f32> {
            let tile: [[S::Vector; V]; ROWS] = tile_product(simd, self.x, self.rows, self.weights, self.depth);
            let width = V * S::LANES;
            let mut out = vec![0.0; ROWS * width];
            for (i, vectors) in tile.into_iter().enumerate() {
                store_strided(simd, vectors, &mut out, i * width, S::LANES);
            }
            out
        }
    }

    #[test]
    fn a_register_tile_is_a_product_of_any_depth() {
        for depth in [0, 1, 2, 3, 6, 13] {
            let rows = std::array::from_fn(|i| 17 - 4 * i);
            let x: Vec<f32> = (0..17 + depth).map(|i| (i * i % 23) as f32 - 11.0).collect();
            for set in InstructionSet::available() {
                for vectors in [1, 2] {
                    let width = vectors * set.channel_block() / 2;
                    let weights: Vec<f32> = (0..depth * width).map(|i| (i * i % 19) as f32 - 9.0).collect();
                    let tile = if vectors == 1 {
                        set.run(Product::<1> { x: &x, rows, weights: &weights, depth })
                    } else {
                        set.run(Product::<2> { x: &x, rows, weights: &weights, depth })
                    };
                    // Whole numbers, so that every sum is exact.
                    let at =
                        |i: usize, j: usize| (0..depth).map(|c| x[rows[i] + c] * weights[c * width + j]).sum::<f32>();
                    let expected: Vec<f32> = (0..ROWS * width).map(|k| at(k / width, k % width)).collect();
                    assert_eq!(tile, expected, "{set}, depth {depth}, {vectors} vectors");
                }
            }
        }
    }
}
