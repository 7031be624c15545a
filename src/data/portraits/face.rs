//! The head without hair: skin, ears, cheeks, nose, mouth.

use tiny_skia::Mask;

use super::{
    canvas::{Canvas, Fill, Outline, circles, oval, smooth},
    factors::Earrings,
    palette::{self, Rgb},
    scene::Scene,
};

/// Skin of the head with its shading. The mask of the head's outline comes back.
pub(super) fn head(canvas: &mut Canvas, scene: &mut Scene) -> Option<Mask> {
    for side in [-1.0, 1.0] {
        ear(canvas, scene, side);
    }
    let (head, light) = (scene.head, scene.light);
    let outline = head.outline(0.0);
    let (lit, dark) = (scene.skin.lit(0.10), scene.skin_at(0.20));
    let side = light * 26.0;
    let ends = [(lit, 1.0), (dark, 1.0)];
    canvas.fill(&outline, Fill::Linear([head.x + side, 30.0], [head.x - side, 84.0], ends));
    let mask = canvas.mask(&outline);
    // The far edge of a ball is darker: a soft shade along the side away from the light.
    let center = [head.x + light * 13.0 + head.shift() * 0.3, 47.0];
    let edge = scene.skin_at(0.34);
    canvas.fill_within(&outline, Fill::Radial(center, 46.0, [(edge, 0.0), (edge, 0.62)]), mask.as_ref());
    let glow = [head.at(0.25 * light), 33.0];
    let bright = scene.skin.lit(0.45);
    canvas.fill_within(
        &oval(glow, 17.0, 13.0),
        Fill::Radial(glow, 15.0, [(bright, 0.5), (bright, 0.0)]),
        mask.as_ref(),
    );
    cheeks(canvas, scene, mask.as_ref());
    freckles(canvas, scene, mask.as_ref());
    mask
}

fn ear(canvas: &mut Canvas, scene: &Scene, side: f32) {
    let ([x, y], open) = scene.head.ear(side);
    if open <= 0.02 {
        return;
    }
    let lit = side * scene.light;
    let tone = if lit > 0.0 { scene.skin_at(0.06) } else { scene.skin_at(0.24) };
    let width = 2.2 + 2.6 * open;
    let ear = smooth(
        &[
            [x - side * 2.0, y - 6.5],
            [x + side * width * 0.75, y - 7.2],
            [x + side * width, y - 2.0],
            [x + side * width * 0.55, y + 5.0],
            [x - side * 1.0, y + 6.6],
            [x - side * 3.0, y],
        ],
        true,
    );
    canvas.fill(&ear, tone);
    let inner = oval([x + side * width * 0.30, y - 1.2], width * 0.36, 3.9);
    canvas.fill(&inner, Fill::Flat(scene.skin_at(0.42), 0.75));
    let drop = [x + side * width * 0.18, y + 6.4];
    earring(canvas, scene, drop);
}

fn earring(canvas: &mut Canvas, scene: &Scene, [x, y]: [f32; 2]) {
    let gold = Rgb::hex(0xf0c255);
    match scene.factors.earrings {
        Earrings::None => {}
        Earrings::Stud => {
            canvas.fill(&oval([x, y - 0.6], 1.55, 1.55), Rgb::hex(0xfbf3e6));
            canvas.fill(&oval([x - 0.4, y - 1.1], 0.6, 0.6), Rgb::hex(0xffffff));
            canvas.stroke(&oval([x, y - 0.6], 1.55, 1.55), 0.35, Fill::Flat(Rgb::hex(0x8c7460), 0.6));
        }
        Earrings::Hoop => {
            let ring = oval([x, y + 3.4], 2.7, 3.7);
            canvas.stroke(&ring, 1.25, gold.shade(0.3));
            canvas.stroke(&ring, 0.7, gold);
        }
    }
}

fn cheeks(canvas: &mut Canvas, scene: &Scene, mask: Option<&Mask>) {
    let red = scene.skin.mix(Rgb::hex(0xe8485a), 0.62);
    let alpha = 0.12 + 0.42 * scene.factors.blush;
    for u in [-0.62, 0.62] {
        let center = [scene.head.at(u), 62.5];
        let radius = 7.4;
        let rx = radius * scene.head.squash(u).max(0.45) * 1.15;
        canvas.fill_within(
            &oval(center, rx, radius * 0.8),
            Fill::Radial(center, radius, [(red, alpha), (red, 0.0)]),
            mask,
        );
    }
}

