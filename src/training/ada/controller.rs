//! How strong the augmentation is: as strong as the discriminator's confidence in reals asks for.

use serde::{Deserialize, Serialize};

use crate::training::config::Ada;

/// The state of the adaptation (arXiv 2006.06676, section 3.1), which a checkpoint holds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AdaController {
    /// The probability of each transformation, 0 or more.
    pub p: f64,
    /// Sum of the signs of the discriminator's answers to reals since the last step.
    pub sign_sum: f64,
    /// How many answers that were.
    pub sign_count: u64,
}

impl AdaController {
    /// The state in which a training begins.
    pub fn new(ada: &Ada) -> Self {
        let p = match ada {
            Ada::Fixed { p } => *p,
            Ada::Off | Ada::Adaptive { .. } => 0.0,
        };
        Self { p, sign_sum: 0.0, sign_count: 0 }
    }

    /// Takes note of the discriminator's answers (logits) to augmented reals.
    pub fn observe(&mut self, logits: &[f32]) {
        // NaN counts as no sign.
        let sign = |logit: f32| f64::from(i8::from(logit > 0.0) - i8::from(logit < 0.0));
        self.sign_sum += logits.iter().map(|&logit| sign(logit)).sum::<f64>();
        self.sign_count += logits.len() as u64;
    }

    /// To be called after each iteration, numbered from 1, of `batch` images. Every so many iterations of an adaptive training
    /// this moves `p`, forgets what was observed, and gives the mean sign, from -1 to 1: the overfitting heuristic r_t.
    pub fn after_iteration(&mut self, ada: &Ada, iteration: u64, batch: usize) -> Option<f64> {
        let Ada::Adaptive { target, interval, speed_kimg } = *ada else { return None };
        if self.sign_count == 0 || !iteration.is_multiple_of(u64::from(interval.max(1))) {
            return None;
        }
        let mean = self.sign_sum / self.sign_count as f64;
        let step = batch as f64 * f64::from(interval) / (speed_kimg * 1000.0);
        let direction = if mean > target {
            1.0
        } else if mean < target {
            -1.0
        } else {
            0.0
        };
        self.p = (self.p + direction * step).max(0.0);
        (self.sign_sum, self.sign_count) = (0.0, 0);
        Some(mean)
    }
}
