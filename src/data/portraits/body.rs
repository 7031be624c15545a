//! Background, neck, shoulders and clothing.

use super::{
    canvas::{Canvas, Fill, Outline, SIDE, Shape, oval, rectangle, smooth},
    factors::Clothing,
    scene::Scene,
};

/// The gradient behind everything, with a glow behind the head on the side of the light.
pub(super) fn background(canvas: &mut Canvas, scene: &mut Scene) {
    let [light, dark] = scene.background;
    let everything = rectangle(0.0, 0.0, SIDE, SIDE);
    let turn = scene.factors.background_turn * 0.9;
    let (dx, dy) = (turn.sin() * 62.0, turn.cos() * 62.0);
    let ends = [(light, 1.0), (dark, 1.0)];
    canvas.fill(&everything, Fill::Linear([50.0 - dx, 50.0 - dy], [50.0 + dx, 50.0 + dy], ends));
    let center = [50.0 + scene.light * 16.0, 40.0];
    let glow = light.lit(0.55);
    canvas.fill(&oval(center, 58.0, 58.0), Fill::Radial(center, 58.0, [(glow, 0.75), (glow, 0.0)]));
    // Large pale discs out of focus: they belong to no factor.
    for _ in 0..scene.detail.below(5) {
        let center = [scene.detail.within(0.0, 100.0), scene.detail.within(-5.0, 75.0)];
        let radius = scene.detail.within(3.0, 13.0);
        let color = if scene.detail.chance(0.5) { glow } else { dark };
        let alpha = scene.detail.within(0.06, 0.16);
        canvas.fill(&oval(center, radius, radius), Fill::Flat(color, alpha));
    }
}

/// Neck and shoulders.
pub(super) fn body(canvas: &mut Canvas, scene: &mut Scene) {
    neck(canvas, scene);
    let cloth = scene.cloth;
    let shirt = shoulders(scene);
    let side = scene.light * 40.0;
    let ends = [(cloth.lit(0.14), 1.0), (cloth.shade(0.26), 1.0)];
    canvas.fill(&shirt, Fill::Linear([50.0 + side, 84.0], [50.0 - side, 104.0], ends));
    let mask = canvas.mask(&shirt);
    texture(canvas, scene, mask.as_ref());
    neckline(canvas, scene);
}

fn neck(canvas: &mut Canvas, scene: &Scene) {
    let half = 9.6;
    let x = 50.0;
    let neck = Outline::at([x - half, 62.0])
        .line([x + half, 62.0])
        .cubic([x + half - 0.4, 80.0], [x + half + 1.0, 87.0], [x + half + 8.0, 91.0])
        .line([x, 101.0])
        .line([x - half - 8.0, 91.0])
        .cubic([x - half - 1.0, 87.0], [x - half + 0.4, 80.0], [x - half, 62.0])
        .closed();
    let (lit, dark) = (scene.skin_at(0.10), scene.skin_at(0.30));
    let side = scene.light * 14.0;
    canvas.fill(&neck, Fill::Linear([x + side, 80.0], [x - side - 0.1, 82.0], [(lit, 1.0), (dark, 1.0)]));
    // The shadow of the chin.
    let mask = canvas.mask(&neck);
    let chin = scene.head.chin;
    let center = [x + scene.head.shift() * 0.5 - scene.light * 2.5, chin - 6.0];
    let shade = scene.skin_at(0.52);
    canvas.fill_within(
        &oval(center, 19.0, 14.5),
        Fill::Radial(center, 16.0, [(shade, 1.0), (shade, 0.0)]),
        mask.as_ref(),
    );
}

fn shoulders(scene: &Scene) -> Shape {
    let dip = match scene.factors.clothing {
        Clothing::Crew => 91.5,
        Clothing::VNeck => 97.5,
        Clothing::Collar => 95.0,
        Clothing::Turtleneck => 84.0,
        Clothing::Hoodie => 91.0,
    };
    let neck = 12.4;
    let mut outline = Outline::at([50.0 - neck, 86.5]);
    outline = match scene.factors.clothing {
        Clothing::VNeck | Clothing::Collar => outline.line([50.0, dip]).line([50.0 + neck, 86.5]),
        Clothing::Turtleneck => outline.quad([50.0, dip + 2.0], [50.0 + neck, 86.5]),
        Clothing::Crew | Clothing::Hoodie => {
            outline.cubic([50.0 - neck * 0.7, dip + 1.8], [50.0 + neck * 0.7, dip + 1.8], [50.0 + neck, 86.5])
        }
    };
    outline
        .cubic([66.0, 89.0], [77.0, 88.5], [85.0, 93.0])
        .quad([90.0, 96.5], [92.0, 104.0])
        .line([8.0, 104.0])
        .quad([10.0, 96.5], [15.0, 93.0])
        .cubic([23.0, 88.5], [34.0, 89.0], [50.0 - neck, 86.5])
        .closed()
}

