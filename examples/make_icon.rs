//! Draws `assets/icon.png`: one picture from coarse cells to fine ones, as a style-based generator builds it.
//!
//!     cargo run --example make_icon

use image::{Rgba, RgbaImage};

const SIZE: u32 = 256;
/// Samples a pixel in each direction.
const SAMPLES: u32 = 4;
const CORNER: f32 = 0.2;
const GAP: f32 = 0.006;

fn main() -> image::ImageResult<()> {
    let icon = RgbaImage::from_fn(SIZE, SIZE, |x, y| {
        let mut sum = [0.0f32; 4];
        for sample in 0..SAMPLES * SAMPLES {
            let at = |pixel: u32, offset: u32| (pixel as f32 + (offset as f32 + 0.5) / SAMPLES as f32) / SIZE as f32;
            let [r, g, b, a] = colour(at(x, sample % SAMPLES), at(y, sample / SAMPLES));
            sum = [sum[0] + r * a, sum[1] + g * a, sum[2] + b * a, sum[3] + a];
        }
        let alpha = sum[3] / (SAMPLES * SAMPLES) as f32;
        let byte = |v: f32| (v.clamp(0.0, 1.0) * 255.0).round() as u8;
        let channel = |v: f32| byte(v / sum[3].max(1e-6));
        Rgba([channel(sum[0]), channel(sum[1]), channel(sum[2]), byte(alpha)])
    });
    icon.save(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/icon.png"))
}

/// RGBA at a point of the unit square.
fn colour(x: f32, y: f32) -> [f32; 4] {
    if rounded_box(x - 0.5, y - 0.5, 0.48, CORNER) > 0.0 {
        return [0.0; 4];
    }
    let background = [0.075, 0.082, 0.105, 1.0];
    let (px, py) = ((x - 0.12) / 0.76, (y - 0.12) / 0.76);
    if !(0.0..1.0).contains(&px) || !(0.0..1.0).contains(&py) {
        return background;
    }
    // Halve the cell until it is as fine as its place asks for.
    let (mut left, mut top, mut side) = (0.0f32, 0.0f32, 1.0f32);
    loop {
        let along = (left + side / 2.0 + 1.0 - (top + side / 2.0)) / 2.0;
        let fineness = [0.5, 0.25, 0.125, 0.0625, 0.03125][((along * 5.2 - 0.6).clamp(0.0, 4.0)) as usize];
        if side <= fineness {
            break;
        }
        side /= 2.0;
        left += if px >= left + side { side } else { 0.0 };
        top += if py >= top + side { side } else { 0.0 };
    }
    let (cx, cy) = (left + side / 2.0, top + side / 2.0);
    if rounded_box(px - cx, py - cy, side / 2.0 - GAP.min(side * 0.08), side * 0.12) > 0.0 {
        return background;
    }
    // Two lights: warm from above, cold from below.
    let warm = (-((cx - 0.62).powi(2) + (cy - 0.36).powi(2)) * 5.5).exp();
    let cold = (-((cx - 0.25).powi(2) + (cy - 0.8).powi(2)) * 3.0).exp();
    let mix = |base: f32, w: f32, c: f32| base + w * warm + c * cold;
    [mix(0.20, 0.80, 0.02), mix(0.17, 0.44, 0.42), mix(0.38, -0.02, 0.40), 1.0]
}

/// Distance to a square with half side `half` and rounded corners; negative inside.
fn rounded_box(x: f32, y: f32, half: f32, radius: f32) -> f32 {
    let (qx, qy) = (x.abs() - half + radius, y.abs() - half + radius);
    qx.max(0.0).hypot(qy.max(0.0)) + qx.max(qy).min(0.0) - radius
}
