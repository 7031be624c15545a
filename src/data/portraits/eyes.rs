//! Eyes, brows and glasses.

use super::{
    canvas::{Canvas, Fill, Outline, Shape, oval, smooth},
    factors::Glasses,
    head::EYE_Y,
    palette::{self, Rgb},
    scene::Scene,
};

/// Distance of an eye from the middle of the face, as a share of half its width.
const EYE_U: f32 = 0.43;

/// One eye: where it is and how large.
struct Eye {
    side: f32,
    x: f32,
    half: f32,
    /// Above and below the middle.
    rise: f32,
    fall: f32,
}

impl Eye {
    fn new(scene: &Scene, side: f32) -> Self {
        let (factors, head) = (scene.factors, scene.head);
        let size = 1.0 + 0.11 * factors.eye_size;
        let openness = factors.eye_openness.clamp(0.0, 1.0);
        Self {
            side,
            x: head.at(side * EYE_U),
            half: 6.3 * size * (0.25 + 0.75 * head.squash(side * EYE_U)) * 1.02,
            rise: 5.6 * size * (openness - 0.08),
            fall: 3.9 * size * (0.25 + 0.75 * openness),
        }
    }

    fn corners(&self) -> [[f32; 2]; 2] {
        // The outer corner is a little higher.
        let tip = |side: f32| [self.x + side * self.half, EYE_Y + if side == self.side { -0.5 } else { 0.7 }];
        [tip(-1.0), tip(1.0)]
    }

    /// The upper lid.
    fn upper(&self, from: Outline) -> Outline {
        let [_, right] = self.corners();
        let (k, top) = (self.half * 0.58, EYE_Y - self.rise * 1.28);
        from.cubic([self.x - k, top], [self.x + k, top], right)
    }

    fn opening(&self) -> Shape {
        let [left, _] = self.corners();
        let (k, bottom) = (self.half * 0.55, EYE_Y + self.fall * 1.2);
        self.upper(Outline::at(left)).cubic([self.x + k, bottom], [self.x - k, bottom], left).closed()
    }
}

/// Both eyes.
pub(super) fn eyes(canvas: &mut Canvas, scene: &Scene) {
    for side in [-1.0, 1.0] {
        let eye = Eye::new(scene, side);
        socket(canvas, scene, &eye);
        if eye.rise > 0.7 {
            ball(canvas, scene, &eye);
        }
        lid(canvas, scene, &eye);
    }
}

/// The lid's skin, a little darker than the rest.
fn socket(canvas: &mut Canvas, scene: &Scene, eye: &Eye) {
    let center = [eye.x, EYE_Y - 1.2];
    let shade = scene.skin_at(0.30);
    canvas.fill(
        &oval(center, eye.half * 1.35, 7.8),
        Fill::Radial(center, eye.half * 1.35, [(shade, 0.55), (shade, 0.0)]),
    );
}

fn ball(canvas: &mut Canvas, scene: &Scene, eye: &Eye) {
    let factors = scene.factors;
    let opening = eye.opening();
    canvas.fill(&opening, Rgb::hex(0xfdfbf7));
    let mask = canvas.mask(&opening);
    let mask = mask.as_ref();
    let size = 1.0 + 0.08 * factors.eye_size;
    let r = 4.15 * size;
    let x = eye.x + factors.gaze_x * 2.1 + scene.head.yaw * 1.6;
    let y = EYE_Y + 0.25 + factors.gaze_y * 1.25;
    let squash = 0.35 + 0.65 * scene.head.squash(eye.side * EYE_U);
    let iris = palette::iris(factors.eye_color);
    let disc = oval([x, y], r * squash, r);
    canvas.fill_within(&disc, iris.shade(0.55), mask);
    let inner = [x, y + 0.9];
    canvas.fill_within(
        &oval([x, y], (r - 0.65) * squash, r - 0.65),
        Fill::Radial(inner, r, [(iris.lit(0.32), 1.0), (iris, 1.0)]),
        mask,
    );
    canvas.fill_within(&oval([x, y], r * 0.52 * squash, r * 0.52), Rgb::hex(0x17121a), mask);
    let shine = [x + scene.light * 1.1 + 0.25, y - 1.45];
    canvas.fill_within(&oval(shine, 1.25 * squash, 1.25), Rgb::hex(0xffffff), mask);
    canvas.fill_within(&oval([x - scene.light * 1.3, y + 1.7], 0.6, 0.6), Fill::Flat(Rgb::hex(0xffffff), 0.6), mask);
    // The lid throws a shadow on the ball.
    let [left, _] = eye.corners();
    let rim = eye.upper(Outline::at(left)).open();
    canvas.stroke_within(&rim, 2.6, Fill::Flat(Rgb::hex(0x3c3450), 0.22), mask);
}

