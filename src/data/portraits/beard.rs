//! Hair on the face.

use tiny_skia::Mask;

use super::{
    canvas::{Canvas, Fill, Outline, Shape, circles, smooth},
    factors::Beard,
    scene::Scene,
};

/// The beard, under the mouth's own drawing.
pub(super) fn beard(canvas: &mut Canvas, scene: &mut Scene, head_mask: Option<&Mask>) {
    let color = scene.hair.shade(0.16);
    match scene.factors.beard {
        Beard::None => {}
        Beard::Stubble => stubble(canvas, scene, head_mask),
        Beard::Moustache => hairs(canvas, scene, &moustache(scene), color),
        Beard::Goatee => {
            let shape = goatee(scene);
            hairs(canvas, scene, &shape, color);
            hairs(canvas, scene, &moustache(scene), color);
        }
        Beard::Full => {
            let shape = full(scene, 2.6);
            hairs(canvas, scene, &shape, color);
        }
    }
}

/// From ear to ear, `grow` beyond the chin.
fn full(scene: &Scene, grow: f32) -> Shape {
    let head = scene.head;
    let (low, mid) = (head.x + head.shift() * 0.72, head.x + head.shift() * 0.34);
    let jaw = head.jaw * 0.96 + grow * 0.4;
    let jaw_y = head.chin - 11.5;
    let inner = [[0.93, 55.0], [0.84, 60.0], [0.66, 65.8], [0.42, 66.6], [0.20, 65.0], [0.0, 66.0]];
    let mut points = vec![
        [head.x - head.half + 0.2, 51.0],
        [mid - jaw, jaw_y - 3.0],
        [mid - jaw * 0.80, head.chin - 4.6],
        [low - head.chin_half, head.chin + grow * 0.8],
        [low, head.chin + grow],
    ];
    points.extend([
        [low + head.chin_half, head.chin + grow * 0.8],
        [mid + jaw * 0.80, head.chin - 4.6],
        [mid + jaw, jaw_y - 3.0],
        [head.x + head.half - 0.2, 51.0],
    ]);
    points.extend(inner.iter().map(|&[u, y]| [head.at(u), y]));
    points.extend(inner.iter().rev().skip(1).map(|&[u, y]| [head.at(-u), y]));
    smooth(&points, true)
}

fn goatee(scene: &Scene) -> Shape {
    let head = scene.head;
    let x = head.x + head.shift() * 0.80;
    let chin = head.chin;
    let half = 7.4;
    smooth(
        &[
            [head.at(-0.40), 68.0],
            [x - half * 0.98, 74.0],
            [x - half * 0.62, chin],
            [x, chin + 2.6],
            [x + half * 0.62, chin],
            [x + half * 0.98, 74.0],
            [head.at(0.40), 68.0],
            [x + half * 0.45, 75.4],
            [x, 75.0],
            [x - half * 0.45, 75.4],
        ],
        true,
    )
}

fn moustache(scene: &Scene) -> Shape {
    let head = scene.head;
    let x = head.at(0.0) + head.shift() * 0.10;
    let (left, right) = (head.at(-0.44), head.at(0.44));
    let lift = scene.factors.smile.max(0.0) * 1.2;
    Outline::at([x, 65.4])
        .cubic([x + 3.0, 64.4], [right - 2.6, 66.0 - lift], [right, 70.2 - lift])
        .cubic([right - 4.0, 70.6 - lift], [x + 2.4, 69.6], [x, 68.2])
        .cubic([x - 2.4, 69.6], [left + 4.0, 70.6 - lift], [left, 70.2 - lift])
        .cubic([left + 2.6, 66.0 - lift], [x - 3.0, 64.4], [x, 65.4])
        .closed()
}

/// Fills a shape with hair.
fn hairs(canvas: &mut Canvas, scene: &mut Scene, shape: &Shape, color: super::palette::Rgb) {
    let head = scene.head;
    let side = scene.light * 18.0;
    let ends = [(color.lit(0.08), 1.0), (color.shade(0.22), 1.0)];
    canvas.fill(shape, Fill::Linear([head.x + side, 58.0], [head.x - side - 0.1, 84.0], ends));
    let mask = canvas.mask(shape);
    for _ in 0..34 {
        let u = scene.detail.within(-1.0, 1.0);
        let y = scene.detail.within(54.0, 82.0);
        let x = head.at(u * 0.97);
        let length = scene.detail.within(2.0, 4.5);
        let hair = Outline::at([x, y]).quad([x + u * 1.0, y + length * 0.5], [x - u * 0.8, y + length]).open();
        super::hair::strand_stroke(canvas, scene, &hair, mask.as_ref());
    }
}

fn stubble(canvas: &mut Canvas, scene: &mut Scene, head_mask: Option<&Mask>) {
    let shape = full(scene, 0.3);
    let color = scene.hair.mix(scene.skin_at(0.5), 0.35).shade(0.2);
    canvas.fill_within(&shape, Fill::Flat(color, 0.34), head_mask);
    let mask = canvas.mask(&shape);
    let dots: Vec<_> = (0..70)
        .map(|_| {
            let u = scene.detail.within(-0.97, 0.97);
            [scene.head.at(u), scene.detail.within(56.0, 81.0), scene.detail.within(0.2, 0.42)]
        })
        .collect();
    canvas.fill_within(&circles(&dots), Fill::Flat(color.shade(0.4), 0.5), mask.as_ref());
}