/// Freckles, moles and pores, none of which is a factor.
fn freckles(canvas: &mut Canvas, scene: &mut Scene, mask: Option<&Mask>) {
    let spots = |scene: &mut Scene, count: usize, spread: [f32; 2], size: [f32; 2]| -> Vec<[f32; 3]> {
        (0..count)
            .map(|_| {
                let u = scene.detail.around_zero() * spread[0];
                let y = 60.0 + scene.detail.around_zero() * spread[1];
                [scene.head.at(u), y, scene.detail.within(size[0], size[1])]
            })
            .collect()
    };
    if scene.detail.chance(0.3) {
        let count = 8 + scene.detail.below(20);
        let freckles = spots(scene, count, [0.85, 8.0], [0.3, 0.62]);
        canvas.fill_within(&circles(&freckles), Fill::Flat(scene.skin_at(0.42), 0.55), mask);
    }
    if scene.detail.chance(0.22) {
        let mole = spots(scene, 1, [0.8, 14.0], [0.55, 0.85]);
        canvas.fill_within(&circles(&mole), Fill::Flat(scene.line(), 0.85), mask);
    }
    let pores = spots(scene, 60, [1.0, 34.0], [0.25, 0.7]);
    let (light, dark) = pores.split_at(30);
    canvas.fill_within(&circles(light), Fill::Flat(scene.skin.lit(0.6), 0.10), mask);
    canvas.fill_within(&circles(dark), Fill::Flat(scene.skin_at(0.4), 0.09), mask);
}

/// The nose: a shaded side, a tip with a highlight, nostrils.
pub(super) fn nose(canvas: &mut Canvas, scene: &Scene) {
    let (factors, head) = (scene.factors, scene.head);
    let tip_y = 62.0 + 1.5 * factors.nose_length;
    let half = 3.5 + 0.8 * factors.nose_width;
    // The tip sticks out, so it moves more than the skin around it.
    let x = head.at(0.0) + head.shift() * 0.18;
    let bridge = head.at(0.0);
    let away = if scene.light > 0.0 { -1.0 } else { 1.0 };
    let strength = 0.25 + 0.35 * scene.light.abs();
    let side = Outline::at([bridge + away * 0.9, 50.0])
        .quad([x + away * 1.4, tip_y - 5.0], [x + away * half * 1.05, tip_y])
        .quad([x + away * half * 0.6, tip_y + 1.9], [x, tip_y + 1.6])
        .quad([x - away * 0.4, tip_y - 5.0], [bridge + away * 0.9, 50.0])
        .closed();
    let shade = scene.skin_at(0.36);
    canvas.fill(&side, Fill::Linear([x, 48.0], [x, tip_y], [(shade, 0.0), (shade, strength)]));
    let ball = [x - away * 0.5, tip_y - 0.6];
    let warm = scene.skin.mix(Rgb::hex(0xe8604a), 0.28);
    canvas.fill(&oval(ball, half * 1.1, 3.3), Fill::Radial(ball, half * 1.15, [(warm, 0.75), (warm, 0.0)]));
    let base = Outline::at([x - half, tip_y + 0.3])
        .cubic([x - half * 0.75, tip_y + 2.6], [x + half * 0.75, tip_y + 2.6], [x + half, tip_y + 0.3])
        .open();
    canvas.stroke(&base, 1.05, Fill::Flat(scene.line(), 0.72));
    let shine = [x - away * 1.1, tip_y - 1.9];
    canvas.fill(&oval(shine, 1.15, 1.0), Fill::Flat(scene.skin.lit(0.8), 0.7));
}

