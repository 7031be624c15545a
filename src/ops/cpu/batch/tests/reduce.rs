//! Sums over axes.

use super::super::{mul_sum_to, sum_to};
use super::{Sequence, assert_close, indices, product, runtimes, value_at};

const CASES: [([usize; 4], [usize; 4]); 20] = [
    ([40, 70, 3, 3], [40, 70, 1, 1]),
    ([6, 5, 31, 1], [6, 5, 1, 1]),
    ([3, 5, 4, 6], [1, 5, 1, 1]),
    ([3, 5, 4, 6], [3, 5, 1, 1]),
    ([3, 5, 4, 6], [1, 1, 1, 1]),
    ([3, 5, 4, 6], [3, 1, 4, 6]),
    ([3, 5, 4, 6], [1, 1, 4, 6]),
    ([3, 5, 4, 6], [1, 5, 4, 6]),
    ([3, 5, 4, 6], [3, 1, 1, 1]),
    ([3, 5, 4, 6], [3, 1, 4, 1]),
    ([3, 5, 4, 6], [1, 5, 1, 6]),
    ([3, 5, 4, 6], [3, 5, 4, 6]),
    ([8, 70, 1, 1], [1, 70, 1, 1]),
    ([8, 70, 1, 1], [8, 1, 1, 1]),
    ([1, 1, 1, 1], [1, 1, 1, 1]),
    ([2, 20, 64, 64], [1, 20, 1, 1]),
    ([2, 20, 64, 64], [1, 1, 1, 1]),
    ([2, 20, 64, 65], [2, 1, 64, 65]),
    ([2, 3, 300, 200], [1, 3, 1, 1]),
    ([2, 30, 100, 90], [1, 30, 100, 90]),
];

fn summed(dims: [usize; 4], to: [usize; 4], f: impl Fn([usize; 4]) -> f64) -> Vec<f64> {
    let mut sums = vec![0.0; product(to)];
    for at in indices(dims) {
        let index = (0..4).fold(0, |index, d| index * to[d] + if to[d] == 1 { 0 } else { at[d] });
        sums[index] += f(at);
    }
    sums
}

#[test]
fn sums_match_their_definition() {
    let mut sequence = Sequence(8);
    for (dims, to) in CASES {
        let x = sequence.take(product(dims));
        let expected = summed(dims, to, |at| value_at(&x, dims, at));
        for rt in runtimes() {
            // Sums of values around zero: errors grow with the values, not with the sum.
            assert_close(&sum_to(&rt, &x, dims, to), &expected, 3e-6, &format!("{dims:?} to {to:?} on {rt:?}"));
        }
    }
}

#[test]
fn sums_of_products_match_their_definition() {
    let mut sequence = Sequence(12);
    for (dims, to) in CASES {
        for mask in [
            [1, 1, 1, 1],
            [0, 1, 1, 1],
            [0, 1, 0, 0],
            [1, 1, 0, 0],
            [0, 0, 1, 1],
            [1, 0, 1, 1],
            [0, 0, 0, 0],
            [1, 0, 0, 1],
        ] {
            let other = std::array::from_fn(|d| if mask[d] == 1 { dims[d] } else { 1 });
            let (a, b) = (sequence.take(product(dims)), sequence.take(product(other)));
            let expected = summed(dims, to, |at| value_at(&a, dims, at) * value_at(&b, other, at));
            for rt in runtimes() {
                let what = format!("{dims:?} * {other:?} to {to:?} on {rt:?}");
                assert_close(&mul_sum_to(&rt, &a, dims, &b, other, to), &expected, 1e-5, &what);
                assert_close(&mul_sum_to(&rt, &b, other, &a, dims, to), &expected, 1e-5, &what);
            }
        }
    }
}

#[test]
fn long_sums_are_accurate() {
    let dims = [4, 64, 128, 128];
    let x: Vec<f32> = (0..product(dims)).map(|i| 1.0 + (i % 7) as f32 * 1e-3).collect();
    let expected: f64 = x.iter().map(|&x| f64::from(x)).sum();
    for rt in runtimes() {
        assert_close(&sum_to(&rt, &x, dims, [1; 4]), &[expected], 2e-7, "sum of everything");
    }
}
