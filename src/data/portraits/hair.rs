//! Hair on the head: what hangs behind, and the cap with its hairline in front.

use std::f32::consts::PI;

use super::{
    canvas::{Canvas, Fill, Outline, Shape, circles, oval, smooth},
    curls,
    factors::{HairStyle, Hat},
    head::Head,
    scene::Scene,
};

/// Where the skull is widest and the cap's curve begins.
const SIDE_Y: f32 = 45.0;

/// Points of a hairline from the right to the left: place on the face (-1..1) and height.
type Hairline = &'static [[f32; 2]];

const HIGH: Hairline = &[
    [0.97, 53.0],
    [0.90, 43.0],
    [0.70, 34.5],
    [0.36, 30.5],
    [0.0, 29.6],
    [-0.36, 30.5],
    [-0.70, 34.5],
    [-0.90, 43.0],
    [-0.97, 53.0],
];
const PARTED_LEFT: Hairline = &[
    [0.97, 53.0],
    [0.90, 42.0],
    [0.80, 37.4],
    [0.52, 36.6],
    [0.16, 34.4],
    [-0.16, 31.0],
    [-0.42, 26.6],
    [-0.58, 31.0],
    [-0.84, 39.5],
    [-0.97, 53.0],
];
const PARTED_MIDDLE: Hairline = &[
    [0.97, 60.0],
    [0.92, 49.0],
    [0.78, 39.5],
    [0.48, 32.5],
    [0.17, 27.5],
    [0.0, 24.5],
    [-0.17, 27.5],
    [-0.48, 32.5],
    [-0.78, 39.5],
    [-0.92, 49.0],
    [-0.97, 60.0],
];
const PARTED_RIGHT: Hairline = &[
    [0.97, 60.0],
    [0.88, 46.0],
    [0.70, 35.5],
    [0.42, 26.0],
    [0.14, 31.0],
    [-0.30, 36.0],
    [-0.66, 39.0],
    [-0.86, 45.0],
    [-0.97, 60.0],
];
const FRINGE: Hairline = &[
    [0.99, 60.0],
    [0.93, 46.0],
    [0.86, 39.2],
    [0.50, 37.6],
    [0.17, 38.2],
    [-0.17, 37.6],
    [-0.50, 38.2],
    [-0.86, 39.2],
    [-0.93, 46.0],
    [-0.99, 60.0],
];

/// Whether a hat presses the hair flat.
pub(super) fn covered(scene: &Scene) -> bool {
    !matches!(scene.factors.hat, Hat::None | Hat::Band)
}

/// A point of the skull's upper curve, `grow` outside of it; 0 is the right side, pi the left.
pub(super) fn skull(head: &Head, angle: f32, grow: f32) -> [f32; 2] {
    let (rx, ry) = (head.half + grow * 0.75, SIDE_Y - head.top + grow);
    [head.x + rx * angle.cos(), SIDE_Y - ry * angle.sin()]
}

/// What hangs behind head and neck.
pub(super) fn back(canvas: &mut Canvas, scene: &mut Scene) {
    let (head, length) = (scene.head, scene.factors.hair_length);
    let dark = scene.hair.shade(0.34);
    // What is behind the head goes the other way when it turns.
    let x = head.x - head.shift() * 0.25;
    let wide = head.half + 3.0;
    match scene.factors.hair_style {
        HairStyle::Afro => curls::cloud(canvas, scene),
        HairStyle::Bob => {
            let low = 76.0 + 9.0 * length;
            let shape = smooth(
                &[
                    [x, 14.5],
                    [x + wide, 38.0],
                    [x + wide + 3.0, low - 12.0],
                    [x + wide - 3.0, low],
                    [x, low + 1.5],
                    [x - wide + 3.0, low],
                    [x - wide - 3.0, low - 12.0],
                    [x - wide, 38.0],
                ],
                true,
            );
            canvas.fill(&shape, dark);
        }
        HairStyle::Long => {
            let low = 88.0 + 22.0 * length;
            let shape = Outline::at([x, 13.0])
                .cubic([x + wide * 1.1, 13.0], [x + wide + 2.0, 44.0], [x + wide + 3.5, low])
                .quad([x, low + 6.0], [x - wide - 3.5, low])
                .cubic([x - wide - 2.0, 44.0], [x - wide * 1.1, 13.0], [x, 13.0])
                .closed();
            canvas.fill(&shape, dark);
        }
        HairStyle::Wavy => {
            let mut points = vec![[x, 13.0]];
            points.extend(waves(x, wide + 3.0, 1.0, 88.0 + 20.0 * length));
            let mut left = waves(x, wide + 3.0, -1.0, 88.0 + 20.0 * length);
            left.reverse();
            points.extend(left);
            canvas.fill(&smooth(&points, true), dark);
        }
        HairStyle::Pigtails => {
            for side in [-1.0, 1.0] {
                bunch(canvas, scene, side);
            }
        }
        HairStyle::Bun if !covered(scene) => bun(canvas, scene),
        _ => {}
    }
}

