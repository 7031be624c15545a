//! Sums over axes, also of a product that is never in memory.

use super::axes::{Axis, broadcast, merge, offsets, rounds, steps};
use super::memory::{fresh, zeroed};
use super::spread;
use crate::ops::cpu::Runtime;
use crate::ops::cpu::simd::{Simd, Task};

/// Sums of `x` over the axes where `to` is 1 and `dims` is not. Long sums are taken in blocks of some vectors side by
/// side, and blocks are added up in double precision.
///
/// # Panics
/// If `x` is not `dims`, or an axis of `to` is neither that of `dims` nor 1.
pub fn sum_to(rt: &Runtime, x: &[f32], dims: [usize; 4], to: [usize; 4]) -> Vec<f32> {
    assert_eq!(x.len(), dims.iter().product::<usize>(), "x is not {dims:?}");
    Reduction { a: x, b: None, axes: merge(dims, [steps(dims, dims), [0; 4], steps(to, dims)]) }.run(rt, to)
}

/// [`sum_to`] of `a * b`, broadcast as in [`super::binary`], without the product in memory.
///
/// # Panics
/// As [`super::binary`] and [`sum_to`].
pub fn mul_sum_to(
    rt: &Runtime,
    a: &[f32],
    a_dims: [usize; 4],
    b: &[f32],
    b_dims: [usize; 4],
    to: [usize; 4],
) -> Vec<f32> {
    assert_eq!(a.len(), a_dims.iter().product::<usize>(), "a is not {a_dims:?}");
    assert_eq!(b.len(), b_dims.iter().product::<usize>(), "b is not {b_dims:?}");
    let dims = broadcast(a_dims, b_dims);
    let axes = merge(dims, [steps(a_dims, dims), steps(b_dims, dims), steps(to, dims)]);
    Reduction { a, b: Some(b), axes }.run(rt, to)
}

/// Values that a lane sums in single precision before they join the rest in double precision.
const ROUNDS: usize = 32;
/// Values of one run at most, so that even the sum of everything is shared by threads.
const RUN: usize = 1 << 14;
/// Shorter runs are summed many at a time.
const SHORT: usize = 32;
/// Values that a task of columns writes.
const COLUMNS: usize = 1 << 12;

struct Reduction<'a> {
    a: &'a [f32],
    /// One, where there is none.
    b: Option<&'a [f32]>,
    /// Steps in `a`, `b` and the result.
    axes: Vec<Axis<3>>,
}

