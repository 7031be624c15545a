//! Filters in and out of the transformed domain.

use super::super::super::memory::fresh;
use super::super::super::scratch::Scratch;
use super::super::super::spread;
use super::super::ConvShape;
use super::PLANES;
use crate::ops::cpu::Runtime;
use crate::ops::cpu::simd::{Simd, Task, load_strided, store_strided};

/// `G w G^T` for the convolution: `[plane][panel of outputs][input][output of the panel]`.
pub(super) fn forward(rt: &Runtime, s: &ConvShape, weight: &[f32]) -> Scratch {
    transform(rt, &Filters { weight, depth: s.inputs, columns: s.outputs, steps: [9, 9 * s.inputs], turned: false })
}

/// The same for the gradient by the input, where inputs and outputs change places and filters are turned by half a turn.
pub(super) fn turned(rt: &Runtime, s: &ConvShape, weight: &[f32]) -> Scratch {
    transform(rt, &Filters { weight, depth: s.outputs, columns: s.inputs, steps: [9 * s.inputs, 9], turned: true })
}

struct Filters<'a> {
    weight: &'a [f32],
    depth: usize,
    columns: usize,
    /// Values of the weight from one depth and from one column to the next.
    steps: [usize; 2],
    turned: bool,
}

fn transform(rt: &Runtime, filters: &Filters<'_>) -> Scratch {
    let panel = rt.instruction_set().channel_block();
    let Filters { depth, columns, .. } = *filters;
    let mut out = Scratch::new(PLANES * depth * columns);
    // One panel of every plane.
    let mut tasks: Vec<(usize, Vec<&mut [f32]>)> =
        (0..columns).step_by(panel).map(|first| (first, Vec::with_capacity(PLANES))).collect();
    for plane in out.chunks_exact_mut(depth * columns) {
        for (task, piece) in tasks.iter_mut().zip(plane.chunks_mut(depth * panel)) {
            task.1.push(piece);
        }
    }
    spread::tasks(rt, 16 * depth * columns, tasks, |(first, planes)| {
        rt.instruction_set().run(Panel { filters, first, planes });
    });
    out
}

struct Panel<'a, 'o> {
    filters: &'a Filters<'a>,
    /// The first column.
    first: usize,
    planes: Vec<&'o mut [f32]>,
}

impl Task for Panel<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(mut self, simd: S) {
        let Filters { weight, depth, columns, steps, turned } = *self.filters;
        let width = (2 * S::LANES).min(columns - self.first);
        let mut taps = [0.0; 9 * 16];
        for d in 0..depth {
            for k in (0..width).step_by(S::LANES) {
                for lane in 0..S::LANES {
                    let from = &weight[d * steps[0] + (self.first + k + lane) * steps[1]..][..9];
                    for tap in 0..9 {
                        taps[tap * S::LANES + lane] = from[if turned { 8 - tap } else { tap }];
                    }
                }
                let mut columns = [[simd.splat(0.0); 6]; 3];
                for (x, column) in columns.iter_mut().enumerate() {
                    *column = filter_1d(simd, load_strided(simd, &taps, x * S::LANES, 3 * S::LANES));
                }
                #[allow(clippy::needless_range_loop, reason = "the index goes across three columns")]
                for a in 0..6 {
                    let line = filter_1d(simd, [columns[0][a], columns[1][a], columns[2][a]]);
                    for (b, &vector) in line.iter().enumerate() {
                        simd.store(vector, self.planes[6 * a + b], d * width + k);
                    }
                }
            }
        }
    }
}

/// `G g`.
#[inline(always)]
fn filter_1d<S: Simd>(s: S, g: [S::Vector; 3]) -> [S::Vector; 6] {
    let (sum, minus_sixth) = (s.add(g[0], g[2]), s.splat(-1.0 / 6.0));
    let even = s.mul_add(g[2], s.splat(1.0 / 6.0), s.mul(g[0], s.splat(1.0 / 24.0)));
    let odd = s.mul(g[1], s.splat(1.0 / 12.0));
    [
        s.mul(g[0], s.splat(0.25)),
        s.mul(s.add(sum, g[1]), minus_sixth),
        s.mul(s.sub(sum, g[1]), minus_sixth),
        s.add(even, odd),
        s.sub(even, odd),
        g[2],
    ]
}

/// `G^T m`.
#[inline(always)]
fn unfilter_1d<S: Simd>(s: S, m: [S::Vector; 6]) -> [S::Vector; 3] {
    let (sum1, difference1) = (s.add(m[1], m[2]), s.sub(m[2], m[1]));
    let (sum2, difference2) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    let sixth = s.splat(1.0 / 6.0);
    [
        s.mul_add(m[0], s.splat(0.25), s.mul_add(sum2, s.splat(1.0 / 24.0), s.mul(sum1, s.splat(-1.0 / 6.0)))),
        s.mul_add(difference1, sixth, s.mul(difference2, s.splat(1.0 / 12.0))),
        s.mul_add(s.sub(sum2, sum1), sixth, m[5]),
    ]
}

/// `G^T m G` of products `[plane][input][output]`, the planes `plane_len` apart: `[O, I, 3, 3]`.
pub(super) fn gradient(rt: &Runtime, s: &ConvShape, products: &[f32], plane_len: usize) -> Vec<f32> {
    let mut out = fresh(s.weight_len());
    // Vectors go over outputs; this many suit every instruction set.
    let block = super::CHANNELS;
    let (inputs, outputs) = (s.inputs, s.outputs);
    spread::chunks(rt, 16 * s.weight_len(), &mut out, block * inputs * 9, |index, out| {
        rt.instruction_set().run(Gradient { products, plane_len, inputs, outputs, first: index * block, out });
    });
    out
}

struct Gradient<'a> {
    products: &'a [f32],
    plane_len: usize,
    inputs: usize,
    outputs: usize,
    /// The first output of `out`.
    first: usize,
    /// `[outputs][inputs][9]`.
    out: &'a mut [f32],
}

impl Task for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let filters = 9 * self.inputs;
        let mut taps = [0.0; 9 * 16];
        for (block, out) in self.out.chunks_exact_mut(S::LANES * filters).enumerate() {
            for i in 0..self.inputs {
                let at = i * self.outputs + self.first + block * S::LANES;
                let mut columns = [[simd.splat(0.0); 3]; 6];
                for (b, column) in columns.iter_mut().enumerate() {
                    let m = load_strided(simd, self.products, at + b * self.plane_len, 6 * self.plane_len);
                    *column = unfilter_1d(simd, m);
                }
                for y in 0..3 {
                    let mut line = [simd.splat(0.0); 6];
                    for (value, column) in line.iter_mut().zip(&columns) {
                        *value = column[y];
                    }
                    store_strided(simd, unfilter_1d(simd, line), &mut taps, 3 * y * S::LANES, S::LANES);
                }
                for (lane, filters) in out.chunks_exact_mut(filters).enumerate() {
                    for (tap, value) in filters[9 * i..][..9].iter_mut().enumerate() {
                        *value = taps[tap * S::LANES + lane];
                    }
                }
            }
        }
    }
}