/// The wavy edge of long hair on one side, from above.
fn waves(x: f32, wide: f32, side: f32, low: f32) -> Vec<[f32; 2]> {
    let steps = 7;
    (0..=steps)
        .map(|i| {
            let t = i as f32 / steps as f32;
            let wave = if i % 2 == 0 { -1.6 } else { 2.2 };
            [x + side * (wide + t * 2.0 + if i == 0 { -1.0 } else { wave }), 36.0 + (low - 36.0) * t]
        })
        .collect()
}

fn bunch(canvas: &mut Canvas, scene: &mut Scene, side: f32) {
    let head = scene.head;
    let root = [head.x + side * (head.half + 1.0) - head.shift() * 0.25, 47.0];
    let length = 20.0 + 18.0 * scene.factors.hair_length;
    let at = |u: f32, v: f32| [root[0] + side * u, root[1] + v];
    let shape = smooth(
        &[
            at(0.0, -4.5),
            at(7.0, -5.5),
            at(12.5, length * 0.35),
            at(9.5, length * 0.8),
            at(5.0, length),
            at(3.0, length * 0.7),
            at(2.5, length * 0.35),
        ],
        true,
    );
    paint(canvas, scene, &shape, 0.12);
    let mask = canvas.mask(&shape);
    for _ in 0..9 {
        let (a, b) = (scene.detail.within(2.0, 10.0), scene.detail.within(3.0, 9.0));
        let strand = Outline::at(at(3.0, -4.0)).quad(at(a + 2.0, length * 0.4), at(b, length)).open();
        strand_stroke(canvas, scene, &strand, mask.as_ref());
    }
    canvas.fill(&oval(at(2.0, -2.0), 2.3, 3.0), scene.accent);
}

fn bun(canvas: &mut Canvas, scene: &mut Scene) {
    let head = scene.head;
    let radius = 8.0 + 3.5 * scene.factors.hair_length;
    let center = [head.x - head.shift() * 0.35, head.top - radius * 0.42 + 1.0];
    let shape = oval(center, radius * 1.08, radius);
    paint(canvas, scene, &shape, 0.06);
    let mask = canvas.mask(&shape);
    for i in 0..6 {
        let r = radius * (0.25 + 0.14 * i as f32);
        let lean = scene.detail.within(-1.2, 1.2);
        let swirl = oval([center[0] + lean, center[1] + radius * 0.35], r, r * 0.8);
        strand_stroke(canvas, scene, &swirl, mask.as_ref());
    }
}

/// The hair over forehead and temples.
pub(super) fn front(canvas: &mut Canvas, scene: &mut Scene, head_mask: Option<&tiny_skia::Mask>) {
    let volume = scene.factors.hair_length;
    let flat = covered(scene);
    let (hairline, grow, low) = match scene.factors.hair_style {
        HairStyle::Bald => return,
        HairStyle::Buzz => return buzz(canvas, scene, head_mask),
        HairStyle::Curly | HairStyle::Afro if !flat => return curls::crown(canvas, scene),
        HairStyle::Curly | HairStyle::Afro => (HIGH, 1.5, 54.0),
        HairStyle::Short => (PARTED_LEFT, 2.2 + 3.2 * volume, 53.0),
        HairStyle::Spiky => (HIGH, 1.8, 53.0),
        HairStyle::Bob => (FRINGE, 3.4, 70.0 + 9.0 * volume),
        HairStyle::Long => (PARTED_MIDDLE, 3.0, 80.0 + 20.0 * volume),
        HairStyle::Wavy => (PARTED_RIGHT, 4.0, 80.0 + 18.0 * volume),
        HairStyle::Bun | HairStyle::Pigtails => {
            (if scene.factors.hair_style == HairStyle::Bun { HIGH } else { PARTED_MIDDLE }, 1.6, 52.0)
        }
    };
    let grow = if flat { 1.2 } else { grow };
    let shape = cap(scene, hairline, grow, low);
    // The shadow of the hair on the skin.
    let shadow = cap(
        &Scene {
            head: Head { x: scene.head.x - scene.light * 0.8, ..scene.head },
            detail: scene.detail.clone(),
            ..*scene
        },
        hairline,
        grow,
        low,
    );
    canvas.stroke_within(&shadow, 3.4, Fill::Flat(scene.skin_at(0.55), 0.32), head_mask);
    if scene.factors.hair_style == HairStyle::Spiky && !flat {
        spikes(canvas, scene);
    }
    paint(canvas, scene, &shape, 0.0);
    let mask = canvas.mask(&shape);
    strands(canvas, scene, hairline, grow, low, mask.as_ref());
    shine(canvas, scene, grow, mask.as_ref());
    flyaways(canvas, scene, grow);
}