/// Lid lines and lashes.
fn lid(canvas: &mut Canvas, scene: &Scene, eye: &Eye) {
    let [left, right] = eye.corners();
    let dark = Rgb::hex(0x2b1d24).mix(scene.hair, 0.12);
    let lashes = scene.factors.lashes.clamp(0.0, 1.0);
    let closed = eye.rise <= 0.7;
    let line = if closed {
        let bottom = EYE_Y + 1.6;
        Outline::at(left)
            .cubic([eye.x - eye.half * 0.5, bottom + 0.9], [eye.x + eye.half * 0.5, bottom + 0.9], right)
            .open()
    } else {
        eye.upper(Outline::at(left)).open()
    };
    canvas.stroke(&line, 1.15 + 0.55 * lashes, dark);
    if !closed {
        let bottom = EYE_Y + eye.fall * 1.2;
        let k = eye.half * 0.55;
        let lower = Outline::at(right).cubic([eye.x + k, bottom], [eye.x - k, bottom], left).open();
        canvas.stroke(&lower, 0.5, Fill::Flat(scene.line(), 0.55));
        let crease_y = EYE_Y - eye.rise * 1.28 - 2.0;
        let crease = Outline::at([eye.x - eye.half * 0.75, EYE_Y - eye.rise * 0.62 - 1.6])
            .quad([eye.x, crease_y], [eye.x + eye.half * 0.75, EYE_Y - eye.rise * 0.62 - 1.6])
            .open();
        canvas.stroke(&crease, 0.6, Fill::Flat(scene.skin_at(0.5), 0.55));
    }
    // Three lashes at the outer corner.
    let outer = if eye.side < 0.0 { left } else { right };
    let length = 0.6 + 2.7 * lashes;
    for (i, back) in [0.0, 1.7, 3.5].into_iter().enumerate() {
        let root_y = if closed { outer[1] + back * 0.35 } else { outer[1] - back * (0.25 + 0.16 * eye.rise) };
        let root = [outer[0] - eye.side * back * 0.8, root_y];
        let up = if closed { -0.15 } else { 0.75 + 0.15 * i as f32 };
        let tip = [root[0] + eye.side * length * (0.85 - 0.2 * i as f32), root[1] - length * up];
        let lash = Outline::at(root)
            .quad([(root[0] + tip[0]) / 2.0 + eye.side * 0.3, root[1] - length * up * 0.3], tip)
            .open();
        canvas.stroke(&lash, 0.5 + 0.4 * lashes, Fill::Flat(dark, (lashes * 2.5).min(1.0)));
    }
}

