//! Changing the colours: one affine map of (red, green, blue) an image.

use std::f64::consts::PI;

use super::{AugmentConfig, affine::Affine, draws::Lottery};
use crate::grad::Var;

/// Deviation of the offset.
const BRIGHTNESS_STD: f64 = 0.2;
/// Deviation of the factor, in octaves.
const CONTRAST_STD: f64 = 0.5;
/// Deviation of the saturation, in octaves.
const SATURATION_STD: f64 = 1.0;

/// For every image its map of colours; `None` if images have neither 1 nor 3 channels.
pub(super) fn draw(config: &AugmentConfig, channels: usize, lottery: &mut Lottery) -> Option<Vec<Affine<3>>> {
    if !matches!(channels, 1 | 3) {
        return None;
    }
    let mut maps = vec![Affine::identity(); lottery.batch()];
    let mut then = |drawn: Option<Vec<Option<[f64; 1]>>>, transformation: &dyn Fn(f64) -> Affine<3>| {
        for (map, drawn) in maps.iter_mut().zip(drawn.into_iter().flatten()) {
            if let Some([value]) = drawn {
                *map = transformation(value).after(map);
            }
        }
    };
    then(lottery.normals(config.brightness), &|n| Affine::translation([n * BRIGHTNESS_STD; 3]));
    then(lottery.normals(config.contrast), &|n| Affine::stretch([libm::exp2(n * CONTRAST_STD); 3]));
    // Mirrored at the plane of colours without luma.
    then(lottery.uniforms(config.lumaflip), &|u| about_gray(1.0 - 2.0 * (u * 2.0).floor(), 1.0, 0.0));
    if channels == 3 {
        then(lottery.uniforms(config.hue), &|u| {
            let (sin, cos) = libm::sincos((u * 2.0 - 1.0) * PI);
            about_gray(1.0, cos, sin)
        });
        then(lottery.normals(config.saturation), &|n| about_gray(1.0, libm::exp2(n * SATURATION_STD), 0.0));
    }
    Some(maps)
}

/// A factor on the part along the axis of grays, and on the rest `cos` of itself and `sin` of itself turned by 90 degrees
/// about that axis (Rodrigues' formula).
fn about_gray(gray: f64, cos: f64, sin: f64) -> Affine<3> {
    let turned = sin / 3f64.sqrt();
    let linear = std::array::from_fn(|i| {
        std::array::from_fn(|j| {
            let along = gray / 3.0;
            let across = cos * (if i == j { 1.0 } else { 0.0 } - 1.0 / 3.0);
            let cross = match (3 + j - i) % 3 {
                0 => 0.0,
                1 => -turned,
                _ => turned,
            };
            along + across + cross
        })
    });
    Affine::linear(linear)
}

/// The images with their colours changed. A gray image is what the map makes of it as a colour, averaged over the channels.
pub(super) fn execute(images: &Var, maps: &[Affine<3>]) -> Var {
    if maps.iter().all(|map| *map == Affine::identity()) {
        return images.clone();
    }
    let [batch, channels, height, width] = images.dims();
    let device = images.device();
    if channels == 1 {
        let mean = |values: [f64; 3]| (values.iter().sum::<f64>() / 3.0) as f32;
        let factors = maps.iter().map(|map| mean(map.linear.map(|row| row.iter().sum()))).collect();
        let offsets = maps.iter().map(|map| mean(map.offset)).collect();
        let [factors, offsets] = [factors, offsets].map(|values| Var::from_values(values, [batch, 1, 1, 1], &device));
        return images.mul(&factors).add(&offsets);
    }
    let channel = |row: usize| {
        let shares = maps.iter().flat_map(|map| map.linear[row].map(|share| share as f32)).collect();
        images.mul_fit(&Var::from_values(shares, [batch, 3, 1, 1], &device), [batch, 1, height, width])
    };
    let offsets = maps.iter().flat_map(|map| map.offset.map(|offset| offset as f32)).collect();
    Var::cat(&[channel(0), channel(1), channel(2)], 1).add(&Var::from_values(offsets, [batch, 3, 1, 1], &device))
}