/// Skull above, hairline below; styles that are longer than the ears hang down at both sides until `low`.
fn cap(scene: &Scene, hairline: Hairline, grow: f32, low: f32) -> Shape {
    let head = scene.head;
    let mut points = Vec::with_capacity(40);
    let hangs = low > 56.0;
    let wavy = scene.factors.hair_style == HairStyle::Wavy;
    let side = |side: f32, points: &mut Vec<[f32; 2]>| {
        let outer = head.half + grow * 0.75;
        let mut edge = Vec::new();
        if hangs {
            let steps = 4;
            for i in 1..=steps {
                let t = i as f32 / steps as f32;
                let wave = if wavy { [2.2, -0.6, 2.4, 0.0][i - 1] } else { 0.8 * t };
                edge.push([head.x + side * (outer + 0.8 + wave), SIDE_Y + 3.0 + (low - SIDE_Y - 3.0) * t]);
            }
            // The tip, then inwards and up along the cheek.
            edge.push([head.x + side * (outer - 3.0), low + 1.0]);
            edge.push([head.x + side * (outer - 6.4), low - 5.0]);
            edge.push([head.x + side * (head.half - 1.6), low * 0.5 + 32.0]);
        } else {
            edge.push([head.x + side * (head.half + 0.5), low]);
        }
        if side < 0.0 {
            edge.reverse();
        }
        points.extend(edge);
    };
    let arc = 12;
    for i in 0..=arc {
        points.push(skull(&head, PI - PI * i as f32 / arc as f32, grow));
    }
    side(1.0, &mut points);
    points.extend(hairline.iter().map(|&[u, y]| [head.at(u * 0.985), y]));
    side(-1.0, &mut points);
    smooth(&points, true)
}

/// Fills hair with its colour, lit from one side.
pub(super) fn paint(canvas: &mut Canvas, scene: &Scene, shape: &Shape, shade: f32) {
    let side = scene.light * 24.0;
    let x = scene.head.x;
    let (lit, dark) = (scene.hair.lit(0.16).shade(shade), scene.hair.shade(0.30 + shade));
    canvas.fill(shape, Fill::Linear([x + side, 14.0], [x - side, 62.0], [(lit, 1.0), (dark, 1.0)]));
}

/// A single strand: lighter or darker than the rest.
pub(super) fn strand_stroke(canvas: &mut Canvas, scene: &mut Scene, strand: &Shape, mask: Option<&tiny_skia::Mask>) {
    let light = scene.detail.chance(0.45);
    let color = if light { scene.hair.lit(0.45) } else { scene.hair.shade(0.45) };
    let (width, alpha) = (scene.detail.within(0.35, 1.1), scene.detail.within(0.18, 0.42));
    canvas.stroke_within(strand, width, Fill::Flat(color, alpha), mask);
}

/// Strands from the parting to the sides.
fn strands(
    canvas: &mut Canvas,
    scene: &mut Scene,
    hairline: Hairline,
    grow: f32,
    low: f32,
    mask: Option<&tiny_skia::Mask>,
) {
    let head = scene.head;
    let part = match scene.factors.hair_style {
        HairStyle::Short => -0.40,
        HairStyle::Wavy => 0.40,
        _ => 0.0,
    };
    let upwards =
        matches!(scene.factors.hair_style, HairStyle::Bun | HairStyle::Spiky | HairStyle::Curly | HairStyle::Afro);
    let fringe = scene.factors.hair_style == HairStyle::Bob;
    let root_x = head.at(part) - head.shift() * 0.5;
    for _ in 0..30 {
        let t = scene.detail.unit();
        let side = if t < (part + 1.0) / 2.0 { -1.0 } else { 1.0 };
        let end = &hairline[((1.0 - t) * (hairline.len() - 1) as f32).round() as usize % hairline.len()];
        let jitter = scene.detail.within(-2.0, 2.0);
        let strand = if upwards || (fringe && end[0].abs() < 0.9) {
            let top = [root_x + jitter * 2.0, head.top - grow * 0.6];
            Outline::at([head.at(end[0]) + jitter, end[1]])
                .quad([head.at(end[0] * 0.9) + jitter, (end[1] + top[1]) * 0.48], top)
        } else {
            let reach = scene.detail.within(0.45, 1.0);
            let down = if low > 56.0 { low - scene.detail.within(0.0, 10.0) } else { 52.0 };
            let bend = skull(&head, PI * 0.5 - side * PI * 0.40 * reach, grow * (2.0 * reach - 1.0) - 2.5);
            let x = head.x + side * (head.half + grow * 0.75 - scene.detail.within(-0.5, 6.0));
            let first = [root_x + side * 2.0, head.top - grow * 0.9 + 1.0 + (1.0 - reach) * 9.0];
            Outline::at(first)
                .quad(bend, [(bend[0] + x) / 2.0 + side * 1.5, 46.0])
                .quad([x + side * 1.2, 55.0], [x + jitter * 0.5, down])
        };
        strand_stroke(canvas, scene, &strand.open(), mask);
    }
}