/// Brows, as an area that tapers outwards.
pub(super) fn brows(canvas: &mut Canvas, scene: &Scene) {
    let (factors, head) = (scene.factors, scene.head);
    let color = if scene.hair.luma() > 0.72 { scene.hair.shade(0.28) } else { scene.hair.shade(0.12) };
    // Never lost on skin of the same tone.
    let color = if (color.luma() - scene.skin.luma()).abs() < 0.12 { color.shade(0.35) } else { color };
    let thick = 1.1 + 1.7 * factors.brow_thickness.clamp(0.0, 1.0);
    let y = 39.9 - 1.7 * factors.brow_height - 0.9 * factors.eye_openness;
    for side in [-1.0, 1.0] {
        let inner_y = y - 2.1 * factors.brow_angle + 0.7;
        let outer_y = y + 1.1 * factors.brow_angle + 1.9;
        let arch = y - 1.4;
        let (inner, peak, outer) = (head.at(side * 0.17), head.at(side * 0.48), head.at(side * 0.75));
        let brow = Outline::at([inner, inner_y - thick * 0.45])
            .quad([(inner + peak) / 2.0, arch - thick * 0.4], [peak, arch + 0.2 - thick * 0.35])
            .quad([(peak + outer) / 2.0 + side * 0.8, arch + 0.3], [outer, outer_y])
            .quad([(peak + outer) / 2.0, arch + 1.0 + thick * 0.45], [peak, arch + 0.5 + thick * 0.62])
            .quad([(inner + peak) / 2.0, arch + 0.8 + thick * 0.7], [inner, inner_y + thick * 0.6])
            .closed();
        canvas.fill(&brow, Fill::Flat(color, 0.94));
        canvas.stroke(&brow, 0.5, Fill::Flat(color, 0.94));
    }
}

/// Glasses, in front of everything in the face.
pub(super) fn glasses(canvas: &mut Canvas, scene: &Scene) {
    let kind = scene.factors.glasses;
    if kind == Glasses::None {
        return;
    }
    let head = scene.head;
    let frame = match kind {
        Glasses::Round => Rgb::hex(0x8a5a33),
        _ => Rgb::hex(0x2c2c36),
    };
    let mut inner = [0.0; 2];
    for (i, side) in [-1.0f32, 1.0].into_iter().enumerate() {
        let squash = 0.25 + 0.75 * head.squash(side * EYE_U);
        let x = head.at(side * EYE_U) + head.shift() * 0.05;
        let (rx, ry) = if kind == Glasses::Round { (9.0 * squash, 8.4) } else { (9.4 * squash, 7.0) };
        let lens = if kind == Glasses::Round {
            oval([x, EYE_Y + 0.4], rx, ry)
        } else {
            square([x, EYE_Y + 0.6], rx, ry, side)
        };
        if kind == Glasses::Sun {
            let ends = [(Rgb::hex(0x2a2c3c), 0.97), (Rgb::hex(0x6b5a78), 0.93)];
            canvas.fill(&lens, Fill::Linear([x, EYE_Y - ry], [x, EYE_Y + ry], ends));
        } else {
            canvas.fill(&lens, Fill::Flat(Rgb::hex(0xe8f4ff), 0.13));
        }
        let mask = canvas.mask(&lens);
        let glint = Outline::at([x - rx * 0.55, EYE_Y + ry]).line([x + rx * 0.35, EYE_Y - ry]).open();
        let glare = if kind == Glasses::Sun { 0.20 } else { 0.24 };
        canvas.stroke_within(&glint, 2.2, Fill::Flat(Rgb::hex(0xffffff), glare), mask.as_ref());
        canvas.stroke(&lens, 1.5, frame);
        inner[i] = x - side * rx;
        let temple =
            Outline::at([x + side * rx, EYE_Y - 1.6]).line([head.x + side * head.half * 0.99, EYE_Y - 2.4]).open();
        canvas.stroke(&temple, 1.5, frame);
    }
    let bridge = Outline::at([inner[0], EYE_Y - 0.6])
        .quad([(inner[0] + inner[1]) / 2.0, EYE_Y - 3.4], [inner[1], EYE_Y - 0.6])
        .open();
    canvas.stroke(&bridge, 1.4, frame);
}

/// A lens with rounded corners, wider above.
fn square([x, y]: [f32; 2], rx: f32, ry: f32, side: f32) -> Shape {
    let at = |u: f32, v: f32| [x + side * u * rx, y + v * ry];
    smooth(
        &[
            at(-0.92, -0.78),
            at(0.0, -1.0),
            at(0.96, -0.92),
            at(1.02, -0.1),
            at(0.78, 0.86),
            at(0.0, 1.03),
            at(-0.74, 0.9),
            at(-0.97, 0.1),
        ],
        true,
    )
}
