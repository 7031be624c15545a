//! Noise and holes.

use super::{AugmentConfig, draws::Lottery};
use crate::grad::Var;

/// Deviation of the half-normal deviation of the noise.
const NOISE_STD: f32 = 0.1;
/// Side of the hole, in images.
const CUTOUT_SIZE: f32 = 0.5;

/// The images with noise, then with a gray rectangle.
pub(super) fn apply(config: &AugmentConfig, images: &Var, lottery: &mut Lottery) -> Var {
    cutout(config, &noise(config, images, lottery), lottery)
}

fn noise(config: &AugmentConfig, images: &Var, lottery: &mut Lottery) -> Var {
    let Some(drawn) = lottery.normals::<1>(config.noise) else { return images.clone() };
    let dims = images.dims();
    let sample = dims[1] * dims[2] * dims[3];
    let mut values = lottery.plain_normals(dims[0] * sample);
    if drawn.iter().all(Option::is_none) || sample == 0 {
        return images.clone();
    }
    for (values, drawn) in values.chunks_mut(sample).zip(drawn) {
        let deviation = drawn.map_or(0.0, |[n]| n.abs() as f32 * NOISE_STD);
        values.iter_mut().for_each(|value| *value *= deviation);
    }
    images.add(&Var::from_values(values, dims, &images.device()))
}

fn cutout(config: &AugmentConfig, images: &Var, lottery: &mut Lottery) -> Var {
    if config.cutout <= 0.0 {
        return images.clone();
    }
    let happens = lottery.happens(lottery.probability(config.cutout));
    let middles = lottery.plain_uniforms(2 * lottery.batch());
    if !happens.contains(&true) {
        return images.clone();
    }
    let [batch, _, height, width] = images.dims();
    let outside =
        |at: usize, len: usize, middle: f32| ((at as f32 + 0.5) / len as f32 - middle).abs() >= CUTOUT_SIZE / 2.0;
    let mut mask = Vec::with_capacity(batch * height * width);
    for (happens, [x, y]) in happens.into_iter().zip(middles.as_chunks::<2>().0) {
        for row in 0..height {
            let beside = outside(row, height, *y);
            mask.extend((0..width).map(
                |column| {
                    if !happens || beside || outside(column, width, *x) { 1.0 } else { 0.0 }
                },
            ));
        }
    }
    images.mul(&Var::from_values(mask, [batch, 1, height, width], &images.device()))
}
