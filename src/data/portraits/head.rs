//! The head as a body in space: where its outline lies and where features go when it turns.

use super::{
    canvas::{Outline, Shape},
    factors::Factors,
};

/// Largest turn to a side, in radians (22 degrees).
const MAX_YAW: f32 = 0.38;
/// Largest tilt, in degrees.
const MAX_TILT: f32 = 8.0;
/// Height of the eyes.
pub(super) const EYE_Y: f32 = 51.0;

/// Measures of one head, in units of the canvas.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// Centre of the skull.
    pub x: f32,
    /// Half of the width at the cheekbones.
    pub half: f32,
    /// Top of the skull.
    pub top: f32,
    pub chin: f32,
    /// Half of the width at the corners of the jaw.
    pub jaw: f32,
    /// Half of the width of the chin.
    pub chin_half: f32,
    /// Turn in radians.
    pub yaw: f32,
    /// Tilt in degrees.
    pub tilt: f32,
}

impl Head {
    pub fn new(factors: &Factors) -> Self {
        let yaw = factors.yaw.clamp(-1.0, 1.0) * MAX_YAW;
        let half = 23.6 - 1.0 * factors.face_length;
        Self {
            // The skull gives way a little, so that the middle of the face moves less.
            x: 50.0 - 0.45 * half * yaw.sin(),
            half,
            top: 17.5 - 1.0 * factors.face_length,
            chin: 79.5 + 2.4 * factors.face_length,
            jaw: half * (0.80 + 0.085 * factors.jaw),
            chin_half: 7.6 + 3.0 * factors.jaw,
            yaw,
            tilt: factors.tilt.clamp(-1.0, 1.0) * MAX_TILT,
        }
    }

    /// Where something lies that is at `u` (-1 left edge, 1 right edge) when the face looks at us.
    pub fn at(&self, u: f32) -> f32 {
        self.x + self.half * (longitude(u) + self.yaw).sin()
    }

    /// How wide something at `u` still looks: 1 as seen from the front of it.
    pub fn squash(&self, u: f32) -> f32 {
        (longitude(u) + self.yaw).cos().max(0.15)
    }

    /// How far the middle of the face is from the middle of the skull.
    pub fn shift(&self) -> f32 {
        self.half * self.yaw.sin()
    }

    /// Outline of skull and face, larger by `grow` at the skull.
    pub fn outline(&self, grow: f32) -> Shape {
        let Self { x, half, top, chin, jaw, chin_half, .. } = *self;
        let (half, top) = (half + grow * 0.6, top - grow);
        // The lower the more a point belongs to the front, which turns away.
        let (low, mid) = (x + self.shift() * 0.72, x + self.shift() * 0.34);
        let jaw_y = chin - 11.5;
        let brow_y = 45.0;
        let mut outline = Outline::at([x, top]);
        outline = outline.cubic([x + half * 0.60, top], [x + half, top + 11.0], [x + half, brow_y]);
        outline = outline.cubic([x + half, brow_y + 9.0], [mid + jaw * 1.09, jaw_y - 8.0], [mid + jaw * 0.93, jaw_y]);
        outline = outline.cubic([mid + jaw * 0.78, chin - 4.2], [low + chin_half, chin], [low, chin]);
        outline = outline.cubic([low - chin_half, chin], [mid - jaw * 0.78, chin - 4.2], [mid - jaw * 0.93, jaw_y]);
        outline = outline.cubic([mid - jaw * 1.09, jaw_y - 8.0], [x - half, brow_y + 9.0], [x - half, brow_y]);
        outline.cubic([x - half, top + 11.0], [x - half * 0.60, top], [x, top]).closed()
    }

    /// Middle of the ear of a side (-1 left, 1 right) and how wide it looks (0 hidden to 1).
    pub fn ear(&self, side: f32) -> ([f32; 2], f32) {
        // A turn to the right shows more of the left side.
        let open = 0.62 - side * self.yaw * 1.35;
        let inward = (-side * self.yaw).max(0.0) * 7.0;
        ([self.x + side * (self.half + 0.6 - inward), 54.0], open.clamp(0.0, 1.0))
    }
}

/// The angle of a place on the front half of the head.
fn longitude(u: f32) -> f32 {
    u.clamp(-1.0, 1.0).asin()
}