impl Reduction<'_> {
    fn run(&self, rt: &Runtime, to: [usize; 4]) -> Vec<f32> {
        let len = to.iter().product();
        let Some((inner, outer)) = self.axes.split_last() else { return zeroed(len) };
        let (kept, summed): (Vec<_>, Vec<_>) = outer.iter().partition(|axis| axis.steps[2] != 0);
        if inner.len == 0 || rounds(outer) == 0 {
            return zeroed(len);
        }
        let mut out = fresh(len);
        if inner.steps[2] == 0 {
            self.rows(rt, *inner, &kept, &summed, &mut out);
        } else {
            self.columns(rt, *inner, &kept, &summed, &mut out);
        }
        out
    }

    fn work(&self) -> usize {
        2 * rounds(&self.axes)
    }

    /// The innermost loop is summed: every result is a sum of dot products.
    fn rows(&self, rt: &Runtime, inner: Axis<3>, kept: &[Axis<3>], summed: &[Axis<3>], out: &mut [f32]) {
        let pieces = inner.len.div_ceil(RUN);
        let runs = rounds(summed) * pieces;
        if let ([kept], 1, ..SHORT) = (kept, runs, inner.len) {
            spread::chunks(rt, self.work(), out, RUN / inner.len, |index, out| {
                let first = index * (RUN / inner.len);
                rt.instruction_set().run(ShortRows { a: self.a, b: self.b, inner, kept: *kept, first, out });
            });
            return;
        }
        let run = |result: usize, run: usize| {
            let [a, b, _] = offsets(kept, result);
            let [a_more, b_more, _] = offsets(summed, run / pieces);
            let first = run % pieces * RUN;
            let len = RUN.min(inner.len - first);
            let a = &self.a[a + a_more + first * inner.steps[0]..];
            let b = self.b.map(|values| &values[b + b_more + first * inner.steps[1]..]);
            rt.instruction_set().run(Dot { a, a_step: inner.steps[0], b, b_step: inner.steps[1], len })
        };
        if out.len() >= 16 {
            // The kept loops are in the order of the results, because those are contiguous.
            let chunk = (RUN / (runs * inner.len).max(1)).clamp(1, out.len().div_ceil(16));
            spread::chunks(rt, self.work(), out, chunk, |index, out| {
                for (at, out) in out.iter_mut().enumerate() {
                    *out = (0..runs).map(|r| run(index * chunk + at, r)).sum::<f64>() as f32;
                }
            });
            return;
        }
        let mut sums = vec![0.0_f64; out.len() * runs];
        spread::chunks(rt, self.work(), &mut sums, (RUN / inner.len).max(1), |index, sums| {
            let first = index * (RUN / inner.len).max(1);
            for (at, sum) in sums.iter_mut().enumerate() {
                *sum = run((first + at) / runs, (first + at) % runs);
            }
        });
        for (out, sums) in out.iter_mut().zip(sums.chunks(runs)) {
            *out = sums.iter().sum::<f64>() as f32;
        }
    }

    /// The innermost loop is kept: rows of the result are sums of rows.
    fn columns(&self, rt: &Runtime, inner: Axis<3>, kept: &[Axis<3>], summed: &[Axis<3>], out: &mut [f32]) {
        let rows = rounds(summed);
        // Either some whole rows or a part of one.
        let pieces = inner.len.div_ceil(COLUMNS);
        let chunk = if pieces > 1 { COLUMNS } else { inner.len * (COLUMNS / inner.len).max(1) };
        let tasks: Vec<(usize, &mut [f32])> = if pieces > 1 {
            let rows = out.chunks_mut(inner.len).enumerate();
            rows.flat_map(|(row, out)| {
                out.chunks_mut(chunk).enumerate().map(move |(i, out)| (row * inner.len + i * chunk, out))
            })
            .collect()
        } else {
            out.chunks_mut(chunk).enumerate().map(|(i, out)| (i * chunk, out)).collect()
        };
        spread::tasks(rt, self.work(), tasks, |(first, out)| {
            for (index, out) in out.chunks_mut(inner.len).enumerate() {
                let (result, skipped) = ((first + index * inner.len) / inner.len, first % inner.len);
                let [a, b, _] = offsets(kept, result);
                out.fill(0.0);
                for row in 0..rows {
                    let [a_more, b_more, _] = offsets(summed, row);
                    let a = &self.a[a + a_more + skipped * inner.steps[0]..];
                    let b = self.b.map(|values| &values[b + b_more + skipped * inner.steps[1]..]);
                    let (a_step, b_step) = (inner.steps[0], inner.steps[1]);
                    rt.instruction_set().run(AddRow { a, a_step, b, b_step, out });
                }
            }
        });
    }
}

/// Sums of so few products that a call for each would cost more than they do.
struct ShortRows<'a> {
    a: &'a [f32],
    b: Option<&'a [f32]>,
    inner: Axis<3>,
    kept: Axis<3>,
    first: usize,
    out: &'a mut [f32],
}

impl Task for ShortRows<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, _: S) {
        let Self { a, b, inner, kept, first, out } = self;
        for (row, out) in out.iter_mut().enumerate() {
            let at = |k: usize, i: usize| (first + row) * kept.steps[k] + i * inner.steps[k];
            let mut sum = 0.0;
            for i in 0..inner.len {
                sum += a[at(0, i)] * b.map_or(1.0, |b| b[at(1, i)]);
            }
            *out = sum;
        }
    }
}

