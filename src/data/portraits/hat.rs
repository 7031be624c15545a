//! What is on the head.

use std::f32::consts::PI;

use super::{
    canvas::{Canvas, Fill, Outline, Shape, circles, oval, smooth},
    factors::Hat,
    hair::skull,
    palette::Rgb,
    scene::Scene,
};

/// The hat, in front of hair and forehead.
pub(super) fn hat(canvas: &mut Canvas, scene: &mut Scene) {
    match scene.factors.hat {
        Hat::None => {}
        Hat::Beanie => beanie(canvas, scene),
        Hat::Cap => cap(canvas, scene),
        Hat::Brim => brim(canvas, scene),
        Hat::Band => band(canvas, scene),
    }
}

fn lit(canvas: &mut Canvas, scene: &Scene, shape: &Shape, color: Rgb) {
    let side = scene.light * 24.0;
    let x = scene.head.x;
    let ends = [(color.lit(0.14), 1.0), (color.shade(0.26), 1.0)];
    canvas.fill(shape, Fill::Linear([x + side, 8.0], [x - side - 0.1, 40.0], ends));
}

fn beanie(canvas: &mut Canvas, scene: &mut Scene) {
    let (head, color) = (scene.head, scene.accent);
    let (x, wide) = (head.x, head.half + 2.4);
    let top = head.top - 7.0;
    let pompom = [x - head.shift() * 0.3, top - 1.0];
    let tufts: Vec<_> = (0..14)
        .map(|i| {
            let angle = i as f32 * PI / 7.0;
            let r = scene.detail.within(3.0, 4.0);
            [pompom[0] + r * angle.cos(), pompom[1] + r * angle.sin(), 1.7]
        })
        .collect();
    let pale = color.lit(0.55);
    canvas.fill(&circles(&tufts), pale.shade(0.10));
    canvas.fill(&oval(pompom, 4.0, 4.0), pale);
    let dome = Outline::at([x - wide, 36.0])
        .cubic([x - wide, 17.0], [x - wide * 0.6, top], [x, top])
        .cubic([x + wide * 0.6, top], [x + wide, 17.0], [x + wide, 36.0])
        .closed();
    lit(canvas, scene, &dome, color);
    let mask = canvas.mask(&dome);
    for i in -6..=6 {
        let u = i as f32 / 6.5;
        let rib = Outline::at([x + u * wide, 38.0]).quad([x + u * wide * 0.95, 20.0], [x + u * wide * 0.3, top]).open();
        canvas.stroke_within(&rib, 0.9, Fill::Flat(color.shade(0.4), 0.28), mask.as_ref());
    }
    let (up, down) = (28.6, 37.2);
    let fold = smooth(
        &[
            [x - wide - 0.8, up + 1.0],
            [x, up - 1.6],
            [x + wide + 0.8, up + 1.0],
            [x + wide + 0.9, down],
            [x, down - 2.4],
            [x - wide - 0.9, down],
        ],
        true,
    );
    lit(canvas, scene, &fold, color.lit(0.18));
    let mask = canvas.mask(&fold);
    for i in -8..=8 {
        let rib_x = x + i as f32 / 8.5 * wide;
        let rib = Outline::at([rib_x, up - 2.0]).line([rib_x, down + 1.0]).open();
        canvas.stroke_within(&rib, 0.8, Fill::Flat(color.shade(0.4), 0.30), mask.as_ref());
    }
    canvas.stroke(&fold, 0.5, Fill::Flat(color.shade(0.5), 0.45));
}