/// Folds and the weave of the cloth.
fn texture(canvas: &mut Canvas, scene: &mut Scene, mask: Option<&tiny_skia::Mask>) {
    let (light, dark) = (scene.cloth.lit(0.3), scene.cloth.shade(0.4));
    for _ in 0..7 {
        let x = scene.detail.within(12.0, 88.0);
        let y = scene.detail.within(89.0, 97.0);
        let lean = (x - 50.0) * 0.1 + scene.detail.within(-2.0, 2.0);
        let fold = Outline::at([x, y]).quad([x + lean * 0.2, y + 4.0], [x + lean, y + 12.0]).open();
        let color = if scene.detail.chance(0.5) { light } else { dark };
        let width = scene.detail.within(0.4, 1.2);
        canvas.stroke_within(&fold, width, Fill::Flat(color, 0.22), mask);
    }
}

fn neckline(canvas: &mut Canvas, scene: &Scene) {
    let (cloth, neck) = (scene.cloth, 12.4);
    let (edge, light) = (cloth.shade(0.30), cloth.lit(0.12));
    match scene.factors.clothing {
        Clothing::Crew => {
            let curve = Outline::at([50.0 - neck, 86.5])
                .cubic([50.0 - neck * 0.7, 93.3], [50.0 + neck * 0.7, 93.3], [50.0 + neck, 86.5])
                .open();
            canvas.stroke(&curve, 2.2, edge);
            canvas.stroke(&curve, 1.2, light.mix(edge, 0.35));
        }
        Clothing::VNeck => {
            let curve = Outline::at([50.0 - neck, 86.5]).line([50.0, 97.5]).line([50.0 + neck, 86.5]).open();
            canvas.stroke(&curve, 2.0, edge);
            canvas.stroke(&curve, 0.9, light);
        }
        Clothing::Collar => collar(canvas, scene),
        Clothing::Turtleneck => turtleneck(canvas, scene),
        Clothing::Hoodie => hood(canvas, scene),
    }
}

fn collar(canvas: &mut Canvas, scene: &Scene) {
    let white = scene.cloth.lit(0.42);
    for side in [-1.0, 1.0] {
        let at = |x: f32, y: f32| [50.0 + side * x, y];
        let flap = Outline::at(at(12.8, 84.6))
            .quad(at(15.0, 86.5), at(16.5, 90.5))
            .line(at(7.5, 99.0))
            .line(at(0.4, 94.6))
            .quad(at(8.0, 90.5), at(12.8, 84.6))
            .closed();
        let tone = if side * scene.light > 0.0 { white } else { white.shade(0.10) };
        canvas.fill(&flap, tone);
        canvas.stroke(&flap, 0.5, Fill::Flat(scene.cloth.shade(0.4), 0.55));
    }
}

fn turtleneck(canvas: &mut Canvas, scene: &Scene) {
    let cloth = scene.cloth;
    let roll = smooth(
        &[
            [38.6, 83.0],
            [44.0, 85.6],
            [50.0, 86.6],
            [56.0, 85.6],
            [61.4, 83.0],
            [63.6, 87.5],
            [59.5, 92.0],
            [50.0, 94.0],
            [40.5, 92.0],
            [36.4, 87.5],
        ],
        true,
    );
    let side = scene.light * 12.0;
    let ends = [(cloth.lit(0.2), 1.0), (cloth.shade(0.22), 1.0)];
    canvas.fill(&roll, Fill::Linear([50.0 + side, 82.0], [50.0 - side, 95.0], ends));
    canvas.stroke(&roll, 0.5, Fill::Flat(cloth.shade(0.45), 0.5));
    let mask = canvas.mask(&roll);
    for i in -5..=5 {
        let x = 50.0 + i as f32 * 2.3;
        let rib = Outline::at([x, 83.0]).quad([x + i as f32 * 0.1, 88.0], [x, 95.0]).open();
        canvas.stroke_within(&rib, 0.5, Fill::Flat(cloth.shade(0.45), 0.35), mask.as_ref());
    }
}

fn hood(canvas: &mut Canvas, scene: &Scene) {
    let cloth = scene.cloth;
    for side in [-1.0, 1.0] {
        let at = |x: f32, y: f32| [50.0 + side * x, y];
        let fold = smooth(
            &[at(13.0, 80.5), at(19.5, 84.0), at(21.0, 89.0), at(12.0, 95.5), at(3.0, 95.8), at(9.5, 90.5)],
            true,
        );
        let tone = if side * scene.light > 0.0 { cloth.lit(0.14) } else { cloth.shade(0.12) };
        canvas.fill(&fold, tone);
        canvas.stroke(&fold, 0.5, Fill::Flat(cloth.shade(0.45), 0.5));
        let cord = Outline::at(at(4.2, 95.0)).quad(at(5.2, 98.0), at(4.6, 101.0)).open();
        canvas.stroke(&cord, 1.1, cloth.lit(0.65));
    }
}