/// The sum of `len` products.
struct Dot<'a> {
    a: &'a [f32],
    a_step: usize,
    b: Option<&'a [f32]>,
    b_step: usize,
    len: usize,
}

impl Task for Dot<'_> {
    type Output = f64;

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) -> f64 {
        let Self { a, a_step, b, b_step, len } = self;
        match (a_step, b, b_step) {
            (0, None, _) => f64::from(a[0]) * len as f64,
            (0, Some(b), 0) => f64::from(a[0]) * f64::from(b[0]) * len as f64,
            (0, Some(b), _) => f64::from(a[0]) * sum(simd, &b[..len]),
            (_, None, _) => sum(simd, &a[..len]),
            (_, Some(b), 0) => f64::from(b[0]) * sum(simd, &a[..len]),
            (_, Some(b), _) => dot(simd, &a[..len], &b[..len]),
        }
    }
}

/// Vectors that are summed side by side, so that none waits for the one before.
const SUMS: usize = 4;

#[inline(always)]
fn sum<S: Simd>(simd: S, x: &[f32]) -> f64 {
    let mut total = 0.0;
    for block in x.chunks(ROUNDS * SUMS * S::LANES) {
        let mut sums = [simd.splat(0.0); SUMS];
        let whole = block.len() / (SUMS * S::LANES) * SUMS * S::LANES;
        let mut at = 0;
        while at < whole {
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum = simd.add(*sum, simd.load(block, at + i * S::LANES));
            }
            at += SUMS * S::LANES;
        }
        total += collect(simd, sums) + block[whole..].iter().map(|&x| f64::from(x)).sum::<f64>();
    }
    total
}

#[inline(always)]
fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f64 {
    let mut total = 0.0;
    for (a, b) in a.chunks(ROUNDS * SUMS * S::LANES).zip(b.chunks(ROUNDS * SUMS * S::LANES)) {
        let mut sums = [simd.splat(0.0); SUMS];
        let whole = a.len() / (SUMS * S::LANES) * SUMS * S::LANES;
        let mut at = 0;
        while at < whole {
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum = simd.mul_add(simd.load(a, at + i * S::LANES), simd.load(b, at + i * S::LANES), *sum);
            }
            at += SUMS * S::LANES;
        }
        let rest = a[whole..].iter().zip(&b[whole..]);
        total += collect(simd, sums) + rest.map(|(a, b)| f64::from(a * b)).sum::<f64>();
    }
    total
}

#[inline(always)]
fn collect<S: Simd>(simd: S, sums: [S::Vector; SUMS]) -> f64 {
    let mut total = 0.0;
    for sum in sums {
        total += f64::from(simd.sum(sum));
    }
    total
}

/// `out += a * b`.
struct AddRow<'a> {
    a: &'a [f32],
    a_step: usize,
    b: Option<&'a [f32]>,
    b_step: usize,
    out: &'a mut [f32],
}

impl Task for AddRow<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, _: S) {
        let Self { a, a_step, b, b_step, out } = self;
        match (a_step, b, b_step) {
            (0, None, _) => add_scaled(out, None, a[0]),
            (0, Some(b), 0) => add_scaled(out, None, a[0] * b[0]),
            (0, Some(b), _) => add_scaled(out, Some(b), a[0]),
            (_, None, _) => add_scaled(out, Some(a), 1.0),
            (_, Some(b), 0) => add_scaled(out, Some(a), b[0]),
            (_, Some(b), _) => {
                for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
                    *out += a * b;
                }
            }
        }
    }
}

#[inline(always)]
fn add_scaled(out: &mut [f32], x: Option<&[f32]>, factor: f32) {
    match x {
        Some(x) => {
            for (out, x) in out.iter_mut().zip(x) {
                *out += x * factor;
            }
        }
        None => {
            for out in out {
                *out += factor;
            }
        }
    }
}
