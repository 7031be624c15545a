//! The optimiser's step in one pass over the parameters, and the moving average of the weights in another.

use super::elementwise::CHUNK;
use super::spread;
use crate::ops::cpu::Runtime;
use crate::ops::cpu::simd::{Simd, Task};

/// The constants of one step of [`adam`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the mean of gradients, 0 (inclusive) to 1.
    pub beta1: f64,
    /// Decay of the mean of squared gradients, 0 to 1.
    pub beta2: f64,
    /// Added to the root of the latter, e.g. 1e-8.
    pub epsilon: f64,
    /// Which step this is, from 1; corrects the means for having begun at 0.
    pub step: u64,
}

/// What the optimiser remembers of each parameter.
#[derive(Debug)]
pub struct Moments<'a> {
    /// Mean of gradients, zeros before the first step.
    pub m: &'a mut [f32],
    /// Mean of squared gradients, zeros before the first step.
    pub v: &'a mut [f32],
}

/// One step of Adam (Kingma and Ba, arXiv 1412.6980, algorithm 1) in place:
///
/// ```text
/// g = grad, NaN as 0, infinities as +-1e5
/// m = beta1 m + (1 - beta1) g
/// v = beta2 v + (1 - beta2) g^2
/// w = w - lr / (1 - beta1^step) * m / (sqrt(v) / sqrt(1 - beta2^step) + epsilon)
/// ```
///
/// The clean-up of gradients is that of StyleGAN2's training: finite values are left alone.
///
/// # Panics
/// If the lengths differ, or `step` is 0.
pub fn adam(rt: &Runtime, options: &AdamStep, grad: &[f32], w: &mut [f32], moments: Moments<'_>) {
    let Moments { m, v } = moments;
    assert!(options.step > 0, "steps count from 1");
    assert!([w.len(), m.len(), v.len()] == [grad.len(); 3], "gradients, weights and moments differ in length");
    let step = i32::try_from(options.step).unwrap_or(i32::MAX);
    let rate = options.lr / (1.0 - options.beta1.powi(step));
    let factors = Factors {
        beta1: options.beta1 as f32,
        mix1: (1.0 - options.beta1) as f32,
        beta2: options.beta2 as f32,
        mix2: (1.0 - options.beta2) as f32,
        rate: rate as f32,
        root: (1.0 / (1.0 - options.beta2.powi(step)).sqrt()) as f32,
        epsilon: options.epsilon as f32,
    };
    let tasks: Vec<_> = (grad.chunks(CHUNK).zip(w.chunks_mut(CHUNK)))
        .zip(m.chunks_mut(CHUNK).zip(v.chunks_mut(CHUNK)))
        .map(|((grad, w), (m, v))| Update { grad, w, m, v, factors })
        .collect();
    spread::tasks(rt, 16 * grad.len(), tasks, |task| rt.instruction_set().run(task));
}

/// The moving average of the weights in place: `average = w + beta * (average - w)`.
///
/// # Panics
/// If the lengths differ.
pub fn move_average(rt: &Runtime, beta: f64, w: &[f32], average: &mut [f32]) {
    assert_eq!(w.len(), average.len(), "weights and their average differ in length");
    spread::chunks(rt, 4 * w.len(), average, CHUNK, |index, average| {
        rt.instruction_set().run(Follow { w: &w[index * CHUNK..][..average.len()], average, beta: beta as f32 });
    });
}

struct Follow<'a> {
    w: &'a [f32],
    average: &'a mut [f32],
    beta: f32,
}

impl Task for Follow<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, _: S) {
        for (average, &w) in self.average.iter_mut().zip(self.w) {
            *average = w + self.beta * (*average - w);
        }
    }
}

#[derive(Clone, Copy)]
struct Factors {
    beta1: f32,
    mix1: f32,
    beta2: f32,
    mix2: f32,
    rate: f32,
    root: f32,
    epsilon: f32,
}

struct Update<'a> {
    grad: &'a [f32],
    w: &'a mut [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    factors: Factors,
}

impl Task for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, _: S) {
        let Self { grad, w, m, v, factors: f } = self;
        let len = grad.len();
        let (w, m, v) = (&mut w[..len], &mut m[..len], &mut v[..len]);
        for i in 0..len {
            let g = clean(grad[i]);
            m[i] = f.beta1 * m[i] + f.mix1 * g;
            v[i] = f.beta2 * v[i] + f.mix2 * (g * g);
            w[i] -= f.rate * m[i] / (v[i].sqrt() * f.root + f.epsilon);
        }
    }
}

#[inline(always)]
fn clean(g: f32) -> f32 {
    let g = if g.is_nan() { 0.0 } else { g };
    let g = if g == f32::INFINITY { 1e5 } else { g };
    if g == f32::NEG_INFINITY { -1e5 } else { g }
}
