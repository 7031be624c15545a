//! Arithmetic value by value.

use super::axes::{Axis, broadcast, merge, offsets, steps};
use super::memory::fresh;
use super::spread;
use crate::ops::cpu::Runtime;
use crate::ops::cpu::simd::{Simd, Task};

/// Values that one task writes: some L1 caches full, so that tasks cost little beside their work.
pub(super) const CHUNK: usize = 1 << 14;

/// An operation on two arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// `a + b`.
    Add,
    /// `a - b`.
    Sub,
    /// `a * b`.
    Mul,
}

/// `a op b` with broadcasting: each axis of the shapes is equal or 1 in one of them. The result has the larger shape.
///
/// # Panics
/// If the shapes do not broadcast, or a slice has another length than its shape.
pub fn binary(rt: &Runtime, op: Binary, a: &[f32], a_dims: [usize; 4], b: &[f32], b_dims: [usize; 4]) -> Vec<f32> {
    assert_eq!(a.len(), a_dims.iter().product::<usize>(), "a is not {a_dims:?}");
    assert_eq!(b.len(), b_dims.iter().product::<usize>(), "b is not {b_dims:?}");
    let dims = broadcast(a_dims, b_dims);
    let axes = merge(dims, [steps(a_dims, dims), steps(b_dims, dims)]);
    let mut out = fresh(dims.iter().product());
    let len = out.len();
    spread::chunks(rt, len, &mut out, CHUNK, |index, out| {
        rt.instruction_set().run(Runs { op, a, b, axes: &axes, first: index * CHUNK, out });
    });
    out
}

/// The values of a result from the `first` on.
struct Runs<'a> {
    op: Binary,
    a: &'a [f32],
    b: &'a [f32],
    axes: &'a [Axis<2>],
    first: usize,
    out: &'a mut [f32],
}

impl Task for Runs<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, _: S) {
        match self.op {
            Binary::Add => runs::<Add>(self),
            Binary::Sub => runs::<Sub>(self),
            Binary::Mul => runs::<Mul>(self),
        }
    }
}

#[inline(always)]
fn runs<O: Operation>(Runs { a, b, axes, mut first, mut out, .. }: Runs<'_>) {
    let Some((inner, outer)) = axes.split_last() else { return };
    while !out.is_empty() {
        let (round, skipped) = (first / inner.len, first % inner.len);
        let take = out.len().min(inner.len - skipped);
        let (now, later) = std::mem::take(&mut out).split_at_mut(take);
        let [a_first, b_first] = offsets(outer, round);
        let a = &a[a_first + skipped * inner.steps[0]..];
        let b = &b[b_first + skipped * inner.steps[1]..];
        match inner.steps {
            [0, 0] => now.fill(O::apply(a[0], b[0])),
            [0, _] => {
                let a = a[0];
                for (out, &b) in now.iter_mut().zip(b) {
                    *out = O::apply(a, b);
                }
            }
            [_, 0] => {
                let b = b[0];
                for (out, &a) in now.iter_mut().zip(a) {
                    *out = O::apply(a, b);
                }
            }
            _ => {
                for ((out, &a), &b) in now.iter_mut().zip(a).zip(b) {
                    *out = O::apply(a, b);
                }
            }
        }
        first += take;
        out = later;
    }
}

trait Operation {
    fn apply(a: f32, b: f32) -> f32;
}

macro_rules! operation {
    ($name:ident, $op:tt) => {
        struct $name;
        impl Operation for $name {
            #[inline(always)]
            fn apply(a: f32, b: f32) -> f32 {
                a $op b
            }
        }
    };
}

operation!(Add, +);
operation!(Sub, -);
operation!(Mul, *);

/// `x * a + b`.
pub fn affine(rt: &Runtime, x: &[f32], a: f32, b: f32) -> Vec<f32> {
    let mut out = fresh(x.len());
    spread::chunks(rt, x.len(), &mut out, CHUNK, |index, out| {
        rt.instruction_set().run(Affine { x: &x[index * CHUNK..][..out.len()], a, b, out });
    });
    out
}

struct Affine<'a> {
    x: &'a [f32],
    a: f32,
    b: f32,
    out: &'a mut [f32],
}

impl Task for Affine<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, _: S) {
        for (out, &x) in self.out.iter_mut().zip(self.x) {
            *out = x * self.a + self.b;
        }
    }
}