/// The band of light across the crown.
fn shine(canvas: &mut Canvas, scene: &Scene, grow: f32, mask: Option<&tiny_skia::Mask>) {
    let head = scene.head;
    let middle = PI * 0.5 - scene.light * 0.55;
    let points: Vec<_> = (-4..=4).map(|i| skull(&head, middle + i as f32 * 0.13, grow - 6.2)).collect();
    let band = smooth(&points, false);
    let light = scene.hair.lit(0.62);
    canvas.stroke_within(&band, 3.0, Fill::Flat(light, 0.20), mask);
    canvas.stroke_within(&band, 1.2, Fill::Flat(light, 0.26), mask);
}

/// Single hairs that stand off.
fn flyaways(canvas: &mut Canvas, scene: &mut Scene, grow: f32) {
    if covered(scene) {
        return;
    }
    for _ in 0..5 {
        let angle = scene.detail.within(0.35, PI - 0.35);
        let lean = scene.detail.within(-0.3, 0.3);
        let out = scene.detail.within(0.8, 2.4);
        let (root, tip) = (skull(&scene.head, angle, grow - 0.5), skull(&scene.head, angle + lean * 0.4, grow + out));
        let bend = skull(&scene.head, angle + lean, grow + out * 0.7);
        canvas.stroke(&Outline::at(root).quad(bend, tip).open(), 0.35, Fill::Flat(scene.hair, 0.8));
    }
}

fn spikes(canvas: &mut Canvas, scene: &mut Scene) {
    let head = scene.head;
    let tall = 6.0 + 6.5 * scene.factors.hair_length;
    let count = 9;
    let mut outline = Outline::at(skull(&head, PI * 0.94, 0.5));
    for i in 0..count {
        let t = |k: f32| PI * (0.92 - 0.84 * (i as f32 + k) / count as f32);
        let middle = 1.0 - ((i as f32 + 0.5) / count as f32 * 2.0 - 1.0).abs();
        let high = tall * (0.45 + 0.55 * middle) * scene.detail.within(0.82, 1.18);
        let lean = 0.10 + scene.detail.within(-0.05, 0.05);
        let tip = skull(&head, t(0.5) - lean, high);
        outline = outline
            .quad(skull(&head, t(0.28), high * 0.55), tip)
            .quad(skull(&head, t(0.75), high * 0.4), skull(&head, t(1.0), 1.2));
    }
    let shape = outline.line([head.x, 40.0]).closed();
    paint(canvas, scene, &shape, 0.05);
}

/// Hair of millimetres: the skin shines through.
fn buzz(canvas: &mut Canvas, scene: &mut Scene, head_mask: Option<&tiny_skia::Mask>) {
    let shape = cap(scene, HIGH, 0.3, 50.0);
    let alpha = 0.45 + 0.4 * scene.factors.hair_length;
    canvas.fill_within(&shape, Fill::Flat(scene.hair.shade(0.1), alpha), head_mask);
    let mask = canvas.mask(&shape);
    let mut dots = Vec::with_capacity(70);
    for _ in 0..70 {
        let angle = scene.detail.within(0.0, PI);
        let [x, y] = skull(&scene.head, angle, -scene.detail.within(0.0, 16.0));
        dots.push([x, y, scene.detail.within(0.25, 0.5)]);
    }
    canvas.fill_within(&circles(&dots), Fill::Flat(scene.hair.shade(0.5), 0.35), mask.as_ref());
    shine(canvas, scene, 1.0, mask.as_ref());
}
