//! Results are the same, bit for bit, however many threads work.

use super::super::*;
use super::{Sequence, product};
use crate::ops::cpu::{InstructionSet, Runtime};

/// The bits of `f`'s result with one, two and three threads, and again, are the same.
#[track_caller]
fn assert_same(rt: &Runtime, what: &str, f: impl Fn() -> Vec<f32>) {
    let mut results: Vec<Vec<u32>> = Vec::new();
    for limit in [1, 2, 3, 2] {
        rt.threads().set_limit(limit).expect("threads");
        results.push(f().iter().map(|value| value.to_bits()).collect());
    }
    assert!(results.iter().all(|result| *result == results[0]), "{what} depends on threads");
}

#[test]
fn convolutions_do_not_depend_on_threads() {
    let rt = Runtime::new(InstructionSet::best()).expect("threads");
    let mut sequence = Sequence(21);
    for (channels, side, [kernel, stride, padding]) in [
        ([64, 64], 64, [3, 1, 1]),
        ([40, 70], 16, [3, 1, 1]),
        ([256, 256], 4, [3, 1, 1]),
        ([64, 96], 33, [3, 2, 0]),
        ([64, 96], 32, [1, 1, 0]),
        ([700, 300], 1, [1, 1, 0]),
    ] {
        let [inputs, outputs] = channels;
        let s = ConvShape { batch: 4, inputs, outputs, height: side, width: side, kernel, stride, padding };
        let (x, w, g) = (sequence.take(s.x_len()), sequence.take(s.weight_len()), sequence.take(s.y_len()));
        assert_same(&rt, &format!("convolution {s:?}"), || conv2d(&rt, &s, &x, &w));
        assert_same(&rt, &format!("input gradient {s:?}"), || conv2d_input_gradient(&rt, &s, &g, &w));
        assert_same(&rt, &format!("weight gradient {s:?}"), || conv2d_weight_gradient(&rt, &s, &x, &g));
    }
}

#[test]
fn the_rest_does_not_depend_on_threads() {
    let rt = Runtime::new(InstructionSet::best()).expect("threads");
    let mut sequence = Sequence(22);
    let dims = [4, 30, 64, 65];
    let x = sequence.take(product(dims));
    let y = sequence.take(product(dims));
    for to in [[1, 30, 1, 1], [1; 4], [4, 1, 64, 65], [1, 30, 64, 65], [4, 30, 1, 1]] {
        assert_same(&rt, "sum", || sum_to(&rt, &x, dims, to));
        assert_same(&rt, "sum of products", || mul_sum_to(&rt, &x, dims, &y, dims, to));
    }
    assert_same(&rt, "product", || binary(&rt, Binary::Mul, &x, dims, &y, dims));
    assert_same(&rt, "activation", || bias_act(&rt, dims, &x, Some(&y[..30]), 0.2, 1.4, Some(1.0)));
    let fir = Fir { taps: &[0.125, 0.375, 0.375, 0.125], up: 2, down: 1, pad: [2, 1, 2, 1], flip: false, gain: 4.0 };
    assert_same(&rt, "resampling", || upfirdn2d(&rt, 120, [64, 65], &x, &fir));
    let options = AdamStep { lr: 0.01, beta1: 0.0, beta2: 0.99, epsilon: 1e-8, step: 3 };
    assert_same(&rt, "optimiser", || {
        let (mut w, mut m, mut v, mut ema) = (x.clone(), y.clone(), vec![0.25; x.len()], x.clone());
        adam(&rt, &options, &y, &mut w, Moments { m: &mut m, v: &mut v });
        move_average(&rt, 0.5, &w, &mut ema);
        [w, m, v, ema].concat()
    });
}
