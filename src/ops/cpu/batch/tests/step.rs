//! The optimiser.

use super::super::{AdamStep, Moments, adam, move_average};
use super::{Sequence, assert_close, runtimes};

#[test]
fn steps_match_the_algorithm() {
    for (beta1, ema_beta, len) in [(0.0, 0.9, 50_001), (0.9, 0.5, 17)] {
        for rt in runtimes() {
            let mut sequence = Sequence(2);
            let start = sequence.take(len);
            let mut w = start.clone();
            let (mut m, mut v, mut ema) = (vec![0.0; len], vec![0.0; len], start.clone());
            let mut expected: Vec<[f64; 4]> = start.iter().map(|&w| [f64::from(w), 0.0, 0.0, f64::from(w)]).collect();
            for step in 1..=5 {
                let mut grad = sequence.take(len);
                grad[0] = f32::NAN;
                grad[1] = f32::INFINITY;
                grad[2] = f32::NEG_INFINITY;
                let options = AdamStep { lr: 0.0025, beta1, beta2: 0.99, epsilon: 1e-8, step };
                adam(&rt, &options, &grad, &mut w, Moments { m: &mut m, v: &mut v });
                move_average(&rt, ema_beta, &w, &mut ema);
                for ([w, m, v, ema], g) in expected.iter_mut().zip(&grad) {
                    let g = if g.is_nan() { 0.0 } else { f64::from(*g).clamp(-1e5, 1e5) };
                    *m = beta1 * *m + (1.0 - beta1) * g;
                    *v = 0.99 * *v + 0.01 * g * g;
                    let corrected = [*m / (1.0 - beta1.powi(step as i32)), *v / (1.0 - 0.99_f64.powi(step as i32))];
                    *w -= 0.0025 * corrected[0] / (corrected[1].sqrt() + 1e-8);
                    *ema = *w + ema_beta * (*ema - *w);
                }
            }
            let column = |index: usize| expected.iter().map(|row| row[index]).collect::<Vec<_>>();
            assert_close(&w, &column(0), 1e-6, "weights");
            assert_close(&m, &column(1), 1e-6, "first moment");
            assert_close(&v, &column(2), 1e-5, "second moment");
            assert_close(&ema, &column(3), 1e-6, "average");
        }
    }
}

/// Without momentum the first moment is the gradient itself, however much smaller than the last one.
#[test]
fn no_momentum_forgets_everything() {
    for rt in runtimes() {
        let (mut w, mut m, mut v) = ([0.5], [1.0], [1.0]);
        let options = AdamStep { lr: 0.1, beta1: 0.0, beta2: 0.99, epsilon: 1e-8, step: 2 };
        adam(&rt, &options, &[1.2345e-9], &mut w, Moments { m: &mut m, v: &mut v });
        assert_eq!(m, [1.2345e-9]);
    }
}
