//! Every operation beside a plain twin in double precision, over many shapes, on every instruction set.

mod conv;
mod elementwise;
mod fir;
mod reduce;
mod step;
mod threads;

use crate::ops::cpu::{InstructionSet, Runtime};

/// A runtime for each instruction set of this processor.
fn runtimes() -> Vec<Runtime> {
    InstructionSet::available().into_iter().map(|set| Runtime::new(set).expect("threads")).collect()
}

/// Values of a fixed pseudo-random sequence (xorshift), roughly normal.
struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> f32 {
        let mut uniform = || {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        };
        (0..6).map(|_| uniform()).sum::<f32>() * 1.4
    }

    fn take(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.next()).collect()
    }
}

/// The largest difference, relative to the largest expected value.
fn relative_error(actual: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(actual.len(), expected.len());
    let largest = expected.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let worst = actual.iter().zip(expected).fold(0.0_f64, |worst, (actual, expected)| {
        let error = (f64::from(*actual) - expected).abs();
        // A NaN must not hide behind the comparison.
        if error.is_nan() { f64::INFINITY } else { worst.max(error) }
    });
    if largest == 0.0 { worst } else { worst / largest }
}

#[track_caller]
fn assert_close(actual: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    let error = relative_error(actual, expected);
    assert!(error <= tolerance, "{what}: off by {error:e}");
}

fn product(dims: [usize; 4]) -> usize {
    dims.iter().product()
}

/// The value of a contiguous array of shape `dims` at `at`, broadcast.
fn value_at(values: &[f32], dims: [usize; 4], at: [usize; 4]) -> f64 {
    let index = (0..4).fold(0, |index, d| index * dims[d] + if dims[d] == 1 { 0 } else { at[d] });
    f64::from(values[index])
}

fn indices(dims: [usize; 4]) -> impl Iterator<Item = [usize; 4]> {
    (0..product(dims)).map(move |mut index| {
        let mut at = [0; 4];
        for d in (0..4).rev() {
            at[d] = index % dims[d];
            index /= dims[d];
        }
        at
    })
}
