//! What moves by itself: the walk through the seeds and the turning noise field, both by the time that has passed
//! and not by the number of frames, so that a slow device walks just as far.

use crate::session::{Pose, PoseEdit, pose::SeedPosition};

/// After a pause (a hidden window, a stalled device) the walk goes on from where it was instead of jumping.
const LONGEST_STEP: f32 = 0.1;

/// What moves, and how fast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Animation {
    /// Whether the seed's x walks.
    pub seed: bool,
    /// Seeds a second, -5..=5.
    pub seed_speed: f32,
    /// Whether the noise field turns.
    pub noise: bool,
    /// Turns a second, -5..=5.
    pub noise_speed: f32,
}

impl Default for Animation {
    fn default() -> Self {
        Self { seed: false, seed_speed: 0.25, noise: false, noise_speed: 0.1 }
    }
}

impl Animation {
    /// Highest speed of either animation, in both directions.
    pub const MAX_SPEED: f32 = 5.0;

    /// Whether anything moves.
    pub fn runs(&self) -> bool {
        self.seed || self.noise
    }

    /// The edits of a frame that took `dt` seconds.
    pub fn edits(&self, pose: &Pose, dt: f32) -> Vec<PoseEdit> {
        let dt = dt.clamp(0.0, LONGEST_STEP);
        let mut edits = Vec::new();
        if self.seed && self.seed_speed != 0.0 {
            let x = pose.seed.x + f64::from(self.seed_speed * dt);
            edits.push(PoseEdit::Seed(SeedPosition { x, y: pose.seed.y }));
        }
        if self.noise && self.noise_speed != 0.0 {
            // A turn of 1 is the start again; wrapping keeps the number small however long it runs.
            edits.push(PoseEdit::NoiseTurn((pose.noise.turn + self.noise_speed * dt).rem_euclid(1.0)));
        }
        edits
    }
}
