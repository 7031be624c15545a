//! Value by value.

use super::super::{Binary, affine, bias_act, bias_act_gradient, binary};
use super::{Sequence, assert_close, indices, product, runtimes, value_at};

#[test]
fn binary_operations_broadcast() {
    let full = [3, 5, 4, 6];
    let pairs = [
        (full, full),
        (full, [3, 5, 1, 1]),
        (full, [1, 5, 1, 1]),
        (full, [1, 1, 4, 6]),
        (full, [3, 1, 4, 6]),
        (full, [1, 1, 1, 1]),
        (full, [3, 1, 1, 6]),
        (full, [1, 5, 4, 1]),
        ([3, 1, 4, 1], [1, 5, 1, 6]),
        ([8, 70, 1, 1], [1, 70, 1, 1]),
        ([8, 70, 1, 1], [8, 1, 1, 1]),
        ([1, 1, 1, 1], [1, 1, 1, 1]),
        ([2, 64, 64, 64], [2, 64, 64, 64]),
        ([2, 64, 33, 31], [2, 64, 1, 1]),
    ];
    let mut sequence = Sequence(3);
    for (one, other) in pairs {
        for (a_dims, b_dims) in [(one, other), (other, one)] {
            let (a, b) = (sequence.take(product(a_dims)), sequence.take(product(b_dims)));
            let dims = std::array::from_fn(|d| a_dims[d].max(b_dims[d]));
            for op in [Binary::Add, Binary::Sub, Binary::Mul] {
                let expected: Vec<f64> = indices(dims)
                    .map(|at| {
                        let (a, b) = (value_at(&a, a_dims, at), value_at(&b, b_dims, at));
                        match op {
                            Binary::Add => a + b,
                            Binary::Sub => a - b,
                            Binary::Mul => a * b,
                        }
                    })
                    .collect();
                for rt in runtimes() {
                    let actual = binary(&rt, op, &a, a_dims, &b, b_dims);
                    assert_close(&actual, &expected, 1e-6, &format!("{op:?} of {a_dims:?} and {b_dims:?} on {rt:?}"));
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "do not broadcast")]
fn shapes_that_do_not_broadcast_are_refused() {
    binary(&runtimes()[0], Binary::Add, &[0.0; 6], [1, 2, 3, 1], &[0.0; 4], [1, 2, 2, 1]);
}

#[test]
fn affine_scales_and_shifts() {
    for len in [0, 1, 7, 100_003] {
        let x = Sequence(9).take(len);
        let expected: Vec<f64> = x.iter().map(|&x| f64::from(x) * -1.5 + 0.25).collect();
        for rt in runtimes() {
            assert_close(&affine(&rt, &x, -1.5, 0.25), &expected, 1e-6, "affine");
        }
    }
}

#[test]
fn bias_and_activation_match_their_definition_and_gradient() {
    let mut sequence = Sequence(4);
    let gain = 2.0_f64.sqrt();
    for dims in [[2, 3, 5, 7], [8, 70, 1, 1], [3, 40, 32, 33], [1, 1, 1, 1], [2, 5, 200, 100]] {
        for (slope, clamp, biased) in
            [(0.2_f32, None, true), (0.2, Some(1.0_f32), true), (1.0, None, false), (0.0, Some(0.5), true)]
        {
            let x = sequence.take(product(dims));
            let grad = sequence.take(product(dims));
            let bias = biased.then(|| sequence.take(dims[1]));
            let mut expected = Vec::new();
            let mut gradient = Vec::new();
            for (i, at) in indices(dims).enumerate() {
                let sum = f64::from(x[i] + bias.as_ref().map_or(0.0, |bias| bias[at[1]]));
                let factor = gain * if sum < 0.0 { f64::from(slope) } else { 1.0 };
                let limit = clamp.map_or(f64::INFINITY, f64::from);
                expected.push((sum * factor).clamp(-limit, limit));
                gradient.push(if (sum * factor).abs() >= limit { 0.0 } else { f64::from(grad[i]) * factor });
            }
            for rt in runtimes() {
                let y = bias_act(&rt, dims, &x, bias.as_deref(), slope, gain as f32, clamp);
                assert_close(&y, &expected, 1e-6, &format!("{dims:?}, slope {slope}"));
                let actual = bias_act_gradient(&rt, &grad, &y, slope, gain as f32, clamp);
                // With slope 0, what was below zero is 0 afterwards, and its gradient cannot be told from the other side's.
                if slope > 0.0 {
                    assert_close(&actual, &gradient, 1e-6, &format!("gradient, {dims:?}, slope {slope}"));
                }
            }
        }
    }
}

#[test]
fn not_a_number_is_not_hidden() {
    let x = [f32::NAN, 1.0, -2.0, f32::INFINITY];
    for rt in runtimes() {
        let y = bias_act(&rt, [1, 1, 2, 2], &x, None, 0.2, 1.0, Some(4.0));
        assert!(y[0].is_nan());
        assert_eq!(y[1..], [1.0, -0.4, 4.0]);
    }
}
