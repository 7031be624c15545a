//! Curls: hair made of balls.

use std::f32::consts::PI;

use super::{
    canvas::{Canvas, Fill, Outline, circles, oval},
    factors::HairStyle,
    hair::{covered, skull},
    scene::Scene,
};

/// The mass of an afro behind the head.
pub(super) fn cloud(canvas: &mut Canvas, scene: &mut Scene) {
    let head = scene.head;
    let size = 8.0 + 5.0 * scene.factors.hair_length;
    let center = [head.x - head.shift() * 0.2, 40.0];
    let flat = covered(scene);
    let mut balls = Vec::new();
    let count = 26;
    for i in 0..count {
        let angle = PI * (1.22 - 1.44 * i as f32 / (count - 1) as f32);
        let radius = [head.half + size, 24.0 + size];
        let jitter = scene.detail.within(-0.9, 0.9);
        let ball =
            [center[0] + (radius[0] + jitter) * angle.cos(), center[1] - (radius[1] + jitter) * angle.sin(), 4.6];
        if !flat || ball[1] > 37.0 {
            balls.push(ball);
        }
    }
    let dark = scene.hair.shade(0.26);
    if !flat {
        canvas.fill(&oval(center, head.half + size + 1.0, 25.0 + size), dark);
    } else {
        for side in [-1.0, 1.0] {
            canvas.fill(&oval([center[0] + side * (head.half + size * 0.4), 50.0], size * 0.75, 13.0), dark);
        }
    }
    canvas.fill(&circles(&balls), dark);
    for _ in 0..34 {
        let angle = scene.detail.within(-0.5, PI + 0.5);
        let out = scene.detail.within(0.80, 1.03);
        let at = [center[0] + (head.half + size) * out * angle.cos(), center[1] - (24.0 + size) * out * angle.sin()];
        if !flat || at[1] > 40.0 {
            curl(canvas, scene, at, 2.6);
        }
    }
}

/// Curls over forehead and temples.
pub(super) fn crown(canvas: &mut Canvas, scene: &mut Scene) {
    let head = scene.head;
    let afro = scene.factors.hair_style == HairStyle::Afro;
    let grow = if afro { 4.0 } else { 1.0 + 3.5 * scene.factors.hair_length };
    let size = if afro { 4.0 } else { 4.6 + 0.9 * scene.factors.hair_length };
    let mut balls = Vec::new();
    // Rows from the outside to the hairline, which rises in the middle.
    for (row, inward) in [0.0, 5.0, 10.0].into_iter().enumerate() {
        let count = 12 - row;
        for i in 0..count {
            let t = i as f32 / (count - 1) as f32;
            let angle = PI * (1.05 - 1.10 * t);
            let reach = grow - inward * (0.30 + 0.70 * angle.sin().max(0.0));
            let [x, y] = skull(&head, angle, reach);
            let front = inward / 10.0 * head.shift() * 0.5;
            let jitter = [scene.detail.within(-0.7, 0.7), scene.detail.within(-0.7, 0.7)];
            balls.push([x + front + jitter[0], y + jitter[1], size * (1.0 - 0.08 * row as f32)]);
        }
    }
    let shadow: Vec<_> = balls.iter().map(|&[x, y, r]| [x - scene.light * 0.6, y + 1.4, r]).collect();
    canvas.fill(&circles(&shadow), Fill::Flat(scene.skin_at(0.55), 0.30));
    canvas.fill(&circles(&balls), scene.hair.shade(0.20));
    for [x, y, r] in balls {
        let lit = [x + scene.light * r * 0.25, y - r * 0.25];
        let (bright, base) = (scene.hair.lit(0.20), scene.hair.shade(0.10));
        canvas.fill(&oval([x, y], r * 0.92, r * 0.92), Fill::Radial(lit, r * 1.05, [(bright, 0.95), (base, 0.12)]));
        curl(canvas, scene, [x, y], r * 0.55);
    }
}

/// The line of one curl, turned at random.
fn curl(canvas: &mut Canvas, scene: &mut Scene, [x, y]: [f32; 2], r: f32) {
    let turn = scene.detail.within(0.0, 2.0 * PI);
    let at = |angle: f32, k: f32| [x + r * k * (turn + angle).cos(), y + r * k * (turn + angle).sin()];
    let line = Outline::at(at(0.0, 1.0)).quad(at(0.8, 1.35), at(1.6, 1.0)).quad(at(2.5, 1.2), at(3.2, 0.7)).open();
    let light = scene.detail.chance(0.5);
    let color = if light { scene.hair.lit(0.42) } else { scene.hair.shade(0.5) };
    canvas.stroke(&line, 0.7, Fill::Flat(color, 0.38));
}
