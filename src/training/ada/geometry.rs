//! Moving the pixels: one affine map an image, executed with as little aliasing as two wavelet filters allow.

use std::f64::consts::{FRAC_PI_2, PI};

use super::{AugmentConfig, affine::Affine, draws::Lottery};
use crate::{
    grad::{AffineMap, Fir, Var},
    ops::UpFirDn,
};

/// Largest translation by whole pixels, in images.
const XINT_MAX: f64 = 0.125;
/// Deviation of the scalings, in octaves.
const SCALE_STD: f64 = 0.2;
/// Deviation of the translation by any distance, in images.
const XFRAC_STD: f64 = 0.125;

/// The low-pass filter of the wavelet sym6 (Daubechies, "Ten lectures on wavelets", 1992): orthogonal, so that up and down again
/// without a map changes nothing.
const SYM6: [f32; 12] = [
    0.015_404_109,
    0.003_490_712,
    -0.117_990_11,
    -0.048_311_744,
    0.491_055_94,
    0.787_641_14,
    0.337_929_42,
    -0.072_637_52,
    -0.021_060_292,
    0.044_724_9,
    0.001_767_712,
    -0.007_800_708,
];

/// How many pixels beyond a pixel the filters see.
const REACH: usize = SYM6.len() / 2;

/// For every image the map from places of the result to places of the image, in pixels from the middle.
pub(super) fn draw(config: &AugmentConfig, size: [usize; 2], lottery: &mut Lottery) -> Vec<Affine<2>> {
    let [height, width] = size.map(|len| len as f64);
    let mut maps = vec![Affine::identity(); lottery.batch()];
    // Each inverse transformation acts on the result's places before those that were drawn earlier.
    let mut then = |inverses: Option<Vec<Option<Affine<2>>>>| {
        for (map, inverse) in maps.iter_mut().zip(inverses.into_iter().flatten()) {
            if let Some(inverse) = inverse {
                *map = map.after(&inverse);
            }
        }
    };
    then(
        lottery
            .uniforms(config.xflip)
            .map(|drawn| each(drawn, |[u]: [f64; 1]| Affine::stretch([1.0 - 2.0 * (u * 2.0).floor(), 1.0]))),
    );
    then(
        lottery
            .uniforms(config.rotate90)
            .map(|drawn| each(drawn, |[u]: [f64; 1]| Affine::rotation(FRAC_PI_2 * (u * 4.0).floor()))),
    );
    then(lottery.uniforms(config.xint).map(|drawn| {
        each(drawn, |u: [f64; 2]| {
            let [x, y] = u.map(|u| (u * 2.0 - 1.0) * XINT_MAX);
            Affine::translation([-(x * width).round_ties_even(), -(y * height).round_ties_even()])
        })
    }));
    then(
        lottery
            .normals(config.scale)
            .map(|drawn| each(drawn, |[n]: [f64; 1]| Affine::stretch([libm::exp2(-n * SCALE_STD); 2]))),
    );
    // Two independent rotations, so that one happens at all with the probability of the weight.
    let once = 1.0 - (1.0 - lottery.probability(config.rotate)).clamp(0.0, 1.0).sqrt();
    let rotation = |lottery: &mut Lottery| {
        (config.rotate > 0.0)
            .then(|| each(lottery.uniforms_at(once), |[u]: [f64; 1]| Affine::rotation((u * 2.0 - 1.0) * PI)))
    };
    then(rotation(lottery));
    then(lottery.normals(config.aniso).map(|drawn| {
        each(drawn, |[n]: [f64; 1]| Affine::stretch([libm::exp2(-n * SCALE_STD), libm::exp2(n * SCALE_STD)]))
    }));
    then(rotation(lottery));
    then(lottery.normals(config.xfrac).map(|drawn| {
        each(drawn, |[x, y]: [f64; 2]| Affine::translation([-x * XFRAC_STD * width, -y * XFRAC_STD * height]))
    }));
    maps
}

fn each<const K: usize>(drawn: Vec<Option<[f64; K]>>, map: impl Fn([f64; K]) -> Affine<2>) -> Vec<Option<Affine<2>>> {
    drawn.into_iter().map(|drawn| drawn.map(&map)).collect()
}

/// The images seen through their maps, mirrored at their edges; as they are where no map does anything.
pub(super) fn execute(images: &Var, maps: &[Affine<2>]) -> Var {
    if maps.iter().all(|map| *map == Affine::identity()) {
        return images.clone();
    }
    let (device, [_, _, height, width]) = (images.device(), images.dims());
    let margin = margin(maps, [height, width]);
    let reach = REACH as isize;
    let up = UpFirDn { up: 2, pad: [reach, reach - 1, reach, reach - 1], gain: 4.0, ..Default::default() };
    let doubled = images.reflect_pad(margin).fir(&Fir::new(&SYM6, up, &device));
    let [_, _, doubled_height, doubled_width] = doubled.dims();
    // A little more than the image, for the filter on the way back.
    let seen = [2 * (height + REACH), 2 * (width + REACH)];
    let maps: Vec<AffineMap> =
        maps.iter().map(|map| relative(map, margin, [doubled_height, doubled_width], seen)).collect();
    let down = UpFirDn { down: 2, pad: [-1; 4], flip_filter: true, ..Default::default() };
    doubled.warp(&maps, seen).fir(&Fir::new(&SYM6, down, &device))
}

/// How far beyond its left, right, top and bottom an image is looked at, but no further than mirroring once can give.
fn margin(maps: &[Affine<2>], [height, width]: [usize; 2]) -> [usize; 4] {
    let [middle_x, middle_y] = [width, height].map(|len| (len as f64 - 1.0) / 2.0);
    let mut far = [0.0f64; 4];
    for map in maps {
        for corner in [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]] {
            let [x, y] = map.of([corner[0] * middle_x, corner[1] * middle_y]);
            let beyond = [-x - middle_x, x - middle_x, -y - middle_y, y - middle_y];
            far = std::array::from_fn(|side| far[side].max(beyond[side] + REACH as f64));
        }
    }
    let most = [width, width, height, height].map(|len| len as f64 - 1.0);
    std::array::from_fn(|side| far[side].min(most[side]).ceil() as usize)
}

/// The map in coordinates from -1 to 1, from the `seen` part of the doubled result to the padded and doubled image.
fn relative(map: &Affine<2>, margin: [usize; 4], doubled: [usize; 2], seen: [usize; 2]) -> AffineMap {
    let [left, right, top, bottom] = margin.map(|len| len as f64);
    // The middle moves when the sides are padded differently.
    let padded = Affine::translation([(left - right) / 2.0, (top - bottom) / 2.0]).after(map);
    // In doubled pixels; the new ones lie half a doubled pixel after those they come from.
    let fine = Affine::translation([-0.5; 2])
        .after(&Affine::stretch([2.0; 2]))
        .after(&padded)
        .after(&Affine::stretch([0.5; 2]))
        .after(&Affine::translation([0.5; 2]));
    let [seen_y, seen_x] = seen.map(|len| len as f64 / 2.0);
    let [doubled_y, doubled_x] = doubled.map(|len| 2.0 / len as f64);
    let Affine { linear: [[a, b], [d, e]], offset: [c, f] } =
        Affine::stretch([doubled_x, doubled_y]).after(&fine).after(&Affine::stretch([seen_x, seen_y]));
    [[a, b, c], [d, e, f]].map(|row| row.map(|value| value as f32))
}