/// The mouth, from a closed line to an open laugh.
pub(super) fn mouth(canvas: &mut Canvas, scene: &Scene) {
    let (factors, head) = (scene.factors, scene.head);
    let (smile, open) = (factors.smile, factors.mouth_open.clamp(0.0, 1.0));
    let y = 70.2;
    let x = head.at(0.0) + head.shift() * 0.06;
    let half = 7.4 + 1.6 * smile.max(0.0) - 1.2 * open * (1.0 - smile.max(0.0));
    let (left, right) = (x - half * head.squash(-0.32), x + half * head.squash(0.32));
    // Corners go up as the middle goes down.
    let lift = 2.3 * smile;
    let corner = y - lift * 0.75;
    let middle = y + lift * 0.85;
    let gap = 7.6 * open * (0.75 + 0.25 * smile.abs());
    let (upper, lower) = (middle - gap * 0.22, middle + gap);
    let third = (right - left) * 0.30;
    let inside = Outline::at([left, corner])
        .cubic([left + third, upper + 0.3], [right - third, upper + 0.3], [right, corner])
        .cubic([right - third * 0.55, lower + 1.2], [left + third * 0.55, lower + 1.2], [left, corner])
        .closed();
    lips(canvas, scene, [left, right, corner, upper, lower]);
    if gap > 0.35 {
        canvas.fill(&inside, Rgb::hex(0x6a1f30));
        let mask = canvas.mask(&inside);
        let tongue = [x, lower + 1.0];
        canvas.fill_within(&oval(tongue, half * 0.55, gap * 0.5), Rgb::hex(0xe2707c), mask.as_ref());
        let teeth = Outline::at([left, corner - 2.0])
            .line([right, corner - 2.0])
            .line([right, corner])
            .cubic([right - third, upper + 0.4 + gap * 0.36], [left + third, upper + 0.4 + gap * 0.36], [left, corner])
            .closed();
        canvas.fill_within(&teeth, Rgb::hex(0xfdfaf4), mask.as_ref());
        canvas.stroke(&inside, 0.8, Fill::Flat(scene.line(), 0.8));
    } else {
        let line = Outline::at([left, corner])
            .cubic([left + third, middle + 0.3], [right - third, middle + 0.3], [right, corner])
            .open();
        canvas.stroke(&line, 1.2, Fill::Flat(scene.line(), 0.92));
    }
    // Dimples hold the ends of a smile.
    for (corner_x, side) in [(left, -1.0), (right, 1.0)] {
        let dimple = Outline::at([corner_x + side * 0.2, corner - 1.0])
            .quad([corner_x + side * 0.9, corner], [corner_x + side * 0.3, corner + 1.0])
            .open();
        canvas.stroke(&dimple, 0.75, Fill::Flat(scene.line(), 0.30 + 0.35 * smile.max(0.0)));
    }
    let below = [x, lower + 3.8];
    let shade = scene.skin_at(0.35);
    canvas.fill(&oval(below, 4.6, 1.7), Fill::Radial(below, 4.6, [(shade, 0.35), (shade, 0.0)]));
}

fn lips(canvas: &mut Canvas, scene: &Scene, [left, right, corner, upper, lower]: [f32; 5]) {
    let lips = scene.factors.lips.clamp(0.0, 1.0);
    let natural = palette::skin_shade(scene.skin, 0.22);
    let red = natural.mix(Rgb::hex(0xc8334a), 0.20 + 0.50 * lips);
    let fullness = 0.9 + 1.3 * lips;
    let (x, third) = ((left + right) / 2.0, (right - left) * 0.30);
    let shape = Outline::at([left - 0.2, corner])
        .cubic(
            [left + third * 0.8, upper - fullness * 1.1],
            [x - 1.6, upper - fullness * 1.5],
            [x, upper - fullness * 0.75],
        )
        .cubic([x + 1.6, upper - fullness * 1.5], [right - third * 0.8, upper - fullness * 1.1], [right + 0.2, corner])
        .cubic(
            [right - third * 0.6, lower + 1.0 + fullness * 1.9],
            [left + third * 0.6, lower + 1.0 + fullness * 1.9],
            [left - 0.2, corner],
        )
        .closed();
    canvas.fill(&shape, Fill::Flat(red, 0.55 + 0.4 * lips));
    let shine = [x + scene.light * 1.5, lower + 0.9 + fullness * 0.55];
    canvas.fill(&oval(shine, 2.4, 0.5 + 0.2 * lips), Fill::Flat(red.lit(0.7), 0.35 + 0.2 * lips));
}