fn cap(canvas: &mut Canvas, scene: &mut Scene) {
    let (head, color) = (scene.head, scene.accent);
    let (x, wide) = (head.x, head.half + 1.8);
    let top = head.top - 3.4;
    let dome = Outline::at([x - wide, 37.0])
        .cubic([x - wide, 17.0], [x - wide * 0.65, top], [x, top])
        .cubic([x + wide * 0.65, top], [x + wide, 17.0], [x + wide, 37.0])
        .quad([x, 31.0], [x - wide, 37.0])
        .closed();
    lit(canvas, scene, &dome, color);
    let front = x + head.shift() * 0.75;
    let seam = Outline::at([x, top]).quad([front, top + 4.0], [front, 33.0]).open();
    canvas.stroke(&seam, 0.6, Fill::Flat(color.shade(0.5), 0.45));
    canvas.fill(&oval([x, top + 0.2], 1.7, 0.9), color.shade(0.25));
    canvas.fill(&oval([front, 24.5], 4.6 * head.squash(0.0), 4.2), Fill::Flat(color.lit(0.75), 0.95));
    canvas.fill(&oval([front, 24.5], 2.4 * head.squash(0.0), 2.2), Fill::Flat(scene.cloth, 0.95));
    let peak_x = x + head.shift() * 1.15;
    let half = wide * 0.86;
    let peak = Outline::at([peak_x - half, 34.2])
        .cubic([peak_x - half * 0.6, 29.6], [peak_x + half * 0.6, 29.6], [peak_x + half, 34.2])
        .cubic([peak_x + half * 1.04, 38.4], [peak_x + half * 0.5, 37.0], [peak_x, 36.8])
        .cubic([peak_x - half * 0.5, 37.0], [peak_x - half * 1.04, 38.4], [peak_x - half, 34.2])
        .closed();
    canvas.fill(&peak, color.shade(0.16));
    canvas.stroke(&peak, 0.5, Fill::Flat(color.shade(0.5), 0.5));
}

fn brim(canvas: &mut Canvas, scene: &mut Scene) {
    let (head, cloth) = (scene.head, scene.accent);
    let straw = Rgb::hex(0xe8c889);
    let (x, wide) = (head.x, head.half - 0.5);
    let top = head.top - 7.5;
    let shade = oval([x, 34.6], wide + 1.0, 4.0);
    canvas.fill(&shade, Fill::Flat(scene.skin_at(0.6), 0.30));
    let plate = oval([x + head.shift() * 0.2, 31.6], wide + 14.0, 5.2);
    lit(canvas, scene, &plate, straw);
    canvas.stroke(&plate, 0.5, Fill::Flat(straw.shade(0.5), 0.5));
    let crown = Outline::at([x - wide, 31.0])
        .cubic([x - wide * 1.0, 16.0], [x - wide * 0.78, top], [x - wide * 0.45, top])
        .quad([x, top + 1.6], [x + wide * 0.45, top])
        .cubic([x + wide * 0.78, top], [x + wide, 16.0], [x + wide, 31.0])
        .quad([x, 35.6], [x - wide, 31.0])
        .closed();
    lit(canvas, scene, &crown, straw.lit(0.1));
    let mask = canvas.mask(&crown);
    let ribbon = Outline::at([x - wide - 1.0, 25.0])
        .quad([x, 29.6], [x + wide + 1.0, 25.0])
        .line([x + wide + 1.0, 30.6])
        .quad([x, 35.4], [x - wide - 1.0, 30.6])
        .closed();
    canvas.fill_within(&ribbon, cloth, mask.as_ref());
    for _ in 0..16 {
        let y = scene.detail.within(top, 27.0);
        let weave = Outline::at([x - wide, y]).quad([x, y + 3.6], [x + wide, y]).open();
        canvas.stroke_within(&weave, 0.4, Fill::Flat(straw.shade(0.4), 0.30), mask.as_ref());
    }
}

fn band(canvas: &mut Canvas, scene: &Scene) {
    let head = scene.head;
    let color = scene.accent;
    let curve = |y: f32, grow: f32| {
        let mut points = vec![[head.x - head.half - grow, y + 7.0]];
        points.extend([-0.8, -0.45, 0.0, 0.45, 0.8f32].map(|u| [head.at(u), y - (1.0 - u * u) * 2.4 + u * u * 2.0]));
        points.push([head.x + head.half + grow, y + 7.0]);
        points
    };
    let mut points = curve(26.4, 0.6);
    points.extend(curve(32.4, 1.2).into_iter().rev());
    let shape = smooth(&points, true);
    lit(canvas, scene, &shape, color);
    canvas.stroke(&shape, 0.5, Fill::Flat(color.shade(0.5), 0.4));
    let side = if scene.light > 0.0 { 0.35 } else { -0.35 };
    let glint = [skull(&head, PI * 0.5 - side, -8.0), skull(&head, PI * 0.5 - side * 1.5, -8.0)];
    canvas.stroke(&Outline::at(glint[0]).line(glint[1]).open(), 1.2, Fill::Flat(color.lit(0.7), 0.4));
}
